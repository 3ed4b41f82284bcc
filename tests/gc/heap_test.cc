#include "gc/heap.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

// A list of `n` pairs (i, rest), the last element first.
void MakeList(Heap& heap, int64_t n, Root* list) {
  Root number(heap);
  for (int64_t i = 0; i < n; ++i) {
    number.set(Word::Fixnum(i));
    list->set(NewPair(heap, number, *list));
  }
}

void ExpectList(const Root& list, int64_t n) {
  Word at = list.get();
  for (int64_t i = n; i-- > 0;) {
    ASSERT_TRUE(at.IsPointer());
    ASSERT_EQ(Field(at, 0), Word::Fixnum(i));
    at = Field(at, 1);
  }
  EXPECT_EQ(at, kFalse);
}

TEST(HeapTest, NewObjectsAreZeroedAndHaveTheirHeader) {
  auto heap = MakeHeap();
  for (int round = 0; round < 100000; ++round) {
    size_t words = static_cast<size_t>(round % 40);
    Word array = NewArray(*heap, words);
    ASSERT_EQ(ObjectAt(array)->header, Object::HeaderFor(kArrayShape));
    for (size_t i = 0; i < words; ++i) {
      ASSERT_EQ(Field(array, 1 + i), Word::Fixnum(0));
      *ObjectAt(array)->field(1 + i) = Word::Fixnum(77);  // dirt for the next round
    }
  }
  EXPECT_GT(heap->statistics().minor_collections, 5u);
}

TEST(HeapTest, ListsSurviveMinorCollections) {
  auto heap = MakeHeap();
  Root list(*heap);
  MakeList(*heap, 200000, &list);
  EXPECT_GT(heap->statistics().minor_collections, 3u);
  ExpectList(list, 200000);
}

