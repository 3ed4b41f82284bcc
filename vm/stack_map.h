// Stack maps: for every safepoint of static code, which slots hold what.
//
// A map answers three questions at a return address (or at the address after an allocating
// instruction): which slots of the window are live (the collector traces these and no others),
// which values are the data stack's items of this frame, bottom first, and which are retained
// (what `dip` holds), so that get-datastack and traces see Factor's stacks.
//
// Encoded in Code::maps (little endian):
//   maps   := count:u32 { pc:u32 offset:u32 }*count  descriptor*      sorted by pc
//             pc: index of the 32-bit word that follows the instruction; offset: from maps' start
//   descriptor := live_bytes:u8 live:u8*live_bytes    bit i of byte j: slot 8j+i is live
//                 stack:u8 item*stack  retained:u8 item*retained
//   item   := 'S' slot:u8 | 'L' literal:u16 (index in Code::literals) | 'I' value:s16 (a fixnum)
//           | 'O' bits:u8 (f, t) | 'C' item item (curried: object, callable) | 'K' item item
//             (composed) | 'X' (value not kept: dead, reads as f)
// The arguments of a call at window w+A belong to the callee and are not among the items.
#ifndef WEFT_VM_STACK_MAP_H_
#define WEFT_VM_STACK_MAP_H_

#include <cstdint>

#include "gc/no_alloc.h"
#include "vm/objects.h"

namespace weft {

struct StackMapView {
  const uint8_t* live = nullptr;
  int live_bytes = 0;
  const uint8_t* items = nullptr;  // at stack:u8
  [[nodiscard]] bool IsLive(int slot) const {
    return slot < live_bytes * 8 && (live[slot >> 3] >> (slot & 7) & 1) != 0;
  }
};

// Entry stubs and bodies of primitives have no maps: their inputs are live, and are their items.
bool HasStackMaps(const Code* code) WEFT_NO_ALLOC;

// The map for the safepoint whose following word has index `pc`; checks that there is one.
StackMapView FindStackMap(const Code* code, uint32_t pc) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_STACK_MAP_H_
