#include "vm/number/number.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "gc/check.h"
#include "gc/heap.h"
#include "vm/vm.h"

namespace weft {
namespace {

// GMP cannot be told that there is no memory, so nothing is started that might need more than
// there is (ReserveGmp); these hold the line for what is left: small requests.
void* CheckedAllocate(size_t bytes) {
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  WEFT_CHECK(memory != nullptr);
  return memory;
}
void* CheckedReallocate(void* old, size_t old_bytes, size_t bytes) {
  (void)old_bytes;
  void* memory = std::realloc(old, bytes == 0 ? 1 : bytes);
  WEFT_CHECK(memory != nullptr);
  return memory;
}
void CheckedFree(void* memory, size_t bytes) {
  (void)bytes;
  std::free(memory);
}

constexpr size_t kBignumHeader = sizeof(Object) + sizeof(Word);
// Scratch integers above this are given back after use.
constexpr int kKeepLimbs = 1 << 14;

void Trim(mpz_ptr value) {
  if (value->_mp_alloc > kKeepLimbs) {
    mpz_clear(value);
    mpz_init(value);
  }
}

// An integer that fits 64 bits and a sign, as int64 if it fits a fixnum.
bool AsFixnum(mpz_srcptr value, int64_t* result) {
  const size_t limbs = mpz_size(value);
  if (limbs > 1) return false;
  const uint64_t magnitude = limbs == 0 ? 0 : mpz_getlimbn(value, 0);
  if (magnitude > static_cast<uint64_t>(Word::kMaxFixnum) + 1) return false;
  const int64_t n =
      mpz_sgn(value) < 0 ? -static_cast<int64_t>(magnitude) : static_cast<int64_t>(magnitude);
  if (!Word::FitsFixnum(n)) return false;
  *result = n;
  return true;
}

// A bignum word; f if the heap refuses the room.
Word NewBignum(Vm& vm, mpz_srcptr value) WEFT_ALLOCATES {
  const size_t limbs = mpz_size(value);
  const size_t bytes = kBignumHeader + limbs * sizeof(mp_limb_t);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) return gc::kFalse;
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kBignum), bytes);
  const gc::NoAlloc no_alloc;
  Bignum* bignum = As<Bignum>(word);
  const int64_t size = static_cast<int64_t>(limbs);
  bignum->size = Word::Fixnum(mpz_sgn(value) < 0 ? -size : size);
  std::memcpy(bignum->limbs, mpz_limbs_read(value), limbs * sizeof(mp_limb_t));
  return word;
}

}  // namespace

Scratch::Scratch() {
  mp_set_memory_functions(CheckedAllocate, CheckedReallocate, CheckedFree);
  mpz_init(a);
  mpz_init(b);
  mpz_init(c);
  mpz_init(d);
}

Scratch& NumberScratch() {
  static Scratch* const scratch = new Scratch;  // lives as long as the process
  return *scratch;
}

void TrimScratch() {
  Scratch& scratch = NumberScratch();
  Trim(scratch.a);
  Trim(scratch.b);
  Trim(scratch.c);
  Trim(scratch.d);
}

bool ReserveGmp(uint64_t bits) {
  if (bits > kMaxIntegerBits) return false;
  if (bits < (uint64_t{1} << 20)) return true;
  // Operands, result and the recursion of GMP's fastest products stay below eight times the result.
  void* probe = std::malloc(static_cast<size_t>(bits));
  std::free(probe);
  return probe != nullptr;
}

IntegerView::IntegerView(Word w) {
  if (w.IsFixnum()) {
    const int64_t n = w.AsFixnum();
    limb_ = n < 0 ? uint64_t{0} - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
    mpz_roinit_n(value_, &limb_, n < 0 ? -1 : n == 0 ? 0 : 1);
    return;
  }
  const Bignum* bignum = As<Bignum>(w);
  mpz_roinit_n(value_, bignum->limbs, static_cast<mp_size_t>(bignum->size.AsFixnum()));
}

Word MakeFloat(Vm& vm, double d) {
  const Word immediate = Word::FloatBits(d);
  if (immediate.IsImmediateFloat()) return immediate;
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kFloat), sizeof(FloatBox));
  const gc::NoAlloc no_alloc;
  As<FloatBox>(word)->value = d;
  return word;
}

