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
  for (size_t i = first; i < first + count; ++i) {
    blocks_[i].zeroed = true;
    AddFreeBlock(i);
  }
  return true;
}

void MatureSpace::AddFreeBlock(size_t index) {
  free_blocks_.push_back(static_cast<uint32_t>(index));
  std::push_heap(free_blocks_.begin(), free_blocks_.end(), std::greater<uint32_t>());
}

bool MatureSpace::EnsureFreeBlocks(size_t blocks) {
  return free_blocks_.size() >= blocks || AddBlocks(blocks - free_blocks_.size());
}

Object* MatureSpace::AllocateSlow(int size_class) {
  if (partial_next_[size_class] < partial_[size_class].size()) {
    Block& block = blocks_[partial_[size_class][partial_next_[size_class]++]];
    Object* cell = block.free_list;
    block.free_list = nullptr;
    free_[size_class] = NextFree(cell);
    return cell;
  }
  if (free_blocks_.empty() && !AddBlocks(1)) return nullptr;
  std::pop_heap(free_blocks_.begin(), free_blocks_.end(), std::greater<uint32_t>());
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
  // The sweep is still to come by: it finds nothing to free here.
  if (IsUnswept(block)) std::memset(block.marks, 0xFF, sizeof(block.marks));
  bump_[size_class] = address + bytes;
  bump_end_[size_class] = end;
  return reinterpret_cast<Object*>(address);
}

void MatureSpace::AbandonMarks() {
  for (size_t i = 0; i < block_count(); ++i) {
    if (blocks_[i].cell_bytes != 0) std::memset(blocks_[i].marks, 0, sizeof(blocks_[i].marks));
  }
}

void MatureSpace::SweepBlock(size_t index, bool poison, size_t keep_free_blocks) {
  Block& block = blocks_[index];
  uint32_t live = 0;
  for (uint64_t word : block.marks) live += static_cast<uint32_t>(std::popcount(word));
  block.free_list = nullptr;
  if (live == 0) {
    if (poison) std::memset(reinterpret_cast<void*>(block_address(index)), 0xAB, kBlockBytes);
    block.cell_bytes = block.cells = 0;
    block.zeroed = false;
    if (free_blocks_.size() >= keep_free_blocks) {
      ReleasePages(block_address(index), block_address(index) + kBlockBytes);
      block.zeroed = true;
    }
    AddFreeBlock(index);
    return;
  }
  if (live < block.cells) {
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
  std::memset(block.marks, 0, sizeof(block.marks));
}

void MatureSpace::StartSweep() {
  for (int c = 0; c < kClasses; ++c) {
    free_[c] = nullptr;
    bump_[c] = bump_end_[c] = 0;
    partial_[c].clear();
    partial_next_[c] = 0;
  }
  sweep_next_ = 0;
  sweep_end_ = block_count();
}

bool MatureSpace::Sweep(size_t blocks, bool poison, size_t keep_free_blocks) {
  for (; blocks > 0 && sweep_next_ < sweep_end_; --blocks) {
    const size_t index = sweep_next_++;
    if (blocks_[index].cell_bytes != 0) SweepBlock(index, poison, keep_free_blocks);
  }
  return sweep_next_ == sweep_end_;
}

}  // namespace weft::gc
