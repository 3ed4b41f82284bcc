#include "vm/strings.h"

#include <algorithm>
#include <cstring>

namespace weft {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;
constexpr size_t kHeaderBytes = 24;  // header, length and width, hash

constexpr int64_t BytesPer(String::Width width) {
  return width == String::kOne ? 1 : width == String::kTwo ? 2 : 4;
}

void StoreRaw(uint8_t* data, String::Width width, int64_t i, uint32_t code_point) {
  switch (width) {
    case String::kOne:
      data[i] = static_cast<uint8_t>(code_point);
      break;
    case String::kTwo:
      reinterpret_cast<uint16_t*>(data)[i] = static_cast<uint16_t>(code_point);
      break;
    default:
      reinterpret_cast<uint32_t*>(data)[i] = code_point;
  }
}

}  // namespace

StringView::StringView(const String* string) : size_(string->size()), width_(string->width()) {
  if (width_ == String::kAside) {
    const Word aside = *reinterpret_cast<const Word*>(string->data);
    data_ = static_cast<const ByteArray*>(gc::ObjectAt(aside))->bytes;
    width_ = String::kFour;
  } else {
    data_ = string->data;
  }
}

size_t StringBytes(int64_t size, String::Width width) {
  const int64_t bytes = (size * BytesPer(width) + 7) & ~int64_t{7};
  return kHeaderBytes + static_cast<size_t>(std::max(bytes, int64_t{8}));
}

size_t StringObjectSize(const gc::Object* object) {
  const auto* string = static_cast<const String*>(object);
  // Moved aside: what is left of the data area is not used any more.
  if (string->width() == String::kAside) return kHeaderBytes + 8;
  return StringBytes(string->size(), string->width());
}

void TraceString(gc::Object* object, gc::SlotVisitor& visitor) {
  auto* string = static_cast<String*>(object);
  if (string->width() == String::kAside) visitor.Visit(string->aside());
}

Word NewString(gc::Heap& heap, int64_t size, String::Width width) {
  const Word word = heap.Allocate(ShapeOf(TypeId::kString), StringBytes(size, width));
  const gc::NoAlloc scope;
  auto* string = static_cast<String*>(gc::ObjectAt(word));
  string->length_and_width = Word::Fixnum(size * 4 + width);
  string->hash = gc::kFalse;
  return word;
}

uint32_t DecodeUtf8(const uint8_t* bytes, size_t size, size_t& i) {
  const uint8_t first = bytes[i++];
  if (first < 0x80) return first;
  int more = 0;
  uint32_t code_point = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    more = 1;
    code_point = first & 0x1FU;
  } else if (first >= 0xE0 && first <= 0xEF) {
    more = 2;
    code_point = first & 0x0FU;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    more = 3;
    code_point = first & 0x07U;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return kReplacement;
  }
  for (; more > 0; --more) {
    if (i >= size || bytes[i] < low || bytes[i] > high) return kReplacement;
    code_point = code_point << 6 | (bytes[i++] & 0x3FU);
    low = 0x80;
    high = 0xBF;
  }
  return code_point;
}

namespace {

// How many bytes at the start are ASCII, eight at a time: at most seven fewer than there are.
size_t AsciiPrefix(const uint8_t* bytes, size_t size) {
  size_t i = 0;
  while (i + 8 <= size) {
    uint64_t eight;
    std::memcpy(&eight, bytes + i, 8);
    if ((eight & 0x8080808080808080) != 0) return i;
    i += 8;
  }
  while (i < size && bytes[i] < 0x80) ++i;
  return i;
}

}  // namespace

Word MakeString(gc::Heap& heap, absl::string_view utf8) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(utf8.data());
  const size_t ascii = AsciiPrefix(bytes, utf8.size());
  if (ascii == utf8.size()) {
    const Word word = NewString(heap, static_cast<int64_t>(ascii), String::kOne);
    const gc::NoAlloc scope;
    std::memcpy(static_cast<String*>(gc::ObjectAt(word))->data, bytes, ascii);
    return word;
  }
  auto size = static_cast<int64_t>(ascii);
  uint32_t widest = 0;
  for (size_t i = ascii; i < utf8.size(); ++size) {
    widest = std::max(widest, DecodeUtf8(bytes, utf8.size(), i));
  }
  const Word word = NewString(heap, size, WidthFor(widest));
  const gc::NoAlloc scope;
  auto* string = static_cast<String*>(gc::ObjectAt(word));
  size_t i = 0;
  for (int64_t n = 0; n < size; ++n) {
    StoreRaw(string->data, string->width(), n, DecodeUtf8(bytes, utf8.size(), i));
  }
  return word;
}

Word MakeString(gc::Heap& heap, const uint32_t* code_points, int64_t size) {
  uint32_t widest = 0;
  for (int64_t i = 0; i < size; ++i) widest = std::max(widest, code_points[i]);
  const Word word = NewString(heap, size, WidthFor(widest));
  const gc::NoAlloc scope;
  auto* string = static_cast<String*>(gc::ObjectAt(word));
  for (int64_t i = 0; i < size; ++i) StoreRaw(string->data, string->width(), i, code_points[i]);
  return word;
}

