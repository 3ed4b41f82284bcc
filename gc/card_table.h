// Card table: which 512-byte cards outside the nursery may point into it, and which cards of the
// image have been written since it was mapped.
// One byte per card, kept apart from the objects so that forked children keep sharing their pages.
// Invariant: after Heap::Write the slot's card is dirty (HeapVerifier proves it).
// Units: addresses in bytes, indices in cards. Errors: none (the table is reserved with the heap).
// Owned by the heap; touched by the VM thread only.
// Source: Wilson and Moher, "A card-marking scheme for controlling intergenerational references",
// 1989.
#ifndef WEFT_GC_CARD_TABLE_H_
#define WEFT_GC_CARD_TABLE_H_

#include <cstddef>
#include <cstdint>

namespace weft::gc {

class CardTable {
 public:
  static constexpr int kCardShift = 9;
  static constexpr size_t kCardBytes = size_t{1} << kCardShift;
  // Bits of a card's byte.
  static constexpr uint8_t kYoung = 1;    // may hold a pointer into the nursery
  static constexpr uint8_t kWritten = 2;  // image only: written since the map (sticky)

  void Mark(const void* slot) {
    biased_[reinterpret_cast<uint64_t>(slot) >> kCardShift] = kYoung | kWritten;
  }
  uint8_t* CardOf(uint64_t address) { return biased_ + (address >> kCardShift); }
  // `biased` + (address >> kCardShift) is the byte of the card of `address`.
  void set_biased(uint8_t* biased) { biased_ = biased; }
  [[nodiscard]] uint8_t* biased() const { return biased_; }

 private:
  uint8_t* biased_ = nullptr;
};

}  // namespace weft::gc

#endif  // WEFT_GC_CARD_TABLE_H_
