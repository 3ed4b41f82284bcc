#include "vm/number/arith.h"

#include <algorithm>
#include <cmath>

#include "vm/number/number.h"
#include "vm/vm.h"

namespace weft {
namespace {

ArithResult Done(Outcome outcome) {
  TrimScratch();
  return outcome == Outcome::kNext ? ArithResult::kDone : ArithResult::kThrow;
}

ArithResult Throw(Vm& vm, ErrorKind kind) WEFT_ALLOCATES {
  return Done(vm.Throw(kind, gc::kFalse, gc::kFalse));
}

ArithResult Truth(Args args, bool value) {
  args.set(0, Word::Bool(value));
  return ArithResult::kDone;
}

ArithResult FloatArith(Vm& vm, ArithOp op, double a, double b, Args args) WEFT_ALLOCATES {
  double result = 0;
  switch (op) {
    case ArithOp::kAdd:
      result = a + b;
      break;
    case ArithOp::kSub:
      result = a - b;
      break;
    case ArithOp::kMul:
      result = a * b;
      break;
    case ArithOp::kDiv:
      result = a / b;
      break;
    case ArithOp::kMod:
      result = std::fmod(a, b);
      break;
    case ArithOp::kIntDiv: {
      Scratch& scratch = NumberScratch();
      DoubleToInteger(a / b, scratch.a);
      return Done(StoreInteger(vm, scratch.a, args, 0));
    }
    case ArithOp::kLess:
      return Truth(args, a < b);
    case ArithOp::kLessEq:
      return Truth(args, a <= b);
    case ArithOp::kGreater:
      return Truth(args, a > b);
    case ArithOp::kGreaterEq:
      return Truth(args, a >= b);
    case ArithOp::kNumEq:
      return Truth(args, a == b);
    case ArithOp::kBitAnd:
    case ArithOp::kBitOr:
    case ArithOp::kBitXor:
    case ArithOp::kShift:
      return ArithResult::kGeneric;
  }
  args.set(0, MakeFloat(vm, result));
  return ArithResult::kDone;
}

ArithResult FixnumArith(Vm& vm, ArithOp op, int64_t a, int64_t b, Args args) WEFT_ALLOCATES {
  switch (op) {
    case ArithOp::kAdd:
      return Done(StoreInt128(vm, __int128{a} + b, args, 0));
    case ArithOp::kSub:
      return Done(StoreInt128(vm, __int128{a} - b, args, 0));
    case ArithOp::kMul:
      return Done(StoreInt128(vm, __int128{a} * b, args, 0));
    case ArithOp::kIntDiv:
      if (b == 0) return Throw(vm, ErrorKind::kDivideByZero);
      return Done(StoreInt128(vm, a / b, args, 0));
    case ArithOp::kMod:
      if (b == 0) return Throw(vm, ErrorKind::kDivideByZero);
      return Done(StoreInt128(vm, a % b, args, 0));
    case ArithOp::kDiv: {
      if (b == 0) return ArithResult::kGeneric;
      if (a % b == 0) return Done(StoreInt128(vm, a / b, args, 0));
      Scratch& scratch = NumberScratch();
      mpz_set_si(scratch.a, a);
      mpz_set_si(scratch.b, b);
      return Done(StoreQuotient(vm, scratch.a, scratch.b, args, 0));
    }
    case ArithOp::kBitAnd:
      return Done(StoreInt128(vm, a & b, args, 0));
    case ArithOp::kBitOr:
      return Done(StoreInt128(vm, a | b, args, 0));
    case ArithOp::kBitXor:
      return Done(StoreInt128(vm, a ^ b, args, 0));
    case ArithOp::kShift: {
      if (b <= 0) return Done(StoreInt128(vm, a >> std::min<int64_t>(-b, 63), args, 0));
      if (b <= 64) return Done(StoreInt128(vm, __int128{a} * (__int128{1} << b), args, 0));
      if (a == 0) return Done(StoreInt128(vm, 0, args, 0));
      const uint64_t bits = static_cast<uint64_t>(b);
      if (!FitsInteger(bits + 64) || !ReserveGmp(bits)) return Throw(vm, ErrorKind::kOutOfMemory);
      Scratch& scratch = NumberScratch();
      mpz_set_si(scratch.a, a);
      mpz_mul_2exp(scratch.a, scratch.a, bits);
      return Done(StoreInteger(vm, scratch.a, args, 0));
    }
    case ArithOp::kLess:
      return Truth(args, a < b);
    case ArithOp::kLessEq:
      return Truth(args, a <= b);
    case ArithOp::kGreater:
      return Truth(args, a > b);
    case ArithOp::kGreaterEq:
      return Truth(args, a >= b);
    case ArithOp::kNumEq:
      return Truth(args, a == b);
  }
  return ArithResult::kGeneric;
}

// What the computation on views came to, before anything is allocated.
enum class Step { kInteger, kQuotient, kTrue, kFalse, kZeroDivision, kTooLarge, kGeneric };

Step Compare(ArithOp op, int order) {
  bool result = false;
  switch (op) {
    case ArithOp::kLess:
      result = order < 0;
      break;
    case ArithOp::kLessEq:
      result = order <= 0;
      break;
    case ArithOp::kGreater:
      result = order > 0;
      break;
    case ArithOp::kGreaterEq:
      result = order >= 0;
      break;
    default:
      result = order == 0;
      break;
  }
  return result ? Step::kTrue : Step::kFalse;
}

// Result into scratch a (and b for kQuotient).
Step ShiftOnViews(const IntegerView& a, const IntegerView& b, Scratch& scratch) {
  const bool fits = mpz_fits_slong_p(b) != 0;
  if (mpz_sgn(b.get()) <= 0) {
    const int64_t count = fits ? -mpz_get_si(b) : INT64_MAX;
    mpz_fdiv_q_2exp(scratch.a, a, static_cast<mp_bitcnt_t>(count));
    return Step::kInteger;
  }
  if (mpz_sgn(a.get()) == 0) {
    mpz_set_ui(scratch.a, 0);
    return Step::kInteger;
  }
  const uint64_t count = fits ? mpz_get_ui(b) : kMaxIntegerBits;
  if (!FitsInteger(count) || !ReserveGmp(a.bits() + count)) return Step::kTooLarge;
  mpz_mul_2exp(scratch.a, a, count);
  return Step::kInteger;
}

Step ComputeOnViews(ArithOp op, const IntegerView& a, const IntegerView& b) {
  Scratch& scratch = NumberScratch();
  switch (op) {
    case ArithOp::kAdd:
    case ArithOp::kSub:
      if (!ReserveGmp(std::max(a.bits(), b.bits()) + 1)) return Step::kTooLarge;
      op == ArithOp::kAdd ? mpz_add(scratch.a, a, b) : mpz_sub(scratch.a, a, b);
      return Step::kInteger;
    case ArithOp::kMul:
      if (!ReserveGmp(a.bits() + b.bits())) return Step::kTooLarge;
      mpz_mul(scratch.a, a, b);
      return Step::kInteger;
    case ArithOp::kIntDiv:
    case ArithOp::kMod:
      if (mpz_sgn(b.get()) == 0) return Step::kZeroDivision;
      if (!ReserveGmp(a.bits() + b.bits())) return Step::kTooLarge;
      op == ArithOp::kMod ? mpz_tdiv_r(scratch.a, a, b) : mpz_tdiv_q(scratch.a, a, b);
      return Step::kInteger;
    case ArithOp::kDiv:
      if (mpz_sgn(b.get()) == 0) return Step::kGeneric;
      if (!ReserveGmp(a.bits() + b.bits())) return Step::kTooLarge;
      mpz_set(scratch.a, a);
      mpz_set(scratch.b, b);
      return Step::kQuotient;
    case ArithOp::kBitAnd:
      mpz_and(scratch.a, a, b);
      return Step::kInteger;
    case ArithOp::kBitOr:
      mpz_ior(scratch.a, a, b);
      return Step::kInteger;
    case ArithOp::kBitXor:
      mpz_xor(scratch.a, a, b);
      return Step::kInteger;
    case ArithOp::kShift:
      return ShiftOnViews(a, b, scratch);
    default:
      return Compare(op, mpz_cmp(a, b));
  }
}

}  // namespace

ArithResult ArithSlow(Vm& vm, ArithOp op, Args args) {
  enum class Kind { kFixnums, kFloats, kIntegers } kind;
  double x = 0, y = 0;
  Step step = Step::kGeneric;
  {
    const gc::NoAlloc no_alloc;
    const Word a = args.get(0), b = args.get(1);
    if (a.IsFixnum() && b.IsFixnum()) {
      kind = Kind::kFixnums;
    } else if (IsInteger(a) && IsInteger(b)) {
      kind = Kind::kIntegers;
      const IntegerView left(a), right(b);
      step = ComputeOnViews(op, left, right);
    } else if ((IsInteger(a) || IsFloat(a)) && (IsInteger(b) || IsFloat(b))) {
      kind = Kind::kFloats;
      x = RealToDouble(a);
      y = RealToDouble(b);
    } else {
      return ArithResult::kGeneric;
    }
  }
  if (kind == Kind::kFixnums) return FixnumArith(vm, op, args.fixnum(0), args.fixnum(1), args);
  if (kind == Kind::kFloats) return FloatArith(vm, op, x, y, args);
  Scratch& scratch = NumberScratch();
  switch (step) {
    case Step::kInteger:
      return Done(StoreInteger(vm, scratch.a, args, 0));
    case Step::kQuotient:
      return Done(StoreQuotient(vm, scratch.a, scratch.b, args, 0));
    case Step::kTrue:
      return Truth(args, true);
    case Step::kFalse:
      return Truth(args, false);
    case Step::kZeroDivision:
      return Throw(vm, ErrorKind::kDivideByZero);
    case Step::kTooLarge:
      return Throw(vm, ErrorKind::kOutOfMemory);
    case Step::kGeneric:
      break;
  }
  return ArithResult::kGeneric;
}

}  // namespace weft
