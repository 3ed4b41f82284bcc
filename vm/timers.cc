#include "vm/timers.h"

#include "gc/check.h"

namespace weft {

bool TimerQueue::Before(uint32_t a, uint32_t b) const {
  const Timer& x = timers_[a];
  const Timer& y = timers_[b];
  return x.deadline != y.deadline ? x.deadline < y.deadline : x.sequence < y.sequence;
}

void TimerQueue::Place(size_t index, uint32_t number) {
  heap_[index] = number;
  timers_[number].heap_index = static_cast<uint32_t>(index);
}

void TimerQueue::SiftUp(size_t index) {
  const uint32_t number = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (!Before(number, heap_[parent])) break;
    Place(index, heap_[parent]);
    index = parent;
  }
  Place(index, number);
}

void TimerQueue::SiftDown(size_t index) {
  const uint32_t number = heap_[index];
  while (true) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && Before(heap_[child + 1], heap_[child])) ++child;
    if (!Before(heap_[child], number)) break;
    Place(index, heap_[child]);
    index = child;
  }
  Place(index, number);
}

void TimerQueue::RemoveAt(size_t index) {
  const uint32_t number = heap_[index];
  timers_[number].heap_index = Timer::kNotSet;
  if (timers_[number].error != gc::kFalse) --errors_;
  timers_[number].error = gc::kFalse;
  free_.push_back(number);
  const uint32_t last = heap_.back();
  heap_.pop_back();
  if (last == number) return;
  Place(index, last);
  SiftUp(index);
  SiftDown(timers_[last].heap_index);
}

uint32_t TimerQueue::Set(int64_t deadline, Context* context, uint32_t ticket, gc::Word error) {
  uint32_t number;
  if (free_.empty()) {
    number = static_cast<uint32_t>(timers_.size());
    timers_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  Timer& timer = timers_[number];
  timer.deadline = deadline;
  timer.sequence = sequence_++;
  timer.context = context;
  timer.ticket = ticket;
  timer.error = error;
  if (error != gc::kFalse) ++errors_;
  heap_.push_back(number);
  SiftUp(heap_.size() - 1);
  return number;
}

void TimerQueue::Cancel(uint32_t number) {
  WEFT_CHECK(IsSet(number));
  RemoveAt(timers_[number].heap_index);
}

Timer TimerQueue::Take() {
  const Timer timer = timers_[heap_[0]];
  RemoveAt(0);
  return timer;
}

void TimerQueue::CancelAllOf(const Context* context) {
  for (size_t i = 0; i < heap_.size();) {
    if (timers_[heap_[i]].context == context) {
      RemoveAt(i);
      i = 0;  // the heap was rearranged
    } else {
      ++i;
    }
  }
}

void TimerQueue::Clear() {
  while (!heap_.empty()) RemoveAt(heap_.size() - 1);
}

}  // namespace weft
