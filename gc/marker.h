// Marks what is reachable in the mature and the large space, in pieces of any size. What it has not
// finished stands in Heap::Spaces::cycle; the essay is in cycle.cc.
#ifndef WEFT_GC_MARKER_H_
#define WEFT_GC_MARKER_H_

#include "gc/heap.h"
#include "gc/spaces.h"

namespace weft::gc {

class Marker final : public SlotVisitor {
 public:
  explicit Marker(Heap& heap) : heap_(heap), spaces_(*heap.spaces_), stack_(spaces_.mark_stack) {}

  void Visit(Word* slot) override WEFT_NO_ANALYSIS {
    ++work_;
    if (slot->IsPointer()) MarkObject(slot->Address());
  }
  void VisitRange(Word* first, Word* end) override {
    for (Word* slot = first; slot != end; ++slot) Visit(slot);
  }
  void VisitInterior(uint64_t address) override WEFT_NO_ANALYSIS;

  // The image's objects are immortal, and those of the nursery are met when they leave it.
  void MarkObject(uint64_t address) WEFT_NO_ANALYSIS {
    if (spaces_.mature.Contains(address)) {
      if (!spaces_.mature.Mark(address)) return;
    } else if (spaces_.large.Contains(address)) {
      if (!spaces_.large.Mark(address)) return;
    } else {
      return;
    }
    stack_.Push(reinterpret_cast<Object*>(address));
  }

  // Traces marked objects until work() has grown by `words` or nothing is left (true).
  bool Drain(uint64_t words) WEFT_NO_ANALYSIS;
  // The same to the end, also when the mark stack overflows.
  void DrainAll() WEFT_NO_ANALYSIS;
  // References out of the image, on up to `cards` further cards. True when all were looked at.
  bool MarkImageCards(size_t cards) WEFT_NO_ANALYSIS;
  // Words looked at, and four for each object.
  [[nodiscard]] uint64_t work() const { return work_; }

 private:
  static constexpr uint64_t kObjectWork = 4;
  static constexpr size_t kSliceWords = 1024;  // longer arrays are traced in slices

  void Trace(Object* object) WEFT_NO_ANALYSIS;
  void TraceSlice() WEFT_NO_ANALYSIS;
  void Rescan() WEFT_NO_ANALYSIS;

  Heap& heap_;
  Heap::Spaces& spaces_;
  MarkStack& stack_;
  uint64_t work_ = 0;
};

}  // namespace weft::gc

#endif  // WEFT_GC_MARKER_H_
