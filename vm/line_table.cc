#include "vm/line_table.h"

#include <cstring>

namespace weft {

SourcePosition FindPosition(const Code* code, uint32_t pc_index) {
  SourcePosition position;
  if (!IsType(code->lines, TypeId::kArray) || As<Array>(code->lines)->size() < 2) return position;
  const auto* pair = As<Array>(code->lines);
  position.path = pair->elements[0];
  if (!IsType(pair->elements[1], TypeId::kByteArray)) return position;
  const auto* rows = As<ByteArray>(pair->elements[1]);
  for (int64_t at = 0; at + 12 <= rows->size(); at += 12) {
    uint32_t row[3];
    std::memcpy(row, rows->bytes + at, sizeof(row));
    if (row[0] >= pc_index) break;
    position.line = row[1];
    position.column = row[2];
  }
  return position;
}

}  // namespace weft
