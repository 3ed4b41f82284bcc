#include "compiler/infer.h"

#include <algorithm>

#include "gc/check.h"

namespace weft::compiler {
namespace {

constexpr int64_t kClassInfoLayout = 5;

}  // namespace

bool Unit::Fail(const char* kind, Word word, Position position) {
  if (stop != Stop::kNone) return false;
  stop = Stop::kError;
  error.kind = kind;
  error.word = word;
  error.position = position;
  if (error.kind == "unbalanced-recursion" && site >= 0) {
    const Site& from = sites[static_cast<size_t>(site)];
    error.site.push_back(from.word);
    error.site.insert(error.site.end(), from.pieces.begin(), from.pieces.end());
  }
  return false;
}

Word LayoutOfClass(Word class_word) {
  if (!IsType(class_word, TypeId::kWordObject)) return gc::kFalse;
  const Word info = As<WordObject>(class_word)->class_info;
  if (!IsType(info, TypeId::kArray) || As<Array>(info)->size() <= kClassInfoLayout) {
    return gc::kFalse;
  }
  const Word layout = As<Array>(info)->elements[kClassInfoLayout];
  return IsType(layout, TypeId::kLayout) ? layout : gc::kFalse;
}

const Layout* SpecialLayout(const Vm& vm, Special special) {
  const Word layout = vm.special(special);
  return IsType(layout, TypeId::kLayout) ? As<Layout>(layout) : nullptr;
}

Builder::Builder(Unit& unit, Procedure& procedure, int register_inputs, bool infer_only)
    : unit_(unit),
      procedure_(procedure),
      infer_only_(infer_only),
      register_inputs_(register_inputs) {
  procedure_.register_count = register_inputs;
  StartBlock(NewBlock());
  Emit(InstKind::kEnter, Op::kEnter);
}

bool Builder::Run(Word quotation, ScopeId scope, int expected_outputs) {
  expected_outputs_ = expected_outputs;
  s_.low = static_cast<int>(s_.data.size());
  procedure_.blocks[0].insts[0].snapshot = TakeSnapshot();
  if (!RunQuotation(quotation, scope, infer_only_ ? kNotTail : 0)) return false;
  if (s_.end == End::kOpen && !infer_only_) EmitReturn();
  return true;
}

// --- stacks --------------------------------------------------------------------------------------

void Builder::Touch(int count) {
  s_.low = std::min(s_.low, static_cast<int>(s_.data.size()) - count);
}

bool Builder::Need(int count, Word word) {
  if (static_cast<size_t>(count) > s_.data.size()) return Fail("stack-underflow", word);
  Touch(count);
  return true;
}

ValueId Builder::Pop() {
  Touch(1);
  const ValueId id = s_.data.back();
  s_.data.pop_back();
  return id;
}

// --- instructions --------------------------------------------------------------------------------

Inst& Builder::Emit(InstKind kind, Op op) {
  Vector<Inst>& insts = procedure_.blocks[static_cast<size_t>(s_.block)].insts;
  insts.emplace_back();
  Inst& inst = insts.back();
  inst.kind = kind;
  inst.op = op;
  inst.position = position_;
  return inst;
}

int Builder::NewBlock() {
  procedure_.blocks.emplace_back();
  procedure_.blocks.back().handler = handler_;
  return static_cast<int>(procedure_.blocks.size() - 1);
}

void Builder::StartBlock(int block) {
  s_.block = block;
  procedure_.order.push_back(block);
}

VReg Builder::NewRegister() { return procedure_.register_count++; }

int Builder::TakeSnapshot(bool keep_all) {
  Snapshot snapshot;
  snapshot.data = s_.data;
  snapshot.retained.reserve(s_.retained.size());
  for (const Retained& item : s_.retained) snapshot.retained.push_back(item.value);
  snapshot.keep_all = keep_all;
  procedure_.snapshots.push_back(std::move(snapshot));
  return static_cast<int>(procedure_.snapshots.size() - 1);
}

int Builder::EmptySnapshot() {
  procedure_.snapshots.emplace_back();
  return static_cast<int>(procedure_.snapshots.size() - 1);
}

// As Factor's stack checker tells inputs of the word from values that it computes.
bool Builder::FailInput(ValueId id, Word word) {
  const Value& value = At(id);
  const bool is_input = value.is_reg() && value.reg < register_inputs_;
  return Fail(is_input ? "unknown-macro-input" : "bad-macro-input", word);
}

void Builder::EmitJump(int target) { Emit(InstKind::kJump, Op::kJump).targets.push_back(target); }

uint32_t Builder::ShapeOfValue(ValueId id) const {
  const Value& value = At(id);
  switch (value.kind) {
    case Value::kReg:
      return value.shape;
    case Value::kLiteral:
      return ShapeOfWord(value.literal);
    default: {
      const Layout* layout =
          SpecialLayout(unit_.vm, value.kind == Value::kCurried ? Special::kCurriedLayout
                                                                : Special::kComposedLayout);
      return layout == nullptr ? kNoShape : static_cast<uint32_t>(layout->shape.AsFixnum());
    }
  }
}

Operand Builder::OperandOf(ValueId id) {
  const Value value = At(id);
  if (value.is_reg()) return Operand::Reg(value.reg);
  if (value.is_literal()) return Operand::Constant(value.literal);
  const Layout* layout = SpecialLayout(
      unit_.vm, value.kind == Value::kCurried ? Special::kCurriedLayout : Special::kComposedLayout);
  const Operand first = OperandOf(value.first);
  const Operand second = OperandOf(value.second);
  Inst& inst = Emit(InstKind::kCall, Op::kNewTuple);
  inst.literal = Word::Pointer(layout);
  inst.srcs = {first, second};
  const VReg made = NewRegister();
  inst.dsts.push_back(made);
  inst.snapshot = EmptySnapshot();
  const ValueId result = unit_.Register(made, static_cast<uint32_t>(layout->shape.AsFixnum()));
  std::replace(s_.data.begin(), s_.data.end(), id, result);
  for (Retained& item : s_.retained) {
    if (item.value == id) item.value = result;
  }
  return Operand::Reg(made);
}

Inst& Builder::EmitCall(Op op, int inputs, int outputs, Word literal, int imm, bool keep_all) {
  absl::InlinedVector<Operand, 3> operands;
  for (int i = inputs - 1; i >= 0; --i) operands.push_back(OperandOf(Peek(i)));
  for (int i = 0; i < inputs; ++i) Pop();
  const int snapshot = op == Op::kNewTuple ? EmptySnapshot() : TakeSnapshot(keep_all);
  if (MayRunOthers(op, imm)) s_.others_ran = true;
  Inst& inst = Emit(InstKind::kCall, op);
  inst.srcs = std::move(operands);
  inst.snapshot = snapshot;
  inst.literal = literal;
  inst.imm = imm;
  for (int i = 0; i < outputs; ++i) {
    const VReg reg = NewRegister();
    inst.dsts.push_back(reg);
    Push(unit_.Register(reg));
  }
  return inst;
}

void Builder::EmitReturn() {
  if (static_cast<int>(s_.data.size()) != expected_outputs_) wrong_outputs_ = true;
  absl::InlinedVector<Operand, 3> operands;
  // OperandOf may replace items, so each is looked up again.
  for (size_t i = 0; i < s_.data.size(); ++i) operands.push_back(OperandOf(s_.data[i]));
  Inst& inst = Emit(InstKind::kReturn, Op::kReturn);
  inst.srcs = std::move(operands);
  s_.end = End::kReturned;
}

// --- quotations
// ------------------------------------------------------------------------------------

bool Builder::RestIsDropLocals(const Array* array, int64_t from) const {
  // Dropping locals costs nothing, so a call before it is still the last thing to do.
  for (int64_t i = from; i < array->size(); i += 2) {
    if (!array->elements[i].IsFixnum() || i + 1 >= array->size()) return false;
    const Word word = array->elements[i + 1];
    if (!IsType(word, TypeId::kWordObject)) return false;
    const int64_t row = (As<WordObject>(word)->flags.AsFixnum() & kFlagPrimitiveMask) - 1;
    if (row < 0 || kPrimitives[row].kind != PrimitiveKind::kBody ||
        kPrimitives[row].body != Op::kDynDropLocals) {
      return false;
    }
  }
  return true;
}

bool Builder::RunQuotation(Word quotation, ScopeId scope, int tail) {
  if (unit_.depth >= Unit::kMaxDepth) {
    // Quotations that call themselves (dup call) nest without end; others are merely deep.
    constexpr int64_t kManyTimes = 20;
    const bool recurs =
        std::count(unit_.active.begin(), unit_.active.end(), quotation) >= kManyTimes;
    return Fail(recurs ? "recursive-quotation" : "too-big", quotation);
  }
  const Quotation* object = As<Quotation>(quotation);
  if (!IsType(object->array, TypeId::kArray)) return true;
  const Array* array = As<Array>(object->array);
  const ByteArray* positions = nullptr;
  if (IsType(object->source, TypeId::kArray) && As<Array>(object->source)->size() == 2) {
    const Array* source = As<Array>(object->source);
    const bool same_file = source->elements[0] == unit_.PathOf(unit_.SpliceOf(scope));
    if (same_file && IsType(source->elements[1], TypeId::kByteArray)) {
      positions = As<ByteArray>(source->elements[1]);
    }
  }

  ++unit_.depth;
  unit_.active.push_back(quotation);
  const ScopeId outer_scope = scope_;
  const Position outer_position = position_;
  const int outer_level = level_;
  const int outer_site = unit_.site;
  scope_ = scope;
  bool ok = true;
  for (int64_t i = 0; i < array->size() && s_.end == End::kOpen; ++i) {
    if (positions != nullptr && (i + 1) * 8 <= positions->size()) {
      const uint8_t* at = positions->bytes + i * 8;
      position_.line = static_cast<uint32_t>(at[0] | at[1] << 8 | at[2] << 16 | at[3] << 24);
      position_.column = static_cast<uint32_t>(at[4] | at[5] << 8 | at[6] << 16 | at[7] << 24);
      position_.splice = unit_.SpliceOf(scope);
    }
    if (++unit_.steps > Unit::kMaxSteps ||
        procedure_.register_count > static_cast<int>(Unit::kMaxRegisters)) {
      ok = Fail("too-big", quotation);
      break;
    }
    if (positions != nullptr) NoteSite(array->elements[i]);
    const bool last = i + 1 == array->size() || RestIsDropLocals(array, i + 1);
    if (!RunElement(array->elements[i], last ? tail : kNotTail)) {
      ok = false;
      break;
    }
  }
  scope_ = outer_scope;
  position_ = outer_position;
  level_ = outer_level;
  unit_.site = outer_site;
  unit_.active.pop_back();
  --unit_.depth;
  return ok;
}

void Builder::NoteSite(Word element) {
  unit_.site = -1;
  if (!IsType(element, TypeId::kWordObject)) return;
  const WordObject* word = As<WordObject>(element);
  EffectCount effect;
  if ((word->flags.AsFixnum() & kFlagInline) == 0 || !ReadEffect(unit_.vm, word->effect, &effect) ||
      static_cast<size_t>(effect.inputs) > s_.data.size()) {
    return;
  }
  unit_.site = static_cast<int>(unit_.sites.size());
  Site& site = unit_.sites.emplace_back();
  site.word = element;
  for (int i = effect.inputs - 1; i >= 0; --i) {
    if (IsCallable(Peek(i))) AddPieces(Peek(i), &site.pieces);
    site.pieces.push_back(gc::kFalse);
  }
}

// The quotations that a callable is made of, and kTrue for each value that it holds, in the order
// in which they run; none if one of them is not known or there are too many to show.
void Builder::AddPieces(ValueId callable, Site::Pieces* pieces) {
  constexpr size_t kMaxPieces = 32;
  const size_t before = pieces->size();
  absl::InlinedVector<ValueId, 4> rest = {callable};
  while (!rest.empty()) {
    const Value& value = At(rest.back());
    rest.pop_back();
    const bool known =
        value.is_virtual() || (value.is_literal() && IsType(value.literal, TypeId::kQuotation));
    if (!known || pieces->size() - before > kMaxPieces) {
      pieces->resize(before);
      return;
    }
    if (value.is_literal()) pieces->push_back(value.literal);
    if (value.kind == Value::kCurried) pieces->push_back(gc::kTrue);
    if (value.is_virtual()) rest.push_back(value.second);
    if (value.kind == Value::kComposed) rest.push_back(value.first);
  }
}

bool Builder::RunElement(Word element, int tail) {
  if (element.IsPointer()) {
    if (IsType(element, TypeId::kWordObject)) return ApplyWord(element, tail);
    if (IsType(element, TypeId::kWrapper)) element = As<Wrapper>(element)->wrapped;
  }
  Push(unit_.Literal(element, scope_));
  return true;
}

bool Builder::IsCallable(ValueId id) const {
  const Value& value = At(id);
  if (value.is_virtual()) return true;
  if (!value.is_literal() || !value.literal.IsPointer()) return false;
  if (IsType(value.literal, TypeId::kQuotation)) return true;
  const uint32_t shape = gc::ObjectAt(value.literal)->shape();
  for (const Special special : {Special::kCurriedLayout, Special::kComposedLayout}) {
    const Layout* layout = SpecialLayout(unit_.vm, special);
    if (layout != nullptr && shape == static_cast<uint32_t>(layout->shape.AsFixnum())) return true;
  }
  return false;
}

// The quotations that the word at hand is given, as far as it declares their height.
void Builder::NoteDeclaredHeights(const WordObject* word) {
  EffectCount effect;
  if (!ReadEffect(unit_.vm, word->effect, &effect) ||
      static_cast<size_t>(effect.inputs) > s_.data.size()) {
    return;
  }
  for (int i = 0; i < effect.inputs; ++i) {
    const ValueId id = Peek(effect.inputs - 1 - i);
    int height = 0;
    if (IsCallable(id) && ReadInputHeight(unit_.vm, word->effect, i, &height)) {
      unit_.declared_heights.try_emplace(
          id, Unit::Declared{height, Word::Pointer(word), unit_.site, position_});
    }
  }
}

bool Builder::RunCallable(ValueId callable, int tail, Word who) {
  const auto declared = unit_.declared_heights.find(callable);
  if (declared == unit_.declared_heights.end()) return RunCallableParts(callable, tail, who);
  const Unit::Declared wanted = declared->second;
  const size_t before = s_.data.size();
  if (!RunCallableParts(callable, tail, who)) return false;
  if (s_.end != End::kOpen) return true;
  const auto height = static_cast<int>(s_.data.size()) - static_cast<int>(before);
  if (height == wanted.height) return true;
  unit_.site = wanted.site;
  return unit_.Fail("unbalanced-recursion", wanted.word, wanted.position);
}

bool Builder::RunCallableParts(ValueId callable, int tail, Word who) {
  // Chains of composed callables are followed iteratively along their second part.
  while (true) {
    Value value = At(callable);
    if (value.is_literal() && IsCallable(callable) && !IsType(value.literal, TypeId::kQuotation)) {
      // A literal curried or composed tuple: take it apart.
      const Object* tuple = gc::ObjectAt(value.literal);
      const Layout* curried = SpecialLayout(unit_.vm, Special::kCurriedLayout);
      const bool is_curried =
          curried != nullptr && tuple->shape() == static_cast<uint32_t>(curried->shape.AsFixnum());
      const ValueId first = unit_.Literal(*tuple->field(0), value.scope);
      const ValueId second = unit_.Literal(*tuple->field(1), value.scope);
      callable = unit_.Virtual(is_curried ? Value::kCurried : Value::kComposed, first, second);
      value = At(callable);
    }
    switch (value.kind) {
      case Value::kLiteral:
        if (!IsType(value.literal, TypeId::kQuotation)) return FailInput(callable, who);
        return RunQuotation(value.literal, value.scope, tail);
      case Value::kReg:
        return FailInput(callable, who);
      case Value::kCurried:
        Push(value.first);
        callable = value.second;
        if (unit_.declared_heights.contains(callable)) return RunCallable(callable, tail, who);
        break;
      case Value::kComposed: {
        if (unit_.depth >= Unit::kMaxDepth) return Fail("too-big", who);
        ++unit_.depth;
        const bool ok = RunCallable(value.first, kNotTail, who);
        --unit_.depth;
        if (!ok) return false;
        if (s_.end != End::kOpen) return true;
        callable = value.second;
        if (unit_.declared_heights.contains(callable)) return RunCallable(callable, tail, who);
        break;
      }
    }
  }
}

// --- words
// -----------------------------------------------------------------------------------------

bool Builder::ApplyWord(Word word, int tail) {
  const WordObject* object = As<WordObject>(word);
  const int64_t flags = object->flags.AsFixnum();
  bool done = false;
  if (!ApplyIntrinsic(word, tail, &done)) return false;
  if (done) return true;
  const int64_t row = (flags & kFlagPrimitiveMask) - 1;
  if (row >= 0 && row < static_cast<int64_t>(kPrimitiveCount)) {
    const Primitive& primitive = kPrimitives[row];
    switch (primitive.kind) {
      case PrimitiveKind::kShuffle:
        if (!Need(primitive.counts.inputs, word)) return false;
        return ApplyShuffle(primitive.counts);
      case PrimitiveKind::kBody:
        return ApplyBody(word, primitive.body, primitive.counts, tail);
      case PrimitiveKind::kFunction:
        if (!Need(primitive.counts.inputs, word)) return false;
        if (!ApplyFolded(word, tail, &done)) return false;
        if (done) return true;
        if (primitive.function == PrimCurry && ApplyPair(Value::kCurried)) return true;
        if (primitive.function == PrimCompose && ApplyPair(Value::kComposed)) return true;
        if (ApplyTypeTest(primitive, word)) return true;
        if (primitive.function == PrimKnownEffect && IsCallable(Peek(0))) {
          return ApplyKnownEffect(word);
        }
        EmitCall(Op::kCallPrimitive, primitive.counts.inputs, primitive.counts.outputs, word,
                 static_cast<int>(row), primitive.Has(kPrimNeedsMap));
        if (primitive.function == PrimArray) MarkTop(ShapeOf(TypeId::kArray));
        unit_.DependOn(word, Dependency::kEffect);
        if (primitive.counts.terminates) {
          Emit(InstKind::kStop, Op::kNop);
          s_.end = End::kTerminated;
        }
        return true;
    }
  }
  if (!ApplyFolded(word, tail, &done)) return false;
  if (done) return true;
  // Classes push themselves, as symbols do.
  if ((flags & kFlagSymbol) != 0 ||
      (object->class_info.IsPointer() && !IsType(object->def, TypeId::kQuotation))) {
    unit_.DependOn(word, Dependency::kDefinition);
    Push(unit_.Literal(word, scope_));
    return true;
  }
  if ((flags & kFlagMacro) != 0) return ApplyMacro(word, tail);
  if ((flags & kFlagInline) != 0 && IsType(object->def, TypeId::kQuotation) &&
      !object->generic_info.IsPointer()) {
    unit_.DependOn(word, Dependency::kDefinition);
    if ((flags & kFlagRecursive) != 0) return ApplyInlineRecursive(word, tail);
    return ApplyInline(word, tail);
  }
  return ApplyByEffect(word, tail);
}

bool Builder::ApplyShuffle(const EffectCounts& counts) {
  const size_t base = s_.data.size() - counts.inputs;
  ValueId inputs[EffectCounts::kMaxShuffle];
  std::copy(s_.data.begin() + static_cast<int64_t>(base), s_.data.end(), inputs);
  s_.data.resize(base);
  for (int i = 0; i < counts.outputs; ++i) Push(inputs[counts.shuffle[i]]);
  return true;
}

}  // namespace weft::compiler
