#include "vm/timers.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace weft {
namespace {

TEST(TimerQueueTest, FiresInOrderOfDeadlines) {
  TimerQueue queue;
  queue.Set(30, nullptr, 3, gc::kFalse);
  queue.Set(10, nullptr, 1, gc::kFalse);
  queue.Set(20, nullptr, 2, gc::kFalse);
  EXPECT_EQ(queue.NextDeadline(), 10);
  EXPECT_EQ(queue.Take().ticket, 1u);
  EXPECT_EQ(queue.Take().ticket, 2u);
  EXPECT_EQ(queue.Take().ticket, 3u);
  EXPECT_TRUE(queue.empty());
}

TEST(TimerQueueTest, EqualDeadlinesFireInTheOrderTheyWereSet) {
  TimerQueue queue;
  for (uint32_t i = 1; i <= 100; ++i) queue.Set(5, nullptr, i, gc::kFalse);
  for (uint32_t i = 1; i <= 100; ++i) EXPECT_EQ(queue.Take().ticket, i);
}

TEST(TimerQueueTest, ACancelledTimerIsGone) {
  TimerQueue queue;
  const uint32_t first = queue.Set(1, nullptr, 1, gc::kFalse);
  const uint32_t second = queue.Set(2, nullptr, 2, gc::kFalse);
  queue.Cancel(first);
  EXPECT_FALSE(queue.IsSet(first));
  EXPECT_TRUE(queue.IsSet(second));
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.Take().ticket, 2u);
}

TEST(TimerQueueTest, CancelsAllOfAContextAndNoOther) {
  TimerQueue queue;
  auto* one = reinterpret_cast<Context*>(8);
  auto* other = reinterpret_cast<Context*>(16);
  for (uint32_t i = 0; i < 50; ++i) queue.Set(i, i % 2 == 0 ? one : other, i + 1, gc::kFalse);
  queue.CancelAllOf(one);
  EXPECT_EQ(queue.size(), 25u);
  while (!queue.empty()) EXPECT_EQ(queue.Take().context, other);
}

// Against an ordered map, over random settings, cancellations and firings.
TEST(TimerQueueTest, AgreesWithAnOrderedMap) {
  std::mt19937 random(7);
  TimerQueue queue;
  std::map<std::pair<int64_t, uint32_t>, uint32_t> model;  // deadline and order: number
  std::vector<std::pair<int64_t, uint32_t>> keys;
  uint32_t order = 0;
  for (int step = 0; step < 20000; ++step) {
    const uint32_t choice = random() % 4;
    if (choice < 2 || model.empty()) {
      const int64_t deadline = random() % 64;
      ++order;
      const uint32_t number = queue.Set(deadline, nullptr, order, gc::kFalse);
      model[{deadline, order}] = number;
    } else if (choice == 2) {
      auto victim = model.begin();
      std::advance(victim, random() % model.size());
      queue.Cancel(victim->second);
      model.erase(victim);
    } else {
      const Timer taken = queue.Take();
      EXPECT_EQ(taken.deadline, model.begin()->first.first);
      EXPECT_EQ(taken.ticket, model.begin()->first.second);
      model.erase(model.begin());
    }
    ASSERT_EQ(queue.size(), model.size());
  }
}

}  // namespace
}  // namespace weft
