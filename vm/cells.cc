#include "vm/cells.h"

#include <cstring>

#include "gc/check.h"

namespace weft {
namespace {

constexpr uint64_t kCommitStep = uint64_t{64} * 1024;
constexpr uint64_t kCellUnits = 1;
constexpr uint64_t kCacheUnits = 3;

}  // namespace

CellSpace::CellSpace(uint64_t bytes_in_use) {
  const uint64_t mapped = gc::RoundUp(bytes_in_use, gc::kPageBytes);
  // Fails harmlessly if the heap has reserved the whole address range already.
  reservation_.TakeAt(gc::kCellBase + mapped, gc::kCellSpan - mapped);
  // What is free inside the image stays unused: collecting it would touch every page of it.
  used_ = mapped;
  committed_ = mapped;
}

void CellSpace::SetKind(uint64_t offset, uint64_t units, Unit kind) {
  *KindByte(offset) = kind;
  for (uint64_t i = 1; i < units; ++i) {
    *KindByte(offset + i * kUnitBytes) = kind == kFree ? kFree : kInner;
  }
}

uint64_t CellSpace::Take(uint64_t units, Unit kind) {
  uint64_t& list = units == kCellUnits ? free_cells_ : free_caches_;
  uint64_t offset = list;
  if (offset != 0) {
    list = *reinterpret_cast<uint64_t*>(gc::kCellBase + offset);
  } else {
    // A cache must not cross into the next page, whose first units hold kinds.
    if (used_ % gc::kPageBytes == 0) used_ += kFirst;
    while (used_ % gc::kPageBytes + units * kUnitBytes > gc::kPageBytes) {
      if (committed_ > used_) Free(used_, kCellUnits, free_cells_);
      used_ += kUnitBytes;
      if (used_ % gc::kPageBytes == 0) used_ += kFirst;
    }
    offset = used_;
    const uint64_t end = used_ + units * kUnitBytes;
    WEFT_CHECK(end <= gc::kCellSpan);
    if (end > committed_) {
      const uint64_t wanted = gc::RoundUp(end, kCommitStep);
      WEFT_CHECK(gc::CommitPages(gc::kCellBase + committed_, gc::kCellBase + wanted));
      committed_ = wanted;
    }
    used_ = end;
    if (offset % gc::kPageBytes == kFirst) {
      for (uint64_t i = 0; i < kKindUnits; ++i) {
        *KindByte(gc::RoundDown(offset, gc::kPageBytes) + i * kUnitBytes) = kKinds;
      }
    }
  }
  SetKind(offset, units, kind);
  std::memset(reinterpret_cast<void*>(gc::kCellBase + offset), 0, units * kUnitBytes);
  return offset;
}

void CellSpace::Free(uint64_t offset, uint64_t units, uint64_t& list) {
  SetKind(offset, units, kFree);
  *reinterpret_cast<uint64_t*>(gc::kCellBase + offset) = list;
  list = offset;
}

WordCell* CellSpace::NewWordCell(Word word) {
  auto* cell = reinterpret_cast<WordCell*>(gc::kCellBase + Take(kCellUnits, kCell));
  cell->word = word;
  cell->mode = static_cast<uint8_t>(CodeMode::kLazy);
  return cell;
}

InlineCache* CellSpace::NewInlineCache(Word generic) {
  auto* cache = reinterpret_cast<InlineCache*>(gc::kCellBase + Take(kCacheUnits, kCache));
  cache->generic = generic;
  cache->owner = gc::kFalse;
  cache->epoch = dispatch_epoch_;
  return cache;
}

bool CellSpace::IsWordCell(uint64_t address) const {
  const uint64_t offset = address - gc::kCellBase;
  return offset < used_ && offset % kUnitBytes == 0 && KindAt(offset) == kCell;
}

bool CellSpace::IsInlineCache(uint64_t address) const {
  const uint64_t offset = address - gc::kCellBase;
  return offset < used_ && offset % kUnitBytes == 0 && KindAt(offset) == kCache;
}

void CellSpace::SweepDead(const gc::Heap& heap) {
  ForEach(
      [&](WordCell* cell) {
        if (heap.IsLive(cell->word)) return;
        Free(reinterpret_cast<uint64_t>(cell) - gc::kCellBase, kCellUnits, free_cells_);
      },
      [&](InlineCache* cache) {
        // f is a cache whose code is still being made.
        if (cache->owner == gc::kFalse || heap.IsLive(cache->owner)) {
          // Targets may be cells that this sweep frees. Pages that need no change are not written.
          if (cache->used != 0) cache->used = 0;
          return;
        }
        Free(reinterpret_cast<uint64_t>(cache) - gc::kCellBase, kCacheUnits, free_caches_);
      });
}

void CellSpace::RelocateCopy(uint8_t* copy, uint64_t bytes, const gc::ImageMap& map) {
  for (uint64_t at = kFirst; at < bytes; at += kUnitBytes) {
    uint8_t* kind = copy + gc::RoundDown(at, gc::kPageBytes) + at % gc::kPageBytes / kUnitBytes;
    if (*kind == kFree) {
      // What is left in it are addresses of this run.
      std::memset(copy + at, 0, kUnitBytes);
    } else if (*kind == kCell) {
      auto* cell = reinterpret_cast<WordCell*>(copy + at);
      const Word word = map.ForwardWord(cell->word);
      if (!word.IsPointer()) {
        *kind = kFree;
        std::memset(copy + at, 0, kUnitBytes);
        continue;
      }
      cell->word = word;
      if (cell->entry != 0) cell->entry = map.Forward(cell->entry);
      if (cell->dynamic_entry != 0) cell->dynamic_entry = map.Forward(cell->dynamic_entry);
    } else if (*kind == kCache) {
      auto* cache = reinterpret_cast<InlineCache*>(copy + at);
      const Word owner = map.ForwardWord(cache->owner);
      const Word generic = map.ForwardWord(cache->generic);
      const bool live = owner.IsPointer() && generic.IsPointer();
      std::memset(copy + at, 0, kCacheUnits * kUnitBytes);
      if (live) {
        cache->owner = owner;
        cache->generic = generic;
        continue;
      }
      for (uint64_t i = 0; i < kCacheUnits; ++i) kind[i] = kFree;
    }
  }
}

}  // namespace weft
