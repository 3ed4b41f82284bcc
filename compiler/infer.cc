#include "compiler/infer.h"

#include <algorithm>
#include <cmath>

#include "gc/check.h"
#include "vm/generic.h"

namespace weft::compiler {
namespace {

// The rows of intrinsics.def by number; `swapped`: the opcode takes the operands the other way
// round.
struct Intrinsic {
  absl::string_view word;
  uint8_t inputs;
  uint8_t outputs;
  Op op;
  bool swapped;
};
constexpr Intrinsic kIntrinsics[] = {
#define INTRINSIC(vocabulary, word, inputs, outputs, opcode) \
  {word, inputs, outputs, Op::k##opcode,                     \
   (absl::string_view(word) == ">" || absl::string_view(word) == ">=")},
#include "vm/intrinsics.def"
#undef INTRINSIC
};

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
    error.site.insert(error.site.end(), from.arguments.begin(), from.arguments.end());
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
  std::vector<Inst>& insts = procedure_.blocks[static_cast<size_t>(s_.block)].insts;
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

// Instructions that only call a word for unusual operands do not count.
static bool MayRunOthers(Op op, int imm) {
  switch (op) {
    case Op::kCallPrimitive:
      return kPrimitives[imm].Has(kPrimNeedsMap) || kPrimitives[imm].Has(kPrimBlocks);
    case Op::kNewTuple:
    case Op::kNth:
    case Op::kSetNth:
    case Op::kLength:
    case Op::kSlotOf:
    case Op::kSetSlotOf:
      return false;
    default:
      return true;
  }
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
    const Value& value = At(Peek(i));
    const bool known = value.is_literal() && IsType(value.literal, TypeId::kQuotation);
    site.arguments.push_back(known ? value.literal : gc::kFalse);
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
  const int intrinsic = static_cast<int>(flags >> kFlagIntrinsicShift & 0xFFF) - 1;
  if (intrinsic >= 0 && intrinsic < static_cast<int>(std::size(kIntrinsics))) {
    bool done = false;
    if (!ApplyIntrinsic(word, intrinsic, tail, &done)) return false;
    if (done) return true;
  }
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
        if ((flags & kFlagFoldable) != 0) {
          bool done = false;
          if (!ApplyFolded(word, tail, &done)) return false;
          if (done) return true;
        }
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
  if ((flags & kFlagFoldable) != 0) {
    bool done = false;
    if (!ApplyFolded(word, tail, &done)) return false;
    if (done) return true;
  }
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

namespace {

// The layout of the tuples that a constructor word of the VM makes (MakeConstructor); f if the word
// is none.
Word ConstructedLayout(const WordObject* word) WEFT_NO_ALLOC {
  if (word->effect.IsPointer() || !IsType(word->code, TypeId::kCode)) return gc::kFalse;
  const Code* code = As<Code>(word->code);
  if (code->instruction_count.AsFixnum() != 3) return gc::kFalse;
  const uint32_t* at = code->instructions() + 1;
  if (DecodeOp(*at) != Op::kNewTuple) return gc::kFalse;
  const Word layout = Word::FromBits(*LiteralAddress(at, DecodeD(*at)));
  return IsType(layout, TypeId::kLayout) ? layout : gc::kFalse;
}

// Does its static code call other words? Then it is not made of primitives alone, and its
// definition need not be read: in the image, definitions lie apart.
bool CallsWords(const WordObject* word) WEFT_NO_ALLOC {
  if (!IsType(word->code, TypeId::kCode)) return false;
  const Code* code = As<Code>(word->code);
  if ((code->mode_and_counts.AsFixnum() & 0xFF) != static_cast<int64_t>(CodeMode::kStatic)) {
    return false;
  }
  const uint32_t* at = code->instructions();
  const uint32_t* end = at + code->instruction_count.AsFixnum();
  for (; at < end; at += InfoOf(DecodeOp(*at)).words()) {
    const Op op = DecodeOp(*at);
    if (op == Op::kCall || op == Op::kTailCall || op == Op::kCallGeneric ||
        op == Op::kTailCallGeneric) {
      return true;
    }
  }
  return false;
}

// Words of a few literals, shuffles and simple primitives are spliced: predicates, constants. Their
// effect must be exactly what they declare, so that splicing cannot hide an error.
bool IsSmall(const WordObject* word, const EffectCount& declared) WEFT_NO_ALLOC {
  constexpr int64_t kMaxElements = 5;
  constexpr int64_t kKeepsOwnFrame = kFlagMacro | kFlagParsing | kFlagDeferred | kFlagUncompiled;
  if (CallsWords(word) || word->generic_info.IsPointer() ||
      !IsType(word->def, TypeId::kQuotation) || (word->flags.AsFixnum() & kKeepsOwnFrame) != 0 ||
      declared.terminated || declared.has_rows) {
    return false;
  }
  const Word elements = As<Quotation>(word->def)->array;
  if (!IsType(elements, TypeId::kArray) || As<Array>(elements)->size() > kMaxElements) return false;
  int height = declared.inputs;
  for (int64_t i = 0; i < As<Array>(elements)->size(); ++i) {
    const Word element = As<Array>(elements)->elements[i];
    if (!IsType(element, TypeId::kWordObject)) {
      if (IsType(element, TypeId::kQuotation)) return false;
      ++height;
      continue;
    }
    const int64_t row = (As<WordObject>(element)->flags.AsFixnum() & kFlagPrimitiveMask) - 1;
    if (row < 0 || row >= static_cast<int64_t>(kPrimitiveCount)) return false;
    const Primitive& primitive = kPrimitives[row];
    if (primitive.kind == PrimitiveKind::kBody || primitive.counts.terminates ||
        primitive.Has(kPrimNeedsMap) || primitive.Has(kPrimBlocks) ||
        height < primitive.counts.inputs) {
      return false;
    }
    height += primitive.counts.outputs - primitive.counts.inputs;
  }
  return height == declared.outputs;
}

// How a generic word is called best: one whose methods are slot accessors reads the slot in line.
Op AccessorOp(const Array* info, const EffectCount& effect) WEFT_NO_ALLOC {
  const Word methods = info->elements[kGenericMethods];
  if (!IsType(methods, TypeId::kArray)) return Op::kCallGeneric;
  const bool reads = effect.inputs == 1 && effect.outputs == 1;
  const bool writes = effect.inputs == 2 && effect.outputs == 0;
  for (int64_t i = 1; i < As<Array>(methods)->size(); i += 2) {
    const Word method = As<Array>(methods)->elements[i];
    if (!IsType(method, TypeId::kWordObject)) continue;
    const int64_t flags = As<WordObject>(method)->flags.AsFixnum();
    if (reads && (flags & kFlagReadsSlot) != 0) return Op::kSlotOf;
    if (writes && (flags & kFlagWritesSlot) != 0) return Op::kSetSlotOf;
  }
  return Op::kCallGeneric;
}

}  // namespace

bool Builder::ApplyByEffect(Word word, int tail) {
  const WordObject* object = As<WordObject>(word);
  const Word layout = ConstructedLayout(object);
  if (layout.IsPointer()) {
    const int slots = static_cast<int>(As<Layout>(layout)->slot_count.AsFixnum());
    if (!Need(slots, word)) return false;
    unit_.DependOn(As<Layout>(layout)->class_word, Dependency::kClass);
    EmitCall(Op::kNewTuple, slots, 1, layout, 0);
    MarkTop(static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum()));
    return true;
  }
  EffectCount effect;
  if (!ReadEffect(unit_.vm, object->effect, &effect)) return Fail("missing-effect", word);
  if (!Need(effect.inputs, word)) return false;
  const auto known = static_cast<int>(object->flags.AsFixnum() >> kFlagTransformShift & 0xFF);
  if (known != 0) {
    bool done = false;
    if (!ApplyKnownArguments(word, known - 1, tail, &done)) return false;
    if (done) return true;
  }
  bool chosen = false;
  if (!ApplyChosenMethod(word, tail, &chosen)) return false;
  if (!chosen && !ApplyLikelyMethod(word, tail, &chosen)) return false;
  if (chosen) return true;
  if (IsSmall(object, effect)) {
    unit_.DependOn(word, Dependency::kDefinition);
    return ApplyInline(word, tail);
  }
  if (CanSplice(word, effect)) {
    bool done = false;
    if (!ApplySplice(word, effect, tail, &done)) return false;
    if (done) return true;
  }
  unit_.DependOn(word, Dependency::kEffect);
  if (word == unit_.vm.special(Special::kSqrt) && effect.inputs == 1 && effect.outputs == 1) {
    const Operand operand = OperandOf(Peek(0));
    Pop();
    const int snapshot = TakeSnapshot();
    Inst& inst = Emit(InstKind::kCompute, Op::kSqrt);
    inst.srcs.push_back(operand);
    inst.snapshot = snapshot;
    inst.dsts.push_back(NewRegister());
    Push(unit_.Register(inst.dsts[0]));
    return true;
  }

  EmitWordCall(word, effect, tail);
  return true;
}

bool Builder::IsTailCall(const EffectCount& effect, int tail) const {
  return tail == 0 && handler_ < 0 && !infer_only_ && !effect.terminated &&
         static_cast<int>(s_.data.size()) == effect.inputs && effect.outputs == expected_outputs_;
}

void Builder::EmitWordCall(Word word, const EffectCount& effect, int tail) {
  const Word info = As<WordObject>(word)->generic_info;
  Op call = Op::kCall;
  Op tail_call = Op::kTailCall;
  if (IsType(info, TypeId::kArray) &&
      As<Array>(info)->elements[kGenericKind] ==
          Word::Fixnum(static_cast<int64_t>(GenericKind::kSingle))) {
    call = AccessorOp(As<Array>(info), effect);
    tail_call = Op::kTailCallGeneric;
  }
  // A word that never returns is called, so that a trace shows who called it.
  const bool is_accessor = call == Op::kSlotOf || call == Op::kSetSlotOf;
  const bool in_tail = !is_accessor && IsTailCall(effect, tail);
  EmitCall(in_tail ? tail_call : call, effect.inputs, effect.outputs, word, 0);
  if (in_tail) {
    Inst& inst = procedure_.blocks[static_cast<size_t>(s_.block)].insts.back();
    inst.kind = InstKind::kTailCall;
    inst.dsts.clear();
    s_.end = End::kReturned;
  } else if (effect.terminated) {
    Emit(InstKind::kStop, Op::kNop);
    s_.end = End::kTerminated;
  }
}

bool Builder::ApplyMacro(Word word, int tail) {
  const int64_t literals = As<WordObject>(word)->flags.AsFixnum() >> kFlagTransformShift & 0xFF;
  if (literals != 0) return Expand(word, static_cast<int>(literals - 1), tail);
  EffectCount effect;
  if (!ReadEffect(unit_.vm, As<WordObject>(word)->effect, &effect)) {
    return Fail("missing-effect", word);
  }
  return Expand(word, effect.inputs, tail);
}

// What the language made of a macro and its literals; null: it has not been asked.
const Word* Builder::FindAnswer(Word word, const std::vector<Word>& literals) const {
  if (!IsType(unit_.answers, TypeId::kArray)) return nullptr;
  // Answers are triples { macro literals expansion }.
  const Array* answers = As<Array>(unit_.answers);
  for (int64_t i = 0; i < answers->size(); ++i) {
    const Word entry = answers->elements[i];
    if (!IsType(entry, TypeId::kArray) || As<Array>(entry)->size() != 3) continue;
    const Array* answer = As<Array>(entry);
    if (answer->elements[0] != word || !IsType(answer->elements[1], TypeId::kArray)) continue;
    const Array* known = As<Array>(answer->elements[1]);
    if (known->size() == static_cast<int64_t>(literals.size()) &&
        std::equal(literals.begin(), literals.end(), known->elements)) {
      return &answer->elements[2];
    }
  }
  return nullptr;
}

// An ordinary word that may be something simpler for arguments that are known.
bool Builder::ApplyKnownArguments(Word word, int count, int tail, bool* done) {
  *done = false;
  if (static_cast<size_t>(count) > s_.data.size()) return true;
  std::vector<Word> literals;
  for (int i = count - 1; i >= 0; --i) {
    const Value& value = At(Peek(i));
    if (!value.is_literal()) return true;
    literals.push_back(value.literal);
  }
  unit_.DependOn(word, Dependency::kDefinition);
  const Word* answer = FindAnswer(word, literals);
  if (answer == nullptr) {
    unit_.stop = Stop::kRequest;
    unit_.request_macro = word;
    unit_.request_literals = std::move(literals);
    return false;
  }
  if (answer->IsFalse()) return true;
  *done = true;
  Touch(count);
  for (int i = 0; i < count; ++i) Pop();
  return RunCallable(unit_.Literal(*answer, scope_), tail, word);
}

bool Builder::Expand(Word word, int literal_count, int tail) {
  if (!Need(literal_count, word)) return false;
  std::vector<Word> literals;
  for (int i = literal_count - 1; i >= 0; --i) {
    const Value& value = At(Peek(i));
    if (!value.is_literal()) return FailInput(Peek(i), word);
    literals.push_back(value.literal);
  }
  unit_.DependOn(word, Dependency::kDefinition);
  if (const Word* answer = FindAnswer(word, literals)) {
    // What the expansion is made of was written where the literals were: an inline word that hands
    // its caller's literals to a macro is not called by itself if they call it.
    ScopeId written = kNoScope;
    bool has_objects = false;
    for (int i = 0; i < literal_count; ++i) {
      const Value& value = At(Pop());
      if (!value.literal.IsPointer()) continue;
      has_objects = true;
      written = std::max(written, value.scope);
    }
    return RunCallable(unit_.Literal(*answer, has_objects ? written : scope_), tail, word);
  }
  unit_.stop = Stop::kRequest;
  unit_.request_macro = word;
  unit_.request_literals = std::move(literals);
  return false;
}

// --- intrinsics
// --------------------------------------------------------------------------------------

bool Builder::ApplyIntrinsic(Word word, int row, int tail, bool* done) {
  const Intrinsic& intrinsic = kIntrinsics[row];
  const OpInfo& info = InfoOf(intrinsic.op);
  *done = false;
  if (intrinsic.op == Op::kNewTuple) return ApplyBoa(word, tail, done);
  if (!Need(intrinsic.inputs, word)) return false;
  if (info.Has(kOpCalls)) {
    // Its inline cache needs a generic word.
    const Word generic = As<WordObject>(word)->generic_info;
    if (!IsType(generic, TypeId::kArray)) return true;
    // The method of a tuple is better known than found, but for those that the instruction knows.
    const uint32_t shape = ShapeOfValue(
        Peek(static_cast<int>(As<Array>(generic)->elements[kGenericPosition].AsFixnum())));
    if (shape != kNoShape && shape >= gc::kFirstTupleShape && shape != unit_.vm.vector_shape()) {
      return true;
    }
    if (intrinsic.op == Op::kLength && At(Peek(0)).is_literal() &&
        shape == ShapeOf(TypeId::kArray)) {
      const Word length = Word::Fixnum(As<Array>(At(Peek(0)).literal)->size());
      Pop();
      Push(unit_.Literal(length));
      unit_.DependOn(word, Dependency::kEffect);
      *done = true;
      return true;
    }
    EmitCall(intrinsic.op, intrinsic.inputs, intrinsic.outputs, word, 0);
    unit_.DependOn(word, Dependency::kEffect);
    *done = true;
    return true;
  }
  *done = true;
  unit_.DependOn(word, Dependency::kEffect);
  if (intrinsic.inputs <= 2) {
    Word literals[2] = {gc::kFalse, gc::kFalse};
    bool known = true;
    for (int i = 0; i < intrinsic.inputs; ++i) {
      const Value& value = At(Peek(intrinsic.inputs - 1 - i));
      known = known && (value.is_literal() || (value.is_virtual() && intrinsic.op == Op::kNot));
      literals[i] = value.is_literal() ? value.literal : gc::kTrue;
    }
    Word result = gc::kFalse;
    if (known && intrinsic.swapped) std::swap(literals[0], literals[1]);
    if (known && FoldNatively(intrinsic.op, literals, &result)) {
      for (int i = 0; i < intrinsic.inputs; ++i) Pop();
      Push(unit_.Literal(result));
      return true;
    }
    bool folded = false;
    if (known && !ApplyFolded(word, tail, &folded)) return false;
    if (folded) return true;
  }
  absl::InlinedVector<Operand, 3> operands;
  for (int i = intrinsic.inputs - 1; i >= 0; --i) operands.push_back(OperandOf(Peek(i)));
  for (int i = 0; i < intrinsic.inputs; ++i) Pop();
  if (intrinsic.swapped) std::swap(operands[0], operands[1]);
  const int snapshot = info.NeedsMap() || info.Has(kOpThrows) ? TakeSnapshot() : -1;
  Inst& inst = Emit(InstKind::kCompute, intrinsic.op);
  inst.srcs = std::move(operands);
  inst.snapshot = snapshot;
  for (int i = 0; i < intrinsic.outputs; ++i) {
    const VReg reg = NewRegister();
    inst.dsts.push_back(reg);
    Push(unit_.Register(reg));
  }
  return true;
}

// curry and compose of what is known: no object yet. False: nothing was done.
bool Builder::ApplyPair(Value::Kind kind) {
  const bool known = IsCallable(Peek(0)) || (kind == Value::kComposed && IsCallable(Peek(1)));
  if (!known) return false;
  if (std::max(At(Peek(0)).depth, At(Peek(1)).depth) >= Unit::kMaxVirtualDepth) return false;
  const ValueId second = Pop();
  const ValueId first = Pop();
  Push(unit_.Virtual(kind, first, second));
  return true;
}

// Tests of built-in types and tuple layouts that need no call. False: not one of these.
bool Builder::ApplyTypeTest(const Primitive& primitive, Word word) {
  if (primitive.function == PrimBothFixnums) {
    EmitBothFixnums();
    return true;
  }
  const bool builtin = primitive.function == PrimBuiltinInstance;
  if (!builtin && primitive.function != PrimTupleInstance) return false;
  const Value what = At(Peek(0));
  if (!what.is_literal()) return false;
  const bool fits = builtin ? what.literal.IsFixnum() && what.literal.AsFixnum() > 0 &&
                                  what.literal.AsFixnum() < static_cast<int64_t>(TypeId::kCount)
                            : IsType(what.literal, TypeId::kLayout);
  if (!fits) return false;
  const Value tested = At(Peek(1));
  if (builtin && tested.is_literal()) {
    const bool is_instance =
        ShapeOfWord(tested.literal) == static_cast<uint32_t>(what.literal.AsFixnum());
    Pop();
    Pop();
    Push(unit_.Literal(Word::Bool(is_instance)));
    return true;
  }
  unit_.DependOn(word, Dependency::kEffect);
  if (!builtin) {
    unit_.DependOn(As<Layout>(what.literal)->class_word, Dependency::kClass);
  }
  const uint32_t shape = ShapeOfValue(Peek(1));
  if (shape != kNoShape && tested.is_reg()) {
    bool is_instance = builtin && shape == static_cast<uint32_t>(what.literal.AsFixnum());
    if (!builtin && shape >= gc::kFirstTupleShape) {
      const auto* own = As<Layout>(unit_.vm.layouts().get(shape - gc::kFirstTupleShape));
      const auto* wanted = As<Layout>(what.literal);
      const auto* chain = As<Array>(own->superclasses);
      const int64_t depth = As<Array>(wanted->superclasses)->size();
      is_instance = depth <= chain->size() && chain->elements[depth - 1] == wanted->class_word;
      unit_.DependOn(own->class_word, Dependency::kClass);
    }
    Pop();
    Pop();
    Push(unit_.Literal(Word::Bool(is_instance)));
    return true;
  }
  const Operand object = OperandOf(Peek(1));
  Pop();
  Pop();
  Inst& inst = Emit(InstKind::kCompute, builtin ? Op::kIsShape : Op::kIsInstance);
  inst.srcs.push_back(object);
  if (builtin) {
    inst.imm = static_cast<int32_t>(what.literal.AsFixnum());
  } else {
    inst.literal = what.literal;
  }
  const VReg reg = NewRegister();
  inst.dsts.push_back(reg);
  Push(unit_.Register(reg));
  return true;
}

// A test of the shape for each operand of unknown shape; a branch on the result is threaded through
// them later.
void Builder::EmitBothFixnums() {
  std::vector<Operand> operands;
  bool known = true;
  for (const int place : {1, 0}) {
    const uint32_t shape = ShapeOfValue(Peek(place));
    if (shape == kNoShape) {
      operands.push_back(OperandOf(Peek(place)));
    } else {
      known = known && shape == ShapeOf(TypeId::kFixnum);
    }
  }
  Pop();
  Pop();
  if (!known || operands.empty()) {
    Push(unit_.Literal(Word::Bool(known)));
    return;
  }
  const int no = NewBlock();
  const int join = NewBlock();
  const VReg result = NewRegister();
  for (const Operand& operand : operands) {
    Inst& test = Emit(InstKind::kCompute, Op::kIsShape);
    test.srcs.push_back(operand);
    test.imm = static_cast<int32_t>(TypeId::kFixnum);
    const VReg is_fixnum = NewRegister();
    test.dsts.push_back(is_fixnum);
    const int yes = NewBlock();
    Inst& branch = Emit(InstKind::kBranch, Op::kJumpIfFalse);
    branch.srcs.push_back(Operand::Reg(is_fixnum));
    branch.targets = {no, yes};
    StartBlock(yes);
  }
  for (const bool value : {true, false}) {
    if (!value) StartBlock(no);
    Inst& move = Emit(InstKind::kMoves, Op::kMove);
    move.dsts.push_back(result);
    move.srcs.push_back(Operand::Constant(Word::Bool(value)));
    EmitJump(join);
  }
  StartBlock(join);
  Push(unit_.Register(result));
}

// The top two items become one callable without an object, if what will be called is known.
bool Builder::MakeVirtual(Value::Kind kind) {
  if (!IsCallable(Peek(0)) && (kind == Value::kCurried || !IsCallable(Peek(1)))) return false;
  if (std::max(At(Peek(0)).depth, At(Peek(1)).depth) >= Unit::kMaxVirtualDepth) return false;
  const ValueId second = Pop();
  const ValueId first = Pop();
  Push(unit_.Virtual(kind, first, second));
  return true;
}

bool Builder::ApplyBoa(Word word, int tail, bool* done) {
  *done = true;
  if (!Need(1, word)) return false;
  const Value top = At(Peek(0));
  if (!top.is_literal()) return FailInput(Peek(0), word);
  const Word layout = LayoutOfClass(top.literal);
  if (!layout.IsPointer()) return Expand(word, 1, tail);
  const Layout* object = As<Layout>(layout);
  unit_.DependOn(top.literal, Dependency::kClass);
  // Slots with declared classes need checks, which the language writes.
  if ((As<WordObject>(top.literal)->flags.AsFixnum() & kFlagBoaCheck) != 0) {
    return Expand(word, 1, tail);
  }
  const int slots = static_cast<int>(object->slot_count.AsFixnum());
  if (!Need(slots + 1, word)) return false;
  Pop();
  if ((object == SpecialLayout(unit_.vm, Special::kCurriedLayout) &&
       MakeVirtual(Value::kCurried)) ||
      (object == SpecialLayout(unit_.vm, Special::kComposedLayout) &&
       MakeVirtual(Value::kComposed))) {
    return true;
  }
  EmitCall(Op::kNewTuple, slots, 1, layout, 0);
  MarkTop(static_cast<uint32_t>(object->shape.AsFixnum()));
  return true;
}

}  // namespace weft::compiler
