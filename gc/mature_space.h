// The mature space: blocks of 64 KiB, each cut into cells of one size. Objects never move.
//
// Mark bits and everything else about a block lie in a table apart from the objects, so that a
// forked child keeps sharing the objects' pages. A free cell has shape 0 in its header and the
// address of the next free cell in its second word, hence a block can be walked at any time and
// the start of the object around any address is arithmetic (card scanning, FindObject).
//
// Units: bytes unless a name says otherwise. Errors: AllocateCell returns null when the kernel
// gives no more memory; EnsureFreeBlocks in advance rules that out.
#ifndef WEFT_GC_MATURE_SPACE_H_
#define WEFT_GC_MATURE_SPACE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gc/address_space.h"
#include "gc/card_table.h"
#include "gc/heap.h"
#include "gc/object.h"

namespace weft::gc {

inline constexpr int kBlockShift = 16;
inline constexpr size_t kBlockBytes = size_t{1} << kBlockShift;

// Cell sizes: multiples of 8 up to 128, then eight steps per doubling up to kLargeBytes.
struct SizeClasses {
  static constexpr int kCount = 63;
  std::array<uint16_t, kCount> bytes{};
  std::array<uint8_t, kLargeBytes / 8 + 1> of{};  // by size in words

  constexpr SizeClasses() {
    size_t n = 0;
    for (size_t size = 16; size <= 128; size += 8) bytes[n++] = static_cast<uint16_t>(size);
    for (size_t from = 128; from < kLargeBytes; from *= 2) {
      for (size_t k = 1; k <= 8; ++k) bytes[n++] = static_cast<uint16_t>(from + from / 8 * k);
    }
    size_t c = 0;
    for (size_t words = 0; words < of.size(); ++words) {
      if (words * 8 > bytes[c]) ++c;
      of[words] = static_cast<uint8_t>(c);
    }
  }
};
inline constexpr SizeClasses kSizeClasses;
static_assert(kSizeClasses.bytes[SizeClasses::kCount - 1] == kLargeBytes);

class MatureSpace {
 public:
  static constexpr int kClasses = SizeClasses::kCount;

  struct Block {
    uint32_t cell_bytes = 0;  // 0: the block is free
    uint32_t reciprocal = 0;  // ceil(2^32 / cell_bytes): offset * reciprocal >> 32 is the cell
    uint32_t cells = 0;
    uint8_t size_class = 0;
    bool zeroed = false;          // a free block whose memory reads as zero
    Object* free_list = nullptr;  // only while the block waits in partial_
    // By cell. All 0 outside of a cycle: sweeping a block clears them.
    uint64_t marks[kBlockBytes / 16 / 64] = {};
  };

  // False if the tables cannot be reserved.
  bool Init(uint64_t base, size_t reserved, CardTable* cards);

  // REQUIRES: bytes <= kLargeBytes.
  static int ClassOf(size_t bytes) { return kSizeClasses.of[(bytes + 7) / 8]; }
  static size_t CellBytes(int size_class) {
    return kSizeClasses.bytes[static_cast<size_t>(size_class)];
  }

  // Memory for an object of `bytes` (< kLargeBytes); contents undefined. The cell's header must be
  // set before anything walks the block.
  Object* AllocateCell(size_t bytes) {
    int c = ClassOf(bytes);
    Object* cell = free_[c];
    if (cell != nullptr) [[likely]] {
      free_[c] = NextFree(cell);
    } else if (bump_[c] < bump_end_[c]) {
      cell = reinterpret_cast<Object*>(bump_[c]);
      bump_[c] += CellBytes(c);
    } else {
      cell = AllocateSlow(c);
      if (cell == nullptr) return nullptr;
    }
    used_bytes_ += CellBytes(c);
    return cell;
  }
  // At least `blocks` wholly free blocks are at hand.
  bool EnsureFreeBlocks(size_t blocks);

  [[nodiscard]] bool Contains(uint64_t address) const { return address - base_ < in_use_bytes_; }
  // The object around an address in this space; null if that cell is free.
  [[nodiscard]] Object* FindObject(uint64_t address) const {
    const Block& block = BlockOf(address);
    if (block.cell_bytes == 0) return nullptr;
    uint32_t cell = CellIndex(block, address);
    if (cell >= block.cells) return nullptr;
    auto* object = reinterpret_cast<Object*>(RoundDown(address, kBlockBytes) +
                                             uint64_t{cell} * block.cell_bytes);
    return Holds(block, cell, object) ? object : nullptr;
  }
  // The size of the cell that holds an object of this space.
  [[nodiscard]] size_t CellBytesAt(uint64_t address) const { return BlockOf(address).cell_bytes; }

