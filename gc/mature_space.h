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
    return object->shape() == 0 ? nullptr : object;
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
    return true;
  }
  [[nodiscard]] bool IsMarked(uint64_t address) const {
    const Block& block = BlockOf(address);
    uint32_t cell = CellIndex(block, address);
    return (block.marks[cell >> 6] >> (cell & 63) & 1) != 0;
  }
  void ClearMarks();
  // Frees what is not marked. `poison`: fills freed cells with 0xAB.
  void Sweep(bool poison, size_t keep_free_blocks);

  [[nodiscard]] size_t used_bytes() const { return used_bytes_; }
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
        if (object->shape() != 0) f(object);
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
      if (object->shape() != 0) f(object);
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
  Object* AllocateSlow(int size_class);
  bool AddBlocks(size_t count);
  void SweepBlock(size_t index, bool poison);

  uint64_t base_ = 0;
  size_t in_use_bytes_ = 0;  // blocks handed out so far, used or free again
  size_t used_bytes_ = 0;
  GrowingSpan span_, table_span_;
  Reservation table_memory_;
  Block* blocks_ = nullptr;
  CardTable* cards_ = nullptr;
  Object* free_[kClasses] = {};
  uint64_t bump_[kClasses] = {}, bump_end_[kClasses] = {};
  std::vector<uint32_t> partial_[kClasses];  // blocks with free cells; the next one is last
  std::vector<uint32_t> free_blocks_;        // the next one is last
};

}  // namespace weft::gc

#endif  // WEFT_GC_MATURE_SPACE_H_
