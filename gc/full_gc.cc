#include "gc/full_gc.h"

#include <algorithm>

#include "gc/handle.h"

namespace weft::gc {

FullCollector::FullCollector(Heap& heap) : heap_(heap), spaces_(*heap.spaces_) {}

void FullCollector::MarkObject(uint64_t address) {
  if (spaces_.mature.Contains(address)) {
    if (!spaces_.mature.Mark(address)) return;
  } else if (spaces_.large.Contains(address)) {
    if (!spaces_.large.Mark(address)) return;
  } else {
    WEFT_DCHECK(spaces_.image.Contains(address));
    return;
  }
  auto* object = reinterpret_cast<Object*>(address);
  const LayoutDescriptor& layout = spaces_.shapes.Of(object);
  if (layout.weak) spaces_.weak.push_back(object);
  if (layout.trace != nullptr || layout.traced_words != 0) spaces_.mark_stack.Push(object);
}

void FullCollector::VisitInterior(uint64_t address) {
  if (Object* object = heap_.FindObject(address)) MarkObject(reinterpret_cast<uint64_t>(object));
}

void FullCollector::Drain() {
  MarkStack& stack = spaces_.mark_stack;
  do {
    while (!stack.empty()) spaces_.shapes.Trace(stack.Pop(), *this);
    if (!stack.overflowed()) return;
    Rescan();
  } while (true);
}

// Some marked objects were not traced, and nobody knows which: traces every marked object again.
// Each round marks at least one object more or is the last, so this ends.
void FullCollector::Rescan() {
  MarkStack& stack = spaces_.mark_stack;
  stack.ClearOverflow();
  auto trace = [&](Object* object) {
    spaces_.shapes.Trace(object, *this);
    while (!stack.empty()) spaces_.shapes.Trace(stack.Pop(), *this);
  };
  spaces_.mature.ForEach([&](Object* object) {
    if (spaces_.mature.IsMarked(reinterpret_cast<uint64_t>(object))) trace(object);
  });
  spaces_.large.ForEach([&](Object* object) {
    if (spaces_.large.IsMarked(reinterpret_cast<uint64_t>(object))) trace(object);
  });
}

void FullCollector::MarkImageCards() {
  const ImageSpace& image = spaces_.image;
  for (uint64_t card = RoundDown(image.begin, CardTable::kCardBytes); card < image.end;
       card += CardTable::kCardBytes) {
    if ((*heap_.cards_.CardOf(card) & CardTable::kWritten) == 0) continue;
    uint64_t end = card + CardTable::kCardBytes;
    image.ForEachBetween(spaces_.shapes, card, end, [&](Object* object) {
      if (spaces_.shapes.Of(object).weak) spaces_.weak.push_back(object);
      spaces_.shapes.TraceBetween(object, card, end, *this);
    });
  }
}

void FullCollector::ClearWeak() {
  for (Object* reference : spaces_.weak) {
    Word* target = reference->field(0);
    if (!heap_.IsLive(*target)) *target = kFalse;
  }
  spaces_.weak.clear();
}

void FullCollector::Run() {
  spaces_.mature.ClearMarks();
  spaces_.large.ClearMarks();
  spaces_.marking = true;
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
    source->VisitRoots(*this, false);
    count(RootSectionOf(source->name()));
  }
  MarkImageCards();
  count(RootSection::kCards);
  Drain();
  ClearWeak();
  for (RootSource* source : spaces_.sources) source->SweepDead(heap_);
  spaces_.marking = false;
  bool poison = heap_.PoisonsDeadMemory();
  spaces_.mature.Sweep(poison, 2 * spaces_.evacuation_blocks);
  spaces_.large.Sweep(poison);
  spaces_.mark_stack.Shrink();
}

}  // namespace weft::gc
