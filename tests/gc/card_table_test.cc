#include "gc/card_table.h"

#include <algorithm>
#include <vector>

#include "gc/card_sampler.h"
#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

TEST(CardTest, EverySlotOfAnOldObjectIsFound) {
  auto heap = MakeHeap();
  for (size_t length : {size_t{1}, size_t{60}, size_t{64}, size_t{700}, size_t{1021}, size_t{5000},
                        size_t{100000}}) {
    Root array(*heap, NewArray(*heap, length));
    heap->CollectFull();
    size_t step = length < 6000 ? 1 : 211;
    for (size_t i = 0; i < length; i += step) {
      Word bytes = NewBytes(*heap, i % 30);
      SetField(*heap, array.get(), 1 + i, bytes);
      if (i % 16 == 0 || length > 6000) heap->CollectMinor();
    }
    heap->CollectMinor();
    for (size_t i = 0; i < length; i += step) {
      Word bytes = Field(array.get(), 1 + i);
      ASSERT_FALSE(heap->InNursery(bytes.Address()));
      ASSERT_EQ(Field(bytes, 0), Word::Fixnum(static_cast<int64_t>(i % 30)));
    }
    ASSERT_TRUE(heap->Verify().ok()) << heap->Verify();
  }
}

TEST(CardTest, ACardIsCleanAfterItsYoungObjectsHaveMoved) {
  auto heap = MakeHeap();
  Root array(*heap, NewArray(*heap, 3000));
  heap->CollectFull();
  Word* slot = ObjectAt(array.get())->field(1500);
  uint8_t* card = heap->cards().CardOf(reinterpret_cast<uint64_t>(slot));
  EXPECT_EQ(*card & CardTable::kYoung, 0);
  Word bytes = NewBytes(*heap, 1);
  heap->Write(ObjectAt(array.get()), slot, bytes);
  EXPECT_NE(*card & CardTable::kYoung, 0);
  heap->CollectMinor();
  EXPECT_EQ(*card & CardTable::kYoung, 0);
  EXPECT_FALSE(heap->InNursery(slot->Address()));
}

// A neighbour on the same card that was freed meanwhile must not be looked at.
TEST(CardTest, FreeCellsOnDirtyCardsAreSkipped) {
  auto heap = MakeHeap();
  RootVector pairs(*heap);
  for (int i = 0; i < 5000; ++i) pairs.push_back(heap->Allocate(kPairShape, 24));
  heap->CollectFull();
  Root keep(*heap, pairs.get(1234));
  pairs.resize(0);
  heap->CollectFull();
  EXPECT_EQ(heap->used_bytes(), 24u);
  SetField(*heap, keep.get(), 0, NewBytes(*heap, 9));
  heap->CollectMinor();
  EXPECT_EQ(Field(Field(keep.get(), 0), 0), Word::Fixnum(9));
}

TEST(CardTest, HookShapesAreTracedOnTheirCards) {
  auto heap = MakeHeap();
  RootVector hooks(*heap);
  for (int i = 0; i < 2000; ++i) {
    Word hook = heap->AllocatePinned(kHookShape, 32);
    *ObjectAt(hook)->field(0) = kFalse;
    hooks.push_back(hook);
  }
  heap->CollectFull();
  for (size_t i = 0; i < 2000; ++i) {
    Word bytes = NewBytes(*heap, i % 100);
    SetField(*heap, hooks.get(i), 0, bytes);
  }
  heap->CollectMinor();
  for (size_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(Field(Field(hooks.get(i), 0), 0), Word::Fixnum(static_cast<int64_t>(i % 100)));
  }
  EXPECT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(CardTest, StoresAllOverALargeArrayBringTheNextCollectionForward) {
  auto heap = MakeHeap();
  constexpr size_t kCards = 20000;
  constexpr size_t kSlots = CardTable::kCardBytes / 8;
  Root array(*heap, NewArray(*heap, kCards * kSlots));
  heap->CollectFull();
  for (int round = 0; round < 8; ++round) heap->CollectMinor();  // the nursery grows to its span
  const uint64_t before = heap->statistics().minor_collections;
  for (size_t i = 0; i < kCards; ++i) {
    Word pair = heap->Allocate(kPairShape, 24);
    SetField(*heap, array.get(), 1 + i * 7919 % kCards * kSlots, pair);
  }
  // 24 bytes a card: the nursery was never full.
  EXPECT_GE(heap->statistics().minor_collections - before, 5u);
  ASSERT_TRUE(heap->Verify().ok()) << heap->Verify();
}

TEST(CardSamplerTest, GuessesFromAFewLines) {
  constexpr uint64_t kCards = uint64_t{1} << 20;
  constexpr uint64_t kBegin = uint64_t{1} << 40;
  constexpr uint64_t kMiddle = kBegin + kCards / 4 * CardTable::kCardBytes;
  constexpr uint64_t kEnd = kBegin + kCards * CardTable::kCardBytes;
  std::vector<uint8_t> table(kCards);
  CardTable cards;
  cards.set_biased(table.data() - (kBegin >> CardTable::kCardShift));
  CardSampler sampler;
  EXPECT_EQ(sampler.Estimate(cards, kBegin, kMiddle, kMiddle, kEnd), 0u);
  sampler.Reset();
  uint64_t guess = 0;
  for (uint64_t dirty = 0, turn = 0; turn < 20; ++turn) {
    for (int i = 0; i < 1000; ++i) table[dirty++ * 7919 % kCards] = CardTable::kYoung;
    guess = sampler.Estimate(cards, kBegin, kMiddle, kMiddle, kEnd);
  }
  EXPECT_GT(guess, 15000u);
  EXPECT_LT(guess, 25000u);
  // A small heap is looked at wholly.
  sampler.Reset();
  std::fill(table.begin(), table.end(), uint8_t{0});
  table[3] = table[4000] = CardTable::kYoung;
  table[5000] = CardTable::kWritten;
  EXPECT_EQ(
      sampler.Estimate(cards, kBegin, kBegin + 64 * CardTable::kCardBytes,
                       kBegin + 64 * CardTable::kCardBytes, kBegin + 6400 * CardTable::kCardBytes),
      2u);
}

}  // namespace
}  // namespace weft::gc
