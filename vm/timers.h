// One queue for every deadline: time-outs of waits and time limits.
//
// A binary heap over a table of timers; a timer's number is its place in the table and stays while
// it is set. Setting and cancelling take O(log n) (a timer knows its place in the heap). Equal
// deadlines fire in the order they were set.
// Units: nanoseconds of CLOCK_MONOTONIC. Errors: none. Used by the VM thread only.
#ifndef WEFT_VM_TIMERS_H_
#define WEFT_VM_TIMERS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gc/word.h"

namespace weft {

struct Context;

struct Timer {
  int64_t deadline = 0;
  uint64_t sequence = 0;
  Context* context = nullptr;
  uint32_t ticket = 0;      // of the wait it ends; kThrows: it throws `error` in the context
  uint32_t heap_index = 0;  // kNotSet: free
  gc::Word error{5};        // traced
  static constexpr uint32_t kThrows = 0;
  static constexpr uint32_t kNotSet = UINT32_MAX;
};

class TimerQueue {
 public:
  // The number of a new timer.
  uint32_t Set(int64_t deadline, Context* context, uint32_t ticket, gc::Word error);
  void Cancel(uint32_t number);
  [[nodiscard]] bool IsSet(uint32_t number) const {
    return number < timers_.size() && timers_[number].heap_index != Timer::kNotSet;
  }
  [[nodiscard]] const Timer& at(uint32_t number) const { return timers_[number]; }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] size_t size() const { return heap_.size(); }
  // REQUIRES: !empty().
  [[nodiscard]] int64_t NextDeadline() const { return timers_[heap_[0]].deadline; }
  // Takes the timer that is due first; it is no longer set. REQUIRES: !empty().
  Timer Take();
  // Cancels every timer of a context that ended.
  void CancelAllOf(const Context* context);
  void Clear();

  template <typename Visitor>
  void VisitRoots(Visitor& visitor) {
    if (errors_ == 0) return;  // a hundred thousand sleepers have none
    for (const uint32_t number : heap_) visitor.Visit(&timers_[number].error);
  }

 private:
  [[nodiscard]] bool Before(uint32_t a, uint32_t b) const;
  void Place(size_t index, uint32_t number);
  void SiftUp(size_t index);
  void SiftDown(size_t index);
  void RemoveAt(size_t index);

  std::vector<Timer> timers_;
  std::vector<uint32_t> heap_;  // numbers
  std::vector<uint32_t> free_;
  uint64_t sequence_ = 0;
  size_t errors_ = 0;  // timers that hold one
};

}  // namespace weft

#endif  // WEFT_VM_TIMERS_H_
