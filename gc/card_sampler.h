// Guesses how many cards are dirty without looking at them all.
//
// Stores scattered over a large heap dirty more cards than one short pause can look at, and the
// barrier does not count them. So at equal intervals a few lines of the table are looked at, all
// over it and others each time; between two minor collections the number of dirty cards is taken
// to grow evenly. Counted, not timed: the same program gets the same guesses.
// Owned by the heap; touched by the VM thread only. Errors: none.
#ifndef WEFT_GC_CARD_SAMPLER_H_
#define WEFT_GC_CARD_SAMPLER_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "gc/card_table.h"

namespace weft::gc {

class CardSampler {
 public:
  // All cards are clean.
  void Reset() { hits_ = calls_ = weight_ = 0; }

  // Looks at some cards of two ranges of addresses, each of whole pages, the first of whole lines
  // of the table; about how many cards of both are dirty.
  uint64_t Estimate(CardTable& cards, uint64_t begin, uint64_t end, uint64_t begin2,
                    uint64_t end2) {
    const uint64_t first = (end - begin) / kBytesPerLine;
    const uint64_t all = first + (end2 - begin2) / kBytesPerLine;
    if (all == 0) return 0;
    const uint64_t stride = (all + kLines - 1) / kLines;
    if (++offset_ >= stride) offset_ = 0;
    uint64_t hits = 0;
    for (uint64_t line = offset_; line < all; line += stride) {
      hits += Dirty(line < first ? cards.CardOf(begin) + line * kLine
                                 : cards.CardOf(begin2) + (line - first) * kLine);
    }
    if (stride == 1) return hits;
    hits_ += hits;
    weight_ += ++calls_;
    return hits_ * calls_ * stride / weight_;
  }

 private:
  static constexpr uint64_t kLine = 64;  // cards, and bytes of the table
  static constexpr uint64_t kBytesPerLine = kLine * CardTable::kCardBytes;
  static constexpr uint64_t kLines = 128;  // to look at each time, at most

  static uint64_t Dirty(const uint8_t* line) {
    // Eight bytes of small sums at once; their own sum comes out at the top of the product.
    constexpr uint64_t kOnes = 0x0101010101010101;
    constexpr int kShift = std::countr_zero(uint64_t{CardTable::kYoung});
    static_assert(std::has_single_bit(uint64_t{CardTable::kYoung}) && kLine < 256);
    const auto* words = reinterpret_cast<const uint64_t*>(line);
    uint64_t sums = 0;
    for (uint64_t k = 0; k < kLine / 8; ++k) sums += words[k] >> kShift & kOnes;
    return sums * kOnes >> 56;
  }

  uint64_t offset_ = 0;  // of the first line that was looked at last
  uint64_t hits_ = 0;    // dirty cards seen since all were clean
  uint64_t calls_ = 0;
  uint64_t weight_ = 0;  // 1 + 2 + ... + calls
};

}  // namespace weft::gc

#endif  // WEFT_GC_CARD_SAMPLER_H_
