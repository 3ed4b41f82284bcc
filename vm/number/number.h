// Numbers as words: how C++ reads and makes fixnums, bignums and floats.
//
// An integer is a fixnum if it fits one and a Bignum otherwise, never both, so integers are equal
// exactly if sign and limbs are. Sizes are bounded by kMaxIntegerBits: every operation that could
// give a larger result asks FitsInteger first and throws out-of-memory, because GMP ends the
// process when a size overflows. GMP works on views of heap limbs or on scratch integers outside
// the heap; results are copied into the heap last, so no view lives over an allocation.
// Used by the VM thread only. Errors: as stated at each function.
#ifndef WEFT_VM_NUMBER_NUMBER_H_
#define WEFT_VM_NUMBER_NUMBER_H_

#include <gmp.h>

#include <cstddef>
#include <cstdint>

#include "gc/no_alloc.h"
#include "gc/word.h"
#include "vm/args.h"
#include "vm/objects.h"
#include "vm/outcome.h"

namespace weft {

class Vm;

// 2^31 bits are 256 MiB, about 646 million decimal digits.
inline constexpr uint64_t kMaxIntegerBits = uint64_t{1} << 31;
inline bool FitsInteger(uint64_t bits) { return bits <= kMaxIntegerBits; }

// Integers outside the heap for intermediate results; nothing stays there across primitives.
struct Scratch {
  Scratch();
  mpz_t a, b, c, d;
};
Scratch& NumberScratch();
// Gives back the room of scratch integers that grew large. Their values are lost then.
void TrimScratch();
// False if GMP might not get `bits` bits and its working room for them (then nothing is started).
bool ReserveGmp(uint64_t bits);

inline bool IsBignum(Word w) WEFT_NO_ALLOC { return IsType(w, TypeId::kBignum); }
inline bool IsInteger(Word w) WEFT_NO_ALLOC { return w.IsFixnum() || IsBignum(w); }
inline bool IsFloat(Word w) WEFT_NO_ALLOC {
  return w.IsImmediateFloat() || IsType(w, TypeId::kFloat);
}
// REQUIRES: IsFloat(w).
inline double FloatValue(Word w) WEFT_NO_ALLOC {
  return w.IsImmediateFloat() ? w.AsImmediateFloat() : As<FloatBox>(w)->value;
}

// An integer word as a GMP operand, read only, without copying limbs. Valid until the next
// allocation. REQUIRES: IsInteger(w).
class IntegerView {
 public:
  explicit IntegerView(Word w) WEFT_NO_ALLOC;
  IntegerView(const IntegerView&) = delete;
  IntegerView& operator=(const IntegerView&) = delete;
  mpz_srcptr get() const { return value_; }
  operator mpz_srcptr() const { return value_; }  // NOLINT: stands for an mpz operand
  uint64_t bits() const { return mpz_sgn(value_) == 0 ? 0 : mpz_sizeinbase(value_, 2); }

 private:
  mp_limb_t limb_ = 0;
  mpz_t value_;
};

// The word of d: immediate where the exponent allows it, else a new FloatBox.
Word MakeFloat(Vm& vm, double d) WEFT_ALLOCATES;
Word MakeInteger(Vm& vm, int64_t n) WEFT_ALLOCATES;
Word MakeUnsigned(Vm& vm, uint64_t n) WEFT_ALLOCATES;

// Puts the integer into args[i]. `value` must not be a view of the heap. Throws out-of-memory when
// the heap refuses the room.
Outcome StoreInteger(Vm& vm, mpz_srcptr value, Args args, size_t i) WEFT_ALLOCATES;
Outcome StoreInt128(Vm& vm, __int128 value, Args args, size_t i) WEFT_ALLOCATES;
// Puts numerator/denominator into args[i], in lowest terms: an integer or a ratio. Uses the
// scratch a and b, which may be the arguments. REQUIRES: denominator is not zero.
Outcome StoreQuotient(Vm& vm, mpz_ptr numerator, mpz_ptr denominator, Args args,
                      size_t i) WEFT_ALLOCATES;

// value * 2^exponent, rounded to nearest, ties to even; `sticky` tells that the exact value has
// further non-zero bits below. Overflow gives an infinity, underflow subnormals and zero.
double ScaledToDouble(mpz_srcptr value, int64_t exponent, bool sticky);
inline double IntegerToDouble(mpz_srcptr value) { return ScaledToDouble(value, 0, false); }
// a/b rounded once. b = 0 gives an infinity, or NaN if a = 0 too. Uses scratch c and d.
double QuotientToDouble(mpz_srcptr a, mpz_srcptr b);
// REQUIRES: w is an integer or a float.
double RealToDouble(Word w) WEFT_NO_ALLOC;
// The integer part of d into `result`; infinities and NaN give 0.
void DoubleToInteger(double d, mpz_ptr result);
// The low 62 bits of an integer, sign extended.
int64_t TruncateToFixnum(mpz_srcptr value);

}  // namespace weft

#endif  // WEFT_VM_NUMBER_NUMBER_H_
