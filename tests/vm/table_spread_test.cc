// Where tables put hashes: few steps to a free place, whatever hashes in common use look like.
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "vm/table_operations.h"

namespace weft {
namespace {

// Steps beyond the first that putting the hashes into a table of `entries` takes, a hash, on
// average.
double StepsEach(size_t entries, const std::vector<int64_t>& hashes) {
  table::View view;
  view.entries = entries;
  std::vector<bool> used(entries);
  size_t steps = 0;
  for (const int64_t hash : hashes) {
    size_t i = view.Start(hash);
    for (size_t step = 1; used[i]; ++step, ++steps) i = (i + step) & view.mask();
    used[i] = true;
  }
  return static_cast<double>(steps) / static_cast<double>(hashes.size());
}

// first, first + stride ...; as many as a table of `entries` holds.
std::vector<int64_t> Row(size_t entries, int64_t first, int64_t stride) {
  std::vector<int64_t> hashes;
  for (size_t i = 0; i < entries * 2 / 3; ++i) {
    hashes.push_back(first + stride * static_cast<int64_t>(i));
  }
  return hashes;
}

TEST(TableSpread, NumbersFromZeroUpNeverMeet) {
  for (const size_t entries : {size_t{8}, size_t{4096}, size_t{1} << 20}) {
    EXPECT_EQ(StepsEach(entries, Row(entries, 0, 1)), 0) << entries;
  }
}

TEST(TableSpread, RowsOfHashesMeetSeldom) {
  for (const size_t entries : {size_t{512}, size_t{8192}, size_t{1} << 17, size_t{1} << 20}) {
    for (const int64_t first : {int64_t{3000}, int64_t{150'001}, int64_t{1} << 40}) {
      for (const int64_t stride : {1, 2, 3, 4, 8, 16, 24, 4096, 4097, 65536, 1 << 20}) {
        // A factor of 2^20 leaves too little of the product for the least even spread.
        EXPECT_LT(StepsEach(entries, Row(entries, first, stride)), stride < 1 << 20 ? 3 : 10)
            << entries << " entries, from " << first << " by " << stride;
      }
    }
  }
}

TEST(TableSpread, RowsThatWereMadeInTurnsMeetSeldom) {
  // Objects of two kinds, each drawn from the same counter in runs.
  for (const size_t run : {size_t{10}, size_t{1000}, size_t{5000}}) {
    constexpr size_t kEntries = 1 << 16;
    std::vector<int64_t> hashes;
    for (int64_t next = 200'000; hashes.size() < kEntries / 2; ++next) {
      if (static_cast<size_t>(next) / run % 2 == 0) hashes.push_back(next);
    }
    EXPECT_LT(StepsEach(kEntries, hashes), 3) << "runs of " << run;
  }
}

TEST(TableSpread, RandomHashesMeetAsChanceHasIt) {
  std::mt19937_64 random(7);
  constexpr size_t kEntries = 1 << 16;
  std::vector<int64_t> hashes;
  for (size_t i = 0; i < kEntries * 2 / 3; ++i) {
    hashes.push_back(static_cast<int64_t>(random() >> 3));
  }
  EXPECT_LT(StepsEach(kEntries, hashes), 1.2);
}

}  // namespace
}  // namespace weft
