#include "vm/number/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/container/inlined_vector.h"
#include "gc/check.h"
#include "vm/vm.h"

namespace weft {
namespace {

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

// Bits a digit of the radix may need, rounded up.
uint64_t BitsPerDigit(int radix) {
  uint64_t bits = 1;
  while ((uint64_t{1} << bits) < static_cast<uint64_t>(radix)) ++bits;
  return bits;
}

// Values of digits, the most significant first.
using DigitValues = absl::InlinedVector<uint8_t, 64>;

// What most numbers are: a sign and digits that make a fixnum; in radix ten also a float without
// separators. False if the text is neither (it may still be a number).
bool ParsePlain(absl::string_view text, int radix, ParsedNumber* parsed) {
  const bool has_sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const bool negative = has_sign && text[0] == '-';
  const absl::string_view body = text.substr(has_sign ? 1 : 0);
  const int64_t last = (Word::kMaxFixnum - radix) / radix;
  int64_t value = 0;
  size_t at = 0;
  for (; at < body.size() && value <= last; ++at) {
    const int digit = DigitOf(body[at]);
    if (digit >= radix) break;
    value = value * radix + digit;
  }
  if (at == body.size()) {
    if (at == 0) return false;
    *parsed = {.form = NumberForm::kFixnum, .fixnum = negative ? -value : value};
    return true;
  }
  if (radix != 10) return false;
  size_t digits = 0;
  bool has_mark = false;  // a point or an exponent: else it is an integer
  const auto take_digits = [&] {
    for (; at < body.size() && body[at] >= '0' && body[at] <= '9'; ++at) ++digits;
  };
  at = 0;
  take_digits();
  if (at < body.size() && body[at] == '.') {
    has_mark = true;
    ++at;
    take_digits();
  }
  if (digits > 0 && at < body.size() && (body[at] == 'e' || body[at] == 'E')) {
    has_mark = true;
    ++at;
    if (at < body.size() && (body[at] == '-' || body[at] == '+')) ++at;
    digits = 0;
    take_digits();
  }
  if (at != body.size() || digits == 0 || !has_mark) return false;
  double magnitude = 0;
  const char* end = body.data() + body.size();
  const std::from_chars_result read = std::from_chars(body.data(), end, magnitude);
  if (read.ec != std::errc() || read.ptr != end) return false;  // too large, too small
  *parsed = {.form = NumberForm::kFloat, .value = negative ? -magnitude : magnitude};
  return true;
}

class NumberParser {
 public:
  NumberParser(absl::string_view text, int radix) : text_(text), radix_(radix) {}

  ParsedNumber Parse() {
    if (AtEnd()) return {};
    if (Peek() == '-' || Peek() == '+') negative_ = text_[at_++] == '-';
    TakePrefix();
    DigitValues whole;
    if (!AtEnd() && Peek() == '.') {
      ++at_;
      return Fraction(whole, false);
    }
    if (!Digits(&whole)) return {};
    if (AtEnd()) return Integer(whole);
    const char next = text_[at_++];
    if (next == '/') return Quotient({}, whole);
    if (next == (negative_ ? '-' : '+')) {
      DigitValues numerator;
      if (!Digits(&numerator) || AtEnd() || text_[at_++] != '/') return {};
      return Quotient(whole, numerator);
    }
    if (next == '.') return Fraction(whole, true);
    if (IsExponentMark(next)) return Float(whole, {}, true);
    return {};
  }

 private:
  [[nodiscard]] bool AtEnd() const { return at_ == text_.size(); }
  [[nodiscard]] char Peek() const { return text_[at_]; }
  [[nodiscard]] bool IsDigit(char c) const { return DigitOf(c) < radix_; }

  void TakePrefix() {
    if (radix_ != 10 || text_.size() < at_ + 3 || Peek() != '0') return;
    int radix = 10;
    switch (text_[at_ + 1]) {
      case 'x':
      case 'X':
        radix = 16;
        break;
      case 'o':
      case 'O':
        radix = 8;
        break;
      case 'b':
      case 'B':
        radix = 2;
        break;
      default:
        return;
    }
    radix_ = radix;
    at_ += 2;
  }

  [[nodiscard]] bool IsExponentMark(char c) const {
    if (radix_ == 10) return c == 'e' || c == 'E';
    return IsPowerRadix() && (c == 'p' || c == 'P');
  }
  [[nodiscard]] bool IsPowerRadix() const { return radix_ == 2 || radix_ == 8 || radix_ == 16; }

