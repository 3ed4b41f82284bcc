#include "gc/marker.h"

#include <algorithm>

namespace weft::gc {

void Marker::VisitInterior(uint64_t address) {
  if (Object* object = heap_.FindObject(address)) MarkObject(reinterpret_cast<uint64_t>(object));
}

void Marker::Trace(Object* object) {
  work_ += kObjectWork;
  const LayoutDescriptor& layout = spaces_.shapes.Of(object);
  if (layout.weak) spaces_.cycle.weak.push_back(object);
  if (layout.trace != nullptr) {
    layout.trace(object, *this);
    return;
  }
  if (layout.traced_words == 0) return;
  const size_t words = spaces_.shapes.TracedWords(object, layout);
  if (words > kSliceWords) {
    spaces_.cycle.slices.push_back({object, 0});
    return;
  }
  Word* first = object->field(0);
  VisitRange(first, first + words);
}

void Marker::TraceSlice() {
  MarkCycle::Slice& slice = spaces_.cycle.slices.back();
  Object* object = slice.object;
  // Asked again each time: an object may shrink.
  const size_t words = spaces_.shapes.TracedWords(object, spaces_.shapes.Of(object));
  const size_t from = std::min(slice.next, words);
  const size_t to = std::min(from + kSliceWords, words);
  slice.next = to;
  if (to == words) spaces_.cycle.slices.pop_back();
  VisitRange(object->field(from), object->field(to));
}

bool Marker::Drain(uint64_t words) {
  // Between leaving the stack and being traced an object waits here until its header is in the
  // cache.
  constexpr size_t kAhead = 8;
  Object* ahead[kAhead];
  size_t first = 0, count = 0;
  const uint64_t end = words > UINT64_MAX - work_ ? UINT64_MAX : work_ + words;
  while (work_ < end) {
    while (count < kAhead && !stack_.empty()) {
      Object* object = stack_.Pop();
      __builtin_prefetch(object);
      ahead[(first + count++) % kAhead] = object;
    }
    if (count == 0) {
      if (spaces_.cycle.slices.empty()) break;
      TraceSlice();
      continue;
    }
    Object* object = ahead[first];
    first = (first + 1) % kAhead;
    --count;
    Trace(object);
  }
  while (count > 0) stack_.Push(ahead[(first + --count) % kAhead]);
  return stack_.empty() && spaces_.cycle.slices.empty() && !stack_.overflowed();
}

void Marker::DrainAll() {
  while (!Drain(UINT64_MAX)) {
    if (stack_.overflowed()) Rescan();
  }
}

// Some marked objects were not traced, and nobody knows which: traces every marked object again.
// Each round marks at least one object more or is the last, so this ends.
void Marker::Rescan() {
  stack_.ClearOverflow();
  auto trace = [&](Object* object) {
    spaces_.shapes.Trace(object, *this);
    if (spaces_.shapes.Of(object).weak) spaces_.cycle.weak.push_back(object);
    (void)Drain(UINT64_MAX);
  };
  spaces_.mature.ForEach([&](Object* object) {
    if (spaces_.mature.IsMarked(reinterpret_cast<uint64_t>(object))) trace(object);
  });
  spaces_.large.ForEach([&](Object* object) {
    if (spaces_.large.IsMarked(reinterpret_cast<uint64_t>(object))) trace(object);
  });
}

bool Marker::MarkImageCards(size_t cards) {
  const ImageSpace& image = spaces_.image;
  uint64_t& at = spaces_.cycle.image_card;
  for (; cards > 0 && at < image.end; --cards, at += CardTable::kCardBytes) {
    if ((*heap_.cards_.CardOf(at) & CardTable::kWritten) == 0) continue;
    const uint64_t end = at + CardTable::kCardBytes;
    image.ForEachBetween(spaces_.shapes, at, end, [&](Object* object) {
      if (spaces_.shapes.Of(object).weak) spaces_.cycle.weak.push_back(object);
      spaces_.shapes.TraceBetween(object, at, end, *this);
    });
  }
  return at >= image.end;
}

}  // namespace weft::gc
