// Hash codes and equality of the values whose hash no method of a program can change: integers,
// floats, strings, words, f and t, and short arrays of these but f and t. `hashcode*` of these
// classes and the native tables (vm/table_operations.h) must agree, so both come here.
//
// A hash code is a fixnum. Equal values have equal hashes in every width and form: 0.0 and -0.0,
// narrow and wide strings. Fixnums hash to themselves. Identity hashes come from the heap's
// counter, so the order of a table is the same on each run.
// Heap: nothing here allocates.
#ifndef WEFT_VM_HASHING_H_
#define WEFT_VM_HASHING_H_

#include <cstdint>

#include "gc/heap.h"
#include "vm/objects.h"
#include "vm/strings.h"

namespace weft {

// Drawn from the counter at the first question. REQUIRES: word.IsPointer().
int64_t IdentityHash(gc::Heap& heap, Word word) WEFT_NO_ALLOC;
// Computed once and kept in the string. Never 0.
int64_t HashString(String* string) WEFT_NO_ALLOC;
bool StringsEqual(String* a, String* b) WEFT_NO_ALLOC;
int64_t HashBytes(const uint8_t* bytes, int64_t size);

// Code points from..to of a text, with the hash of a string of them. Valid until the next
// allocation.
class TextKey {
 public:
  TextKey(const StringView& text, int64_t from, int64_t to);
  [[nodiscard]] int64_t hash() const { return hash_; }
  [[nodiscard]] bool Equals(const String* string) const WEFT_NO_ALLOC;

 private:
  const StringView& text_;
  int64_t from_, to_;
  int64_t hash_;
};

// The hash of a value of the classes above; false for all others.
bool NativeHash(gc::Heap& heap, Word word, int64_t* hash) WEFT_NO_ALLOC;
// `=` for two values of which NativeHash accepts the first.
bool NativeEquals(Word a, Word b) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_HASHING_H_
