#include "gc/word.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace weft::gc {
namespace {

// The bands that are immediate, from word.h's comment, computed from the value alone.
bool ExpectedImmediate(uint64_t bits) {
  uint64_t exponent = bits >> 52 & 0x7FF;
  switch (exponent >> 8) {
    case 0b000:  // up to 2^-767
    case 0b011:  // [2^-255, ...
    case 0b100:  // ... 2^257)
    case 0b111:  // from 2^769 up, infinities, NaNs
      return true;
    default:
      return false;
  }
}

void CheckFloat(uint64_t bits) {
  double d = std::bit_cast<double>(bits);
  Word word = Word::FloatBits(d);
  ASSERT_EQ(word.IsImmediateFloat(), ExpectedImmediate(bits)) << std::hex << bits;
  if (!word.IsImmediateFloat()) return;
  ASSERT_FALSE(word.IsFixnum() || word.IsPointer() || word.IsOther()) << std::hex << bits;
  ASSERT_EQ(std::bit_cast<uint64_t>(word.AsImmediateFloat()), bits) << std::hex << bits;
}

TEST(WordTest, EveryExponentWithEdgeMantissasAndBothSigns) {
  for (uint64_t sign = 0; sign < 2; ++sign) {
    for (uint64_t exponent = 0; exponent < 2048; ++exponent) {
      for (int shift = 0; shift <= 52; ++shift) {
        uint64_t top = sign << 63 | exponent << 52;
        uint64_t mask = (uint64_t{1} << 52) - 1;
        uint64_t one = uint64_t{1} << shift;
        CheckFloat(top | (one & mask));
        CheckFloat(top | ((one - 1) & mask));
        CheckFloat(top | (~(one - 1) & mask));
        CheckFloat(top | (~one & mask));
      }
    }
  }
}

TEST(WordTest, RandomPatternsAreExactlyOneKind) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2'000'000; ++i) {
    uint64_t bits = random();
    CheckFloat(bits);
    Word word{bits};
    int kinds = word.IsFixnum() + word.IsImmediateFloat() + word.IsPointer() + word.IsOther();
    ASSERT_EQ(kinds, 1) << std::hex << bits;
    if (word.IsImmediateFloat()) {
      // Every tagged float decodes to a double that encodes back to it.
      ASSERT_EQ(Word::FloatBits(word.AsImmediateFloat()).bits, bits) << std::hex << bits;
    }
    if (word.IsFixnum()) {
      ASSERT_EQ(Word::Fixnum(word.AsFixnum()), word);
    }
  }
}

TEST(WordTest, FloatsNamedInTheComment) {
  for (double d :
       {0.0, -0.0, 1.0, -1.0, 0.1, 1e300, -1e300, std::ldexp(1.0, -255), std::ldexp(1.0, 256),
        std::ldexp(1.0, 769), std::ldexp(1.0, -768), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::denorm_min(),
        std::numeric_limits<double>::max(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_TRUE(Word::FloatBits(d).IsImmediateFloat()) << d;
  }
  for (double d : {std::ldexp(1.0, -256), std::ldexp(1.0, 257), std::ldexp(1.0, 768),
                   std::ldexp(1.0, -767), 1e100, -1e-100}) {
    EXPECT_FALSE(Word::FloatBits(d).IsImmediateFloat()) << d;
  }
}

TEST(WordTest, Fixnums) {
  for (int64_t n : {int64_t{0}, int64_t{1}, int64_t{-1}, Word::kMaxFixnum, Word::kMinFixnum,
                    Word::kMaxFixnum - 1, Word::kMinFixnum + 1, int64_t{1} << 32}) {
    EXPECT_TRUE(Word::FitsFixnum(n));
    EXPECT_TRUE(Word::Fixnum(n).IsFixnum());
    EXPECT_FALSE(Word::Fixnum(n).IsImmediateFloat());
    EXPECT_EQ(Word::Fixnum(n).AsFixnum(), n);
  }
  EXPECT_FALSE(Word::FitsFixnum(Word::kMaxFixnum + 1));
  EXPECT_FALSE(Word::FitsFixnum(Word::kMinFixnum - 1));
  std::mt19937_64 random(2);
  for (int i = 0; i < 100000; ++i) {
    int64_t n = static_cast<int64_t>(random()) >> (2 + random() % 60);
    ASSERT_EQ(Word::Fixnum(n).AsFixnum(), n);
  }
  // 4-aligned raw addresses read as fixnums, whatever they are.
  EXPECT_TRUE(Word{0x2000'0000'1004}.IsFixnum());
}

TEST(WordTest, Markers) {
  for (Word word : {kFalse, kTrue, kUnbound, kEmpty, kTombstone, kDeadSlot, kDefault}) {
    EXPECT_TRUE(word.IsOther());
    EXPECT_EQ(word.IsTrue(), !(word == kFalse));
    EXPECT_EQ(word.IsFalse(), word == kFalse);
  }
  EXPECT_EQ(Word::Bool(true), kTrue);
  EXPECT_EQ(Word::Bool(false), kFalse);
  EXPECT_TRUE(Word::Fixnum(0).IsTrue());
}

TEST(WordTest, Pointers) {
  alignas(8) char object[16] = {};
  Word word = Word::Pointer(object);
  EXPECT_TRUE(word.IsPointer());
  EXPECT_EQ(word.Address(), reinterpret_cast<uint64_t>(object));
}

TEST(WordTest, PoisonIsNoPointer) {
  Word poison{0xABABABABABABABAB};
  EXPECT_FALSE(poison.IsPointer());
  EXPECT_TRUE(poison.IsImmediateFloat());
}

}  // namespace
}  // namespace weft::gc