TEST(HeapTest, ListsSurviveFullCollectionsAndGarbageGoes) {
  auto heap = MakeHeap();
  Root list(*heap), garbage(*heap);
  MakeList(*heap, 100000, &list);
  MakeList(*heap, 100000, &garbage);
  heap->CollectFull();
  size_t both = heap->used_bytes();
  garbage.set(kFalse);
  heap->CollectFull();
  EXPECT_EQ(heap->used_bytes(), both / 2);
  ExpectList(list, 100000);
  MakeList(*heap, 100000, &garbage);
  heap->CollectFull();
  EXPECT_EQ(heap->used_bytes(), both);
  ExpectList(list, 100000);
  ExpectList(garbage, 100000);
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(HeapTest, TheFastPathGivesZeroedMemoryOrNothing) {
  auto heap = MakeHeap();
  size_t given = 0;
  for (int i = 0; i < 200000; ++i) {
    uint64_t address = heap->TryAllocateNursery(24);
    if (address == 0) {
      NewBytes(*heap, 8);
      continue;
    }
    ++given;
    auto* object = reinterpret_cast<Object*>(address);
    ASSERT_EQ(object->header, 0u);
    ASSERT_EQ(object->field(0)->bits, 0u);
    ASSERT_EQ(object->field(1)->bits, 0u);
    object->header = Object::HeaderFor(kPairShape);
    object->field(0)->bits = object->field(1)->bits = 0xABC0;
  }
  EXPECT_GT(given, 150000u);
}

TEST(HeapTest, EverySizeSurvivesWithItsContents) {
  auto heap = MakeHeap();
  RootVector objects(*heap);
  for (size_t n = 0; n < 12000; n += n < 600 ? 1 : 97) {
    Word bytes = NewBytes(*heap, n);
    std::memset(reinterpret_cast<char*>(ObjectAt(bytes)) + 16, static_cast<int>(n % 251), n);
    objects.push_back(bytes);
    EXPECT_EQ(heap->InNursery(bytes.Address()), 16 + (n + 7) / 8 * 8 < kLargeBytes);
  }
  for (int round = 0; round < 3; ++round) {
    size_t i = 0;
    for (size_t n = 0; n < 12000; n += n < 600 ? 1 : 97, ++i) {
      Object* object = ObjectAt(objects.get(i));
      ASSERT_EQ(*object->field(0), Word::Fixnum(static_cast<int64_t>(n)));
      ASSERT_EQ(heap->SizeOf(object), std::max<size_t>(16, 16 + (n + 7) / 8 * 8));
      const auto* bytes = reinterpret_cast<const uint8_t*>(object) + 16;
      for (size_t k = 0; k < n; ++k) ASSERT_EQ(bytes[k], n % 251);
      if (round == 0) continue;
      uint64_t start = objects.get(i).Address();
      for (size_t k = 0; k < heap->SizeOf(object); ++k) {
        ASSERT_EQ(heap->FindObject(start + k), object);
      }
    }
    heap->CollectFull();
    ASSERT_TRUE(heap->Verify().ok()) << heap->Verify();
  }
}

TEST(HeapTest, LargeAndPinnedObjectsNeverMove) {
  auto heap = MakeHeap();
  Root large(*heap, NewArray(*heap, 5000));
  Root pinned(*heap, heap->AllocatePinned(kPairShape, 24));
  uint64_t large_at = large.get().Address(), pinned_at = pinned.get().Address();
  EXPECT_FALSE(heap->InNursery(large_at));
  EXPECT_FALSE(heap->InNursery(pinned_at));
  for (size_t i = 0; i < 5000; ++i) EXPECT_EQ(Field(large.get(), 1 + i), Word::Fixnum(0));
  for (int i = 0; i < 5; ++i) {
    heap->CollectMinor();
    heap->CollectFull();
  }
  EXPECT_EQ(large.get().Address(), large_at);
  EXPECT_EQ(pinned.get().Address(), pinned_at);
  large.set(kFalse);
  heap->CollectFull();
  EXPECT_EQ(heap->FindObject(large_at), nullptr);
  // The memory is used again, and zero again.
  Word again = NewArray(*heap, 5000);
  EXPECT_EQ(again.Address(), large_at);
  for (size_t i = 0; i < 5000; ++i) EXPECT_EQ(Field(again, 1 + i), Word::Fixnum(0));
}

TEST(HeapTest, LargeObjectsOfManySizesReuseTheirSpace) {
  auto heap = MakeHeap();
  RootVector live(*heap);
  live.resize(40);
  for (size_t i = 0; i < 3000; ++i) {
    size_t n = kLargeBytes + i * 7919 % 300000;
    Word bytes = NewBytes(*heap, n);
    auto* data = reinterpret_cast<uint8_t*>(ObjectAt(bytes)) + 16;
    for (size_t k = 0; k < n; k += 509) ASSERT_EQ(data[k], 0);
    std::memset(data, 0x5A, n);
    live.set(i * 31 % 40, bytes);
  }
  heap->CollectFull();
  EXPECT_LT(heap->used_bytes(), size_t{40} * 320000);
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(HeapTest, FreshObjectsOutsideTheNurseryNeedNoBarrierForTheirFirstStores) {
  auto heap = MakeHeap();
  Root young(*heap, NewBytes(*heap, 21));
  Root pinned(*heap, heap->AllocatePinned(kPairShape, 24));
  *ObjectAt(pinned.get())->field(1) = young.get();
  heap->CollectMinor();
  EXPECT_EQ(Field(pinned.get(), 1), young.get());
  young.set(NewBytes(*heap, 22));
  Word large = heap->Allocate(kArrayShape, 16 + 8 * 9000);
  *ObjectAt(large)->field(0) = Word::Fixnum(9000);
  for (size_t i = 0; i < 9000; ++i) *ObjectAt(large)->field(1 + i) = young.get();
  heap->CollectMinor();
  for (size_t i = 0; i < 9000; ++i) ASSERT_EQ(Field(large, 1 + i), young.get());
}

TEST(HeapTest, TupleShapesAreTracedWhole) {
  auto heap = MakeHeap();
  for (uint32_t words : {0u, 1u, 2u, 7u, 1000u}) {
    heap->RegisterTupleShape(kFirstTupleShape + words, words);
    Root tuple(*heap, heap->Allocate(kFirstTupleShape + words, 8 + 8 * size_t{words}));
    for (uint32_t i = 0; i < words; ++i) {
      Word bytes = NewBytes(*heap, i);
      SetField(*heap, tuple.get(), i, bytes);
    }
    heap->CollectMinor();
    heap->CollectFull();
    for (uint32_t i = 0; i < words; ++i) {
      ASSERT_EQ(Field(Field(tuple.get(), i), 0), Word::Fixnum(i));
    }
  }
}

TEST(HeapTest, RootsComeAndGoInAnyOrder) {
  auto heap = MakeHeap();
  auto a = std::make_unique<Root>(*heap, NewBytes(*heap, 1));
  auto b = std::make_unique<Root>(*heap, NewBytes(*heap, 2));
  auto c = std::make_unique<Root>(*heap, NewBytes(*heap, 3));
  RootVector many(*heap);
  for (size_t i = 0; i < 1000; ++i) many.push_back(NewBytes(*heap, i));
  b.reset();
  heap->CollectFull();
  EXPECT_EQ(Field(a->get(), 0), Word::Fixnum(1));
  EXPECT_EQ(Field(c->get(), 0), Word::Fixnum(3));
  c.reset();
  a.reset();
  many.resize(10);
  heap->CollectFull();
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(Field(many.get(i), 0), Word::Fixnum(static_cast<int64_t>(i)));
  }
  EXPECT_LT(heap->used_bytes(), 400u);
}

TEST(HeapTest, ForEachObjectVisitsWhatIsLive) {
  auto heap = MakeHeap();
  Root list(*heap), large(*heap, NewArray(*heap, 2000));
  MakeList(*heap, 1000, &list);
  heap->CollectFull();
  std::set<uint64_t> seen;
  heap->ForEachObject(
      [](Object* object, void* data) {
        static_cast<std::set<uint64_t>*>(data)->insert(reinterpret_cast<uint64_t>(object));
      },
      &seen);
  EXPECT_EQ(seen.size(), 1001u);
  EXPECT_TRUE(seen.count(list.get().Address()));
  EXPECT_TRUE(seen.count(large.get().Address()));
}

TEST(HeapTest, StatisticsAddUp) {
  auto heap = MakeHeap();
  Root list(*heap);
  MakeList(*heap, 100000, &list);
  heap->CollectFull();
  const HeapStatistics& s = heap->statistics();
  EXPECT_EQ(s.allocated_bytes, 2400000u);
  EXPECT_EQ(s.promoted_bytes, 2400000u);
  EXPECT_EQ(s.live_bytes_after_full, 2400000u);
  EXPECT_EQ(s.full_collections, 1u);
  EXPECT_GE(s.minor_collections, 3u);
  EXPECT_GT(s.minor_ns_max, 0u);
  EXPECT_GE(s.minor_ns_total, s.minor_ns_max);
  EXPECT_GT(s.full_ns_total, 0u);
}

TEST(HeapTest, IdentityHashesCountFromOneAndNeverAreZero) {
  auto heap = MakeHeap();
  EXPECT_EQ(heap->NextIdentityHash(), 1u);
  EXPECT_EQ(heap->NextIdentityHash(), 2u);
}

TEST(HeapTest, OnlyOneHeapAtATime) {
  auto heap = MakeHeap();
  EXPECT_FALSE(Heap::Create(HeapOptions()).ok());
  heap.reset();
  EXPECT_TRUE(Heap::Create(HeapOptions()).ok());
}

TEST(HeapTest, CellsAreCommittedOnDemand) {
  auto heap = MakeHeap();
  ASSERT_TRUE(heap->CommitCells(1));
  ASSERT_TRUE(heap->CommitCells(5 << 20));
  auto* cells = reinterpret_cast<volatile uint64_t*>(kCellBase);
  EXPECT_EQ(cells[0], 0u);
  cells[(5 << 20) / 8 - 1] = 1;
  EXPECT_FALSE(heap->CommitCells(kCellSpan + 1));
}

}  // namespace
}  // namespace weft::gc
