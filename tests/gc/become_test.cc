#include <vector>

#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

TEST(BecomeTest, ReplacesReferencesFromRootsObjectsAndWeakReferences) {
  auto heap = MakeHeap();
  constexpr size_t kCount = 10000;
  Root holder(*heap, NewArray(*heap, kCount)), weak(*heap), old_one(*heap);
  for (size_t i = 0; i < kCount; ++i) {
    Word bytes = NewBytes(*heap, i % 50);
    SetField(*heap, holder.get(), 1 + i, bytes);
  }
  old_one.set(Field(holder.get(), 1 + 77));
  weak.set(NewWeak(*heap, old_one));
  uint32_t hash = heap->NextIdentityHash();
  ObjectAt(old_one.get())->set_hash(hash);
  RootVector olds(*heap), news(*heap);
  for (size_t i = 0; i < kCount; i += 7) {
    olds.push_back(Field(holder.get(), 1 + i));
    Word wide = NewArray(*heap, 2);
    *ObjectAt(wide)->field(1) = Word::Fixnum(static_cast<int64_t>(i));
    news.push_back(wide);
  }
  std::vector<Word> from, to;
  for (size_t i = 0; i < olds.size(); ++i) {
    from.push_back(olds.get(i));
    to.push_back(news.get(i));
  }
  olds.resize(0);
  news.resize(0);
  heap->Become(from, to);
  ASSERT_TRUE(heap->Verify().ok()) << heap->Verify();
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < kCount; ++i) {
      Word item = Field(holder.get(), 1 + i);
      if (i % 7 == 0) {
        ASSERT_EQ(ObjectAt(item)->shape(), kArrayShape);
        ASSERT_EQ(Field(item, 1), Word::Fixnum(static_cast<int64_t>(i)));
      } else {
        ASSERT_EQ(ObjectAt(item)->shape(), kBytesShape);
      }
    }
    EXPECT_EQ(old_one.get(), Field(holder.get(), 1 + 77));
    EXPECT_EQ(Field(weak.get(), 0), old_one.get());
    EXPECT_EQ(ObjectAt(old_one.get())->hash(), hash);
    heap->CollectFull();
  }
}

TEST(BecomeTest, TwoObjectsCanChangePlaces) {
  auto heap = MakeHeap();
  Root a(*heap, NewBytes(*heap, 1)), b(*heap, NewBytes(*heap, 2));
  std::vector<Word> from = {a.get(), b.get()}, to = {b.get(), a.get()};
  heap->Become(from, to);
  EXPECT_EQ(Field(a.get(), 0), Word::Fixnum(2));
  EXPECT_EQ(Field(b.get(), 0), Word::Fixnum(1));
}

TEST(BecomeTest, NothingBecomesNothing) {
  auto heap = MakeHeap();
  heap->Become({}, {});
  EXPECT_TRUE(heap->Verify().ok());
}

}  // namespace
}  // namespace weft::gc
