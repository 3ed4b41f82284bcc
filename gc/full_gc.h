// The full collection: marks from the roots, then sweeps the mature and the large space. Runs right
// after a minor collection, so the nursery is empty. The image is not marked: its objects are
// immortal, and only its written cards can refer to the heap.
#ifndef WEFT_GC_FULL_GC_H_
#define WEFT_GC_FULL_GC_H_

#include "gc/heap.h"
#include "gc/spaces.h"

namespace weft::gc {

class FullCollector final : public SlotVisitor {
 public:
  explicit FullCollector(Heap& heap);
  void Run() WEFT_NO_ANALYSIS;

  void Visit(Word* slot) override WEFT_NO_ANALYSIS {
    ++slots_;
    if (slot->IsPointer()) MarkObject(slot->Address());
  }
  void VisitRange(Word* first, Word* end) override {
    for (Word* slot = first; slot != end; ++slot) Visit(slot);
  }
  void VisitInterior(uint64_t address) override WEFT_NO_ANALYSIS;
  [[nodiscard]] uint64_t slots() const { return slots_; }

 private:
  void MarkObject(uint64_t address) WEFT_NO_ANALYSIS;
  void MarkImageCards() WEFT_NO_ANALYSIS;
  void Drain() WEFT_NO_ANALYSIS;
  void Rescan() WEFT_NO_ANALYSIS;
  void ClearWeak() WEFT_NO_ANALYSIS;

  Heap& heap_;
  Heap::Spaces& spaces_;
  uint64_t slots_ = 0;
};

}  // namespace weft::gc

#endif  // WEFT_GC_FULL_GC_H_
