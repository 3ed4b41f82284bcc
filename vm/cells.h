// Cell space: word cells and inline caches, in pages of their own at gc::kCellBase, so that forked
// children go on sharing the pages of image and heap. Cells never move; their addresses stand in
// literal pools and on stacks, where they read as fixnums.
//
// Units: bytes. The space is one reservation, committed as it grows. Pages of 4096 bytes are cut
// into units of 32; the first four units of a page hold the kinds of all its units (one byte each),
// so that the pages describe themselves in an image. A WordCell takes one unit, an InlineCache
// three. Each kind has its free list, linked through the first word. Ownership: a cell belongs to
// its WordObject, a cache to its Code; after a full collection SweepDead frees those of dead
// owners. Errors: none (the reservation outlasts any heap).
#ifndef WEFT_VM_CELLS_H_
#define WEFT_VM_CELLS_H_

#include <cstddef>
#include <cstdint>

#include "gc/address_space.h"
#include "gc/heap.h"
#include "gc/image.h"
#include "vm/objects.h"

namespace weft {

// A polymorphic inline cache of one call site. Entries are valid while `epoch` is the space's; a
// stale cache is emptied by whoever meets it.
struct InlineCache {
  static constexpr int kEntries = 4;
  struct Entry {
    WordCell* target;
    uint32_t shape;
    int32_t slot;  // >= 0: the target is an accessor of this slot of the shape; -1: call it
  };
  Word generic;  // pinned WordObject
  Word owner;    // the Code it belongs to, pinned; f while free
  uint32_t epoch;
  uint32_t used;  // entries in use
  uint32_t misses;
  uint16_t inputs;         // of the generic; set with dispatch_slot at the first miss
  uint16_t dispatch_slot;  // which argument decides, from the callee's slot 0
  Entry entries[kEntries];
};
static_assert(sizeof(InlineCache) == 96);

class CellSpace : public gc::RootSource {
 public:
  // Reserves the space. `bytes_in_use` > 0: the image loader has mapped that many at its start.
  explicit CellSpace(uint64_t bytes_in_use);
  ~CellSpace() override = default;

  // A cell for `word`, mode kLazy, entry 0. The caller stores its address in the word.
  WordCell* NewWordCell(Word word);
  // An empty cache for `generic`, owned by nobody yet (set owner when the code exists).
  InlineCache* NewInlineCache(Word generic);

  // True for the address of a live word cell or cache (checks of foreign bytecode).
  [[nodiscard]] bool IsWordCell(uint64_t address) const;
  [[nodiscard]] bool IsInlineCache(uint64_t address) const;

  [[nodiscard]] uint32_t dispatch_epoch() const { return dispatch_epoch_; }
  // A class or method changed: every cached dispatch is void from now on.
  void InvalidateDispatch() { ++dispatch_epoch_; }
  void set_dispatch_epoch(uint32_t epoch) { dispatch_epoch_ = epoch; }

  [[nodiscard]] uint64_t bytes_in_use() const { return used_; }

  // Calls on_cell(WordCell*) and on_cache(InlineCache*) for all in use, in address order.
  template <class OnCell, class OnCache>
  void ForEach(OnCell on_cell, OnCache on_cache) {
    for (uint64_t at = kFirst; at < used_; at += kUnitBytes) {
      const Unit unit = KindAt(at);
      if (unit == kCell) on_cell(reinterpret_cast<WordCell*>(gc::kCellBase + at));
      if (unit == kCache) on_cache(reinterpret_cast<InlineCache*>(gc::kCellBase + at));
    }
  }

  // Rewrites a copy of the first `bytes` of the space for the image: references to words and code
  // go through `map`; cells and caches of owners that are not in it become free.
  static void RelocateCopy(uint8_t* copy, uint64_t bytes, const gc::ImageMap& map);

  [[nodiscard]] const char* name() const override { return "cells"; }
  // Words are owned by the heap and never move: cells hold no roots.
  void VisitRoots(gc::SlotVisitor& visitor, bool minor) override {
    (void)visitor;
    (void)minor;
  }
  void SweepDead(const gc::Heap& heap) override;

 private:
  enum Unit : uint8_t { kFree = 0, kCell = 1, kCache = 2, kInner = 3, kKinds = 4 };
  static constexpr uint64_t kUnitBytes = 32;
  static constexpr uint64_t kPageUnits = gc::kPageBytes / kUnitBytes;
  static constexpr uint64_t kKindUnits = kPageUnits / kUnitBytes;
  static constexpr uint64_t kFirst = kKindUnits * kUnitBytes;  // first usable offset

  // Offsets are from gc::kCellBase.
  uint64_t Take(uint64_t units, Unit kind);
  [[nodiscard]] Unit KindAt(uint64_t offset) const { return static_cast<Unit>(*KindByte(offset)); }
  static uint8_t* KindByte(uint64_t offset) {
    const uint64_t page = gc::kCellBase + gc::RoundDown(offset, gc::kPageBytes);
    return reinterpret_cast<uint8_t*>(page) + offset % gc::kPageBytes / kUnitBytes;
  }
  void SetKind(uint64_t offset, uint64_t units, Unit kind);
  void Free(uint64_t offset, uint64_t units, uint64_t& list);

  gc::Reservation reservation_;
  uint64_t used_ = 0;
  uint64_t committed_ = 0;
  uint32_t dispatch_epoch_ = 1;
  uint64_t free_cells_ = 0;  // offsets; 0: none
  uint64_t free_caches_ = 0;
};

}  // namespace weft

#endif  // WEFT_VM_CELLS_H_
