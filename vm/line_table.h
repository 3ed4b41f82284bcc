// Line tables: from an instruction to the place in the source it came from.
// Code::lines is f or an array { path rows }. rows is a byte array, sorted by instruction; a row is
// three numbers in groups of seven bits, lowest first, the top bit set in all but the last byte:
// instructions since the row before, twice the lines since it (twice the lines back, less one, for
// a line before it), column. Line and column count from 1.
#ifndef WEFT_VM_LINE_TABLE_H_
#define WEFT_VM_LINE_TABLE_H_

#include <cstdint>
#include <vector>

#include "gc/no_alloc.h"
#include "vm/objects.h"

namespace weft {

struct SourcePosition {
  Word path{5};      // string or f
  int64_t line = 0;  // 0: not known
  int64_t column = 0;
};

// `rows`: instruction index, line, column of each.
std::vector<uint8_t> PackLines(const std::vector<uint32_t>& rows);

// The position of the instruction that ends before the 32-bit word with index `pc_index`.
SourcePosition FindPosition(const Code* code, uint32_t pc_index) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_LINE_TABLE_H_
