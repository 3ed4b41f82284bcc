#include <sys/resource.h>

#include <fstream>
#include <functional>

#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

// Roots and a sweep hook made from functions.
class TestSource final : public RootSource {
 public:
  TestSource(Heap& heap, const char* name) : heap_(heap), name_(name) { heap.AddRootSource(this); }
  ~TestSource() override { heap_.RemoveRootSource(this); }
  const char* name() const override { return name_; }
  void VisitRoots(SlotVisitor& visitor, bool minor) override {
    if (visit) visit(visitor, minor);
  }
  void SweepDead(const Heap& heap) override {
    if (sweep) sweep(heap);
  }
  std::function<void(SlotVisitor&, bool)> visit;
  std::function<void(const Heap&)> sweep;

 private:
  Heap& heap_;
  const char* name_;
};

// A chain of arrays, each holding the next in its only element.
void MakeChain(Heap& heap, int n, Root* chain) {
  for (int i = 0; i < n; ++i) {
    Word link = NewArray(heap, 1);
    *ObjectAt(link)->field(1) = chain->get();
    chain->set(link);
  }
}

size_t ChainLength(Word chain) {
  size_t n = 0;
  for (; chain.IsPointer(); chain = Field(chain, 1)) ++n;
  return n;
}

TEST(FullGcTest, MarksAMillionDeep) {
  auto heap = MakeHeap();
  Root chain(*heap);
  MakeChain(*heap, 1'000'000, &chain);
  heap->CollectFull();
  EXPECT_EQ(ChainLength(chain.get()), 1'000'000u);
  EXPECT_GE(heap->used_bytes(), 24'000'000u);
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(FullGcTest, AMarkStackThatOverflowsLosesNothing) {
  for (size_t entries : {size_t{1}, size_t{7}, size_t{300}}) {
    HeapOptions options;
    options.mark_stack_entries = entries;
    auto heap = MakeHeap(options);
    Root tree(*heap), chain(*heap);
    // A wide array of wide arrays, so that the stack must overflow, and a chain.
    tree.set(NewArray(*heap, 500));
    for (size_t i = 0; i < 500; ++i) {
      Root inner(*heap, NewArray(*heap, 50));
      for (size_t k = 0; k < 50; ++k) {
        Word bytes = NewBytes(*heap, k);
        SetField(*heap, inner.get(), 1 + k, bytes);
        if (k % 10 == 0) {
          Word leaf = NewArray(*heap, 1);
          SetField(*heap, leaf, 1, Field(inner.get(), 1 + k));
          SetField(*heap, inner.get(), 1 + k, leaf);
        }
      }
      SetField(*heap, tree.get(), 1 + i, inner.get());
    }
    MakeChain(*heap, 20000, &chain);
    heap->CollectFull();
    size_t used = heap->used_bytes();
    heap->CollectFull();
    EXPECT_EQ(heap->used_bytes(), used);
    EXPECT_EQ(ChainLength(chain.get()), 20000u);
    for (size_t i = 0; i < 500; ++i) {
      for (size_t k = 0; k < 50; ++k) {
        Word item = Field(Field(tree.get(), 1 + i), 1 + k);
        if (k % 10 == 0) item = Field(item, 1);
        ASSERT_EQ(Field(item, 0), Word::Fixnum(static_cast<int64_t>(k)));
      }
    }
    EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
  }
}

TEST(FullGcTest, WeakReferences) {
  auto heap = MakeHeap();
  Root target(*heap, NewBytes(*heap, 4));
  Root young(*heap, NewWeak(*heap, target)), old(*heap, NewWeak(*heap, target));
  Root number(*heap, Word::Fixnum(3)), to_number(*heap, NewWeak(*heap, number));
  heap->CollectMinor();
  EXPECT_EQ(Field(young.get(), 0), target.get());
  heap->CollectFull();
  EXPECT_EQ(Field(old.get(), 0), target.get());
  // A young target in an old weak reference: alive, then dead.
  target.set(NewBytes(*heap, 5));
  SetField(*heap, old.get(), 0, target.get());
  heap->CollectMinor();
  EXPECT_EQ(Field(old.get(), 0), target.get());
  EXPECT_EQ(Field(Field(old.get(), 0), 0), Word::Fixnum(5));
  SetField(*heap, old.get(), 0, NewBytes(*heap, 6));
  heap->CollectMinor();
  EXPECT_EQ(Field(old.get(), 0), kFalse);
  // A young weak reference to a young object that dies.
  young.set(NewWeak(*heap, target));
  target.set(kFalse);
  heap->CollectMinor();
  EXPECT_TRUE(Field(young.get(), 0).IsPointer());  // the target is old: only a full one knows
  heap->CollectFull();
  EXPECT_EQ(Field(young.get(), 0), kFalse);
  EXPECT_EQ(Field(to_number.get(), 0), Word::Fixnum(3));
  // A weak reference to itself, and to a large object.
  young.set(NewWeak(*heap, number));
  SetField(*heap, young.get(), 0, young.get());
  target.set(NewBytes(*heap, 100000));
  SetField(*heap, old.get(), 0, target.get());
  heap->CollectFull();
  EXPECT_EQ(Field(young.get(), 0), young.get());
  EXPECT_EQ(Field(old.get(), 0), target.get());
  target.set(kFalse);
  heap->CollectFull();
  EXPECT_EQ(Field(old.get(), 0), kFalse);
}

TEST(FullGcTest, SweepDeadRunsBetweenMarkAndSweep) {
  auto heap = MakeHeap();
  Root live(*heap, NewBytes(*heap, 1)), dead(*heap, NewBytes(*heap, 2));
  Root large(*heap, NewBytes(*heap, 50000));
  heap->CollectMinor();
  Word live_word = live.get(), dead_word = dead.get(), large_word = large.get();
  dead.set(kFalse);
  TestSource source(*heap, "compiler");
  int calls = 0;
  source.sweep = [&](const Heap& h) {
    ++calls;
    EXPECT_TRUE(h.IsLive(live_word));
    EXPECT_TRUE(h.IsLive(large_word));
    EXPECT_FALSE(h.IsLive(dead_word));
    EXPECT_TRUE(h.IsLive(kFalse));
    EXPECT_TRUE(h.IsLive(Word::Fixnum(1)));
    EXPECT_EQ(Field(dead_word, 0), Word::Fixnum(2));  // still intact
  };
  heap->CollectMinor();
  EXPECT_EQ(calls, 0);
  heap->CollectFull();
  EXPECT_EQ(calls, 1);
}

TEST(FullGcTest, SourcesAreVisitedAndCounted) {
  auto heap = MakeHeap();
  TestSource source(*heap, "contexts");
  Word slots[3] = {NewBytes(*heap, 1), kFalse, Word::Fixnum(1)};
  int minors = 0, fulls = 0;
  source.visit = [&](SlotVisitor& visitor, bool minor) {
    ++(minor ? minors : fulls);
    visitor.VisitRange(slots, slots + 3);
  };
  heap->CollectMinor();
  EXPECT_FALSE(heap->InNursery(slots[0].Address()));
  EXPECT_EQ(heap->statistics().root_slots[static_cast<size_t>(RootSection::kContexts)], 3u);
  heap->CollectFull();
  EXPECT_EQ(minors, 2);
  EXPECT_EQ(fulls, 1);
  EXPECT_EQ(Field(slots[0], 0), Word::Fixnum(1));
  slots[0] = kFalse;
  heap->CollectFull();
  EXPECT_EQ(heap->used_bytes(), 0u);
}

TEST(FullGcTest, InteriorAddressesKeepPinnedObjectsAlive) {
  auto heap = MakeHeap();
  Word pinned = heap->AllocatePinned(kArrayShape, 16 + 8 * 10);
  *ObjectAt(pinned)->field(0) = Word::Fixnum(10);
  uint64_t address = pinned.Address();
  TestSource source(*heap, "contexts");
  uint64_t interior = address + 44;
  source.visit = [&](SlotVisitor& visitor, bool) { visitor.VisitInterior(interior); };
  SetField(*heap, pinned, 1, NewBytes(*heap, 3));
  heap->CollectFull();
  EXPECT_EQ(heap->FindObject(address + 95), ObjectAt(pinned));
  EXPECT_EQ(Field(Field(pinned, 1), 0), Word::Fixnum(3));
  interior = kHeapBase;  // in the nursery: no object to keep, no harm
  heap->CollectFull();
  EXPECT_EQ(heap->FindObject(address), nullptr);
  EXPECT_EQ(heap->used_bytes(), 0u);
}

TEST(FullGcTest, FullCollectionsComeWhenUseHasDoubled) {
  auto heap = MakeHeap();
  Root chain(*heap);
  MakeChain(*heap, 1'000'000, &chain);  // 24 MB: below the least threshold
  EXPECT_EQ(heap->statistics().full_collections, 0u);
  MakeChain(*heap, 1'000'000, &chain);
  EXPECT_EQ(heap->statistics().full_collections, 1u);
  MakeChain(*heap, 2'000'000, &chain);
  EXPECT_EQ(heap->statistics().full_collections, 2u);
  chain.set(kFalse);
  for (int i = 0; i < 20'000'000; ++i) NewBytes(*heap, 1);
  EXPECT_EQ(heap->statistics().full_collections, 2u);
}

// Pages that are given back to the kernel and taken again are faulted in again.
TEST(FullGcTest, LargeGarbageIsReusedWithoutNewPages) {
  const auto faults = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
  };
  auto heap = MakeHeap();
  const int64_t before = faults();
  for (size_t i = 0; i < 4000; ++i) {
    const Word bytes = NewBytes(*heap, 16000 + i % 7 * 8192);
    ASSERT_EQ(ObjectAt(bytes)->field(1)->bits, 0u);
    for (size_t word = 1; word < 2000; ++word) *ObjectAt(bytes)->field(word) = Word::Fixnum(1);
    if (i % 100 == 99) heap->CollectFull();
  }
  // 160 MB were used, a hundredth of them at a time.
  EXPECT_LT(faults() - before, 4000);
}

