// Primitives on integers of any size. As integers are normalised (vm/number/number.h), the
// bignum words take fixnums too: what `>bignum` leaves may be one.
#include <algorithm>

#include "vm/hashing.h"
#include "vm/primitives.h"
#include "vm/primitives/number_operands.h"

namespace weft {
namespace {

bool BothIntegers(Args args) WEFT_ALLOCATES { return IsIntegerAt(args, 0) && IsIntegerAt(args, 1); }

Outcome Check2(Vm& vm, Args args) WEFT_ALLOCATES {
  return WrongType(vm, TypeId::kBignum, args, IsIntegerAt(args, 0) ? 1 : 0);
}

Outcome Arith(Vm& vm, ArithOp op, Args args) WEFT_ALLOCATES {
  if (!BothIntegers(args)) return Check2(vm, args);
  return FromArith(ArithSlow(vm, op, args));
}

Outcome TooLarge(Vm& vm) WEFT_ALLOCATES {
  return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
}

Outcome ZeroDivision(Vm& vm) WEFT_ALLOCATES {
  return vm.Throw(ErrorKind::kDivideByZero, gc::kFalse, gc::kFalse);
}

Outcome Trimmed(Outcome outcome) {
  TrimScratch();
  return outcome;
}

}  // namespace

Outcome PrimBignumAdd(Vm& vm, Args args) { return Arith(vm, ArithOp::kAdd, args); }
Outcome PrimBignumSub(Vm& vm, Args args) { return Arith(vm, ArithOp::kSub, args); }
Outcome PrimBignumMul(Vm& vm, Args args) { return Arith(vm, ArithOp::kMul, args); }
Outcome PrimBignumIntDiv(Vm& vm, Args args) { return Arith(vm, ArithOp::kIntDiv, args); }
Outcome PrimBignumMod(Vm& vm, Args args) { return Arith(vm, ArithOp::kMod, args); }
Outcome PrimBignumBitAnd(Vm& vm, Args args) { return Arith(vm, ArithOp::kBitAnd, args); }
Outcome PrimBignumBitOr(Vm& vm, Args args) { return Arith(vm, ArithOp::kBitOr, args); }
Outcome PrimBignumBitXor(Vm& vm, Args args) { return Arith(vm, ArithOp::kBitXor, args); }
Outcome PrimBignumShift(Vm& vm, Args args) { return Arith(vm, ArithOp::kShift, args); }
Outcome PrimBignumLess(Vm& vm, Args args) { return Arith(vm, ArithOp::kLess, args); }
Outcome PrimBignumLessEq(Vm& vm, Args args) { return Arith(vm, ArithOp::kLessEq, args); }
Outcome PrimBignumGreater(Vm& vm, Args args) { return Arith(vm, ArithOp::kGreater, args); }
Outcome PrimBignumGreaterEq(Vm& vm, Args args) { return Arith(vm, ArithOp::kGreaterEq, args); }
Outcome PrimBignumEquals(Vm& vm, Args args) { return Arith(vm, ArithOp::kNumEq, args); }

Outcome PrimBignumDivMod(Vm& vm, Args args) {
  if (!BothIntegers(args)) return Check2(vm, args);
  Scratch& scratch = NumberScratch();
  bool zero, room = true;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView a(args.get(0)), b(args.get(1));
    zero = mpz_sgn(b.get()) == 0;
    if (!zero) room = ReserveGmp(a.bits() + b.bits());
    if (!zero && room) mpz_tdiv_qr(scratch.a, scratch.b, a, b);
  }
  if (zero) return ZeroDivision(vm);
  if (!room) return TooLarge(vm);
  const Outcome outcome = StoreInteger(vm, scratch.a, args, 0);
  if (outcome != Outcome::kNext) return Trimmed(outcome);
  return Trimmed(StoreInteger(vm, scratch.b, args, 1));
}

Outcome PrimBignumBitNot(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  Scratch& scratch = NumberScratch();
  {
    const gc::NoAlloc no_alloc;
    mpz_com(scratch.a, IntegerView(args.get(0)));
  }
  return Trimmed(StoreInteger(vm, scratch.a, args, 0));
}

