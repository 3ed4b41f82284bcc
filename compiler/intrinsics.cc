// Words that become instructions instead of calls (vm/intrinsics.def), type tests and `boa`.
#include "compiler/infer.h"
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

}  // namespace

bool Builder::ApplyIntrinsic(Word word, int tail, bool* done) {
  *done = false;
  const auto row =
      static_cast<size_t>(As<WordObject>(word)->flags.AsFixnum() >> kFlagIntrinsicShift & 0xFFF);
  if (row == 0 || row > std::size(kIntrinsics)) return true;
  const Intrinsic& intrinsic = kIntrinsics[row - 1];
  const OpInfo& info = InfoOf(intrinsic.op);
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
  Vector<Operand> operands;
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
  if ((object == SpecialLayout(unit_.vm, Special::kCurriedLayout) && ApplyPair(Value::kCurried)) ||
      (object == SpecialLayout(unit_.vm, Special::kComposedLayout) &&
       ApplyPair(Value::kComposed))) {
    return true;
  }
  EmitCall(Op::kNewTuple, slots, 1, layout, 0);
  MarkTop(static_cast<uint32_t>(object->shape.AsFixnum()));
  return true;
}

}  // namespace weft::compiler
