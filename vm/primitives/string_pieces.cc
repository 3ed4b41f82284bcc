// Primitives that take strings apart and put them together.
#include <algorithm>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

bool HasCodePoint(const StringView& string, uint32_t code_point) {
  for (int64_t i = 0; i < string.size(); ++i) {
    if (string.at(i) == code_point) return true;
  }
  return false;
}

// Where the separators stand, and behind them the end.
using Cuts = absl::InlinedVector<int64_t, 32>;

void FindCuts(const StringView& string, const StringView& separators, Cuts* cuts) {
  if (string.width() == String::kOne && separators.size() == 1) {
    const uint32_t separator = separators.at(0);
    const uint8_t* data = string.data();
    for (int64_t i = 0; separator < 256 && i < string.size(); ++i) {
      if (data[i] == separator) cuts->push_back(i);
    }
  } else {
    for (int64_t i = 0; i < string.size(); ++i) {
      if (HasCodePoint(separators, string.at(i))) cuts->push_back(i);
    }
  }
  cuts->push_back(string.size());
}

// How much of `part` may still be right where a code point behind its first i + 1 is not.
using Borders = absl::InlinedVector<int64_t, 64>;

// The longest beginning of `part` that ends with `code_point`, after one of `matched`.
int64_t NextMatched(const StringView& part, const Borders& borders, int64_t matched,
                    uint32_t code_point) {
  while (matched > 0 && part.at(matched) != code_point) {
    matched = borders[static_cast<size_t>(matched - 1)];
  }
  return part.at(matched) == code_point ? matched + 1 : 0;
}

// Where the part stands next, from `from` on; the size of the string if nowhere. Linear whatever
// the strings hold, as no other thread runs meanwhile: memmem is, and the rest is Knuth, Morris and
// Pratt's "Fast pattern matching in strings" (1977).
int64_t FindPart(const StringView& string, int64_t from, const StringView& part) {
  if (string.width() == String::kOne && part.width() == String::kOne) {
    const void* found = memmem(string.data() + from, static_cast<size_t>(string.size() - from),
                               part.data(), static_cast<size_t>(part.size()));
    return found == nullptr ? string.size() : static_cast<const uint8_t*>(found) - string.data();
  }
  if (part.size() == 0) return from;
  Borders borders = {0};
  for (int64_t i = 1; i < part.size(); ++i) {
    borders.push_back(NextMatched(part, borders, borders.back(), part.at(i)));
  }
  int64_t matched = 0;
  for (int64_t at = from; at < string.size(); ++at) {
    matched = NextMatched(part, borders, matched, string.at(at));
    if (matched == part.size()) return at + 1 - matched;
  }
  return string.size();
}

// The pieces of the string args[0] between cuts of `width` code points.
Outcome CutPieces(Vm& vm, Args args, const Cuts& cuts, int64_t width) WEFT_ALLOCATES {
  const size_t bytes = sizeof(Array) + cuts.size() * sizeof(Word);
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  gc::Root pieces(vm.heap(), vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes));
  gc::Root string(vm.heap());
  {
    const gc::NoAlloc scope;
    As<Array>(pieces.get())->length = Word::Fixnum(static_cast<int64_t>(cuts.size()));
    string.set(args.get(0));
  }
  int64_t from = 0;
  for (size_t i = 0; i < cuts.size(); ++i) {
    // At most four bytes a code point: a long piece asks for room first.
    const size_t most = sizeof(String) + 4 * static_cast<size_t>(cuts[i] - from);
    if (!HasRoom(vm, most)) return NoRoom(vm, most);
    const Word piece = MakeSubstring(vm.heap(), string, from, cuts[i]);
    from = cuts[i] + width;
    const gc::NoAlloc scope;
    auto* array = As<Array>(pieces.get());
    vm.heap().Write(array, &array->elements[i], piece);
  }
  const gc::NoAlloc scope;
  args.set(0, pieces.get());
  return Outcome::kNext;
}

// Puts strings one behind the other into a string that is wide enough.
class Joiner {
 public:
  explicit Joiner(String* to) WEFT_NO_ALLOC : to_(to), is_narrow_(to->width() == String::kOne) {}
  void Add(const StringView& piece) WEFT_NO_ALLOC {
    if (is_narrow_) {
      std::memcpy(to_->data + at_, piece.data(), static_cast<size_t>(piece.size()));
    } else {
      for (int64_t i = 0; i < piece.size(); ++i) StoreCodePoint(to_, at_ + i, piece.at(i));
    }
    at_ += piece.size();
  }

 private:
  String* to_;
  bool is_narrow_;
  int64_t at_ = 0;
};

struct JoinedSize {
  bool all_strings = false;
  int64_t size = 0;
  String::Width width = String::kOne;
};

enum JoinOperand : size_t { kFrom, kCount, kArray, kGlue };

