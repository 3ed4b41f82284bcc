// Numbers as text: every form of literal the language reads, and shortest round-trip printing.
//
//   number   := sign? ( integer | ratio | mixed | float )
//   integer  := prefix? digits            prefix: 0x 0o 0b, only when the radix asked for is ten
//   ratio    := digits / digits           mixed: digits + ratio, or with a minus sign digits -
//   ratio float    := digits? . digits? exp?  |  digits exp  |  ratio .  |  mixed . exp      := e
//   (radix ten) or p (radix 2, 8, 16: a power of two), then a decimal integer digits   := digit (
//   [,_]? digit )*
// Text comes as code units one byte each (all forms are ASCII). Errors: what is no number gives
// kNone; a number beyond kMaxIntegerBits gives kTooLarge.
#ifndef WEFT_VM_NUMBER_NUMBER_TEXT_H_
#define WEFT_VM_NUMBER_NUMBER_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "vm/number/number.h"

namespace weft {

enum class NumberForm { kNone, kTooLarge, kFixnum, kInteger, kQuotient, kFloat };

struct ParsedNumber {
  NumberForm form = NumberForm::kNone;
  double value = 0;    // kFloat
  int64_t fixnum = 0;  // kFixnum
  // kInteger: in NumberScratch().a; kQuotient: a/b there, b > 0, not reduced.
};

// REQUIRES: 2 <= radix <= 36. Uses all scratch integers.
ParsedNumber ParseNumber(absl::string_view text, int radix);

// Decimal digits that read back as d, the fewest there are: 1.0, 0.1, 1e20, -0.0. Decimal point
// notation for 1e-4 <= |d| < 1e16. Infinities: 1/0. and -1/0.; every NaN: 0/0.
std::string FormatFloat(double d);
// Exact, as Factor's >base of floats for radix 2, 8 and 16: 1.8p3 (without prefix).
std::string FormatFloatPower2(double d, int radix);
std::string FormatInteger(mpz_srcptr value, int radix);

// The word for the literal `text` (radix ten, prefixes allowed); f if it is no number. For readers
// in C++.
Word ReadNumber(Vm& vm, absl::string_view text) WEFT_ALLOCATES;
// The same as a primitive needs it: the result in args[0]; throws out-of-memory.
Outcome StoreParsed(Vm& vm, const ParsedNumber& parsed, Args args) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_NUMBER_NUMBER_TEXT_H_
