// The explicit stack of objects that are marked but not traced yet. Grows up to a bound; when it is
// full or the kernel gives no more memory the object is dropped and `overflowed` is set: the
// collector then looks for marked objects with unmarked children by walking the heap.
#ifndef WEFT_GC_MARK_STACK_H_
#define WEFT_GC_MARK_STACK_H_

#include <cstddef>
#include <cstdint>

#include "gc/address_space.h"
#include "gc/object.h"

namespace weft::gc {

class MarkStack {
 public:
  static constexpr size_t kEntryBytes = sizeof(void*);
  bool Init(size_t max_entries) {
    if (!memory_.TakeAnywhere(RoundUp(max_entries * kEntryBytes, kPageBytes))) return false;
    span_.Init(memory_.base(), memory_.bytes(), size_t{1} << 18);
    entries_ = reinterpret_cast<Object**>(memory_.base());
    max_entries_ = max_entries;
    return true;
  }
  void Push(Object* object) {
    if (size_ == room_ && !Grow()) {
      overflowed_ = true;
      return;
    }
    entries_[size_++] = object;
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  Object* Pop() { return entries_[--size_]; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] Object* at(size_t i) const { return entries_[i]; }
  void Clear() {
    size_ = 0;
    overflowed_ = false;
  }
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  void ClearOverflow() { overflowed_ = false; }
  // Gives the memory of a deep mark back.
  void Shrink() { ReleasePages(memory_.base() + kKeepBytes, memory_.base() + span_.committed()); }

 private:
  static constexpr size_t kKeepBytes = size_t{1} << 18;
  bool Grow() {
    if (size_ >= max_entries_ || !span_.Ensure((size_ + 1) * kEntryBytes)) return false;
    room_ = span_.committed() / kEntryBytes;
    if (room_ > max_entries_) room_ = max_entries_;
    return true;
  }

  Reservation memory_;
  GrowingSpan span_;
  Object** entries_ = nullptr;
  size_t size_ = 0;
  size_t room_ = 0;
  size_t max_entries_ = 0;
  bool overflowed_ = false;
};

}  // namespace weft::gc

#endif  // WEFT_GC_MARK_STACK_H_
