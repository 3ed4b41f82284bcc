// Primitives between numbers and strings (vm/number/number_text.h).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "vm/number/number_text.h"
#include "vm/primitives.h"
#include "vm/primitives/number_operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

// A new string of ASCII text in args[0].
Outcome StoreText(Vm& vm, absl::string_view text, Args args) WEFT_ALLOCATES {
  const size_t bytes = StringBytes(static_cast<int64_t>(text.size()), String::kOne);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  const Word word = NewString(vm.heap(), static_cast<int64_t>(text.size()), String::kOne);
  const gc::NoAlloc no_alloc;
  std::memcpy(As<String>(word)->data, text.data(), text.size());
  args.set(0, word);
  return Outcome::kNext;
}

// The text of a string of ASCII characters; false if it has others (which no number has).
bool ReadText(const String* string, std::string* text) WEFT_NO_ALLOC {
  const StringView view(string);
  text->reserve(static_cast<size_t>(view.size()));
  for (int64_t i = 0; i < view.size(); ++i) {
    const uint32_t ch = view.at(i);
    if (ch > 127) return false;
    text->push_back(static_cast<char>(ch));
  }
  return true;
}

bool IsStringAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc no_alloc;
  return IsType(args.get(i), TypeId::kString);
}

bool IsRadix(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) >= 2 && args.fixnum(i) <= 36;
}

Outcome BadArgument(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  Word operand;
  {
    const gc::NoAlloc no_alloc;
    operand = args.get(i);
  }
  return vm.Throw(ErrorKind::kBadArgument, operand, gc::kFalse);
}

}  // namespace

Outcome PrimStringToNumber(Vm& vm, Args args) {
  if (!IsStringAt(args, 0)) return WrongType(vm, TypeId::kString, args, 0);
  if (!IsRadix(args, 1)) return BadArgument(vm, args, 1);
  const auto radix = static_cast<int>(args.fixnum(1));
  ParsedNumber parsed;
  {
    const gc::NoAlloc no_alloc;
    const auto* string = As<String>(args.get(0));
    std::string text;
    if (string->width() == String::kOne) {
      const char* data = reinterpret_cast<const char*>(string->data);
      parsed = ParseNumber(absl::string_view(data, static_cast<size_t>(string->size())), radix);
    } else if (ReadText(string, &text)) {
      parsed = ParseNumber(text, radix);
    }
  }
  const Outcome outcome = StoreParsed(vm, parsed, args);
  TrimScratch();
  return outcome;
}

Outcome PrimIntegerToString(Vm& vm, Args args) {
  if (!IsIntegerAt(args, 0)) return WrongType(vm, TypeId::kBignum, args, 0);
  if (!IsRadix(args, 1)) return BadArgument(vm, args, 1);
  std::string text;
  {
    const gc::NoAlloc no_alloc;
    const Word word = args.get(0);
    if (word.IsFixnum() && args.fixnum(1) == 10) {
      text = std::to_string(word.AsFixnum());
    } else {
      text = FormatInteger(IntegerView(word), static_cast<int>(args.fixnum(1)));
    }
  }
  return StoreText(vm, text, args);
}

Outcome PrimFloatToString(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  return StoreText(vm, FormatFloat(x), args);
}

// Radix 2, 8 or 16.
Outcome PrimFloatToPowerString(Vm& vm, Args args) {
  double x;
  if (!ReadFloat(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  const int64_t radix = args.is_fixnum(1) ? args.fixnum(1) : 0;
  if (radix != 2 && radix != 8 && radix != 16) return BadArgument(vm, args, 1);
  return StoreText(vm, FormatFloatPower2(x, static_cast<int>(radix)), args);
}

// ( n fill width precision format locale -- str ): printf's e, E, f, F, g, G, a, A; "" is g.
// Width and precision -1 mean none. The locale is always C's.
Outcome PrimFormatFloat(Vm& vm, Args args) {
  constexpr int64_t kMost = 1 << 20;
  double x;
  if (!ReadReal(args, 0, &x)) return WrongType(vm, TypeId::kFloat, args, 0);
  for (const size_t i : {size_t{1}, size_t{4}, size_t{5}}) {
    if (!IsStringAt(args, i)) return WrongType(vm, TypeId::kString, args, i);
  }
  for (const size_t i : {size_t{2}, size_t{3}}) {
    if (!args.is_fixnum(i)) return WrongType(vm, TypeId::kFixnum, args, i);
    if (args.fixnum(i) > kMost) return BadArgument(vm, args, i);
  }
  std::string fill, format;
  {
    const gc::NoAlloc no_alloc;
    if (!ReadText(As<String>(args.get(1)), &fill)) fill.clear();
    if (!ReadText(As<String>(args.get(4)), &format)) format.assign(2, '?');
  }
  const char letter = format.empty() ? 'g' : format[0];
  if (format.size() > 1 || std::strchr("eEfFgGaA", letter) == nullptr) {
    return BadArgument(vm, args, 4);
  }
  const int precision = static_cast<int>(std::max<int64_t>(args.fixnum(3), -1));
  const char pattern[] = {'%', '.', '*', letter, 0};
  const char plain[] = {'%', letter, 0};
  std::string text(static_cast<size_t>(precision < 0 ? 0 : precision) + 400, '\0');
  const int length = precision < 0 ? std::snprintf(text.data(), text.size(), plain, x)
                                   : std::snprintf(text.data(), text.size(), pattern, precision, x);
  text.resize(static_cast<size_t>(length));
  const int64_t missing = args.fixnum(2) - length;
  if (missing > 0) {
    text =
        absl::StrCat(std::string(static_cast<size_t>(missing), fill.empty() ? ' ' : fill[0]), text);
  }
  return StoreText(vm, text, args);
}

}  // namespace weft