Outcome PrimBignumBit(Vm& vm, Args args) {
  if (!BothIntegers(args)) return Check2(vm, args);
  const gc::NoAlloc no_alloc;
  const IntegerView a(args.get(0)), n(args.get(1));
  bool bit = false;
  if (mpz_sgn(n.get()) >= 0) {
    // Beyond the number's own bits there are copies of its sign.
    bit = mpz_fits_ulong_p(n) != 0 ? mpz_tstbit(a, mpz_get_ui(n)) != 0 : mpz_sgn(a.get()) < 0;
  }
  args.set(0, Word::Bool(bit));
  return Outcome::kNext;
}

Outcome PrimBignumLog2(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  int64_t bits = 0;
  bool positive;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView a(args.get(0));
    positive = mpz_sgn(a.get()) > 0;
    bits = static_cast<int64_t>(a.bits());
  }
  if (!positive) return vm.Throw(ErrorKind::kBadArgument, gc::kFalse, gc::kFalse);
  args.set(0, Word::Fixnum(bits - 1));
  return Outcome::kNext;
}

Outcome PrimBignumBitCount(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  Scratch& scratch = NumberScratch();
  {
    const gc::NoAlloc no_alloc;
    const IntegerView a(args.get(0));
    if (mpz_sgn(a.get()) < 0) {
      mpz_com(scratch.a, a);
    } else {
      mpz_set(scratch.a, a);
    }
  }
  args.set(0, Word::Fixnum(static_cast<int64_t>(mpz_popcount(scratch.a))));
  return Trimmed(Outcome::kNext);
}

Outcome PrimBignumGcd(Vm& vm, Args args) {
  if (!BothIntegers(args)) return Check2(vm, args);
  Scratch& scratch = NumberScratch();
  bool room;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView a(args.get(0)), b(args.get(1));
    room = ReserveGmp(a.bits() + b.bits());
    if (room) mpz_gcd(scratch.a, a, b);
  }
  if (!room) return TooLarge(vm);
  return Trimmed(StoreInteger(vm, scratch.a, args, 0));
}

Outcome PrimIntegerQuotient(Vm& vm, Args args) {
  if (!BothIntegers(args)) return Check2(vm, args);
  const ArithResult result = ArithSlow(vm, ArithOp::kDiv, args);
  if (result == ArithResult::kGeneric) return ZeroDivision(vm);
  return FromArith(result);
}

Outcome PrimIntegerSqrt(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  Scratch& scratch = NumberScratch();
  bool negative;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView a(args.get(0));
    negative = mpz_sgn(a.get()) < 0;
    if (!negative) mpz_sqrt(scratch.a, a);
  }
  if (negative) return vm.Throw(ErrorKind::kBadArgument, gc::kFalse, gc::kFalse);
  return Trimmed(StoreInteger(vm, scratch.a, args, 0));
}

// x^y mod n for y >= 0 and n > 0; the result is in 0..n-1.
Outcome PrimIntegerPowMod(Vm& vm, Args args) {
  for (size_t i = 0; i < 3; ++i) {
    if (!IsIntegerAt(args, i)) return WrongType(vm, TypeId::kBignum, args, i);
  }
  Scratch& scratch = NumberScratch();
  bool valid, room = true;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView x(args.get(0)), y(args.get(1)), n(args.get(2));
    valid = mpz_sgn(y.get()) >= 0 && mpz_sgn(n.get()) > 0;
    // The window table of the power: up to 2^10 residues.
    room = ReserveGmp(std::max(x.bits() + n.bits(), std::min(n.bits() << 11, kMaxIntegerBits)));
    if (valid && room) mpz_powm(scratch.a, x, y, n);
  }
  if (!valid) return vm.Throw(ErrorKind::kBadArgument, gc::kFalse, gc::kFalse);
  if (!room) return TooLarge(vm);
  return Trimmed(StoreInteger(vm, scratch.a, args, 0));
}