Word MakeSubstring(gc::Heap& heap, const gc::Root& string, int64_t from, int64_t to) {
  uint32_t widest = 0;
  {
    const gc::NoAlloc scope;
    const StringView view(As<String>(string.get()));
    if (view.width() != String::kOne) {
      for (int64_t i = from; i < to; ++i) widest = std::max(widest, view.at(i));
    }
  }
  const Word word = NewString(heap, to - from, WidthFor(widest));
  const gc::NoAlloc scope;
  const StringView view(As<String>(string.get()));
  auto* result = static_cast<String*>(gc::ObjectAt(word));
  if (view.width() == result->width()) {
    const int64_t unit = BytesPer(view.width());
    std::memcpy(result->data, view.data() + from * unit, static_cast<size_t>((to - from) * unit));
  } else {
    for (int64_t i = from; i < to; ++i) {
      StoreRaw(result->data, result->width(), i - from, view.at(i));
    }
  }
  return word;
}

uint32_t StringAt(const String* string, int64_t i) { return StringView(string).at(i); }

void StoreCodePoint(String* string, int64_t i, uint32_t code_point) {
  string->hash = gc::kFalse;
  if (string->width() == String::kAside) {
    auto* aside = static_cast<ByteArray*>(gc::ObjectAt(*string->aside()));
    StoreRaw(aside->bytes, String::kFour, i, code_point);
  } else {
    StoreRaw(string->data, string->width(), i, code_point);
  }
}

void SetStringAt(gc::Heap& heap, const gc::Root& string, int64_t i, uint32_t code_point) {
  int64_t size = 0;
  {
    const gc::NoAlloc scope;
    auto* object = As<String>(string.get());
    const String::Width width = object->width();
    if (width == String::kAside || WidthFor(code_point) <= width) {
      StoreCodePoint(object, i, code_point);
      return;
    }
    size = object->size();
  }
  const Word word = heap.Allocate(ShapeOf(TypeId::kByteArray), 16 + static_cast<size_t>(size) * 4);
  const gc::NoAlloc scope;
  auto* aside = static_cast<ByteArray*>(gc::ObjectAt(word));
  aside->length = Word::Fixnum(size * 4);
  auto* object = As<String>(string.get());
  const StringView view(object);
  for (int64_t n = 0; n < size; ++n) StoreRaw(aside->bytes, String::kFour, n, view.at(n));
  StoreRaw(aside->bytes, String::kFour, i, code_point);
  object->length_and_width = Word::Fixnum(size * 4 + String::kAside);
  object->hash = gc::kFalse;
  heap.Write(object, object->aside(), word);
}

bool StringEquals(const String* a, absl::string_view utf8) {
  const StringView view(a);
  const auto* bytes = reinterpret_cast<const uint8_t*>(utf8.data());
  size_t at = 0;
  for (int64_t i = 0; i < view.size(); ++i) {
    if (at >= utf8.size() || DecodeUtf8(bytes, utf8.size(), at) != view.at(i)) return false;
  }
  return at == utf8.size();
}

int CompareStrings(const String* a, const String* b) {
  const StringView left(a);
  const StringView right(b);
  const int64_t shorter = std::min(left.size(), right.size());
  const bool narrow = left.width() == String::kOne && right.width() == String::kOne;
  if (narrow) {
    const int order = std::memcmp(left.data(), right.data(), static_cast<size_t>(shorter));
    if (order != 0) return order < 0 ? -1 : 1;
  }
  for (int64_t i = narrow ? shorter : 0; i < shorter; ++i) {
    if (left.at(i) != right.at(i)) return left.at(i) < right.at(i) ? -1 : 1;
  }
  if (left.size() == right.size()) return 0;
  return left.size() < right.size() ? -1 : 1;
}

void AppendUtf8(uint32_t code_point, std::string& out) {
  if (code_point > kMaxCodePoint || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
    code_point = kReplacement;
  }
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code_point >> 6));
    out.push_back(static_cast<char>(0x80 | (code_point & 0x3F)));
  } else if (code_point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code_point >> 12));
    out.push_back(static_cast<char>(0x80 | (code_point >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code_point & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | code_point >> 18));
    out.push_back(static_cast<char>(0x80 | (code_point >> 12 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code_point >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code_point & 0x3F)));
  }
}

std::string ToUtf8(const String* string) {
  const StringView view(string);
  std::string out;
  out.reserve(static_cast<size_t>(view.size()));
  for (int64_t i = 0; i < view.size(); ++i) AppendUtf8(view.at(i), out);
  return out;
}

std::string ToUtf8(Word string) { return ToUtf8(As<String>(string)); }

}  // namespace weft
