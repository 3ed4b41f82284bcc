// Primitives on fixnums. Operands are checked; the *fast forms wrap to 62 bits instead of
// overflowing into bignums.
#include <bit>
#include <cmath>

#include "vm/primitives.h"
#include "vm/primitives/number_operands.h"

namespace weft {
namespace {

Outcome Check2(Vm& vm, Args args) WEFT_ALLOCATES {
  return WrongType(vm, TypeId::kFixnum, args, args.is_fixnum(0) ? 1 : 0);
}
bool BothFixnums(Args args) { return args.is_fixnum(0) && args.is_fixnum(1); }

Outcome Arith(Vm& vm, ArithOp op, Args args) WEFT_ALLOCATES {
  if (!BothFixnums(args)) return Check2(vm, args);
  return FromArith(ArithSlow(vm, op, args));
}

// Sign-extends the low 62 bits.
Word Wrap(uint64_t n) { return Word::FromBits(n << 2); }

}  // namespace

Outcome PrimFixnumAdd(Vm& vm, Args args) { return Arith(vm, ArithOp::kAdd, args); }
Outcome PrimFixnumSub(Vm& vm, Args args) { return Arith(vm, ArithOp::kSub, args); }
Outcome PrimFixnumMul(Vm& vm, Args args) { return Arith(vm, ArithOp::kMul, args); }
Outcome PrimFixnumIntDiv(Vm& vm, Args args) { return Arith(vm, ArithOp::kIntDiv, args); }
Outcome PrimFixnumMod(Vm& vm, Args args) { return Arith(vm, ArithOp::kMod, args); }
Outcome PrimFixnumShift(Vm& vm, Args args) { return Arith(vm, ArithOp::kShift, args); }

Outcome PrimFixnumDivMod(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  const int64_t a = args.fixnum(0), b = args.fixnum(1);
  if (b == 0) return vm.Throw(ErrorKind::kDivideByZero, gc::kFalse, gc::kFalse);
  args.set(1, Word::Fixnum(a % b));
  return StoreInt128(vm, a / b, args, 0);
}

Outcome PrimFixnumAddFast(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Wrap(static_cast<uint64_t>(args.fixnum(0)) + static_cast<uint64_t>(args.fixnum(1))));
  return Outcome::kNext;
}

Outcome PrimFixnumSubFast(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Wrap(static_cast<uint64_t>(args.fixnum(0)) - static_cast<uint64_t>(args.fixnum(1))));
  return Outcome::kNext;
}

Outcome PrimFixnumMulFast(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Wrap(static_cast<uint64_t>(args.fixnum(0)) * static_cast<uint64_t>(args.fixnum(1))));
  return Outcome::kNext;
}

Outcome PrimFixnumShiftFast(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  const int64_t a = args.fixnum(0), n = args.fixnum(1);
  if (n < 0) {
    args.set(0, Word::Fixnum(a >> (n < -63 ? 63 : -n)));
  } else {
    args.set(0, n > 63 ? Word::Fixnum(0) : Wrap(static_cast<uint64_t>(a) << n));
  }
  return Outcome::kNext;
}

Outcome PrimFixnumBitAnd(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Fixnum(args.fixnum(0) & args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimFixnumBitOr(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Fixnum(args.fixnum(0) | args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimFixnumBitXor(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Fixnum(args.fixnum(0) ^ args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimFixnumBitNot(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  args.set(0, Word::Fixnum(~args.fixnum(0)));
  return Outcome::kNext;
}

Outcome PrimFixnumLess(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Bool(args.fixnum(0) < args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimFixnumLessEq(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Bool(args.fixnum(0) <= args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimFixnumGreater(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Bool(args.fixnum(0) > args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimFixnumGreaterEq(Vm& vm, Args args) {
  if (!BothFixnums(args)) return Check2(vm, args);
  args.set(0, Word::Bool(args.fixnum(0) >= args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimBothFixnums(Vm& vm, Args args) {
  (void)vm;
  args.set(0, Word::Bool(BothFixnums(args)));
  return Outcome::kNext;
}

// Integers are normalised, so a fixnum is its own bignum.
Outcome PrimFixnumToBignum(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  return Outcome::kNext;
}

Outcome PrimFixnumToFloat(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  args.set(0, MakeFloat(vm, static_cast<double>(args.fixnum(0))));
  return Outcome::kNext;
}

// Floor of the binary logarithm. REQUIRES at the language level: a positive operand.
Outcome PrimFixnumLog2(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  const int64_t n = args.fixnum(0);
  if (n <= 0) return vm.Throw(ErrorKind::kBadArgument, Word::Fixnum(n), gc::kFalse);
  args.set(0, Word::Fixnum(63 - std::countl_zero(static_cast<uint64_t>(n))));
  return Outcome::kNext;
}

Outcome PrimFixnumBitCount(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  const int64_t n = args.fixnum(0);
  args.set(0, Word::Fixnum(std::popcount(static_cast<uint64_t>(n < 0 ? ~n : n))));
  return Outcome::kNext;
}

}  // namespace weft
