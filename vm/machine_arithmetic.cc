// Arithmetic and comparison beyond the fast paths: by the VM's own numbers, or else by the word of
// the library that the instruction stands for.
#include "gc/check.h"
#include "vm/machine.h"
#include "vm/machine_internal.h"
#include "vm/number/arith.h"
#include "vm/number/number.h"

namespace weft::machine {
namespace {

struct Arith {
  ArithOp op;
  bool immediate;
};

Arith ArithOf(Op op) {
  switch (op) {
    case Op::kAdd:
      return {ArithOp::kAdd, false};
    case Op::kSub:
      return {ArithOp::kSub, false};
    case Op::kMul:
    case Op::kMulThenAdd:
    case Op::kMulThenAddTo:
    case Op::kMulThenSub:
    case Op::kMulThenSubFrom:
      return {ArithOp::kMul, false};
    case Op::kDiv:
      return {ArithOp::kDiv, false};
    case Op::kIntDiv:
      return {ArithOp::kIntDiv, false};
    case Op::kMod:
      return {ArithOp::kMod, false};
    case Op::kBitAnd:
      return {ArithOp::kBitAnd, false};
    case Op::kBitOr:
      return {ArithOp::kBitOr, false};
    case Op::kBitXor:
      return {ArithOp::kBitXor, false};
    case Op::kShift:
      return {ArithOp::kShift, false};
    case Op::kAddImm:
      return {ArithOp::kAdd, true};
    case Op::kSubImm:
      return {ArithOp::kSub, true};
    case Op::kMulImm:
      return {ArithOp::kMul, true};
    case Op::kAndImm:
      return {ArithOp::kBitAnd, true};
    case Op::kShiftImm:
      return {ArithOp::kShift, true};
    case Op::kModImm:
      return {ArithOp::kMod, true};
    case Op::kLess:
    case Op::kJumpIfLess:
    case Op::kJumpIfNotLess:
      return {ArithOp::kLess, false};
    case Op::kLessEq:
    case Op::kJumpIfLessEq:
    case Op::kJumpIfNotLessEq:
      return {ArithOp::kLessEq, false};
    case Op::kJumpIfLessImm:
    case Op::kJumpIfNotLessImm:
      return {ArithOp::kLess, true};
    case Op::kJumpIfGreaterImm:
    case Op::kJumpIfNotGreaterImm:
      return {ArithOp::kGreater, true};
    case Op::kNumEq:
    case Op::kJumpIfNumEq:
    case Op::kJumpIfNotNumEq:
      return {ArithOp::kNumEq, false};
    default:
      WEFT_CHECK(false && "not an arithmetic instruction");
      return {};
  }
}

const char* WordNameOf(ArithOp op) {
  switch (op) {
    case ArithOp::kAdd:
      return "+";
    case ArithOp::kSub:
      return "-";
    case ArithOp::kMul:
      return "*";
    case ArithOp::kDiv:
      return "/";
    case ArithOp::kIntDiv:
      return "/i";
    case ArithOp::kMod:
      return "mod";
    case ArithOp::kBitAnd:
      return "bitand";
    case ArithOp::kBitOr:
      return "bitor";
    case ArithOp::kBitXor:
      return "bitxor";
    case ArithOp::kShift:
      return "shift";
    case ArithOp::kLess:
      return "<";
    case ArithOp::kLessEq:
      return "<=";
    case ArithOp::kGreater:
      return ">";
    case ArithOp::kGreaterEq:
      return ">=";
    case ArithOp::kNumEq:
      return "number=";
  }
  return "";
}

constexpr absl::string_view kIntrinsicNames[] = {
#define INTRINSIC(vocabulary, word, inputs, outputs, opcode) word,
#include "vm/intrinsics.def"
#undef INTRINSIC
};

// The cell of the library word that gives an operation its meaning beyond the built-in numbers.
WordCell* IntrinsicCell(Vm& vm, ArithOp op) WEFT_NO_ANALYSIS {
  const absl::string_view name = WordNameOf(op);
  const Word words = vm.special(Special::kIntrinsicWords);
  for (size_t i = 0; i < sizeof(kIntrinsicNames) / sizeof(kIntrinsicNames[0]); ++i) {
    if (kIntrinsicNames[i] == name) {
      const Word word = As<Array>(words)->elements[i];
      return As<WordObject>(word)->word_cell();
    }
  }
  WEFT_CHECK(false && "an arithmetic word is missing from intrinsics.def");
  return nullptr;
}

}  // namespace

void BoxFloat(Vm& vm, Word* slot, double value) WEFT_NO_ANALYSIS {
  const Word immediate = Word::FloatBits(value);
  if (immediate.IsImmediateFloat()) {
    *slot = immediate;
    return;
  }
  // `slot` is in a window or in vm.scratch: neither moves by an allocation.
  *slot = gc::kFalse;
  *slot = MakeFloat(vm, value);
}

void Arithmetic(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const OpInfo& info = InfoOf(DecodeOp(*at));
  const Arith arith = ArithOf(DecodeOp(*at));
  const bool branches = info.roles[3] == Role::kJmp;
  const Word left = context.window[branches ? DecodeA(*at) : DecodeB(*at)];
  Word right;
  if (arith.immediate) {
    right = Word::Fixnum(branches ? DecodeSignedB(*at) : DecodeSignedC(*at));
  } else {
    right = context.window[branches ? DecodeB(*at) : DecodeC(*at)];
  }
  vm.scratch.set(0, left);
  vm.scratch.set(1, right);
  switch (ArithSlow(vm, arith.op, Args(vm.scratch.data()))) {
    case ArithResult::kDone:
      Deliver(*vm.current(), at, vm.scratch.get(0));
      return;
    case ArithResult::kThrow:
      EnterThrow(vm, at);
      return;
    case ArithResult::kGeneric:
      CallAbove(vm, at, IntrinsicCell(vm, arith.op), 2, Op::kStubResumeOp);
      return;
  }
}

void Sqrt(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  vm.scratch.set(0, vm.current()->window[DecodeB(*at)]);
  CallAbove(vm, at, CellOfSpecial(vm, Special::kSqrt), 1, Op::kStubResumeOp);
}

}  // namespace weft::machine
