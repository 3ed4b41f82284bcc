// Primitives of strings.
#include "vm/strings.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "vm/hashing.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"

namespace weft {
namespace {

bool IsCodePoint(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) >= 0 && args.fixnum(i) <= kMaxCodePoint;
}

String* StringAtArg(Args args, size_t i) WEFT_NO_ALLOC { return As<String>(args.get(i)); }

int64_t SizeAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return StringAtArg(args, i)->size();
}

// A range of a sequence of `size` elements in args[from], args[to].
bool IsRange(Args args, size_t from, size_t to, int64_t size) {
  return args.is_fixnum(from) && args.is_fixnum(to) && args.fixnum(from) >= 0 &&
         args.fixnum(from) <= args.fixnum(to) && args.fixnum(to) <= size;
}

void CopyCodePoints(const StringView& from, int64_t begin, int64_t count, String* to,
                    int64_t at) WEFT_NO_ALLOC {
  for (int64_t i = 0; i < count; ++i) StoreCodePoint(to, at + i, from.at(begin + i));
}

}  // namespace

Outcome PrimString(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  if (!IsCodePoint(args, 1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const int64_t size = args.fixnum(0);
  const auto fill = static_cast<uint32_t>(args.fixnum(1));
  const String::Width width = WidthFor(fill);
  if (!HasRoom(vm, StringBytes(size, width))) return NoRoom(vm, StringBytes(size, width));
  const Word word = NewString(vm.heap(), size, width);
  const gc::NoAlloc scope;
  auto* string = As<String>(word);
  if (width == String::kOne) {
    std::memset(string->data, static_cast<int>(fill), static_cast<size_t>(size));
  } else {
    for (int64_t i = 0; i < size; ++i) StoreCodePoint(string, i, fill);
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimResizeString(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  if (!Is(args, 1, TypeId::kString)) return BadType(vm, TypeId::kString, args, 1);
  const int64_t size = args.fixnum(0);
  String::Width width;
  {
    const gc::NoAlloc scope;
    width = StringView(StringAtArg(args, 1)).width();
  }
  if (!HasRoom(vm, StringBytes(size, width))) return NoRoom(vm, StringBytes(size, width));
  const Word word = NewString(vm.heap(), size, width);
  const gc::NoAlloc scope;
  const StringView old(StringAtArg(args, 1));
  const int64_t kept = std::min(size, old.size());
  if (width == String::kOne) {
    std::memcpy(As<String>(word)->data, old.data(), static_cast<size_t>(kept));
  } else {
    CopyCodePoints(old, 0, kept, As<String>(word), 0);
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimStringLength(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  args.set(0, Word::Fixnum(SizeAt(args, 0)));
  return Outcome::kNext;
}

Outcome PrimStringNth(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kString)) return BadType(vm, TypeId::kString, args, 1);
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (args.fixnum(0) < 0 || args.fixnum(0) >= SizeAt(args, 1)) return BadIndex(vm, args, 0, 1);
  const gc::NoAlloc scope;
  args.set(0, Word::Fixnum(StringAt(StringAtArg(args, 1), args.fixnum(0))));
  return Outcome::kNext;
}

Outcome PrimSetStringNth(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kString)) return BadType(vm, TypeId::kString, args, 2);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  if (!IsCodePoint(args, 0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (args.fixnum(1) < 0 || args.fixnum(1) >= SizeAt(args, 2)) return BadIndex(vm, args, 1, 2);
  Word word;
  {
    const gc::NoAlloc scope;
    word = args.get(2);
  }
  const gc::Root string(vm.heap(), word);
  SetStringAt(vm.heap(), string, args.fixnum(1), static_cast<uint32_t>(args.fixnum(0)));
  return Outcome::kNext;
}

Outcome PrimStringEquals(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kString)) return BadType(vm, TypeId::kString, args, i);
  }
  const gc::NoAlloc scope;
  args.set(0, Word::Bool(StringsEqual(StringAtArg(args, 0), StringAtArg(args, 1))));
  return Outcome::kNext;
}

Outcome PrimStringCompare(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kString)) return BadType(vm, TypeId::kString, args, i);
  }
  const gc::NoAlloc scope;
  args.set(0, Word::Fixnum(CompareStrings(StringAtArg(args, 0), StringAtArg(args, 1))));
  return Outcome::kNext;
}

Outcome PrimStringHash(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  const gc::NoAlloc scope;
  args.set(0, Word::Fixnum(HashString(StringAtArg(args, 0))));
  return Outcome::kNext;
}

Outcome PrimSubstring(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kString)) return BadType(vm, TypeId::kString, args, 2);
  if (!IsRange(args, 0, 1, SizeAt(args, 2))) return BadIndex(vm, args, 1, 2);
  const int64_t from = args.fixnum(0);
  const int64_t to = args.fixnum(1);
  if (!HasRoom(vm, StringBytes(to - from, String::kFour))) {
    return NoRoom(vm, StringBytes(to - from, String::kFour));
  }
  Word word;
  {
    const gc::NoAlloc scope;
    word = args.get(2);
  }
  const gc::Root string(vm.heap(), word);
  args.set(0, MakeSubstring(vm.heap(), string, from, to));
  return Outcome::kNext;
}

