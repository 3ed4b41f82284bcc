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
#include "gc/card_sampler.h"
#include "gc/card_table.h"
#include "gc/heap.h"
#include "gc/large_space.h"
#include "gc/mark_stack.h"
#include "gc/mature_space.h"
#include "gc/shape_table.h"

namespace weft::gc {

inline constexpr size_t kZeroChunk = size_t{32} << 10;  // nursery memory is cleared this much ahead
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

// A cycle of the mature collector: what is done of it, and what is left (cycle.cc).
struct MarkCycle {
  enum Phase : uint8_t {
    kIdle,   // no marks, everything swept
    kMark,   // marking; what leaves the nursery is marked
    kWeak,   // all marks are there: weak references to what has none are being cleared; what leaves
             // the nursery is marked
    kSweep,  // blocks and pages that were in use are being swept
  };
  struct Slice {
    Object* object;
    size_t next;  // the first of its traced words that was not looked at
  };
  Phase phase = kIdle;
  bool roots_done = false;       // every root source has said so, and the image's cards were seen
  size_t next_source = 0;        // root sources before this one are done
  uint64_t image_card = 0;       // cards of the image before this one were seen
  std::vector<Slice> slices;     // long arrays that are being traced
  std::vector<Object*> weak;     // weak references that are marked, or in the image
  size_t next_weak = 0;          // those before it were looked at
  uint64_t expected_work = 0;    // words, as the last cycle or the size of the heap lets expect
  uint64_t done_work = 0;        // in this cycle
  uint64_t words_per_chunk = 0;  // of marking, for each kZeroChunk of nursery
  uint64_t used_at_minor = 0;    // used_bytes() after the last minor collection
  uint64_t steps = 0;            // of this cycle
  uint64_t longest_ns = 0;       // pause of this cycle
  uint64_t used_before = 0;      // used_bytes() when it began
  uint64_t outside_bytes = 0;    // born outside the nursery since the last step for them
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
  uint64_t cycle_start = 0;    // a cycle begins when used_bytes() has passed it,
  uint64_t threshold = 0;      // and what is left of it is done at once when it has passed this
  uint64_t limit = 0;
  uint64_t overdraft =
      0;  // bytes above the limit that the handling of an out-of-memory error may use
  size_t evacuation_blocks = 0;  // free blocks that one minor collection can need at most

  std::vector<Object*> promoted;  // copied by the running minor collection, not traced yet
  std::vector<Object*> weak;      // weak references met by the running minor collection
  MarkCycle cycle;
  CardSampler card_sampler;

  uint64_t stress_state = 0;
  uint64_t stress_minors = 0;

  // About how many cards of old objects are dirty. Called at equal intervals of allocation.
  uint64_t DirtyCards(CardTable& cards) {
    return card_sampler.Estimate(cards, mature.block_address(0),
                                 mature.block_address(mature.block_count()), large.begin(),
                                 large.end());
  }

  // Calls f(first_card_address) for every card in [begin, end) that has kYoung, eight at a time.
  // REQUIRES: the cards of the range fill whole words (page-aligned range).
  template <class F>
  static void ForEachYoungCard(CardTable& cards, uint64_t begin, uint64_t end, F f);
};

template <class F>
void Heap::Spaces::ForEachYoungCard(CardTable& cards, uint64_t begin, uint64_t end, F f) {
  constexpr uint64_t kAll = 0x0101010101010101 * CardTable::kYoung;
  constexpr uint64_t kWord = CardTable::kCardBytes * 8;
  constexpr uint64_t kLine = kWord * 8;
  const auto look = [&](uint64_t address) {
    uint8_t* card = cards.CardOf(address);
    if ((*reinterpret_cast<uint64_t*>(card) & kAll) == 0) return;
    for (uint64_t k = 0; k < 8; ++k) {
      if ((card[k] & CardTable::kYoung) != 0) f(address + k * CardTable::kCardBytes);
    }
  };
  uint64_t address = begin;
  while (address < end) {
    if (end - address >= kLine) {
      const auto* words = reinterpret_cast<const uint64_t*>(cards.CardOf(address));
      uint64_t any = 0;
      for (int k = 0; k < 8; ++k) any |= words[k];
      if ((any & kAll) == 0) {
        address += kLine;
        continue;
      }
    }
    for (int k = 0; k < 8 && address < end; ++k, address += kWord) look(address);
  }
}

}  // namespace weft::gc

#endif  // WEFT_GC_SPACES_H_
