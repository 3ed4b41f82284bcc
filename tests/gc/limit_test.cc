// The heap limit, the kernel's limits, stress and poison.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

TEST(LimitTest, PassingTheLimitSetsTheFlagAndAllocationGoesOn) {
  HeapOptions options;
  options.heap_limit_bytes = 8 << 20;
  auto heap = MakeHeap(options);
  EXPECT_EQ(heap->limit_bytes(), size_t{8} << 20);
  Root list(*heap), number(*heap, Word::Fixnum(1));
  size_t pairs = 0;
  while (!heap->limit_exceeded()) {
    list.set(NewPair(*heap, number, list));
    ASSERT_LT(++pairs, size_t{1'000'000});
  }
  EXPECT_GT(pairs * 24, size_t{7} << 20);
  // The handler has room to work in.
  heap->ClearLimitExceeded();
  for (int i = 0; i < 10000; ++i) list.set(NewPair(*heap, number, list));
  EXPECT_FALSE(heap->limit_exceeded());
  list.set(kFalse);
  for (int i = 0; i < 1'000'000; ++i) NewBytes(*heap, 8);
  EXPECT_FALSE(heap->limit_exceeded());
  heap->CollectFull();
  EXPECT_EQ(heap->used_bytes(), 0u);
  // And a second time.
  while (!heap->limit_exceeded()) list.set(NewPair(*heap, number, list));
  EXPECT_TRUE(heap->Verify().ok());
}

