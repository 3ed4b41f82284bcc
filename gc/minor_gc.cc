#include "gc/minor_gc.h"

#include <algorithm>
#include <cstring>

#include "gc/handle.h"

namespace weft::gc {

MinorCollector::MinorCollector(Heap& heap) : heap_(heap), spaces_(*heap.spaces_) {}

Word MinorCollector::Evacuate(Word word) {
  auto* object = reinterpret_cast<Object*>(word.Address());
  if (object->IsForwarded()) return object->Forward();
  size_t bytes = spaces_.shapes.SizeOf(object);
  Object* copy = spaces_.mature.AllocateCell(bytes);
  if (copy == nullptr) Heap::OutOfMemory();
  std::memcpy(static_cast<void*>(copy), object, bytes);
  heap_.statistics_.promoted_bytes += bytes;
  object->ForwardTo(copy);
  const LayoutDescriptor& layout = spaces_.shapes.Of(copy);
  if (layout.weak) spaces_.weak.push_back(copy);
  if (layout.trace != nullptr || layout.traced_words != 0) spaces_.promoted.push_back(copy);
  return Word::Pointer(copy);
}

void MinorCollector::ScanOnCard(Object* object, uint64_t card) {
  if (spaces_.shapes.Of(object).weak) spaces_.weak.push_back(object);
  spaces_.shapes.TraceBetween(object, card, card + CardTable::kCardBytes, *this);
}

void MinorCollector::ScanCards() {
  CardTable& cards = heap_.cards_;
  // All survivors leave the nursery, so no card points into it afterwards. With aging, a card whose
  // slots still do would keep its bit here.
  auto clean = [&](uint64_t card) {
    *cards.CardOf(card) &= static_cast<uint8_t>(~CardTable::kYoung);
  };
  const ImageSpace& image = spaces_.image;
  Heap::Spaces::ForEachYoungCard(
      cards, RoundDown(image.begin, kPageBytes), image.end, [&](uint64_t card) {
        image.ForEachBetween(spaces_.shapes, card, card + CardTable::kCardBytes,
                             [&](Object* object) { ScanOnCard(object, card); });
        clean(card);
      });
  // Blocks that promotion adds meanwhile hold no dirty card.
  size_t blocks = spaces_.mature.block_count();
  for (size_t i = 0; i < blocks; ++i) {
    if (spaces_.mature.block(i).cell_bytes == 0) continue;
    uint64_t begin = spaces_.mature.block_address(i);
    Heap::Spaces::ForEachYoungCard(cards, begin, begin + kBlockBytes, [&](uint64_t card) {
      spaces_.mature.ForEachBetween(card, card + CardTable::kCardBytes,
                                    [&](Object* object) { ScanOnCard(object, card); });
      clean(card);
    });
  }
  spaces_.large.ForEach([&](Object* object) {
    if (!ShapeTable::HasReferences(spaces_.shapes.Of(object))) return;
    uint64_t begin = reinterpret_cast<uint64_t>(object);
    Heap::Spaces::ForEachYoungCard(cards, begin, begin + spaces_.large.ExtentOf(begin),
                                   [&](uint64_t card) {
                                     ScanOnCard(object, card);
                                     clean(card);
                                   });
  });
}

void MinorCollector::Drain() {
  while (!spaces_.promoted.empty()) {
    Object* object = spaces_.promoted.back();
    spaces_.promoted.pop_back();
    spaces_.shapes.Trace(object, *this);
  }
}

void MinorCollector::UpdateWeak() {
  for (Object* reference : spaces_.weak) {
    Word* target = reference->field(0);
    if (!target->IsPointer() || !heap_.InNursery(target->Address())) continue;
    auto* object = reinterpret_cast<Object*>(target->Address());
    *target = object->IsForwarded() ? object->Forward() : kFalse;
  }
  spaces_.weak.clear();
}

void MinorCollector::Run() {
  uint64_t* counts = heap_.statistics_.root_slots;
  std::fill(counts, counts + kRootSections, 0);
  auto count = [&, before = slots_](RootSection section) mutable {
    counts[static_cast<size_t>(section)] += slots_ - before;
    before = slots_;
  };
  for (RootBase* root = heap_.root_head_; root != nullptr; root = root->next_) {
    VisitRange(root->first_, root->first_ + root->count_);
  }
  count(RootSection::kHandles);
  for (RootSource* source : spaces_.sources) {
    source->VisitRoots(*this, true);
    count(RootSectionOf(source->name()));
  }
  ScanCards();
  count(RootSection::kCards);
  Drain();
  UpdateWeak();
}

}  // namespace weft::gc