  // Digit values; false if there is none, or a separator does not stand between digits.
  bool Digits(DigitValues* digits) {
    if (AtEnd() || !IsDigit(Peek())) return false;
    while (!AtEnd()) {
      char c = Peek();
      if (c == ',' || c == '_') {
        if (at_ + 1 == text_.size() || !IsDigit(text_[at_ + 1])) return false;
        c = text_[++at_];
      }
      if (!IsDigit(c)) break;
      digits->push_back(static_cast<uint8_t>(DigitOf(c)));
      ++at_;
    }
    return true;
  }

  [[nodiscard]] bool Fits(const DigitValues& digits) const {
    return ReserveGmp(digits.size() * BitsPerDigit(radix_));
  }
  void SetInteger(mpz_ptr result, const DigitValues& digits) const {
    size_t first = 0;
    while (first < digits.size() && digits[first] == 0) ++first;
    const size_t count = digits.size() - first;
    if (count == 0) {
      mpz_set_ui(result, 0);
      return;
    }
    const size_t limbs = count * BitsPerDigit(radix_) / 64 + 2;
    mp_limb_t* out = mpz_limbs_write(result, static_cast<mp_size_t>(limbs));
    mpz_limbs_finish(result, mpn_set_str(out, digits.data() + first, count, radix_));
  }

  ParsedNumber Integer(const DigitValues& digits) {
    if (!Fits(digits)) return {NumberForm::kTooLarge};
    Scratch& scratch = NumberScratch();
    SetInteger(scratch.a, digits);
    if (negative_) mpz_neg(scratch.a, scratch.a);
    return {NumberForm::kInteger};
  }

  // After the slash. `whole` is empty or the integer part of a mixed number.
  ParsedNumber Quotient(const DigitValues& whole, const DigitValues& numerator) {
    DigitValues denominator;
    if (!Digits(&denominator)) return {};
    bool is_float = false;
    if (!AtEnd()) {
      if (text_[at_++] != '.' || !AtEnd()) return {};
      is_float = true;
    }
    if (!Fits(numerator) || !Fits(denominator) || !Fits(whole)) return {NumberForm::kTooLarge};
    Scratch& scratch = NumberScratch();
    SetInteger(scratch.a, numerator);
    SetInteger(scratch.b, denominator);
    if (mpz_sgn(scratch.b) == 0 && !is_float) return {};
    if (!whole.empty()) {
      SetInteger(scratch.c, whole);
      if (!ReserveGmp(mpz_sizeinbase(scratch.c, 2) + mpz_sizeinbase(scratch.b, 2))) {
        return {NumberForm::kTooLarge};
      }
      mpz_addmul(scratch.a, scratch.b, scratch.c);
    }
    if (is_float) {
      const double magnitude = QuotientToDouble(scratch.a, scratch.b);
      return {NumberForm::kFloat, negative_ ? -magnitude : magnitude};
    }
    if (negative_) mpz_neg(scratch.a, scratch.a);
    return {NumberForm::kQuotient};
  }

  // After the point; `has_whole` tells that digits stood before it.
  ParsedNumber Fraction(const DigitValues& whole, bool has_whole) {
    if (radix_ != 10 && !IsPowerRadix()) return {};
    DigitValues fraction;
    if (!AtEnd() && IsDigit(Peek())) {
      if (!Digits(&fraction)) return {};
    } else if (!has_whole) {
      return {};
    }
    if (AtEnd()) return Float(whole, fraction, false);
    if (!IsExponentMark(text_[at_++])) return {};
    return Float(whole, fraction, true);
  }

  // After the exponent mark, if there is one.
  ParsedNumber Float(const DigitValues& whole, const DigitValues& fraction, bool has_exponent) {
    int64_t exponent = 0;
    if (has_exponent && !Exponent(&exponent)) return {};
    double magnitude;
    if (radix_ == 10) {
      std::string decimal;
      for (const uint8_t digit : whole) decimal.push_back(static_cast<char>('0' + digit));
      decimal.push_back('.');
      for (const uint8_t digit : fraction) decimal.push_back(static_cast<char>('0' + digit));
      decimal += 'e';
      decimal += std::to_string(exponent);
      magnitude = std::strtod(decimal.c_str(), nullptr);
    } else {
      DigitValues digits = whole;
      digits.insert(digits.end(), fraction.begin(), fraction.end());
      if (!Fits(digits)) return {NumberForm::kTooLarge};
      Scratch& scratch = NumberScratch();
      SetInteger(scratch.a, digits);
      const int64_t below = static_cast<int64_t>(fraction.size() * BitsPerDigit(radix_));
      magnitude = ScaledToDouble(scratch.a, exponent - below, false);
    }
    return {NumberForm::kFloat, negative_ ? -magnitude : magnitude};
  }