TEST(LimitTest, GarbageNeverPassesTheLimit) {
  HeapOptions options;
  options.heap_limit_bytes = 8 << 20;
  auto heap = MakeHeap(options);
  Root list(*heap), number(*heap);
  for (int round = 0; round < 30; ++round) {
    list.set(kFalse);
    for (int i = 0; i < 200'000; ++i) list.set(NewPair(*heap, number, list));  // 4.8 MB
    ASSERT_FALSE(heap->limit_exceeded()) << round;
  }
}

TEST(LimitTest, ReserveRefusesWhatDoesNotFit) {
  HeapOptions options;
  options.heap_limit_bytes = 64 << 20;
  auto heap = MakeHeap(options);
  EXPECT_FALSE(heap->Reserve(size_t{65} << 20));
  EXPECT_FALSE(heap->Reserve(~size_t{0}));
  EXPECT_FALSE(heap->Reserve(size_t{1} << 62));
  EXPECT_TRUE(heap->Reserve(size_t{40} << 20));
  Root large(*heap, NewBytes(*heap, size_t{40} << 20));
  EXPECT_FALSE(heap->Reserve(size_t{40} << 20));
  EXPECT_TRUE(heap->Reserve(size_t{20} << 20));
  EXPECT_TRUE(heap->Reserve(100));
  large.set(kFalse);
  // Garbage makes room.
  EXPECT_TRUE(heap->Reserve(size_t{40} << 20));
  EXPECT_FALSE(heap->limit_exceeded());
}

// The shadow memory of a sanitizer counts as data.
#if !defined(__SANITIZE_ADDRESS__)

// Runs `body` in a child that may have `megabytes` of data; its exit code.
template <class Body>
int UnderDataLimit(size_t megabytes, Body body) {
  pid_t child = fork();
  if (child == 0) {
    rlimit limit{megabytes << 20, megabytes << 20};
    setrlimit(RLIMIT_DATA, &limit);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(LimitTest, WorksUnderADataLimitOfOneGibibyte) {
  EXPECT_EQ(UnderDataLimit(1024,
                           [] {
                             auto heap = Heap::Create(HeapOptions());
                             if (!heap.ok()) return 1;
                             if ((*heap)->limit_bytes() > size_t{768} << 20) return 2;
                             RegisterTestShapes(**heap);
                             Root list(**heap), number(**heap);
                             for (int i = 0; i < 1'000'000; ++i) {
                               list.set(NewPair(**heap, number, list));
                             }
                             if (!(*heap)->Reserve(size_t{300} << 20)) return 3;
                             NewBytes(**heap, size_t{300} << 20);
                             if ((*heap)->Reserve(size_t{900} << 20)) return 4;
                             return 0;
                           }),
            0);
}

// A heap limit above what the kernel gives: the flag comes when the kernel refuses.
TEST(LimitTest, TheKernelsRefusalSetsTheFlag) {
  EXPECT_EQ(UnderDataLimit(128,
                           [] {
                             HeapOptions options;
                             options.heap_limit_bytes = size_t{4} << 30;
                             auto heap = Heap::Create(options);
                             if (!heap.ok()) return 1;
                             RegisterTestShapes(**heap);
                             if ((*heap)->Reserve(size_t{1} << 30)) return 2;
                             Root list(**heap), number(**heap);
                             int pairs = 0;
                             while (!(*heap)->limit_exceeded()) {
                               list.set(NewPair(**heap, number, list));
                               if (++pairs == 20'000'000) return 3;
                             }
                             list.set(kFalse);
                             (*heap)->CollectFull();
                             (*heap)->ClearLimitExceeded();
                             for (int i = 0; i < 1'000'000; ++i) {
                               list.set(NewPair(**heap, number, list));
                             }
                             return (*heap)->limit_exceeded() ? 4 : 0;
                           }),
            0);
}

TEST(LimitTest, TooLittleForAnyHeapIsAnError) {
  EXPECT_EQ(UnderDataLimit(3, [] { return Heap::Create(HeapOptions()).ok() ? 1 : 0; }), 0);
}

#endif  // !__SANITIZE_ADDRESS__

TEST(StressTest, CollectsAtEveryAllocationAndPoisonsWhatMoved) {
  HeapOptions options;
  options.stress_rate = 1;
  auto heap = MakeHeap(options);
  Root a(*heap, NewBytes(*heap, 1));
  Word stale = a.get();
  Root b(*heap, NewBytes(*heap, 2));
  EXPECT_NE(a.get(), stale);
#if !defined(__SANITIZE_ADDRESS__)  // which reports the very look at it
  EXPECT_EQ(ObjectAt(stale)->header, 0xABABABABABABABAB);
#endif
  EXPECT_EQ(Field(a.get(), 0), Word::Fixnum(1));
  uint64_t before = heap->statistics().minor_collections;
  for (int i = 0; i < 2500; ++i) NewBytes(*heap, 3);
  EXPECT_EQ(heap->statistics().minor_collections, before + 2500);
  EXPECT_EQ(heap->statistics().stopped_collections, 2u);
  EXPECT_GT(heap->statistics().full_collections, 20u);  // the others were done in steps
}

#if defined(__SANITIZE_ADDRESS__)
TEST(StressDeathTest, AStalePointerIsReportedWhereItIsUsed) {
  EXPECT_DEATH(
      {
        auto heap = MakeHeap();
        Word stale = NewBytes(*heap, 1);
        heap->CollectMinor();
        if (ObjectAt(stale)->header == 0) abort();
      },
      "use-after-poison");
}
#endif

TEST(StressTest, TheSeedDecidesWhenToCollect) {
  auto run = [](uint64_t seed, uint32_t rate) {
    HeapOptions options;
    options.stress_rate = rate;
    options.stress_seed = seed;
    auto heap = MakeHeap(options);
    std::vector<int> at;
    for (int i = 0; i < 3000; ++i) {
      uint64_t before = heap->statistics().minor_collections;
      NewBytes(*heap, static_cast<size_t>(i % 64));
      if (heap->statistics().minor_collections != before) at.push_back(i);
    }
    return at;
  };
  EXPECT_EQ(run(1, 10), run(1, 10));
  EXPECT_NE(run(1, 10), run(2, 10));
  size_t count = run(3, 10).size();
  EXPECT_GT(count, 200u);
  EXPECT_LT(count, 400u);
}

TEST(StressTest, NewObjectsAreZeroUnderStress) {
  HeapOptions options;
  options.stress_rate = 3;
  options.verify = true;
  options.nursery_bytes = 64 << 10;
  auto heap = MakeHeap(options);
  for (size_t i = 0; i < 20000; ++i) {
    size_t n = i * 13 % 300;
    Word array = NewArray(*heap, n);
    for (size_t k = 0; k < n; ++k) ASSERT_EQ(Field(array, 1 + k), Word::Fixnum(0));
  }
}

TEST(TraceTest, OneLinePerCollection) {
  HeapOptions options;
  options.trace = true;
  auto heap = MakeHeap(options);
  Root root(*heap, NewBytes(*heap, 100));
  testing::internal::CaptureStderr();
  heap->CollectFull();
  std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find("gc: minor 1: 120 bytes allocated, 120 promoted"), std::string::npos) << text;
  EXPECT_NE(text.find("gc: full 1: "), std::string::npos) << text;
  EXPECT_NE(text.find("handles 1"), std::string::npos) << text;
}

}  // namespace
}  // namespace weft::gc
