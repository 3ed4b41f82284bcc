#include "vm/line_table.h"

namespace weft {
namespace {

void Append(PackedBytes& bytes, uint32_t n) {
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

PackedBytes PackLines(absl::Span<const uint32_t> rows) {
  PackedBytes bytes;
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

PackedBytes PackSpans(absl::Span<const uint32_t> spans) {
  PackedBytes bytes;
  uint32_t instruction = 0;
  for (size_t i = 0; i + 1 < spans.size(); i += 2) {
    Append(bytes, spans[i] - instruction);
    Append(bytes, spans[i + 1]);
    instruction = spans[i];
  }
  return bytes;
}

namespace {

// Line and column of the instruction, in the text of whatever word it belongs to.
void FindRow(const Array* lines, uint32_t pc_index, int64_t* line, int64_t* column) WEFT_NO_ALLOC {
  if (!IsType(lines->elements[1], TypeId::kByteArray)) return;
  const auto* rows = As<ByteArray>(lines->elements[1]);
  const uint8_t* at = rows->bytes;
  const uint8_t* end = at + rows->size();
  uint32_t instruction = 0;
  uint32_t row = 0;
  uint32_t numbers[3];
  while (Read(&at, end, &numbers[0]) && Read(&at, end, &numbers[1]) &&
         Read(&at, end, &numbers[2])) {
    instruction += numbers[0];
    if (instruction >= pc_index) break;
    row += (numbers[1] & 1) != 0 ? 0 - (numbers[1] + 1) / 2 : numbers[1] / 2;
    *line = row;
    *column = numbers[2];
  }
}

int64_t FindCall(const Array* calls, uint32_t pc_index) WEFT_NO_ALLOC {
  if (calls->size() == 0 || !IsType(calls->elements[0], TypeId::kByteArray)) return 0;
  const auto* spans = As<ByteArray>(calls->elements[0]);
  const uint8_t* at = spans->bytes;
  const uint8_t* end = at + spans->size();
  uint32_t instruction = 0;
  uint32_t call = 0;
  uint32_t numbers[2];
  while (Read(&at, end, &numbers[0]) && Read(&at, end, &numbers[1])) {
    instruction += numbers[0];
    if (instruction >= pc_index) break;
    call = numbers[1];
  }
  return int64_t{call} * 4 < calls->size() ? call : 0;
}

}  // namespace

RunningWords::RunningWords(const Code* code, uint32_t pc_index) : code_(code) {
  if (!IsType(code->lines, TypeId::kArray) || As<Array>(code->lines)->size() < 2) return;
  const auto* lines = As<Array>(code->lines);
  FindRow(lines, pc_index, &line_, &column_);
  if (lines->size() < 3 || !IsType(lines->elements[2], TypeId::kArray)) return;
  calls_ = As<Array>(lines->elements[2]);
  call_ = FindCall(calls_, pc_index);
}

bool RunningWords::Next() {
  if (call_ < 0) return false;
  position_.line = line_;
  position_.column = column_;
  if (call_ == 0) {
    owner_ = code_->owner;
    if (IsType(code_->lines, TypeId::kArray)) position_.path = As<Array>(code_->lines)->elements[0];
    call_ = -1;
    return true;
  }
  const Word* call = calls_->elements + 4 * call_ - 3;
  owner_ = call[0];
  position_.path = call[1];
  const int64_t parent = call[2].IsFixnum() ? call[2].AsFixnum() : 0;
  const int64_t place = call[3].IsFixnum() ? call[3].AsFixnum() : 0;
  // A call stands in one with a smaller number.
  call_ = parent >= -1 && parent < call_ ? parent : 0;
  line_ = place >> 24;
  column_ = place & 0xFFFFFF;
  return true;
}

SourcePosition FindPosition(const Code* code, uint32_t pc_index) {
  RunningWords words(code, pc_index);
  while (words.Next()) {
  }
  return words.position();
}

}  // namespace weft
