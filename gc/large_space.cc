#include "gc/large_space.h"

#include <cstring>

namespace weft::gc {
namespace {

constexpr size_t kGrowBytes = size_t{1} << 21;
// Freed pages are kept, and cleared when reused, which costs a fraction of faulting them in anew.
// Beyond so many of them, runs from this length on go back to the kernel.
constexpr size_t kKeepPages = (size_t{32} << 20) / kPageBytes;
constexpr size_t kReleasePages = (size_t{1} << 18) / kPageBytes;

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
  if (top > carded_pages_) {
    const size_t carded = RoundUp(top, kGrowBytes / kPageBytes);
    if (!CommitPages(reinterpret_cast<uint64_t>(cards_->CardOf(AddressOf(carded_pages_))),
                     reinterpret_cast<uint64_t>(cards_->CardOf(AddressOf(carded))))) {
      return false;
    }
    carded_pages_ = carded;
  }
  return span_.Ensure(top * kPageBytes);
}

void LargeSpace::SetFree(size_t first, size_t pages) {
  for (const size_t end : {first, first + pages - 1}) {
    table_[end].head = 0;
    table_[end].mark = 0;
    table_[end].pages = static_cast<uint32_t>(pages) & 0x7FFFFFFF;
  }
}

void LargeSpace::AddRun(const Run& run) {
  SetFree(run.first, run.pages);
  if (!run.zeroed) dirty_pages_ += run.pages;
  free_.insert(run);
}

LargeSpace::Run LargeSpace::TakeRun(std::set<Run>::iterator place) {
  const Run run = *place;
  if (!run.zeroed) dirty_pages_ -= run.pages;
  free_.erase(place);
  return run;
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
    const Run found = TakeRun(run);
    first = found.first;
    if (found.pages > pages) AddRun(Run{found.pages - pages, first + pages, found.zeroed});
    if (!found.zeroed) {
      std::memset(reinterpret_cast<void*>(AddressOf(first)), 0, pages * kPageBytes);
    }
  } else {
    if (!Extend(pages)) return nullptr;
    top_pages_ += pages;
  }
  table_[first].pages = static_cast<uint32_t>(pages) & 0x7FFFFFFF;
  // The sweep is still to come by: the mark tells it, and is gone when it was there.
  table_[first].mark = IsUnswept(first) ? 1 : 0;
  for (size_t i = 0; i < pages; ++i) table_[first + i].head = static_cast<uint32_t>(first + 1);
  used_pages_ += pages;
  return reinterpret_cast<Object*>(AddressOf(first));
}

void LargeSpace::AbandonMarks() {
  for (size_t i = 0; i < top_pages_; i += table_[i].pages) table_[i].mark = 0;
}

size_t LargeSpace::Free(size_t first, bool poison) {
  size_t pages = table_[first].pages;
  bool zeroed = false;
  const auto release = [&] {
    zeroed = dirty_pages_ + pages > kKeepPages && pages >= kReleasePages;
    if (zeroed) ReleasePages(AddressOf(first), AddressOf(first + pages));
  };
  release();
  if (poison && !zeroed) {
    std::memset(reinterpret_cast<void*>(AddressOf(first)), 0xAB, pages * kPageBytes);
  }
  for (size_t k = 0; k < pages; ++k) table_[first + k].head = 0;
  const auto join = [&](size_t run_first) {
    auto run = free_.find(Run{table_[run_first].pages, run_first, false});
    WEFT_DCHECK(run != free_.end());
    zeroed = zeroed && run->zeroed;
    pages += TakeRun(run).pages;
  };
  if (first + pages < top_pages_ && table_[first + pages].head == 0) join(first + pages);
  if (first > 0 && table_[first - 1].head == 0) {
    first -= table_[first - 1].pages;
    join(first);
  }
  if (!zeroed) release();
  AddRun(Run{pages, first, zeroed});
  return first + pages;
}

bool LargeSpace::Sweep(size_t objects, bool poison) {
  for (; objects > 0 && sweep_next_ < sweep_end_; --objects) {
    Page& page = table_[sweep_next_];
    if (page.head == 0 || page.mark != 0) {
      page.mark = 0;
      sweep_next_ += page.pages;
    } else {
      sweep_next_ = Free(sweep_next_, poison);
    }
  }
  // A free run may reach beyond what was there when the sweep began.
  if (sweep_next_ >= sweep_end_) sweep_next_ = sweep_end_ = 0;
  return sweep_end_ == 0;
}

}  // namespace weft::gc