// x^n for n >= 0, exact.
Outcome PrimIntegerPower(Vm& vm, Args args) {
  if (!BothIntegers(args)) return Check2(vm, args);
  Scratch& scratch = NumberScratch();
  bool negative, room = true;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView x(args.get(0)), n(args.get(1));
    negative = mpz_sgn(n.get()) < 0;
    const bool fits = mpz_fits_ulong_p(n) != 0;
    const uint64_t exponent = fits ? mpz_get_ui(n) : ~uint64_t{0};
    if (x.bits() <= 1) {
      // 0, 1 and -1: any exponent will do.
      const bool odd = mpz_odd_p(n.get()) != 0;
      if (mpz_sgn(x.get()) == 0) {
        mpz_set_si(scratch.a, mpz_sgn(n.get()) == 0 ? 1 : 0);
      } else {
        mpz_set_si(scratch.a, mpz_sgn(x.get()) < 0 && odd ? -1 : 1);
      }
    } else {
      room = exponent <= kMaxIntegerBits / x.bits() && ReserveGmp(x.bits() * exponent);
      if (!negative && room) mpz_pow_ui(scratch.a, x, exponent);
    }
  }
  if (negative) return vm.Throw(ErrorKind::kBadArgument, gc::kFalse, gc::kFalse);
  if (!room) return TooLarge(vm);
  return Trimmed(StoreInteger(vm, scratch.a, args, 0));
}

// Not prime (0), probably prime (1), prime (2): Baillie-PSW, then `rounds` of Miller-Rabin.
Outcome PrimIntegerIsPrime(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  if (!args.is_fixnum(1)) return WrongType(vm, TypeId::kFixnum, args, 1);
  const int rounds = static_cast<int>(std::clamp<int64_t>(args.fixnum(1), 24, 1000));
  int64_t result = 0;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView n(args.get(0));
    if (mpz_sgn(n.get()) > 0) result = mpz_probab_prime_p(n, rounds);
  }
  args.set(0, Word::Fixnum(result));
  return Outcome::kNext;
}

Outcome PrimBignumToFixnum(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  const gc::NoAlloc no_alloc;
  args.set(0, Word::Fixnum(TruncateToFixnum(IntegerView(args.get(0)))));
  return Outcome::kNext;
}

Outcome PrimBignumToFixnumStrict(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  if (args.is_fixnum(0)) return Outcome::kNext;
  Word operand;
  {
    const gc::NoAlloc no_alloc;
    operand = args.get(0);
  }
  return vm.Throw(ErrorKind::kOutOfFixnumRange, operand, gc::kFalse);
}

Outcome PrimBignumToFloat(Vm& vm, Args args) {
  double value;
  if (!IsIntegerAt(args, 0) || !ReadReal(args, 0, &value)) {
    return WrongType(vm, TypeId::kBignum, args, 0);
  }
  args.set(0, MakeFloat(vm, value));
  return Outcome::kNext;
}

// x/y as a float, rounded once.
Outcome PrimIntegerToFloatQuotient(Vm& vm, Args args) {
  if (!BothIntegers(args)) return Check2(vm, args);
  double value = 0;
  bool room;
  {
    const gc::NoAlloc no_alloc;
    const IntegerView a(args.get(0)), b(args.get(1));
    room = ReserveGmp(a.bits() + b.bits() + 128);
    if (room) value = QuotientToDouble(a, b);
  }
  TrimScratch();
  if (!room) return TooLarge(vm);
  args.set(0, MakeFloat(vm, value));
  return Outcome::kNext;
}

// Fixnums, bignums and floats hash as the native hash tables see them (vm/hashing.h).
Outcome PrimNumberHash(Vm& vm, Args args) {
  double unused;
  if (!ReadReal(args, 0, &unused)) return WrongType(vm, TypeId::kFixnum, args, 0);
  const gc::NoAlloc no_alloc;
  int64_t hash = 0;
  WEFT_CHECK(NativeHash(vm.heap(), args.get(0), &hash));
  args.set(0, Word::Fixnum(hash));
  return Outcome::kNext;
}

}  // namespace weft