Word MakeUnsigned(Vm& vm, uint64_t n) {
  if (n <= static_cast<uint64_t>(Word::kMaxFixnum)) return Word::Fixnum(static_cast<int64_t>(n));
  mpz_t view;
  const mp_limb_t limb = n;
  return NewBignum(vm, mpz_roinit_n(view, &limb, 1));
}

Word MakeInteger(Vm& vm, int64_t n) {
  if (Word::FitsFixnum(n)) return Word::Fixnum(n);
  mpz_t view;
  const mp_limb_t limb = n < 0 ? uint64_t{0} - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  return NewBignum(vm, mpz_roinit_n(view, &limb, n < 0 ? -1 : 1));
}

Outcome StoreInteger(Vm& vm, mpz_srcptr value, Args args, size_t i) {
  int64_t n;
  if (AsFixnum(value, &n)) {
    args.set(i, Word::Fixnum(n));
    return Outcome::kNext;
  }
  const Word word = NewBignum(vm, value);
  if (word == gc::kFalse) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  args.set(i, word);
  return Outcome::kNext;
}

Outcome StoreInt128(Vm& vm, __int128 value, Args args, size_t i) {
  if (value >= Word::kMinFixnum && value <= Word::kMaxFixnum) {
    args.set(i, Word::Fixnum(static_cast<int64_t>(value)));
    return Outcome::kNext;
  }
  const bool negative = value < 0;
  const unsigned __int128 magnitude =
      negative ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  const mp_limb_t limbs[2] = {static_cast<uint64_t>(magnitude),
                              static_cast<uint64_t>(magnitude >> 64)};
  const mp_size_t size = limbs[1] != 0 ? 2 : 1;
  mpz_t view;
  args.set(i, NewBignum(vm, mpz_roinit_n(view, limbs, negative ? -size : size)));
  return Outcome::kNext;
}

Outcome StoreQuotient(Vm& vm, mpz_ptr numerator, mpz_ptr denominator, Args args, size_t i) {
  if (mpz_sgn(denominator) < 0) {
    mpz_neg(numerator, numerator);
    mpz_neg(denominator, denominator);
  }
  Scratch& scratch = NumberScratch();
  mpz_gcd(scratch.c, numerator, denominator);
  if (mpz_cmp_ui(scratch.c, 1) != 0) {
    mpz_divexact(numerator, numerator, scratch.c);
    mpz_divexact(denominator, denominator, scratch.c);
  }
  if (mpz_cmp_ui(denominator, 1) == 0) return StoreInteger(vm, numerator, args, i);
  // Both parts are words before the ratio is made; the roots keep them.
  gc::Root upper(vm.heap()), lower(vm.heap());
  int64_t n;
  Word word = AsFixnum(denominator, &n) ? Word::Fixnum(n) : NewBignum(vm, denominator);
  lower.set(word);
  word = AsFixnum(numerator, &n) ? Word::Fixnum(n) : NewBignum(vm, numerator);
  upper.set(word);
  if (upper.is_false() || lower.is_false()) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  uint32_t shape = 0;
  {
    const gc::NoAlloc no_alloc;
    const Word layout = vm.special(Special::kRatioLayout);
    if (layout.IsPointer()) shape = static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum());
  }
  if (shape == 0) {
    return vm.Throw(ErrorKind::kBadArgument, gc::kFalse, gc::kFalse);  // class not there yet
  }
  const Word ratio = vm.heap().Allocate(shape, sizeof(Object) + 2 * sizeof(Word));
  const gc::NoAlloc no_alloc;
  Object* object = gc::ObjectAt(ratio);
  vm.heap().Write(object, object->field(0), upper.get());
  vm.heap().Write(object, object->field(1), lower.get());
  args.set(i, ratio);
  return Outcome::kNext;
}

