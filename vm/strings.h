// Strings: sequences of code points with O(1) access, stored with 1, 2 or 4 bytes each.
//
// A new string has the narrowest width that holds its content. Storing a wider code point into a
// narrow string moves its content aside, into a byte array with 4 bytes per code point (String in
// vm/objects.h). Code points are 0..0x10FFFF; surrogates are allowed (as in Factor) and become
// U+FFFD when encoded.
// Hash and equality: vm/hashing.h.
// Units: code points, unless a name says bytes. Errors: none; callers check bounds and call
// Heap::Reserve for large sizes.
#ifndef WEFT_VM_STRINGS_H_
#define WEFT_VM_STRINGS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "gc/handle.h"
#include "gc/heap.h"
#include "vm/objects.h"

namespace weft {

inline constexpr uint32_t kMaxCodePoint = 0x10FFFF;

// Read access to the code points of a string, valid until the next allocation.
class StringView {
 public:
  StringView() = default;
  explicit StringView(const String* string);
  [[nodiscard]] int64_t size() const { return size_; }
  [[nodiscard]] uint32_t at(int64_t i) const {
    switch (width_) {
      case String::kOne:
        return data_[i];
      case String::kTwo:
        return reinterpret_cast<const uint16_t*>(data_)[i];
      default:
        return reinterpret_cast<const uint32_t*>(data_)[i];
    }
  }
  [[nodiscard]] String::Width width() const { return width_; }  // never kAside
  [[nodiscard]] const uint8_t* data() const { return data_; }

 private:
  const uint8_t* data_ = nullptr;
  int64_t size_ = 0;
  String::Width width_ = String::kOne;
};

constexpr String::Width WidthFor(uint32_t code_point) {
  if (code_point < 0x100) return String::kOne;
  return code_point < 0x10000 ? String::kTwo : String::kFour;
}
// Bytes of a string object, header included (for Heap::Reserve).
size_t StringBytes(int64_t size, String::Width width);

// The hooks of the string layout (gc::LayoutDescriptor).
size_t StringObjectSize(const gc::Object* object);
void TraceString(gc::Object* object, gc::SlotVisitor& visitor);

// `size` code points 0.
Word NewString(gc::Heap& heap, int64_t size, String::Width width) WEFT_ALLOCATES;
// Bytes that are not UTF-8 become U+FFFD, one for each maximal bad sequence.
Word MakeString(gc::Heap& heap, absl::string_view utf8) WEFT_ALLOCATES;
Word MakeString(gc::Heap& heap, const uint32_t* code_points, int64_t size) WEFT_ALLOCATES;
// Code points from..to of `string`, in the narrowest width. REQUIRES: 0 <= from <= to <= size.
Word MakeSubstring(gc::Heap& heap, const gc::Root& string, int64_t from, int64_t to) WEFT_ALLOCATES;

uint32_t StringAt(const String* string, int64_t i) WEFT_NO_ALLOC;
// May move the content aside. REQUIRES: in bounds, a valid code point.
void SetStringAt(gc::Heap& heap, const gc::Root& string, int64_t i,
                 uint32_t code_point) WEFT_ALLOCATES;
// Overwrites the content of a string that is wide enough: no allocation. Forgets the hash.
void StoreCodePoint(String* string, int64_t i, uint32_t code_point) WEFT_NO_ALLOC;

bool StringEquals(const String* a, absl::string_view utf8) WEFT_NO_ALLOC;
int CompareStrings(const String* a, const String* b) WEFT_NO_ALLOC;  // -1, 0, 1 by code points

std::string ToUtf8(const String* string) WEFT_NO_ALLOC;
std::string ToUtf8(Word string) WEFT_NO_ALLOC;
void AppendUtf8(uint32_t code_point, std::string& out);
// Decodes one code point at `bytes[i]` and moves i on; U+FFFD for a bad sequence.
uint32_t DecodeUtf8(const uint8_t* bytes, size_t size, size_t& i);

}  // namespace weft

#endif  // WEFT_VM_STRINGS_H_
