// Generic words whose method is chosen by the compiler: for an object of known shape, and for the
// shape that an object is likely to have, behind a test.
#include <algorithm>

#include "compiler/infer.h"
#include "compiler/undo.h"
#include "vm/generic.h"
#include "vm/strings.h"

namespace weft::compiler {
namespace {

// The argument, counted from the top, that a generic word of one dispatched argument looks at; -1:
// it is no such word.
int DispatchPosition(Word word) WEFT_NO_ALLOC {
  const Word info = As<WordObject>(word)->generic_info;
  if (!IsType(info, TypeId::kArray) ||
      As<Array>(info)->elements[kGenericKind] !=
          Word::Fixnum(static_cast<int64_t>(GenericKind::kSingle))) {
    return -1;
  }
  return static_cast<int>(As<Array>(info)->elements[kGenericPosition].AsFixnum());
}

Word ClassOfShape(Vm& vm, uint32_t shape) WEFT_NO_ALLOC {
  if (shape >= gc::kFirstTupleShape) {
    return As<Layout>(vm.layouts().get(shape - gc::kFirstTupleShape))->class_word;
  }
  const Word classes = vm.special(Special::kBuiltinClasses);
  if (!IsType(classes, TypeId::kArray) || shape >= As<Array>(classes)->size()) return gc::kFalse;
  return As<Array>(classes)->elements[shape];
}

// Is the method one for numbers, rather than for any object?
bool IsForNumbers(Word generic, Word method) WEFT_NO_ALLOC {
  const Word methods = As<Array>(As<WordObject>(generic)->generic_info)->elements[kGenericMethods];
  if (!IsType(methods, TypeId::kArray)) return false;
  for (int64_t i = 0; i + 1 < As<Array>(methods)->size(); i += 2) {
    if (As<Array>(methods)->elements[i + 1] != method) continue;
    const Word class_word = As<Array>(methods)->elements[i];
    if (!IsType(class_word, TypeId::kWordObject)) return false;
    const Word vocabulary = As<WordObject>(class_word)->vocabulary;
    return IsType(vocabulary, TypeId::kString) && ToUtf8(vocabulary) == "math";
  }
  return false;
}

}  // namespace

// A generic word whose object's shape is known: its method, without asking the object again.
bool Builder::ApplyChosenMethod(Word word, int tail, bool* done) {
  *done = false;
  const int position = DispatchPosition(word);
  if (position < 0 || static_cast<size_t>(position) >= s_.data.size()) return true;
  const uint32_t shape = ShapeOfValue(Peek(position));
  if (shape == kNoShape) return true;
  const Word class_word = ClassOfShape(unit_.vm, shape);
  if (!IsType(class_word, TypeId::kWordObject)) return true;
  const Word method = CertainMethod(unit_.vm, word, shape);
  EffectCount effect;
  if (!method.IsPointer() || !ReadEffect(unit_.vm, As<WordObject>(method)->effect, &effect) ||
      unit_.depth > Unit::kMaxDepth / 2) {
    return true;
  }
  unit_.DependOnMethod(word, class_word, method);
  *done = true;
  const int64_t flags = As<WordObject>(method)->flags.AsFixnum();
  const auto slot = static_cast<int>(flags >> kFlagSlotShift & 0xFF);
  // An object that has left this procedure may get another layout while it runs (its class may be
  // defined anew), so its accessors look at it again. The field's number is for objects that have
  // not left it (objects.cc).
  if ((flags & kFlagReadsSlot) != 0 && effect.inputs == 1 && effect.outputs == 1) {
    EmitCall(Op::kSlotOf, 1, 1, word, slot + 1);
    return true;
  }
  if ((flags & kFlagWritesSlot) != 0 && effect.inputs == 2 && effect.outputs == 0) {
    EmitCall(Op::kSetSlotOf, 2, 0, word, slot + 1);
    return true;
  }
  // A method may call its generic again for another object.
  bool plain_inline = false;
  FindFrame(method, &plain_inline);
  if (plain_inline) {
    *done = false;
    return true;
  }
  return ApplyWord(method, tail);
}

// A generic word with a small method for numbers: fixnums are tested for, and their method is
// followed; all others call the generic.
bool Builder::ApplyLikelyMethod(Word word, int tail, bool* done) {
  *done = false;
  const int position = DispatchPosition(word);
  EffectCount effect;
  if (position < 0 || static_cast<size_t>(position) >= s_.data.size() ||
      !At(Peek(position)).is_reg() || ShapeOfValue(Peek(position)) != kNoShape ||
      !ReadEffect(unit_.vm, As<WordObject>(word)->effect, &effect) ||
      static_cast<size_t>(effect.inputs) > s_.data.size()) {
    return true;
  }
  constexpr uint32_t kFixnum = ShapeOf(TypeId::kFixnum);
  const Word class_word = ClassOfShape(unit_.vm, kFixnum);
  const Word method = CertainMethod(unit_.vm, word, kFixnum);
  if (!IsType(class_word, TypeId::kWordObject) || !method.IsPointer() ||
      !IsForNumbers(word, method) || !CanSplice(method, effect)) {
    return true;
  }
  const Undo undo(*this);
  const VReg number = At(Peek(position)).reg;
  const VReg is_fixnum = NewRegister();
  Inst& test = Emit(InstKind::kCompute, Op::kIsShape);
  test.srcs.push_back(Operand::Reg(number));
  test.imm = static_cast<int32_t>(kFixnum);
  test.dsts.push_back(is_fixnum);
  const int likely = NewBlock();
  const int other = NewBlock();
  Inst& branch = Emit(InstKind::kBranch, Op::kJumpIfFalse);
  branch.srcs.push_back(Operand::Reg(is_fixnum));
  branch.targets = {other, likely};
  const State start = s_;
  Vector<State> ends(2);

  s_.low = static_cast<int>(s_.data.size());
  StartBlock(likely);
  s_.data[s_.data.size() - 1 - static_cast<size_t>(position)] = unit_.Register(number, kFixnum);
  bool spliced = false;
  if (!ApplySplice(method, effect, tail, &spliced)) return false;
  if (!spliced) {
    undo.Apply(*this);
    return true;
  }
  if (s_.end == End::kOpen && tail == 0 && !infer_only_) EmitReturn();
  ends[0] = s_;

  s_ = start;
  s_.low = static_cast<int>(s_.data.size());
  StartBlock(other);
  EmitWordCall(word, effect, tail);
  s_.others_ran = start.others_ran;  // an unusual operand (MayRunOthers)
  if (s_.end == End::kOpen && tail == 0 && !infer_only_) EmitReturn();
  ends[1] = s_;
  unit_.DependOn(word, Dependency::kEffect);
  unit_.DependOnMethod(word, class_word, method);
  *done = true;
  return Merge(start, ends, -1, word);
}

}  // namespace weft::compiler
