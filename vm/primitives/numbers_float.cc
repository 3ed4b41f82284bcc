// Primitives on floats, and libm. The math.libm words take any real number (as C's prototypes
// convert); the float words take floats only.
#include <bit>
#include <cmath>
#include <limits>

#include "vm/primitives.h"
#include "vm/primitives/number_operands.h"

namespace weft {
namespace {

// f(x, y) with a float result.
template <class F>
Outcome Binary(Vm& vm, Args args, F f) WEFT_ALLOCATES {
  double x, y;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  if (!ReadFloat(args, 1, &y)) return WrongType(vm, TypeId::kFloat, args, 1);
  args.set(0, MakeFloat(vm, f(x, y)));
  return Outcome::kNext;
}

template <class F>
Outcome Comparison(Vm& vm, Args args, F f) WEFT_ALLOCATES {
  double x, y;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  if (!ReadFloat(args, 1, &y)) return WrongType(vm, TypeId::kFloat, args, 1);
  args.set(0, Word::Bool(f(x, y)));
  return Outcome::kNext;
}

Outcome Libm(Vm& vm, Args args, double (*f)(double)) WEFT_ALLOCATES {
  double x;
  if (!ReadReal(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  args.set(0, MakeFloat(vm, f(x)));
  return Outcome::kNext;
}

Outcome Libm2(Vm& vm, Args args, double (*f)(double, double)) WEFT_ALLOCATES {
  double x, y;
  if (!ReadReal(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  if (!ReadReal(args, 1, &y)) return WrongType(vm, TypeId::kFloat, args, 1);
  args.set(0, MakeFloat(vm, f(x, y)));
  return Outcome::kNext;
}

// The low 64 bits of an integer operand, two's complement.
uint64_t LowBits(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc no_alloc;
  const IntegerView n(args.get(i));
  const uint64_t low = mpz_size(n) == 0 ? 0 : mpz_getlimbn(n, 0);
  return mpz_sgn(n.get()) < 0 ? uint64_t{0} - low : low;
}

}  // namespace

Outcome PrimFloatAdd(Vm& vm, Args args) {
  return Binary(vm, args, [](double x, double y) { return x + y; });
}
Outcome PrimFloatSub(Vm& vm, Args args) {
  return Binary(vm, args, [](double x, double y) { return x - y; });
}
Outcome PrimFloatMul(Vm& vm, Args args) {
  return Binary(vm, args, [](double x, double y) { return x * y; });
}
Outcome PrimFloatDiv(Vm& vm, Args args) {
  return Binary(vm, args, [](double x, double y) { return x / y; });
}
Outcome PrimFloatMod(Vm& vm, Args args) {
  return Binary(vm, args, [](double x, double y) { return std::fmod(x, y); });
}
Outcome PrimFloatLess(Vm& vm, Args args) {
  return Comparison(vm, args, [](double x, double y) { return x < y; });
}
Outcome PrimFloatLessEq(Vm& vm, Args args) {
  return Comparison(vm, args, [](double x, double y) { return x <= y; });
}
Outcome PrimFloatGreater(Vm& vm, Args args) {
  return Comparison(vm, args, [](double x, double y) { return x > y; });
}
Outcome PrimFloatGreaterEq(Vm& vm, Args args) {
  return Comparison(vm, args, [](double x, double y) { return x >= y; });
}
Outcome PrimFloatEquals(Vm& vm, Args args) {
  return Comparison(vm, args, [](double x, double y) { return x == y; });
}
Outcome PrimFloatUnordered(Vm& vm, Args args) {
  return Comparison(vm, args, [](double x, double y) { return std::isunordered(x, y); });
}

Outcome PrimFloatToFixnum(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  Scratch& scratch = NumberScratch();
  DoubleToInteger(x, scratch.a);
  args.set(0, Word::Fixnum(TruncateToFixnum(scratch.a)));
  return Outcome::kNext;
}

Outcome PrimFloatToInteger(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  if (std::fabs(x) < 1e18) {
    args.set(0, Word::Fixnum(static_cast<int64_t>(x)));
    return Outcome::kNext;
  }
  Scratch& scratch = NumberScratch();
  DoubleToInteger(x, scratch.a);
  return StoreInteger(vm, scratch.a, args, 0);
}

Outcome PrimDoubleToBits(Vm& vm, Args args) {
  double x;
  if (!ReadReal(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  args.set(0, MakeUnsigned(vm, std::bit_cast<uint64_t>(x)));
  return Outcome::kNext;
}

Outcome PrimBitsToDouble(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  args.set(0, MakeFloat(vm, std::bit_cast<double>(LowBits(args, 0))));
  return Outcome::kNext;
}

Outcome PrimFloatToBits(Vm& vm, Args args) {
  double x;
  if (!ReadReal(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  args.set(0, Word::Fixnum(std::bit_cast<uint32_t>(static_cast<float>(x))));
  return Outcome::kNext;
}

Outcome PrimBitsToFloat(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kFixnum, args, 0);
  const uint32_t bits = static_cast<uint32_t>(LowBits(args, 0));
  args.set(0, MakeFloat(vm, static_cast<double>(std::bit_cast<float>(bits))));
  return Outcome::kNext;
}

// Significand in [0.5, 1) and exponent; zero, infinities and NaN as they are, with exponent 0.
Outcome PrimFloatFrexp(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  int exponent = 0;
  const double significand = std::isfinite(x) ? std::frexp(x, &exponent) : x;
  args.set(0, MakeFloat(vm, significand));
  args.set(1, Word::Fixnum(exponent));
  return Outcome::kNext;
}

Outcome PrimFloatLdexp(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  if (!args.is_fixnum(1)) return WrongType(vm, TypeId::kFixnum, args, 1);
  const int64_t n = args.fixnum(1);
  const int exponent = static_cast<int>(n < -5000 ? -5000 : n > 5000 ? 5000 : n);
  args.set(0, MakeFloat(vm, std::ldexp(x, exponent)));
  return Outcome::kNext;
}

// integer * 2^exponent as a float, rounded once.
Outcome PrimIntegerLdexp(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  if (!args.is_fixnum(1)) return WrongType(vm, TypeId::kFixnum, args, 1);
  const int64_t n = args.fixnum(1);
  const int64_t limit = int64_t{1} << 40;
  double value;
  {
    const gc::NoAlloc no_alloc;
    value = ScaledToDouble(IntegerView(args.get(0)),
                           n < -limit  ? -limit
                           : n > limit ? limit
                                       : n,
                           false);
  }
  args.set(0, MakeFloat(vm, value));
  return Outcome::kNext;
}

Outcome PrimFloatNext(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  args.set(0, MakeFloat(vm, std::nextafter(x, std::numeric_limits<double>::infinity())));
  return Outcome::kNext;
}

Outcome PrimFloatPrevious(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  args.set(0, MakeFloat(vm, std::nextafter(x, -std::numeric_limits<double>::infinity())));
  return Outcome::kNext;
}

Outcome PrimLibmFma(Vm& vm, Args args) {
  double x, y, z;
  if (!ReadReal(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  if (!ReadReal(args, 1, &y)) return WrongType(vm, TypeId::kFloat, args, 1);
  if (!ReadReal(args, 2, &z)) return WrongType(vm, TypeId::kFloat, args, 2);
  args.set(0, MakeFloat(vm, std::fma(x, y, z)));
  return Outcome::kNext;
}

// lgamma of the C library keeps a sign in a global; the reentrant form does not.
Outcome PrimLibmLgamma(Vm& vm, Args args) {
  return Libm(vm, args, [](double x) {
    int sign;
    return lgamma_r(x, &sign);
  });
}

#define WEFT_LIBM(Name, function) \
  Outcome PrimLibm##Name(Vm& vm, Args args) { return Libm(vm, args, std::function); }
WEFT_LIBM(Acos, acos)
WEFT_LIBM(Asin, asin)
WEFT_LIBM(Atan, atan)
WEFT_LIBM(Cos, cos)
WEFT_LIBM(Sin, sin)
WEFT_LIBM(Tan, tan)
WEFT_LIBM(Cosh, cosh)
WEFT_LIBM(Sinh, sinh)
WEFT_LIBM(Tanh, tanh)
WEFT_LIBM(Acosh, acosh)
WEFT_LIBM(Asinh, asinh)
WEFT_LIBM(Atanh, atanh)
WEFT_LIBM(Exp, exp)
WEFT_LIBM(ExpMinus1, expm1)
WEFT_LIBM(Log, log)
WEFT_LIBM(Log1Plus, log1p)
WEFT_LIBM(Log2, log2)
WEFT_LIBM(Log10, log10)
WEFT_LIBM(Sqrt, sqrt)
WEFT_LIBM(Cbrt, cbrt)
WEFT_LIBM(Floor, floor)
WEFT_LIBM(Ceil, ceil)
WEFT_LIBM(Trunc, trunc)
WEFT_LIBM(Round, round)
WEFT_LIBM(Rint, rint)
WEFT_LIBM(Tgamma, tgamma)
WEFT_LIBM(Erf, erf)
#undef WEFT_LIBM

Outcome PrimLibmAtan2(Vm& vm, Args args) { return Libm2(vm, args, std::atan2); }
Outcome PrimLibmPow(Vm& vm, Args args) { return Libm2(vm, args, std::pow); }
Outcome PrimLibmMod(Vm& vm, Args args) { return Libm2(vm, args, std::fmod); }
Outcome PrimLibmHypot(Vm& vm, Args args) { return Libm2(vm, args, std::hypot); }
Outcome PrimLibmCopysign(Vm& vm, Args args) { return Libm2(vm, args, std::copysign); }

}  // namespace weft