  // A decimal integer up to the end; magnitudes beyond every float's are cut.
  bool Exponent(int64_t* exponent) {
    constexpr int64_t kCut = int64_t{1} << 40;
    bool negative = false;
    if (!AtEnd() && (Peek() == '-' || Peek() == '+')) negative = text_[at_++] == '-';
    if (AtEnd()) return false;
    int64_t n = 0;
    for (; !AtEnd(); ++at_) {
      if (Peek() < '0' || Peek() > '9') return false;
      n = n * 10 + (Peek() - '0');
      if (n > kCut) n = kCut;
    }
    *exponent = negative ? -n : n;
    return true;
  }

  absl::string_view text_;
  int radix_;
  size_t at_ = 0;
  bool negative_ = false;
};

std::string SpecialText(double d) {
  if (std::isnan(d)) return "0/0.";
  return d < 0 ? "-1/0." : "1/0.";
}

}  // namespace

ParsedNumber ParseNumber(absl::string_view text, int radix) {
  ParsedNumber parsed;
  if (ParsePlain(text, radix, &parsed)) return parsed;
  return NumberParser(text, radix).Parse();
}

std::string FormatFloat(double d) {
  if (!std::isfinite(d)) return SpecialText(d);
  // Shortest digits d[.ddd]e[+-]xx, taken apart and laid out.
  std::array<char, 64> buffer{};  // the exponent below ends at a zero
  const std::to_chars_result end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), d, std::chars_format::scientific);
  const absl::string_view text(buffer.data(), static_cast<size_t>(end.ptr - buffer.data()));
  const size_t mark = text.find('e');
  std::string digits;
  std::string sign;
  for (const char c : text.substr(0, mark)) {
    if (c == '-') sign = "-";
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  const int exponent = std::atoi(buffer.data() + mark + 1);
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    std::string mantissa = digits.substr(0, 1);
    if (count > 1) mantissa += "." + digits.substr(1);
    return sign + mantissa + "e" + std::to_string(exponent);
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  if (exponent + 1 >= count) {
    return sign + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  }
  const size_t point = static_cast<size_t>(exponent) + 1;
  return sign + digits.substr(0, point) + "." + digits.substr(point);
}

std::string FormatFloatPower2(double d, int radix) {
  if (!std::isfinite(d)) return SpecialText(d);
  std::string result = std::signbit(d) ? "-" : "";
  d = std::fabs(d);
  if (d == 0) return result + "0.0";
  int exponent;
  const double mantissa = std::frexp(d, &exponent);  // 0.5 <= mantissa < 1
  // 1.<52 bits>, the bits grouped into digits and trailing zeros dropped.
  uint64_t bits = static_cast<uint64_t>(std::ldexp(mantissa, 53)) << 12;  // after the leading 1
  const int width = radix == 16 ? 4 : radix == 8 ? 3 : 1;
  result += "1.";
  do {
    result.push_back("0123456789abcdef"[bits >> (64 - width)]);
    bits <<= width;
  } while (bits != 0);
  return result + "p" + std::to_string(exponent - 1);
}

std::string FormatInteger(mpz_srcptr value, int radix) {
  std::string text(mpz_sizeinbase(value, radix) + 2, '\0');
  mpz_get_str(text.data(), radix, value);
  text.resize(text.find('\0'));
  return text;
}

Outcome StoreParsed(Vm& vm, const ParsedNumber& parsed, Args args) {
  Scratch& scratch = NumberScratch();
  switch (parsed.form) {
    case NumberForm::kNone:
      args.set(0, gc::kFalse);
      return Outcome::kNext;
    case NumberForm::kTooLarge:
      return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
    case NumberForm::kFixnum:
      args.set(0, Word::Fixnum(parsed.fixnum));
      return Outcome::kNext;
    case NumberForm::kInteger:
      return StoreInteger(vm, scratch.a, args, 0);
    case NumberForm::kQuotient:
      return StoreQuotient(vm, scratch.a, scratch.b, args, 0);
    case NumberForm::kFloat:
      args.set(0, MakeFloat(vm, parsed.value));
      return Outcome::kNext;
  }
  return Outcome::kNext;
}

Word ReadNumber(Vm& vm, absl::string_view text) {
  const ParsedNumber parsed = ParseNumber(text, 10);
  gc::Word window[1] = {gc::kFalse};
  const Outcome outcome = StoreParsed(vm, parsed, Args(window));
  return outcome == Outcome::kNext ? window[0] : gc::kFalse;
}

}  // namespace weft
