// Cycles of the mature collector in steps: what stays alive and what goes, whatever the program
// does between the steps.
#include <algorithm>
#include <functional>
#include <vector>

#include "gc/pauses.h"
#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

// A chain of pairs (i, rest).
void MakeChain(Heap& heap, int64_t n, Root* chain) {
  Root number(heap);
  for (int64_t i = 0; i < n; ++i) {
    number.set(Word::Fixnum(i));
    chain->set(NewPair(heap, number, *chain));
  }
}

int64_t ChainLength(Word chain) {
  int64_t n = 0;
  for (; chain.IsPointer(); chain = Field(chain, 1)) ++n;
  return n;
}

// Allocates garbage until no cycle is under way.
void RunToEnd(Heap& heap) {
  for (int i = 0; heap.in_cycle(); ++i) {
    NewBytes(heap, 100);
    ASSERT_LT(i, 100'000'000);
  }
}

HeapOptions Verified() {
  HeapOptions options;
  options.verify = true;
  options.nursery_bytes = 64 << 10;
  return options;
}

TEST(CycleTest, GarbageGoesAndWhatIsReachableStays) {
  auto heap = MakeHeap(Verified());
  Root live(*heap), dead(*heap);
  MakeChain(*heap, 50'000, &live);
  MakeChain(*heap, 50'000, &dead);
  Root large(*heap, NewBytes(*heap, 300'000)), large_dead(*heap, NewBytes(*heap, 300'000));
  heap->CollectFull();
  const size_t both = heap->used_bytes();
  dead.set(kFalse);
  large_dead.set(kFalse);
  EXPECT_FALSE(heap->in_cycle());
  heap->StartCycle();
  EXPECT_TRUE(heap->in_cycle());
  RunToEnd(*heap);
  EXPECT_EQ(ChainLength(live.get()), 50'000);
  EXPECT_LT(heap->used_bytes(), both * 6 / 10);
  EXPECT_EQ(heap->statistics().stopped_collections, 1u);
  EXPECT_EQ(heap->statistics().full_collections, 2u);
  EXPECT_GT(heap->statistics().step_pauses.count(), 5u);
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

// The adversary of marking in steps: moves the only reference to an unmarked object into one that
// was traced long ago, and cuts it off where marking would have found it.
TEST(CycleTest, MovingTheOnlyReferenceBehindTheMarkerLosesNothing) {
  auto heap = MakeHeap(Verified());
  constexpr size_t kSlots = 2000;
  Root front(*heap, NewArray(*heap, kSlots)), back(*heap, NewArray(*heap, kSlots));
  Root number(*heap), rest(*heap);
  for (size_t i = 0; i < kSlots; ++i) {
    number.set(Word::Fixnum(static_cast<int64_t>(i)));
    Root inner(*heap, NewPair(*heap, number, rest));
    SetField(*heap, back.get(), 1 + i, NewPair(*heap, number, inner));
  }
  heap->CollectFull();
  for (int round = 0; round < 4; ++round) {
    heap->StartCycle();
    size_t i = 0;
    while (heap->in_cycle()) {
      for (int k = 0; k < 20; ++k, i = (i + 7) % kSlots) {
        const Word pair = Field(back.get(), 1 + i);
        SetField(*heap, back.get(), 1 + i, Field(front.get(), 1 + i));
        SetField(*heap, front.get(), 1 + i, pair);
      }
      NewBytes(*heap, 3000);
    }
    for (size_t k = 0; k < kSlots; ++k) {
      Word pair = Field(front.get(), 1 + k);
      if (!pair.IsPointer()) pair = Field(back.get(), 1 + k);
      ASSERT_TRUE(pair.IsPointer());
      ASSERT_EQ(Field(pair, 0), Word::Fixnum(static_cast<int64_t>(k)));
      ASSERT_EQ(Field(Field(pair, 1), 0), Word::Fixnum(static_cast<int64_t>(k)));
    }
  }
}

TEST(CycleTest, ALongArrayIsTracedInSlicesWhileItChanges) {
  auto heap = MakeHeap(Verified());
  constexpr size_t kSlots = 100'000;
  Root array(*heap, NewArray(*heap, kSlots));
  Root number(*heap), rest(*heap);
  for (size_t i = 0; i < kSlots; i += 10) {
    SetField(*heap, array.get(), 1 + i, NewPair(*heap, number, rest));
  }
  heap->CollectFull();
  heap->StartCycle();
  const uint64_t before = heap->statistics().step_pauses.count();
  size_t i = 0;
  while (heap->in_cycle()) {
    // Elements wander: from anywhere to anywhere, over the place where marking is.
    const Word from = Field(array.get(), 1 + i), to = Field(array.get(), kSlots - i);
    SetField(*heap, array.get(), 1 + i, to);
    SetField(*heap, array.get(), kSlots - i, from);
    i = (i + 10) % kSlots;
    NewBytes(*heap, 100);
  }
  EXPECT_GT(heap->statistics().step_pauses.count(), before + 5);
  size_t pairs = 0;
  for (size_t k = 0; k < kSlots; ++k) {
    if (Field(array.get(), 1 + k).IsPointer()) ++pairs;
  }
  EXPECT_EQ(pairs, kSlots / 10);
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(CycleTest, AnArrayThatShrinksWhileItIsTraced) {
  auto heap = MakeHeap(Verified());
  Root array(*heap, NewArray(*heap, 50'000));
  heap->CollectFull();
  heap->StartCycle();
  for (int64_t length = 50'000; heap->in_cycle(); length = std::max<int64_t>(length - 997, 1)) {
    *ObjectAt(array.get())->field(0) = Word::Fixnum(length);
    for (int i = 0; i < 300; ++i) NewBytes(*heap, 100);
  }
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

// Steps until marking has ended; whether weak references are all cleared is not known then.
void EndMarking(Heap& heap) {
  const uint64_t fulls = heap.statistics().full_collections;
  while (heap.statistics().full_collections == fulls) NewBytes(heap, 100);
  ASSERT_TRUE(heap.in_cycle());
}

TEST(CycleTest, AWeakReferenceToADeadObjectReadsAsFalseFromTheEndOfMarkingOn) {
  auto heap = MakeHeap(Verified());
  constexpr size_t kWeak = 20'000;
  Root live(*heap, NewBytes(*heap, 8)), target(*heap);
  Root all(*heap, NewArray(*heap, kWeak));
  for (size_t i = 0; i < kWeak; ++i) {
    target.set(i % 2 == 0 ? live.get() : NewBytes(*heap, i % 50));
    SetField(*heap, all.get(), 1 + i, NewWeak(*heap, target));
  }
  target.set(kFalse);
  // Minor collections clear what dies young: these are old.
  Root keep(*heap, NewArray(*heap, kWeak));
  for (size_t i = 1; i < kWeak; i += 2) {
    target.set(NewBytes(*heap, 16));
    SetField(*heap, keep.get(), 1 + i, target.get());
    SetField(*heap, all.get(), 1 + i, NewWeak(*heap, target));
  }
  target.set(kFalse);
  heap->CollectFull();
  keep.set(kFalse);
  heap->StartCycle();
  EndMarking(*heap);
  size_t uncleared = 0;
  for (size_t i = 0; i < kWeak; ++i) {
    const Object* reference = ObjectAt(Field(all.get(), 1 + i));
    ASSERT_EQ(heap->WeakTarget(reference), i % 2 == 0 ? live.get() : kFalse) << i;
    if (i % 2 == 1 && *reference->field(0) != kFalse) ++uncleared;
  }
  EXPECT_GT(uncleared, 0u);  // else this test shows nothing
  // Copies of the references, as `clone` makes them: one of a dead target that is not cleared yet.
  Root copies(*heap, NewArray(*heap, kWeak));
  for (size_t i = kWeak - 200; i < kWeak; ++i) {
    Root copy(*heap, heap->Allocate(kWeakShape, 16));
    *ObjectAt(copy.get())->field(0) = Field(Field(all.get(), 1 + i), 0);
    SetField(*heap, copies.get(), 1 + i, copy.get());
  }
  RunToEnd(*heap);
  for (size_t i = 0; i < kWeak; ++i) {
    const Word expected = i % 2 == 0 ? live.get() : kFalse;
    ASSERT_EQ(Field(Field(all.get(), 1 + i), 0), expected) << i;
    if (i < kWeak - 200) continue;
    ASSERT_EQ(Field(Field(copies.get(), 1 + i), 0), expected) << i;
  }
}

TEST(CycleTest, WhatIsBornInEveryPhaseStays) {
  auto heap = MakeHeap(Verified());
  Root live(*heap), garbage(*heap);
  MakeChain(*heap, 30'000, &live);
  MakeChain(*heap, 200'000, &garbage);
  for (int i = 0; i < 200; ++i) {
    Root large(*heap, NewBytes(*heap, 10'000));
    if (i % 2 == 0) garbage.set(NewPair(*heap, large, garbage));
    if (i % 2 == 1) live.set(NewPair(*heap, large, live));
  }
  heap->CollectFull();
  garbage.set(kFalse);
  heap->StartCycle();
  // Of each kind one: promoted, pinned, large; each holding a young object.
  RootVector born(*heap);
  while (heap->in_cycle()) {
    for (int kind = 0; kind < 3; ++kind) {
      Root leaf(*heap, NewBytes(*heap, 40));
      const size_t length = kind == 2 ? 2000 : 5;
      const Word array = kind == 1 ? heap->AllocatePinned(kArrayShape, 16 + 8 * length)
                                   : heap->Allocate(kArrayShape, 16 + 8 * length);
      *ObjectAt(array)->field(0) = Word::Fixnum(static_cast<int64_t>(length));
      *ObjectAt(array)->field(1) = leaf.get();
      born.push_back(array);
    }
    for (int i = 0; i < 200; ++i) NewBytes(*heap, 100);
  }
  heap->CollectMinor();
  for (size_t i = 0; i < born.size(); ++i) {
    ASSERT_EQ(Field(Field(born.get(i), 1), 0), Word::Fixnum(40));
  }
  EXPECT_EQ(ChainLength(live.get()), 30'100);
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(CycleTest, AStoppedCollectionIsPreciseInEveryPhase) {
  for (int steps = 0; steps < 60; steps += 3) {
    auto heap = MakeHeap(Verified());
    Root live(*heap), dead(*heap);
    MakeChain(*heap, 5'000, &live);
    MakeChain(*heap, 20'000, &dead);
    heap->CollectFull();
    heap->StartCycle();
    Root marked_then_dead(*heap);
    MakeChain(*heap, 1'000, &marked_then_dead);
    const uint64_t from = heap->statistics().step_pauses.count();
    while (heap->in_cycle() &&
           heap->statistics().step_pauses.count() < from + static_cast<uint64_t>(steps)) {
      NewBytes(*heap, 100);
    }
    dead.set(kFalse);
    marked_then_dead.set(kFalse);
    heap->CollectFull();
    EXPECT_FALSE(heap->in_cycle());
    EXPECT_EQ(heap->used_bytes(), 5'000u * 24) << steps;
    EXPECT_EQ(ChainLength(live.get()), 5'000);
  }
}

TEST(CycleTest, CompletingOneLeavesNothingToDo) {
  for (int steps = 0; steps < 60; steps += 3) {
    auto heap = MakeHeap(Verified());
    Root live(*heap), dead(*heap);
    MakeChain(*heap, 5'000, &live);
    MakeChain(*heap, 20'000, &dead);
    heap->CollectFull();
    dead.set(kFalse);
    heap->StartCycle();
    const uint64_t from = heap->statistics().step_pauses.count();
    while (heap->in_cycle() &&
           heap->statistics().step_pauses.count() < from + static_cast<uint64_t>(steps)) {
      NewBytes(*heap, 100);
    }
    heap->CompleteCycle();
    EXPECT_FALSE(heap->in_cycle());
    EXPECT_LT(heap->used_bytes(), 6'000u * 24);
    EXPECT_EQ(ChainLength(live.get()), 5'000);
    heap->CompleteCycle();
    EXPECT_EQ(heap->statistics().full_collections, 2u);
  }
}

// A source whose roots do not change is only asked in steps.
TEST(CycleTest, RootSourcesAreVisitedInStepsToTheEnd) {
  class Source final : public RootSource {
   public:
    explicit Source(size_t n) : words(n, kFalse) {}
    const char* name() const override { return "contexts"; }
    void VisitRoots(SlotVisitor& visitor, bool minor) override {
      if (!minor || dirty) visitor.VisitRange(words.data(), words.data() + words.size());
    }
    void BeginMarking() override {
      ++begun;
      next = 0;
    }
    bool MarkSome(SlotVisitor& visitor, size_t units) override {
      ++asked;
      const size_t to = std::min(words.size(), next + units);
      visitor.VisitRange(words.data() + next, words.data() + to);
      next = to;
      return next == words.size();
    }
    std::vector<Word> words;
    bool dirty = true;
    int begun = 0, asked = 0;
    size_t next = 0;
  };
  auto heap = MakeHeap(Verified());
  Source source(30'000);
  heap->AddRootSource(&source);
  for (Word& word : source.words) word = NewBytes(*heap, 24);
  heap->CollectMinor();
  source.dirty = false;
  heap->StartCycle();
  EXPECT_EQ(source.begun, 1);
  RunToEnd(*heap);
  EXPECT_GT(source.asked, 100);
  for (const Word word : source.words) ASSERT_EQ(Field(word, 0), Word::Fixnum(24));
  heap->RemoveRootSource(&source);
}

TEST(CycleTest, CyclesComeByThemselvesAndKeepTheHeapSmall) {
  HeapOptions options;
  options.heap_limit_bytes = size_t{1} << 30;
  auto heap = MakeHeap(options);
  Root number(*heap), none(*heap);
  RootVector chains(*heap);
  chains.resize(100);
  size_t most = 0;
  for (int i = 0; i < 2000; ++i) {  // 100 chains of 0.24 MB are alive
    Root chain(*heap);
    MakeChain(*heap, 10'000, &chain);
    chains.set(static_cast<size_t>(i * 37 % 100), chain.get());
    most = std::max(most, heap->used_bytes());
  }
  EXPECT_EQ(heap->statistics().stopped_collections, 0u);
  EXPECT_GT(heap->statistics().full_collections, 10u);
  EXPECT_LT(most, size_t{64} << 20);
}

TEST(CycleTest, LargeObjectsAloneDriveACycleToItsEnd) {
  HeapOptions options;
  options.heap_limit_bytes = size_t{1} << 30;
  auto heap = MakeHeap(options);
  Root live(*heap);
  MakeChain(*heap, 500'000, &live);
  size_t most = 0;
  for (int i = 0; i < 5000; ++i) {
    NewBytes(*heap, 100'000);
    most = std::max(most, heap->used_bytes());
  }
  EXPECT_EQ(heap->statistics().stopped_collections, 0u);
  EXPECT_GT(heap->statistics().full_collections, 3u);
  EXPECT_LT(most, size_t{64} << 20);
  EXPECT_EQ(ChainLength(live.get()), 500'000);
}

TEST(CycleTest, TheSameProgramTakesTheSameSteps) {
  const auto run = [] {
    HeapOptions options;
    options.nursery_bytes = 256 << 10;
    auto heap = MakeHeap(options);
    RootVector chains(*heap);
    chains.resize(50);
    for (int i = 0; i < 1500; ++i) {
      Root chain(*heap);
      MakeChain(*heap, 20'000, &chain);
      chains.set(static_cast<size_t>(i * 7 % 50), chain.get());
      if (i % 100 == 0) NewBytes(*heap, 1'000'000);
    }
    const HeapStatistics& s = heap->statistics();
    return std::vector<uint64_t>{
        s.minor_collections,   s.full_collections,    s.promoted_bytes,
        s.stopped_collections, s.step_pauses.count(), s.minor_pauses.count(),
        heap->used_bytes(),    chains.get(0).bits,    chains.get(49).bits};
  };
  EXPECT_EQ(run(), run());
}

TEST(CycleTest, AFullHeapIsNoticedInACycleToo) {
  HeapOptions options;
  options.heap_limit_bytes = 16 << 20;
  auto heap = MakeHeap(options);
  Root list(*heap), number(*heap);
  for (int round = 0; round < 5; ++round) {
    size_t pairs = 0;
    while (!heap->limit_exceeded()) {
      list.set(NewPair(*heap, number, list));
      if (pairs % 100'000 == 99'999) heap->StartCycle();
      ASSERT_LT(++pairs, size_t{1'000'000});
    }
    EXPECT_GT(pairs * 24, size_t{14} << 20);
    heap->ClearLimitExceeded();
    list.set(kFalse);
    for (int i = 0; i < 100'000; ++i) NewBytes(*heap, 40);
    EXPECT_FALSE(heap->limit_exceeded());
  }
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(CycleTest, BecomeInEveryPhase) {
  for (int steps = 0; steps < 40; steps += 2) {
    auto heap = MakeHeap(Verified());
    Root live(*heap), rest(*heap), number(*heap, Word::Fixnum(7));
    MakeChain(*heap, 20'000, &live);
    heap->CollectFull();
    heap->StartCycle();
    const uint64_t from = heap->statistics().step_pauses.count();
    while (heap->in_cycle() &&
           heap->statistics().step_pauses.count() < from + static_cast<uint64_t>(steps)) {
      NewBytes(*heap, 100);
    }
    // The last pair of the chain is replaced by a new one.
    Root last(*heap, live.get());
    while (Field(last.get(), 1).IsPointer()) last.set(Field(last.get(), 1));
    Root fresh(*heap, NewPair(*heap, number, rest));
    heap->Become({last.get()}, {fresh.get()});
    RunToEnd(*heap);
    heap->CollectFull();
    EXPECT_EQ(ChainLength(live.get()), 20'000);
    Word at = live.get();
    while (Field(at, 1).IsPointer()) at = Field(at, 1);
    EXPECT_EQ(Field(at, 0), Word::Fixnum(7));
  }
}

TEST(CycleTest, AMarkStackThatOverflowsInACycle) {
  for (size_t entries : {size_t{1}, size_t{20}, size_t{500}}) {
    HeapOptions options = Verified();
    options.mark_stack_entries = entries;
    auto heap = MakeHeap(options);
    Root all(*heap, NewArray(*heap, 300)), rest(*heap), number(*heap);
    for (size_t i = 0; i < 300; ++i) {
      Root inner(*heap, NewArray(*heap, 40));
      for (size_t k = 0; k < 40; ++k) {
        SetField(*heap, inner.get(), 1 + k, NewPair(*heap, number, rest));
      }
      SetField(*heap, all.get(), 1 + i, inner.get());
    }
    heap->CollectFull();
    const size_t used = heap->used_bytes();
    heap->StartCycle();
    RunToEnd(*heap);
    EXPECT_EQ(heap->used_bytes(), used);
    EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
  }
}

TEST(CycleTest, TheVerifierFindsAStoreWithoutTheBarrier) {
  auto heap = MakeHeap();
  Root traced(*heap, NewArray(*heap, 2)), chain(*heap), hidden(*heap), none(*heap);
  MakeChain(*heap, 100'000, &chain);
  hidden.set(NewPair(*heap, none, none));
  heap->CollectFull();
  // Marking goes from the handles, the last one first; the array has been traced when the chain
  // has only begun.
  heap->StartCycle();
  heap->CollectMinor();
  const Word secret = hidden.get();
  for (int i = 0; i < 3000; ++i) NewBytes(*heap, 100);
  ASSERT_TRUE(heap->in_cycle());
  ASSERT_TRUE(heap->Verify().ok());
  // What no handle refers to any more, stored behind the collector's back. (The pair that is stored
  // must be white: one that was never reachable is.)
  heap->CollectFull();
  hidden.set(kFalse);
  heap->StartCycle();
  heap->CollectMinor();
  for (int i = 0; i < 3000; ++i) NewBytes(*heap, 100);
  ASSERT_TRUE(heap->in_cycle());
  *ObjectAt(traced.get())->field(1) = secret;
  const absl::Status status = heap->Verify();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("not marked, but was traced"), std::string::npos)
      << status;
  *ObjectAt(traced.get())->field(1) = kFalse;
}

// Words on cards that the last minor collection looked at.
uint64_t CardSlots(Heap& heap) {
  heap.CollectMinor();
  return heap.statistics().root_slots[static_cast<size_t>(RootSection::kCards)];
}

TEST(MinorGcTest, ALargeObjectThatIsCleanIsNotLookedThrough) {
  HeapOptions options;
  options.verify = true;
  auto heap = MakeHeap(options);
  Root array(*heap, NewArray(*heap, 100'000));
  EXPECT_GE(CardSlots(*heap), 100'000u);
  EXPECT_EQ(CardSlots(*heap), 0u);
  array.set(NewArray(*heap, 100'000));
  heap->CleanNew(array.get());
  EXPECT_EQ(CardSlots(*heap), 0u);
  // A young pointer that is stored into a clean one.
  Root leaf(*heap, NewBytes(*heap, 50));
  array.set(NewArray(*heap, 100'000));
  heap->CleanNew(array.get());
  heap->WriteNew(ObjectAt(array.get())->field(70'000), leaf.get());
  heap->WriteNew(ObjectAt(array.get())->field(7'000), Word::Fixnum(5));
  const uint64_t slots = CardSlots(*heap);
  EXPECT_GE(slots, 1u);
  EXPECT_LE(slots, 64u);
  EXPECT_EQ(Field(Field(array.get(), 70'000), 0), Word::Fixnum(50));
  EXPECT_EQ(Field(array.get(), 7'000), Word::Fixnum(5));
  // Bytes hold nothing that could be young.
  Root bytes(*heap, NewBytes(*heap, 1'000'000));
  EXPECT_EQ(CardSlots(*heap), 0u);
}

TEST(MinorGcTest, CleanLargeObjectsInEveryPhaseOfACycle) {
  auto heap = MakeHeap(Verified());
  Root chain(*heap), all(*heap, NewArray(*heap, 1000));
  MakeChain(*heap, 50'000, &chain);
  heap->CollectFull();
  heap->StartCycle();
  size_t n = 0;
  for (; heap->in_cycle() && n < 1000; ++n) {
    // Old pairs, which may not be marked yet, lose their place in the chain to a new array.
    Root array(*heap, NewArray(*heap, 2000));
    heap->CleanNew(array.get());
    heap->WriteNew(ObjectAt(array.get())->field(1), chain.get());
    chain.set(Field(chain.get(), 1));
    SetField(*heap, all.get(), 1 + n, array.get());
    for (int i = 0; i < 50; ++i) NewBytes(*heap, 100);
  }
  EXPECT_GT(n, 10u);
  heap->CollectFull();
  for (size_t i = 0; i < n; ++i) {
    ASSERT_EQ(Field(Field(Field(all.get(), 1 + i), 1), 0),
              Word::Fixnum(50'000 - 1 - static_cast<int64_t>(i)));
  }
}

TEST(MinorGcTest, TheNurseryShrinksWhereMuchSurvivesAndGrowsAgain) {
  auto heap = MakeHeap();
  const auto bytes_each = [&](auto allocate) {
    const HeapStatistics& s = heap->statistics();
    for (int i = 0; i < 200'000; ++i) allocate();  // settles
    const uint64_t bytes = s.allocated_bytes, minors = s.minor_collections;
    for (int i = 0; i < 300'000; ++i) allocate();
    return (s.allocated_bytes - bytes) / (s.minor_collections - minors);
  };
  Root chain(*heap), number(*heap);
  const auto garbage = [&] { NewBytes(*heap, 100); };
  EXPECT_GT(bytes_each(garbage), size_t{1000} << 10);
  EXPECT_LT(bytes_each([&] { chain.set(NewPair(*heap, number, chain)); }), size_t{700} << 10);
  EXPECT_GT(bytes_each(garbage), size_t{1000} << 10);
}

TEST(LargeSpaceTest, FreedNeighboursBecomeOneRun) {
  auto heap = MakeHeap();
  // Rows of large objects, freed in several orders; what is freed has room for one of the sum.
  for (const std::vector<size_t>& order :
       {std::vector<size_t>{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 2, 0}, {0, 2, 1, 3}}) {
    RootVector objects(*heap);
    for (int i = 0; i < 4; ++i) objects.push_back(NewBytes(*heap, 20'000));
    Root stop(*heap, NewBytes(*heap, 20'000));
    const uint64_t first = objects.get(0).Address();
    for (const size_t i : order) {
      objects.set(i, kFalse);
      heap->CollectFull();
    }
    const Word joined = NewBytes(*heap, 4 * 20'480 - 16);
    EXPECT_EQ(joined.Address(), first);
    stop.set(kFalse);
    objects.resize(0);
    heap->CollectFull();
    EXPECT_EQ(heap->used_bytes(), 0u);
  }
}

TEST(PausesTest, PercentilesAreRightToASixteenth) {
  PauseHistogram pauses;
  EXPECT_EQ(pauses.PerMille(990), 0u);
  std::vector<uint64_t> all;
  uint64_t state = 1;
  for (int i = 0; i < 20'000; ++i) {
    state = state * 6364136223846793005 + 1442695040888963407;
    all.push_back((state >> 33) % (uint64_t{1} << (i % 30)));
    pauses.Record(all.back());
  }
  std::sort(all.begin(), all.end());
  for (const uint64_t n : {1u, 100u, 500u, 900u, 990u, 999u, 1000u}) {
    const uint64_t exact = all[(all.size() * n + 999) / 1000 - 1];
    EXPECT_GE(pauses.PerMille(n), exact) << n;
    EXPECT_LE(pauses.PerMille(n), exact + exact / 16 + 1) << n;
  }
  EXPECT_EQ(pauses.max_ns(), all.back());
  pauses.Record(UINT64_MAX / 2);
  EXPECT_EQ(pauses.PerMille(1000), UINT64_MAX / 2);
}

}  // namespace
}  // namespace weft::gc
