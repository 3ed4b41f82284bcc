// The parts of a heap (Heap::Spaces): one reservation of address space, the spaces in it, and what
// the collectors keep between collections.
//
//   kImageBase   image: header page, objects, start table (gc/image.h)
//   kCellBase    cells of the VM; gc/ commits them and saves them, but never looks inside
//   kHeapBase    nursery | mature blocks | large objects
#ifndef WEFT_GC_SPACES_H_
#define WEFT_GC_SPACES_H_

#include <array>
#include <cstdint>
#include <vector>

#include "gc/address_space.h"
#include "gc/card_table.h"
#include "gc/heap.h"
#include "gc/large_space.h"
#include "gc/mark_stack.h"
#include "gc/mature_space.h"
#include "gc/shape_table.h"

namespace weft::gc {

inline constexpr uint64_t kHeapSpan = uint64_t{1} << 36;
inline constexpr uint64_t kNurserySpan = uint64_t{1} << 30;
inline constexpr uint64_t kMatureBase = kHeapBase + kNurserySpan;
inline constexpr uint64_t kMatureSpan = (uint64_t{1} << 35) - kNurserySpan;
inline constexpr uint64_t kLargeBase = kMatureBase + kMatureSpan;
inline constexpr uint64_t kLargeSpan = uint64_t{1} << 35;
static_assert(kLargeBase + kLargeSpan == kHeapBase + kHeapSpan);

// The mapped image: objects that never die and never move.
struct ImageSpace {
  uint64_t begin = 0, end = 0;       // the objects
  const uint32_t* starts = nullptr;  // per card from kImageBase: (start of the object around the
                                     // card's first byte - kImageBase) / 8
  [[nodiscard]] bool Contains(uint64_t address) const { return address - begin < end - begin; }
  // The object around an address. REQUIRES: Contains(address).
  [[nodiscard]] Object* FindObject(uint64_t address, const ShapeTable& shapes) const;
  template <class F>
  void ForEach(const ShapeTable& shapes, F f) const {
    for (uint64_t address = begin; address < end;) {
      auto* object = reinterpret_cast<Object*>(address);
      address += shapes.SizeOf(object);
      f(object);
    }
  }
  // Calls f(Object*) for every object that overlaps [from, to).
  template <class F>
  void ForEachBetween(const ShapeTable& shapes, uint64_t from, uint64_t to, F f) const {
    if (from < begin) from = begin;
    if (to > end) to = end;
    if (from >= to) return;
    for (uint64_t address = reinterpret_cast<uint64_t>(FindObject(from, shapes)); address < to;) {
      auto* object = reinterpret_cast<Object*>(address);
      address += shapes.SizeOf(object);
      f(object);
    }
  }
};

struct Heap::Spaces {
  Reservation memory;
  Reservation card_memory;
  ShapeTable shapes;
  ImageSpace image;
  MatureSpace mature;
  LargeSpace large;
  MarkStack mark_stack;
  std::vector<RootSource*> sources;

  uint64_t cell_bytes = 0;     // committed part of the cell space
  uint64_t nursery_start = 0;  // where allocation went on after the last minor collection
  uint64_t threshold = 0;      // a full collection when used_bytes() has passed it
  uint64_t limit = 0;
  uint64_t overdraft =
      0;  // bytes above the limit that the handling of an out-of-memory error may use
  size_t evacuation_blocks = 0;  // free blocks that one minor collection can need at most

  std::vector<Object*> promoted;  // copied by the running minor collection, not traced yet
  std::vector<Object*> weak;      // weak references met by the running collection
  bool marking = false;           // mark bits are valid (between mark and sweep)

  uint64_t stress_state = 0;
  uint64_t stress_minors = 0;

  // Calls f(first_card_address) for every card in [begin, end) that has kYoung, eight at a time.
  // REQUIRES: the cards of the range fill whole words (page-aligned range).
  template <class F>
  static void ForEachYoungCard(CardTable& cards, uint64_t begin, uint64_t end, F f);
};

template <class F>
void Heap::Spaces::ForEachYoungCard(CardTable& cards, uint64_t begin, uint64_t end, F f) {
  constexpr uint64_t kAll = 0x0101010101010101 * CardTable::kYoung;
  constexpr uint64_t kStep = CardTable::kCardBytes * 8;
  for (uint64_t address = begin; address < end; address += kStep) {
    uint8_t* card = cards.CardOf(address);
    if ((*reinterpret_cast<uint64_t*>(card) & kAll) == 0) continue;
    for (uint64_t k = 0; k < 8; ++k) {
      if ((card[k] & CardTable::kYoung) != 0) f(address + k * CardTable::kCardBytes);
    }
  }
}

}  // namespace weft::gc

#endif  // WEFT_GC_SPACES_H_