  // REQUIRES: Contains(address), the start of an object. True if it was not marked before.
  bool Mark(uint64_t address) {
    Block& block = BlockOf(address);
    uint32_t cell = CellIndex(block, address);
    uint64_t bit = uint64_t{1} << (cell & 63);
    uint64_t& word = block.marks[cell >> 6];
    if ((word & bit) != 0) return false;
    word |= bit;
    marked_bytes_ += block.cell_bytes;
    return true;
  }
  [[nodiscard]] bool IsMarked(uint64_t address) const {
    const Block& block = BlockOf(address);
    uint32_t cell = CellIndex(block, address);
    return (block.marks[cell >> 6] >> (cell & 63) & 1) != 0;
  }
  // A cycle: StartMarking, Mark..., then StartSweep and Sweep until it says that all is swept, or
  // AbandonMarks. REQUIRES: no sweep is under way.
  void StartMarking() { marked_bytes_ = 0; }
  void AbandonMarks();
  [[nodiscard]] size_t marked_bytes() const { return marked_bytes_; }
  // What is not marked counts as freed from now on, though each block is only looked at when Sweep
  // comes to it: until then an object of such a block exists iff it is marked.
  void StartSweep();
  // Sweeps up to `blocks` more. True when no block is left. `poison`: fills freed cells with 0xAB.
  bool Sweep(size_t blocks, bool poison, size_t keep_free_blocks);

  [[nodiscard]] size_t used_bytes() const { return used_bytes_; }
  // In use by objects that were not dead when the last cycle marked.
  void SetUsedToMarked() { used_bytes_ = marked_bytes_; }
  [[nodiscard]] size_t block_count() const { return in_use_bytes_ >> kBlockShift; }
  [[nodiscard]] const Block& block(size_t i) const { return blocks_[i]; }
  [[nodiscard]] uint64_t block_address(size_t i) const {
    return base_ + (uint64_t{i} << kBlockShift);
  }

  // Calls f(Object*) for every object, in address order.
  template <class F>
  void ForEach(F f) const {
    for (size_t i = 0; i < block_count(); ++i) {
      const Block& block = blocks_[i];
      uint64_t address = block_address(i);
      for (uint32_t k = 0; k < block.cells; ++k, address += block.cell_bytes) {
        auto* object = reinterpret_cast<Object*>(address);
        if (Holds(block, k, object)) f(object);
      }
    }
  }
  // Calls f(Object*) for every object that overlaps [begin, end), which lies in one block.
  template <class F>
  void ForEachBetween(uint64_t begin, uint64_t end, F f) const {
    const Block& block = BlockOf(begin);
    if (block.cell_bytes == 0) return;
    uint64_t base = RoundDown(begin, kBlockBytes);
    uint32_t k = CellIndex(block, begin);
    for (uint64_t address = base + uint64_t{k} * block.cell_bytes; k < block.cells && address < end;
         ++k, address += block.cell_bytes) {
      auto* object = reinterpret_cast<Object*>(address);
      if (Holds(block, k, object)) f(object);
    }
  }

 private:
  static Object* NextFree(Object* cell) { return reinterpret_cast<Object*>(cell->field(0)->bits); }
  [[nodiscard]] Block& BlockOf(uint64_t address) const {
    return blocks_[(address - base_) >> kBlockShift];
  }
  static uint32_t CellIndex(const Block& block, uint64_t address) {
    return static_cast<uint32_t>((address & (kBlockBytes - 1)) * block.reciprocal >> 32);
  }
  [[nodiscard]] bool IsUnswept(const Block& block) const {
    const auto index = static_cast<size_t>(&block - blocks_);
    return index - sweep_next_ < sweep_end_ - sweep_next_;
  }
  [[nodiscard]] bool Holds(const Block& block, uint32_t cell, const Object* object) const {
    return object->shape() != 0 &&
           (!IsUnswept(block) || (block.marks[cell >> 6] >> (cell & 63) & 1) != 0);
  }
  Object* AllocateSlow(int size_class);
  bool AddBlocks(size_t count);
  void AddFreeBlock(size_t index);
  void SweepBlock(size_t index, bool poison, size_t keep_free_blocks);

  uint64_t base_ = 0;
  size_t in_use_bytes_ = 0;  // blocks handed out so far, used or free again
  size_t used_bytes_ = 0;
  size_t marked_bytes_ = 0;
  size_t sweep_next_ = 0, sweep_end_ = 0;  // blocks [next, end) are not swept yet
  GrowingSpan span_, table_span_;
  Reservation table_memory_;
  Block* blocks_ = nullptr;
  CardTable* cards_ = nullptr;
  Object* free_[kClasses] = {};
  uint64_t bump_[kClasses] = {}, bump_end_[kClasses] = {};
  // Blocks with free cells, from partial_next_ on; lowest address first.
  std::vector<uint32_t> partial_[kClasses];
  size_t partial_next_[kClasses] = {};
  std::vector<uint32_t> free_blocks_;  // a heap: the lowest one is first
};

}  // namespace weft::gc

#endif  // WEFT_GC_MATURE_SPACE_H_