double ScaledToDouble(mpz_srcptr value, int64_t exponent, bool sticky) {
  const int sign = mpz_sgn(value);
  if (sign == 0) return 0.0;
  const int64_t bits = static_cast<int64_t>(mpz_sizeinbase(value, 2));
  const int64_t top = bits + exponent;  // 2^(top-1) <= |value| < 2^top
  if (top > 1024) {
    return sign < 0 ? -std::numeric_limits<double>::infinity()
                    : std::numeric_limits<double>::infinity();
  }
  if (top < -1074) return sign < 0 ? -0.0 : 0.0;  // below half of the least subnormal
  int64_t precision = 53;
  if (top < -1021) precision = 53 - (-1021 - top);  // subnormal; 0 at half of the least one
  const int64_t drop = bits - precision;
  uint64_t mantissa;
  if (drop <= 0) {
    mantissa = mpz_getlimbn(value, 0);
  } else {
    // The top `precision` bits, limb by limb: no copy of the whole number.
    const size_t limb = static_cast<size_t>(drop) / 64;
    const unsigned shift = static_cast<unsigned>(drop % 64);
    mantissa = mpz_getlimbn(value, static_cast<mp_size_t>(limb)) >> shift;
    if (shift != 0) {
      mantissa |= mpz_getlimbn(value, static_cast<mp_size_t>(limb + 1)) << (64 - shift);
    }
    const mp_bitcnt_t half = static_cast<mp_bitcnt_t>(drop - 1);
    // mpz_tstbit and mpz_scan1 see two's complement; both bits agree with the magnitude's up to and
    // including the lowest set bit, so test the magnitude through a positive view.
    mpz_t magnitude;
    mpz_roinit_n(magnitude, mpz_limbs_read(value), static_cast<mp_size_t>(mpz_size(value)));
    if (mpz_tstbit(magnitude, half) != 0) {
      const bool more = sticky || mpz_scan1(magnitude, 0) < half;
      if (more || (mantissa & 1) != 0) ++mantissa;
    }
  }
  const int64_t scale = exponent + (drop > 0 ? drop : 0);
  const double result = std::ldexp(static_cast<double>(mantissa), static_cast<int>(scale));
  return sign < 0 ? -result : result;
}

double QuotientToDouble(mpz_srcptr a, mpz_srcptr b) {
  if (mpz_sgn(b) == 0) {
    if (mpz_sgn(a) == 0) return std::numeric_limits<double>::quiet_NaN();
    return mpz_sgn(a) < 0 ? -std::numeric_limits<double>::infinity()
                          : std::numeric_limits<double>::infinity();
  }
  if (mpz_sgn(a) == 0) return mpz_sgn(b) < 0 ? -0.0 : 0.0;
  const int64_t a_bits = static_cast<int64_t>(mpz_sizeinbase(a, 2));
  const int64_t b_bits = static_cast<int64_t>(mpz_sizeinbase(b, 2));
  if (a_bits <= 53 && b_bits <= 53) return mpz_get_d(a) / mpz_get_d(b);
  // A quotient of at least 65 bits, whatever the operands; its tail is the sticky bit.
  const int64_t shift = 66 - (a_bits - b_bits);
  Scratch& scratch = NumberScratch();
  if (shift >= 0) {
    mpz_mul_2exp(scratch.c, a, static_cast<mp_bitcnt_t>(shift));
    mpz_tdiv_qr(scratch.c, scratch.d, scratch.c, b);
  } else {
    mpz_mul_2exp(scratch.d, b, static_cast<mp_bitcnt_t>(-shift));
    mpz_tdiv_qr(scratch.c, scratch.d, a, scratch.d);
  }
  return ScaledToDouble(scratch.c, -shift, mpz_sgn(scratch.d) != 0);
}

double RealToDouble(Word w) {
  if (w.IsFixnum()) return static_cast<double>(w.AsFixnum());
  if (IsFloat(w)) return FloatValue(w);
  return IntegerToDouble(IntegerView(w));
}

void DoubleToInteger(double d, mpz_ptr result) {
  if (std::isfinite(d)) {
    mpz_set_d(result, d);
  } else {
    mpz_set_ui(result, 0);
  }
}

int64_t TruncateToFixnum(mpz_srcptr value) {
  uint64_t low = mpz_size(value) == 0 ? 0 : mpz_getlimbn(value, 0);
  if (mpz_sgn(value) < 0) low = uint64_t{0} - low;
  return static_cast<int64_t>(low << 2) >> 2;
}

}  // namespace weft
