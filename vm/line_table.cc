#include "vm/line_table.h"

namespace weft {
namespace {

void Append(std::vector<uint8_t>& bytes, uint32_t n) {
  while (n >= 0x80) {
    bytes.push_back(static_cast<uint8_t>(n | 0x80));
    n >>= 7;
  }
  bytes.push_back(static_cast<uint8_t>(n));
}

// False at the end.
bool Read(const uint8_t** at, const uint8_t* end, uint32_t* n) {
  *n = 0;
  for (int shift = 0; *at < end && shift < 32; shift += 7) {
    const uint8_t byte = *(*at)++;
    *n |= static_cast<uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

std::vector<uint8_t> PackLines(const std::vector<uint32_t>& rows) {
  std::vector<uint8_t> bytes;
  uint32_t instruction = 0;
  uint32_t line = 0;
  for (size_t i = 0; i + 2 < rows.size(); i += 3) {
    Append(bytes, rows[i] - instruction);
    const uint32_t ahead = rows[i + 1] - line;
    Append(bytes, rows[i + 1] >= line ? 2 * ahead : 2 * (0 - ahead) - 1);
    Append(bytes, rows[i + 2]);
    instruction = rows[i];
    line = rows[i + 1];
  }
  return bytes;
}

SourcePosition FindPosition(const Code* code, uint32_t pc_index) {
  SourcePosition position;
  if (!IsType(code->lines, TypeId::kArray) || As<Array>(code->lines)->size() < 2) return position;
  const auto* pair = As<Array>(code->lines);
  position.path = pair->elements[0];
  if (!IsType(pair->elements[1], TypeId::kByteArray)) return position;
  const auto* rows = As<ByteArray>(pair->elements[1]);
  const uint8_t* at = rows->bytes;
  const uint8_t* end = at + rows->size();
  uint32_t instruction = 0;
  uint32_t line = 0;
  uint32_t numbers[3];
  while (Read(&at, end, &numbers[0]) && Read(&at, end, &numbers[1]) &&
         Read(&at, end, &numbers[2])) {
    instruction += numbers[0];
    if (instruction >= pc_index) break;
    line += (numbers[1] & 1) != 0 ? 0 - (numbers[1] + 1) / 2 : numbers[1] / 2;
    position.line = line;
    position.column = numbers[2];
  }
  return position;
}

}  // namespace weft
