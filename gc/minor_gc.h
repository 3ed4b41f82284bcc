// The minor collection: copies what is reachable out of the nursery into the mature space. The
// essay stands in minor_gc.cc.
#ifndef WEFT_GC_MINOR_GC_H_
#define WEFT_GC_MINOR_GC_H_

#include "gc/heap.h"
#include "gc/marker.h"
#include "gc/spaces.h"

namespace weft::gc {

class MinorCollector final : public SlotVisitor {
 public:
  explicit MinorCollector(Heap& heap);
  void Run() WEFT_NO_ANALYSIS;

  void Visit(Word* slot) override WEFT_NO_ANALYSIS {
    ++slots_;
    Word word = *slot;
    if (!word.IsPointer()) return;
    if (heap_.InNursery(word.Address())) {
      *slot = Evacuate(word);
    } else if (shade_) {
      ++shaded_;
      marker_.MarkObject(word.Address());
    }
  }
  void VisitRange(Word* first, Word* end) override WEFT_NO_ANALYSIS {
    if (shade_) {
      for (Word* slot = first; slot != end; ++slot) Visit(slot);
      return;
    }
    slots_ += static_cast<uint64_t>(end - first);
    // Most words fail the first test.
    const uint64_t begin = Word::Pointer(reinterpret_cast<Object*>(heap_.nursery_begin_)).bits;
    const uint64_t span = heap_.nursery_span_;
    for (Word* slot = first; slot != end; ++slot) {
      if (slot->bits - begin < span && slot->IsPointer()) [[unlikely]] {
        *slot = Evacuate(*slot);
      }
    }
  }
  void VisitInterior(uint64_t address) override {
    if (shade_) marker_.VisitInterior(address);  // only objects that never move
  }
  // What it did, as about the nanoseconds it takes: counted, so the same in every run.
  [[nodiscard]] uint64_t work_ns() const {
    return 3 * slots_ + 12 * shaded_ + 20 * copies_ + copied_bytes_ / 8 + kCardWork * cards_;
  }
  // The same of a dirty card alone, apart from its slots; and of one full of slots.
  static constexpr uint64_t kCardWork = 100;
  static constexpr uint64_t kScatteredCardWork = kCardWork + 3 * CardTable::kCardBytes / 8;

 private:
  Word Evacuate(Word word) WEFT_NO_ANALYSIS;
  void ScanCards() WEFT_NO_ANALYSIS;
  void ScanOnCard(Object* object, uint64_t card) WEFT_NO_ANALYSIS;
  // Are the slots of this object on a dirty card to be marked from? One that is not marked yet is
  // traced when it is.
  [[nodiscard]] bool IsShaded(const Object* object) const;
  void Drain() WEFT_NO_ANALYSIS;
  void UpdateWeak() WEFT_NO_ANALYSIS;

  Heap& heap_;
  Heap::Spaces& spaces_;
  Marker marker_;
  const bool marking_;  // a cycle is marking
  bool shade_ = false;  // old objects in the slots being visited are marked
  uint64_t slots_ = 0, shaded_ = 0;
  uint64_t copies_ = 0, copied_bytes_ = 0;
  uint64_t cards_ = 0;
};

}  // namespace weft::gc

#endif  // WEFT_GC_MINOR_GC_H_
