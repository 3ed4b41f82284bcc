#include "gc/heap.h"

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
  EXPECT_FALSE(heap->InNursery(Field(list.get(), 1).Address()) &&
               heap->InNursery(list.get().Address()) == false);
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

}  // namespace
}  // namespace weft::gc
