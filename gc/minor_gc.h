// The minor collection: copies what is reachable out of the nursery into the mature space. The
// essay stands in minor_gc.cc.
#ifndef WEFT_GC_MINOR_GC_H_
#define WEFT_GC_MINOR_GC_H_

#include "gc/heap.h"
#include "gc/spaces.h"

namespace weft::gc {

class MinorCollector final : public SlotVisitor {
 public:
  explicit MinorCollector(Heap& heap);
  void Run() WEFT_NO_ANALYSIS;

  void Visit(Word* slot) override WEFT_NO_ANALYSIS {
    ++slots_;
    Word word = *slot;
    if (!word.IsPointer() || !heap_.InNursery(word.Address())) return;
    *slot = Evacuate(word);
  }
  void VisitRange(Word* first, Word* end) override {
    for (Word* slot = first; slot != end; ++slot) Visit(slot);
  }
  void VisitInterior(uint64_t) override {}  // only objects that never move
  [[nodiscard]] uint64_t slots() const { return slots_; }

 private:
  Word Evacuate(Word word) WEFT_NO_ANALYSIS;
  void ScanCards() WEFT_NO_ANALYSIS;
  void ScanOnCard(Object* object, uint64_t card) WEFT_NO_ANALYSIS;
  void Drain() WEFT_NO_ANALYSIS;
  void UpdateWeak() WEFT_NO_ANALYSIS;

  Heap& heap_;
  Heap::Spaces& spaces_;
  uint64_t slots_ = 0;
};

}  // namespace weft::gc

#endif  // WEFT_GC_MINOR_GC_H_
