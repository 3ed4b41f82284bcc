// The large-object space: objects of kLargeBytes and more, each on pages of its own; never moved.
//
// A table apart from the objects has an entry for each page: which object it belongs to, and for an
// object's first page its length and mark. The first and the last page of a free run hold its
// length, so that freed pages join their neighbours at once. Runs are reused best fit.
// Units: pages of 4 KiB where a name says so, else bytes. Errors: null when memory runs out.
#ifndef WEFT_GC_LARGE_SPACE_H_
#define WEFT_GC_LARGE_SPACE_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <tuple>

#include "gc/address_space.h"
#include "gc/card_table.h"
#include "gc/object.h"

namespace weft::gc {

class LargeSpace {
 public:
  bool Init(uint64_t base, size_t reserved, CardTable* cards);

  // Zeroed memory; null if there is no more.
  Object* Allocate(size_t bytes);
  // An allocation of `bytes` that follows at once will succeed.
  bool EnsureRoom(size_t bytes);

  [[nodiscard]] bool Contains(uint64_t address) const {
    return address - base_ < top_pages_ * kPageBytes;
  }
  // The object around an address in this space; null if the page is free.
  [[nodiscard]] Object* FindObject(uint64_t address) const {
    uint32_t head = table_[PageOf(address)].head;
    return head == 0 || !Holds(head - 1) ? nullptr : reinterpret_cast<Object*>(AddressOf(head - 1));
  }
  // REQUIRES: the start of an object of this space.
  [[nodiscard]] size_t ExtentOf(uint64_t address) const {
    return size_t{table_[PageOf(address)].pages} * kPageBytes;
  }
  bool Mark(uint64_t address) {
    Page& page = table_[PageOf(address)];
    if (page.mark != 0) return false;
    page.mark = 1;
    marked_pages_ += page.pages;
    return true;
  }
  [[nodiscard]] bool IsMarked(uint64_t address) const { return table_[PageOf(address)].mark != 0; }
  // As in MatureSpace.
  void StartMarking() { marked_pages_ = 0; }
  void AbandonMarks();
  [[nodiscard]] size_t marked_bytes() const { return marked_pages_ * kPageBytes; }
  void StartSweep() {
    sweep_next_ = 0;
    sweep_end_ = top_pages_;
  }
  // Looks at up to `objects` more.
  bool Sweep(size_t objects, bool poison);

  [[nodiscard]] size_t used_bytes() const { return used_pages_ * kPageBytes; }
  void SetUsedToMarked() { used_pages_ = marked_pages_; }
  [[nodiscard]] uint64_t begin() const { return base_; }
  [[nodiscard]] uint64_t end() const { return AddressOf(top_pages_); }

  // Calls f(Object*) for every object, in address order.
  template <class F>
  void ForEach(F f) const {
    for (size_t i = 0; i < top_pages_; i += table_[i].pages) {
      if (table_[i].head != 0 && Holds(i)) f(reinterpret_cast<Object*>(AddressOf(i)));
    }
  }

 private:
  struct Page {
    uint32_t head = 0;        // index of the object's first page + 1; 0: free
    uint32_t pages : 31 = 0;  // of an object, at its first page; of a free run, at both ends
    uint32_t mark : 1 = 0;
  };
  static_assert(sizeof(Page) == 8);
  // A free run: pages, first page, and whether it reads as zero.
  struct Run {
    size_t pages;
    size_t first;
    bool zeroed;
    bool operator<(const Run& other) const {
      return std::tie(pages, first) < std::tie(other.pages, other.first);
    }
  };

  [[nodiscard]] size_t PageOf(uint64_t address) const { return (address - base_) / kPageBytes; }
  [[nodiscard]] uint64_t AddressOf(size_t page) const { return base_ + page * kPageBytes; }
  [[nodiscard]] bool IsUnswept(size_t page) const {
    return page - sweep_next_ < sweep_end_ - sweep_next_;
  }
  // The object at this page is there: one that the sweep has not come to is if it is marked.
  [[nodiscard]] bool Holds(size_t page) const { return table_[page].mark != 0 || !IsUnswept(page); }
  void SetFree(size_t first, size_t pages);
  void AddRun(const Run& run);
  Run TakeRun(std::set<Run>::iterator place);
  // Frees an object. The page behind the free run that it is part of now.
  size_t Free(size_t first, bool poison);
  bool Extend(size_t pages);

  uint64_t base_ = 0;
  size_t top_pages_ = 0;  // pages that were ever handed out
  size_t used_pages_ = 0;
  size_t marked_pages_ = 0;
  size_t dirty_pages_ = 0;                 // of free runs that do not read as zero
  size_t carded_pages_ = 0;                // pages whose cards can be written
  size_t sweep_next_ = 0, sweep_end_ = 0;  // pages [next, end) are not swept yet
  GrowingSpan span_, table_span_;
  Reservation table_memory_;
  Page* table_ = nullptr;
  CardTable* cards_ = nullptr;
  std::set<Run> free_;
};

}  // namespace weft::gc

#endif  // WEFT_GC_LARGE_SPACE_H_
