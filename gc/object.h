// The header every heap object starts with, and how the collector learns an object's extent.
//
//     header  63 ............ 32 31 ........... 3 2 1 0
//             identity hash      shape            0 0 0    ordinary object
//             address of the copy (a tagged pointer)  001  forwarded, during a minor collection
//
// shape: a TypeId (vm/types.def) below kFirstTupleShape, else the index of a tuple layout. The
// inline caches compare the low 32 bits of the header. Identity hashes are drawn from a counter
// when first asked for (invariant 3); 0 = none yet.
#ifndef WEFT_GC_OBJECT_H_
#define WEFT_GC_OBJECT_H_

#include <cstddef>
#include <cstdint>

#include "gc/check.h"
#include "gc/no_alloc.h"
#include "gc/word.h"

namespace weft::gc {

inline constexpr uint32_t kFirstTupleShape = 64;

struct Object {
  uint64_t header;

  static constexpr uint64_t HeaderFor(uint32_t shape) { return uint64_t{shape} << 3; }
  [[nodiscard]] uint32_t shape() const { return static_cast<uint32_t>(header) >> 3; }
  [[nodiscard]] uint32_t hash() const { return static_cast<uint32_t>(header >> 32); }
  void set_hash(uint32_t hash) { header = (header & 0xFFFFFFFF) | (uint64_t{hash} << 32); }
  [[nodiscard]] bool IsForwarded() const { return (header & 7) == 1; }
  [[nodiscard]] Word Forward() const { return Word{header}; }
  void ForwardTo(const Object* copy) { header = Word::Pointer(copy).bits; }
  // The n-th word after the header.
  Word* field(size_t n) { return reinterpret_cast<Word*>(this) + 1 + n; }
  [[nodiscard]] const Word* field(size_t n) const {
    return reinterpret_cast<const Word*>(this) + 1 + n;
  }
};

// The object behind a pointer word. REQUIRES: word.IsPointer().
inline Object* ObjectAt(Word word) WEFT_NO_ALLOC {
  return reinterpret_cast<Object*>(word.Address());
}

}  // namespace weft::gc

#endif  // WEFT_GC_OBJECT_H_