Outcome PrimStringAppend(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kString)) return BadType(vm, TypeId::kString, args, i);
  }
  String::Width width;
  int64_t size;
  {
    const gc::NoAlloc scope;
    const StringView a(StringAtArg(args, 0));
    const StringView b(StringAtArg(args, 1));
    width = std::max(a.width(), b.width());
    size = a.size() + b.size();
  }
  if (!HasRoom(vm, StringBytes(size, width))) return NoRoom(vm, StringBytes(size, width));
  const Word word = NewString(vm.heap(), size, width);
  const gc::NoAlloc scope;
  const StringView a(StringAtArg(args, 0));
  const StringView b(StringAtArg(args, 1));
  auto* string = As<String>(word);
  if (width == String::kOne) {
    std::memcpy(string->data, a.data(), static_cast<size_t>(a.size()));
    std::memcpy(string->data + a.size(), b.data(), static_cast<size_t>(b.size()));
  } else {
    CopyCodePoints(a, 0, a.size(), string, 0);
    CopyCodePoints(b, 0, b.size(), string, a.size());
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimStringIndexFrom(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kString)) return BadType(vm, TypeId::kString, args, 2);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const gc::NoAlloc scope;
  const StringView string(StringAtArg(args, 2));
  Word found = gc::kFalse;
  if (args.is_fixnum(0)) {
    const int64_t wanted = args.fixnum(0);
    for (int64_t i = std::max<int64_t>(args.fixnum(1), 0); i < string.size(); ++i) {
      if (string.at(i) == wanted) {
        found = Word::Fixnum(i);
        break;
      }
    }
  }
  args.set(0, found);
  return Outcome::kNext;
}

Outcome PrimStringToUtf8(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  if (!HasRoom(vm, static_cast<size_t>(SizeAt(args, 0)) * 4)) {
    return NoRoom(vm, static_cast<size_t>(SizeAt(args, 0)) * 4);
  }
  std::string utf8;
  {
    const gc::NoAlloc scope;
    utf8 = ToUtf8(StringAtArg(args, 0));
  }
  const Word word =
      vm.heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + utf8.size());
  const gc::NoAlloc scope;
  auto* bytes = As<ByteArray>(word);
  bytes->length = Word::Fixnum(static_cast<int64_t>(utf8.size()));
  std::memcpy(bytes->bytes, utf8.data(), utf8.size());
  args.set(0, word);
  return Outcome::kNext;
}

namespace {

// The bytes that args[0], args[1] cut out of the byte array args[2]; false if that is no range.
bool ReadBytes(Args args, std::string* bytes) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  const auto* array = As<ByteArray>(args.get(2));
  if (!IsRange(args, 0, 1, array->size())) return false;
  bytes->assign(reinterpret_cast<const char*>(array->bytes) + args.fixnum(0),
                static_cast<size_t>(args.fixnum(1) - args.fixnum(0)));
  return true;
}

}  // namespace

Outcome PrimUtf8ToString(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 2);
  std::string bytes;
  if (!ReadBytes(args, &bytes)) return BadIndex(vm, args, 1, 2);
  if (!HasRoom(vm, bytes.size() * 4)) return NoRoom(vm, bytes.size() * 4);
  args.set(0, MakeString(vm.heap(), bytes));
  return Outcome::kNext;
}

Outcome PrimLatin1ToString(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 2);
  std::string bytes;
  if (!ReadBytes(args, &bytes)) return BadIndex(vm, args, 1, 2);
  const auto size = static_cast<int64_t>(bytes.size());
  if (!HasRoom(vm, StringBytes(size, String::kOne))) return NoRoom(vm, bytes.size());
  const Word word = NewString(vm.heap(), size, String::kOne);
  const gc::NoAlloc scope;
  std::memcpy(As<String>(word)->data, bytes.data(), bytes.size());
  args.set(0, word);
  return Outcome::kNext;
}

namespace {

Outcome SkipWhile(Vm& vm, Args args, bool blank) WEFT_ALLOCATES {
  if (!Is(args, 1, TypeId::kString)) return BadType(vm, TypeId::kString, args, 1);
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  const gc::NoAlloc scope;
  const StringView string(StringAtArg(args, 1));
  int64_t i = std::max<int64_t>(args.fixnum(0), 0);
  while (i < string.size() && (string.at(i) <= 32) == blank) ++i;
  args.set(0, Word::Fixnum(std::min(i, string.size())));
  return Outcome::kNext;
}

}  // namespace

Outcome PrimStringSkipWord(Vm& vm, Args args) { return SkipWhile(vm, args, /*blank=*/false); }

Outcome PrimStringSkipBlank(Vm& vm, Args args) { return SkipWhile(vm, args, /*blank=*/true); }

}  // namespace weft