TEST(FullGcTest, MostLargeGarbageGoesBackToTheKernel) {
  const auto resident_bytes = [] {
    size_t total = 0;
    size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident << 12;
  };
  auto heap = MakeHeap();
  Root all(*heap, NewArray(*heap, 1000));
  const size_t before = resident_bytes();
  for (size_t i = 0; i < 1000; ++i) {
    const Word bytes = NewBytes(*heap, 300'000);
    for (size_t word = 1; word < 37'000; word += 512) {
      *ObjectAt(bytes)->field(word) = Word::Fixnum(1);
    }
    SetField(*heap, all.get(), i + 1, bytes);
  }
  EXPECT_GT(resident_bytes(), before + (size_t{250} << 20));
  all.set(kFalse);
  heap->CollectFull();
  EXPECT_LT(resident_bytes(), before + (size_t{50} << 20));
}

TEST(FullGcTest, BlocksAreReusedForOtherSizes) {
  auto heap = MakeHeap();
  Root list(*heap);
  for (int round = 0; round < 30; ++round) {
    list.set(kFalse);
    size_t words = static_cast<size_t>(1 + round * 37 % 1000);
    for (size_t bytes = 0; bytes < (size_t{20} << 20); bytes += words * 8 + 16) {
      Word array = NewArray(*heap, words);
      *ObjectAt(array)->field(1) = list.get();
      list.set(array);
    }
    heap->CollectFull();
    ASSERT_LT(heap->used_bytes(), size_t{28} << 20);
    ASSERT_TRUE(heap->Verify().ok()) << heap->Verify();
  }
}

}  // namespace
}  // namespace weft::gc
