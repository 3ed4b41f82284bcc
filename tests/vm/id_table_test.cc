#include "vm/id_table.h"

#include <cstddef>
#include <deque>
#include <iterator>
#include <map>
#include <random>

#include "gtest/gtest.h"

namespace weft {
namespace {

// Ids in sequence, most of short lives, some of long ones, beside a map.
TEST(IdTableTest, FindsWhatIsThereAndNothingElse) {
  for (const uint32_t first : {0u, 4'294'900'000u}) {
    std::mt19937 random(first + 1);
    std::deque<Context> contexts;
    std::map<uint32_t, Context*> model;
    IdTable table;
    uint32_t next = first;
    for (int step = 0; step < 60'000; ++step) {
      if (model.size() < 200 && random() % 2 == 0) {
        contexts.emplace_back();
        contexts.back().id = next++;
        table.Insert(&contexts.back());
        model[contexts.back().id] = &contexts.back();
      } else if (!model.empty()) {
        // The youngest go first, mostly.
        auto at = std::prev(model.end());
        if (random() % 8 == 0)
          at = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
        table.Erase(at->first);
        model.erase(at);
      }
      const uint32_t id = next - static_cast<uint32_t>(random() % 400);
      const auto found = model.find(id);
      ASSERT_EQ(table.Find(id), found == model.end() ? nullptr : found->second) << id;
    }
    for (const auto& [id, context] : model) ASSERT_EQ(table.Find(id), context);
    table.Clear();
    for (const auto& [id, context] : model) ASSERT_EQ(table.Find(id), nullptr);
  }
}

}  // namespace
}  // namespace weft
