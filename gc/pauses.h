// How long pauses were, as counts by length: sixteen steps a doubling, so that a percentile is
// right to a sixteenth. Units: nanoseconds. Errors: none.
#ifndef WEFT_GC_PAUSES_H_
#define WEFT_GC_PAUSES_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weft::gc {

class PauseHistogram {
 public:
  void Record(uint64_t ns) {
    ++counts_[IndexOf(ns)];
    ++count_;
    total_ns_ += ns;
    max_ns_ = std::max(max_ns_, ns);
  }
  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] uint64_t total_ns() const { return total_ns_; }
  [[nodiscard]] uint64_t max_ns() const { return max_ns_; }
  // So many of a thousand pauses were no longer. 0 if there was none.
  [[nodiscard]] uint64_t PerMille(uint64_t n) const {
    const uint64_t wanted = std::max<uint64_t>((count_ * n + 999) / 1000, 1);
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen >= wanted) return i + 1 == kBuckets ? max_ns_ : std::min(EndOf(i), max_ns_);
    }
    return max_ns_;
  }

 private:
  static constexpr size_t kStep = 16;
  static constexpr size_t kBuckets = 36 * kStep;  // up to half a minute; longer ones count as that

  static size_t IndexOf(uint64_t ns) {
    if (ns < kStep) return static_cast<size_t>(ns);
    const auto shift = static_cast<size_t>(std::bit_width(ns)) - 5;
    const auto index = (shift + 1) * kStep + (ns >> shift) % kStep;
    return std::min(index, kBuckets - 1);
  }
  // The longest pause of a bucket.
  static uint64_t EndOf(size_t index) {
    if (index < kStep) return index;
    const size_t shift = index / kStep - 1;
    return ((kStep + index % kStep + 1) << shift) - 1;
  }

  uint64_t count_ = 0, total_ns_ = 0, max_ns_ = 0;
  uint32_t counts_[kBuckets] = {};
};

}  // namespace weft::gc

#endif  // WEFT_GC_PAUSES_H_
