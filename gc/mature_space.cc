#include "gc/mature_space.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace weft::gc {
namespace {

constexpr size_t kGrowBytes = size_t{1} << 21;  // one page of cards covers this much

}  // namespace

bool MatureSpace::Init(uint64_t base, size_t reserved, CardTable* cards) {
  base_ = base;
  cards_ = cards;
  span_.Init(base, reserved, kGrowBytes);
  size_t table_bytes = (reserved >> kBlockShift) * sizeof(Block);
  if (!table_memory_.TakeAnywhere(table_bytes)) return false;
  table_span_.Init(table_memory_.base(), table_bytes, kPageBytes);
  blocks_ = reinterpret_cast<Block*>(table_memory_.base());
  return true;
}

bool MatureSpace::AddBlocks(size_t count) {
  size_t bytes = in_use_bytes_ + count * kBlockBytes;
  if (!span_.Ensure(bytes)) return false;
  if (!CommitPages(reinterpret_cast<uint64_t>(cards_->CardOf(base_ + in_use_bytes_)),
                   reinterpret_cast<uint64_t>(cards_->CardOf(base_ + bytes)))) {
    return false;
  }
  if (!table_span_.Ensure((bytes >> kBlockShift) * sizeof(Block))) return false;
  size_t first = block_count();
  in_use_bytes_ = bytes;
  // Higher blocks first, below those that are free already, so that the lowest address goes next.
  std::vector<uint32_t> fresh;
  for (size_t i = first + count; i-- > first;) {
    blocks_[i].zeroed = true;
    fresh.push_back(static_cast<uint32_t>(i));
  }
  free_blocks_.insert(free_blocks_.begin(), fresh.begin(), fresh.end());
  return true;
}

bool MatureSpace::EnsureFreeBlocks(size_t blocks) {
  return free_blocks_.size() >= blocks || AddBlocks(blocks - free_blocks_.size());
}

Object* MatureSpace::AllocateSlow(int size_class) {
  if (!partial_[size_class].empty()) {
    Block& block = blocks_[partial_[size_class].back()];
    partial_[size_class].pop_back();
    Object* cell = block.free_list;
    block.free_list = nullptr;
    free_[size_class] = NextFree(cell);
    return cell;
  }
  if (free_blocks_.empty() && !AddBlocks(1)) return nullptr;
  uint32_t index = free_blocks_.back();
  free_blocks_.pop_back();
  Block& block = blocks_[index];
  size_t bytes = CellBytes(size_class);
  block.cell_bytes = static_cast<uint32_t>(bytes);
  block.reciprocal = static_cast<uint32_t>(((uint64_t{1} << 32) + bytes - 1) / bytes);
  block.cells = static_cast<uint32_t>(kBlockBytes / bytes);
  block.size_class = static_cast<uint8_t>(size_class);
  uint64_t address = block_address(index);
  uint64_t end = address + uint64_t{block.cells} * bytes;
  if (!block.zeroed) {
    // Free cells are told by their header; the old cells had other starts.
    for (uint64_t a = address; a < end; a += bytes) reinterpret_cast<Object*>(a)->header = 0;
  }
  block.zeroed = false;
  bump_[size_class] = address + bytes;
  bump_end_[size_class] = end;
  return reinterpret_cast<Object*>(address);
}

void MatureSpace::ClearMarks() {
  for (size_t i = 0; i < block_count(); ++i) {
    if (blocks_[i].cell_bytes != 0) std::memset(blocks_[i].marks, 0, sizeof(blocks_[i].marks));
  }
}

void MatureSpace::SweepBlock(size_t index, bool poison) {
  Block& block = blocks_[index];
  uint32_t live = 0;
  for (uint64_t word : block.marks) live += static_cast<uint32_t>(std::popcount(word));
  used_bytes_ += size_t{live} * block.cell_bytes;
  block.free_list = nullptr;
  if (live == 0) {
    if (poison) std::memset(reinterpret_cast<void*>(block_address(index)), 0xAB, kBlockBytes);
    block.cell_bytes = block.cells = 0;
    block.zeroed = false;
    free_blocks_.push_back(static_cast<uint32_t>(index));
    return;
  }
  if (live == block.cells) return;
  Object** link = &block.free_list;
  uint64_t base = block_address(index);
  for (uint32_t k = 0; k < block.cells; ++k) {
    if ((block.marks[k >> 6] >> (k & 63) & 1) != 0) continue;
    auto* cell = reinterpret_cast<Object*>(base + uint64_t{k} * block.cell_bytes);
    if (poison && cell->shape() != 0) std::memset(cell, 0xAB, block.cell_bytes);
    cell->header = 0;
    *link = cell;
    link = reinterpret_cast<Object**>(cell->field(0));
  }
  *link = nullptr;
  partial_[block.size_class].push_back(static_cast<uint32_t>(index));
}

void MatureSpace::Sweep(bool poison, size_t keep_free_blocks) {
  for (int c = 0; c < kClasses; ++c) {
    free_[c] = nullptr;
    bump_[c] = bump_end_[c] = 0;
    partial_[c].clear();
  }
  used_bytes_ = 0;
  // From the highest down, so that the vectors' ends hold the lowest addresses.
  for (size_t i = block_count(); i-- > 0;) {
    if (blocks_[i].cell_bytes != 0) SweepBlock(i, poison);
  }
  std::sort(free_blocks_.begin(), free_blocks_.end(), std::greater<uint32_t>());
  if (free_blocks_.size() > keep_free_blocks) {
    size_t surplus = free_blocks_.size() - keep_free_blocks;
    for (size_t k = 0; k < surplus; ++k) {
      Block& block = blocks_[free_blocks_[k]];
      if (block.zeroed) continue;
      uint64_t address = block_address(free_blocks_[k]);
      ReleasePages(address, address + kBlockBytes);
      block.zeroed = true;
    }
  }
}

}  // namespace weft::gc
