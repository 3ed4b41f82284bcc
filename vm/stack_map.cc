#include "vm/stack_map.h"

#include <cstring>

#include "gc/check.h"

namespace weft {
namespace {

uint32_t ReadU32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

}  // namespace

bool HasStackMaps(const Code* code) {
  return code->maps.IsPointer() && ReadU32(As<ByteArray>(code->maps)->bytes) > 0;
}

StackMapView FindStackMap(const Code* code, uint32_t pc) {
  const auto* maps = As<ByteArray>(code->maps);
  const uint8_t* bytes = maps->bytes;
  uint32_t low = 0;
  uint32_t high = ReadU32(bytes);
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    const uint8_t* row = bytes + 4 + size_t{8} * middle;
    const uint32_t row_pc = ReadU32(row);
    if (row_pc == pc) {
      const uint8_t* descriptor = bytes + ReadU32(row + 4);
      StackMapView view;
      view.live_bytes = descriptor[0];
      view.live = descriptor + 1;
      view.items = descriptor + 1 + view.live_bytes;
      return view;
    }
    if (row_pc < pc) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  WEFT_CHECK(false && "a safepoint without a stack map");
  return {};
}

}  // namespace weft
