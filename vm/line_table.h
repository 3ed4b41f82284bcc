// Line tables: from an instruction to the place in the source it came from.
// Code::lines is f or an array { path rows }. rows is a byte array, sorted by instruction; a row is
// three numbers in groups of seven bits, lowest first, the top bit set in all but the last byte:
// instructions since the row before, twice the lines since it (twice the lines back, less one, for
// a line before it), column. Line and column count from 1.
//
// A third element says which words the compiler followed in place of calls (compiler/splice.cc), so
// that traces name them: { spans word path parent place ... }, four to each such call. spans is a
// byte array of rows of two numbers: instructions since the row before, number of the call that the
// instruction belongs to (0: none, else counted from 1). parent: the call that this one stands in,
// -1 for a tail call, of whose caller nothing is left;
// place: line << 24 | column of the call. Rows inside a call are places of the word's own path.
#ifndef WEFT_VM_LINE_TABLE_H_
#define WEFT_VM_LINE_TABLE_H_

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "gc/no_alloc.h"
#include "vm/objects.h"

namespace weft {

// The tables of a word of ordinary size need no memory of their own until they are in the heap.
using PackedBytes = absl::InlinedVector<uint8_t, 128>;

struct SourcePosition {
  Word path{5};      // string or f
  int64_t line = 0;  // 0: not known
  int64_t column = 0;
};

// `rows`: instruction index, line, column of each.
PackedBytes PackLines(absl::Span<const uint32_t> rows);

// `spans`: instruction index, number of the call.
PackedBytes PackSpans(absl::Span<const uint32_t> spans);

// The position, in the code owner's text, of the instruction that ends before the 32-bit word with
// index `pc_index`.
SourcePosition FindPosition(const Code* code, uint32_t pc_index) WEFT_NO_ALLOC;

// The words that run at an instruction, innermost first: those followed in place of calls, then the
// code's owner.
class RunningWords {
 public:
  RunningWords(const Code* code, uint32_t pc_index) WEFT_NO_ALLOC;
  // False: there are no more.
  bool Next() WEFT_NO_ALLOC;
  [[nodiscard]] Word owner() const { return owner_; }
  [[nodiscard]] const SourcePosition& position() const { return position_; }

 private:
  const Code* code_;
  const Array* calls_ = nullptr;  // null: none
  int64_t call_ = 0;              // whose word comes next; 0: the code's owner; -1: nothing
  int64_t line_ = 0;
  int64_t column_ = 0;
  Word owner_{5};
  SourcePosition position_;
};

}  // namespace weft

#endif  // WEFT_VM_LINE_TABLE_H_