JoinedSize MeasureJoined(Args args) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  JoinedSize result;
  if (!args.is_fixnum(kFrom) || !args.is_fixnum(kCount) ||
      !IsType(args.get(kArray), TypeId::kArray) || !IsType(args.get(kGlue), TypeId::kString)) {
    return result;
  }
  const int64_t from = args.fixnum(kFrom);
  const int64_t count = args.fixnum(kCount);
  const auto* array = As<Array>(args.get(kArray));
  if (from < 0 || count < 0 || from > array->size() || count > array->size() - from) return result;
  const StringView glue(As<String>(args.get(kGlue)));
  if (count > 1) {
    result.width = glue.width();
    const bool is_too_long = glue.size() > kMaxElements / (count - 1);
    result.size = is_too_long ? kMaxElements + 1 : glue.size() * (count - 1);
  }
  for (int64_t i = 0; i < count; ++i) {
    const Word piece = array->elements[from + i];
    if (!IsType(piece, TypeId::kString)) return result;
    const StringView view(As<String>(piece));
    result.width = std::max(result.width, view.width());
    result.size += view.size();
  }
  result.all_strings = true;
  return result;
}

}  // namespace

Outcome PrimSplitString(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString) || !Is(args, 1, TypeId::kString)) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  Cuts cuts;
  {
    const gc::NoAlloc scope;
    FindCuts(StringView(As<String>(args.get(0))), StringView(As<String>(args.get(1))), &cuts);
  }
  return CutPieces(vm, args, cuts, 1);
}

Outcome PrimSplitStringAt(Vm& vm, Args args) {
  Cuts cuts;
  int64_t width = 0;
  if (Is(args, 0, TypeId::kString) && Is(args, 1, TypeId::kString)) {
    const gc::NoAlloc scope;
    const StringView string(As<String>(args.get(0)));
    const StringView part(As<String>(args.get(1)));
    width = part.size();
    for (int64_t at = 0; width > 0;) {
      at = FindPart(string, at, part);
      cuts.push_back(at);
      if (at == string.size()) break;
      at += width;
    }
  }
  if (width == 0) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  return CutPieces(vm, args, cuts, width);
}

// ( n string part -- i/f )
Outcome PrimFindPart(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (!Is(args, i, TypeId::kString)) return BadType(vm, TypeId::kString, args, i);
  }
  const gc::NoAlloc scope;
  const StringView string(As<String>(args.get(1)));
  const StringView part(As<String>(args.get(2)));
  const int64_t from = std::max<int64_t>(args.fixnum(0), 0);
  Word found = gc::kFalse;
  if (from <= string.size()) {
    const int64_t at = FindPart(string, from, part);
    if (at + part.size() <= string.size()) found = Word::Fixnum(at);
  }
  args.set(0, found);
  return Outcome::kNext;
}

Outcome PrimJoinStrings(Vm& vm, Args args) {
  const JoinedSize joined = MeasureJoined(args);
  if (!joined.all_strings) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  if (joined.size > kMaxElements) return NoRoom(vm, static_cast<size_t>(joined.size));
  const size_t bytes = StringBytes(joined.size, joined.width);
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word word = NewString(vm.heap(), joined.size, joined.width);
  const gc::NoAlloc scope;
  const int64_t from = args.fixnum(kFrom);
  const auto* array = As<Array>(args.get(kArray));
  const StringView glue(As<String>(args.get(kGlue)));
  Joiner joiner(As<String>(word));
  for (int64_t i = 0; i < args.fixnum(kCount); ++i) {
    if (i > 0) joiner.Add(glue);
    joiner.Add(StringView(As<String>(array->elements[from + i])));
  }
  args.set(0, word);
  return Outcome::kNext;
}

// All of it stays below 128, so that the width of the string does.
Outcome PrimShiftRange(Vm& vm, Args args) {
  constexpr int64_t kEnd = 128;
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  for (size_t i = 1; i < 4; ++i) {
    if (!args.is_fixnum(i)) return BadType(vm, TypeId::kFixnum, args, i);
  }
  const int64_t from = args.fixnum(1);
  const int64_t to = args.fixnum(2);
  const int64_t delta = args.fixnum(3);
  if (from < 0 || to >= kEnd || from > to) return BadIndex(vm, args, 1, 0);
  if (delta < -from || delta >= kEnd - to) return BadIndex(vm, args, 3, 0);
  int64_t size = 0;
  String::Width width = String::kOne;
  {
    const gc::NoAlloc scope;
    const StringView string(As<String>(args.get(0)));
    size = string.size();
    width = string.width();
  }
  if (!HasRoom(vm, StringBytes(size, width))) return NoRoom(vm, StringBytes(size, width));
  const Word word = NewString(vm.heap(), size, width);
  const gc::NoAlloc scope;
  const StringView string(As<String>(args.get(0)));
  auto* shifted = As<String>(word);
  const auto shift = [=](uint32_t code_point) {
    const bool is_inside = code_point >= from && code_point <= to;
    return static_cast<uint32_t>(code_point + (is_inside ? delta : 0));
  };
  if (width == String::kOne) {
    const uint8_t* data = string.data();
    for (int64_t i = 0; i < size; ++i) shifted->data[i] = static_cast<uint8_t>(shift(data[i]));
  } else {
    for (int64_t i = 0; i < size; ++i) StoreCodePoint(shifted, i, shift(string.at(i)));
  }
  args.set(0, word);
  return Outcome::kNext;
}

}  // namespace weft
