#include "gc/large_space.h"

#include <cstring>

namespace weft::gc {
namespace {

constexpr size_t kGrowBytes = size_t{1} << 21;
// Freed runs from this length on go back to the kernel; shorter ones are cleared when reused.
constexpr size_t kReleaseBytes = size_t{1} << 18;

}  // namespace

bool LargeSpace::Init(uint64_t base, size_t reserved, CardTable* cards) {
  base_ = base;
  cards_ = cards;
  span_.Init(base, reserved, kGrowBytes);
  size_t table_bytes = reserved / kPageBytes * sizeof(Page);
  if (!table_memory_.TakeAnywhere(table_bytes)) return false;
  table_span_.Init(table_memory_.base(), table_bytes, kPageBytes);
  table_ = reinterpret_cast<Page*>(table_memory_.base());
  return true;
}

bool LargeSpace::Extend(size_t pages) {
  size_t top = top_pages_ + pages;
  if (top > span_.reserved() / kPageBytes) return false;
  if (!table_span_.Ensure(top * sizeof(Page))) return false;
  if (!CommitPages(reinterpret_cast<uint64_t>(cards_->CardOf(AddressOf(top_pages_))),
                   reinterpret_cast<uint64_t>(cards_->CardOf(AddressOf(top))))) {
    return false;
  }
  return span_.Ensure(top * kPageBytes);
}

void LargeSpace::SetFree(size_t first, size_t pages) {
  table_[first].head = 0;
  table_[first].mark = 0;
  table_[first].pages = static_cast<uint32_t>(pages) & 0x7FFFFFFF;
}

bool LargeSpace::EnsureRoom(size_t bytes) {
  if (bytes > span_.reserved()) return false;
  size_t pages = RoundUp(bytes, kPageBytes) / kPageBytes;
  return free_.lower_bound(Run{pages, 0, false}) != free_.end() || Extend(pages);
}

Object* LargeSpace::Allocate(size_t bytes) {
  if (bytes > span_.reserved()) return nullptr;
  size_t pages = RoundUp(bytes, kPageBytes) / kPageBytes;
  size_t first = top_pages_;
  auto run = free_.lower_bound(Run{pages, 0, false});
  if (run != free_.end()) {
    Run found = *run;
    free_.erase(run);
    first = found.first;
    if (found.pages > pages) {
      SetFree(first + pages, found.pages - pages);
      free_.insert(Run{found.pages - pages, first + pages, found.zeroed});
    }
    if (!found.zeroed) {
      std::memset(reinterpret_cast<void*>(AddressOf(first)), 0, pages * kPageBytes);
    }
  } else {
    if (!Extend(pages)) return nullptr;
    top_pages_ += pages;
  }
  table_[first].pages = static_cast<uint32_t>(pages) & 0x7FFFFFFF;
  table_[first].mark = 0;
  for (size_t i = 0; i < pages; ++i) table_[first + i].head = static_cast<uint32_t>(first + 1);
  used_pages_ += pages;
  return reinterpret_cast<Object*>(AddressOf(first));
}

void LargeSpace::ClearMarks() {
  for (size_t i = 0; i < top_pages_; i += table_[i].pages) table_[i].mark = 0;
}

void LargeSpace::Sweep(bool poison) {
  std::set<Run> old_runs;
  old_runs.swap(free_);
  size_t run_first = 0, run_pages = 0;
  bool run_zeroed = true;
  auto finish_run = [&] {
    if (run_pages == 0) return;
    uint64_t address = AddressOf(run_first);
    if (!run_zeroed && run_pages * kPageBytes >= kReleaseBytes) {
      ReleasePages(address, address + run_pages * kPageBytes);
      run_zeroed = true;
    }
    SetFree(run_first, run_pages);
    free_.insert(Run{run_pages, run_first, run_zeroed});
    run_pages = 0;
    run_zeroed = true;
  };
  for (size_t i = 0; i < top_pages_;) {
    size_t pages = table_[i].pages;
    if (table_[i].head != 0 && table_[i].mark != 0) {
      finish_run();
    } else {
      if (run_pages == 0) run_first = i;
      if (table_[i].head == 0) {
        auto old = old_runs.find(Run{pages, i, false});
        run_zeroed = run_zeroed && old != old_runs.end() && old->zeroed;
      } else {
        if (poison) {
          std::memset(reinterpret_cast<void*>(AddressOf(i)), 0xAB, pages * kPageBytes);
        }
        for (size_t k = 0; k < pages; ++k) table_[i + k].head = 0;
        used_pages_ -= pages;
        run_zeroed = false;
      }
      run_pages += pages;
    }
    i += pages;
  }
  finish_run();
}

}  // namespace weft::gc
