// The tagged 64-bit word, and the only tag arithmetic in the project.
//
//     fixnum   n61 ...................... n0 0 0   62 bits, two's complement, value << 2
//     float    rotl(bits(d), 4) + 3       . . 1 .  immediate iff bit 1 is set
//     pointer  address of an 8-aligned cell  0 0 1   load with displacement -1
//     other    f, t, markers ............... 1 0 1   low byte 0x05, 0x0D, ...
//
// Adding 3 after the rotation moves the exponent classes 000, 011, 100 and 111 to exactly those
// tags that have bit 1 set: +-0, everything below 2^-767, 2^-255 <= |x| < 2^257, everything from
// 2^769 up, infinities and all NaNs with their payload are immediate. The two bands between are
// boxed (FloatBox). Source: Melancon, Serrano, Feeley, "Float Self-Tagging", 2025.
//
// A raw address that is 4-aligned reads as a fixnum, so return addresses and cell pointers may lie
// on stacks and in literal pools without the collector looking at them.
#ifndef WEFT_GC_WORD_H_
#define WEFT_GC_WORD_H_

#include <bit>
#include <cstdint>

namespace weft::gc {

struct Word {
  uint64_t bits;

  static constexpr int kFixnumBits = 62;
  static constexpr int64_t kMaxFixnum = (int64_t{1} << 61) - 1;
  static constexpr int64_t kMinFixnum = -(int64_t{1} << 61);

  static constexpr Word FromBits(uint64_t bits) { return Word{bits}; }
  // REQUIRES: kMinFixnum <= n <= kMaxFixnum.
  static constexpr Word Fixnum(int64_t n) { return Word{static_cast<uint64_t>(n) << 2}; }
  static Word Pointer(const void* address) { return Word{reinterpret_cast<uint64_t>(address) | 1}; }
  static constexpr Word Bool(bool b) { return Word{b ? 0x0DU : 0x05U}; }

  constexpr bool operator==(const Word& other) const = default;

  [[nodiscard]] constexpr bool IsFixnum() const { return (bits & 3) == 0; }
  [[nodiscard]] constexpr bool IsImmediateFloat() const { return (bits & 2) != 0; }
  [[nodiscard]] constexpr bool IsPointer() const { return (bits & 7) == 1; }
  [[nodiscard]] constexpr bool IsOther() const { return (bits & 7) == 5; }
  [[nodiscard]] constexpr bool IsFalse() const { return bits == 0x05; }
  [[nodiscard]] constexpr bool IsTrue() const { return bits != 0x05; }  // everything but f is true

  // REQUIRES: IsFixnum().
  [[nodiscard]] constexpr int64_t AsFixnum() const { return static_cast<int64_t>(bits) >> 2; }
  // REQUIRES: IsPointer(). The address of the object's header.
  [[nodiscard]] uint64_t Address() const { return bits - 1; }

  static constexpr bool FitsFixnum(int64_t n) { return n >= kMinFixnum && n <= kMaxFixnum; }

  // REQUIRES: IsImmediateFloat().
  [[nodiscard]] constexpr double AsImmediateFloat() const {
    return std::bit_cast<double>(std::rotr(bits - 3, 4));
  }
  // The immediate form of d, if it has one: IsImmediateFloat() of the result tells.
  static constexpr Word FloatBits(double d) {
    return Word{std::rotl(std::bit_cast<uint64_t>(d), 4) + 3};
  }
};

inline constexpr Word kFalse{0x05};
inline constexpr Word kTrue{0x0D};
inline constexpr Word kUnbound{0x15};    // a slot or variable that holds nothing yet
inline constexpr Word kEmpty{0x1D};      // hashtable: never used
inline constexpr Word kTombstone{0x25};  // hashtable: deleted
inline constexpr Word kDeadSlot{0x2D};   // --gc-stress writes it into dead window slots
inline constexpr Word kDefault{0x35};    // "no argument given"

static_assert(sizeof(Word) == 8);

}  // namespace weft::gc

#endif  // WEFT_GC_WORD_H_
