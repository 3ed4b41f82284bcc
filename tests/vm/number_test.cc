#include "vm/number/number.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>

#include "vm/number/arith.h"
#include "vm/number/number_text.h"
#include "vm/vm.h"

namespace weft {
namespace {

class NumberTest : public ::testing::Test {
 protected:
  NumberTest() : vm_(std::move(Vm::Create(Options(), nullptr).value())), roots_(vm_->heap()) {
    roots_.resize(3);
  }
  void SetText(size_t i, const std::string& text) {
    const ParsedNumber parsed = ParseNumber(text, 10);
    Word window[1];
    ASSERT_EQ(StoreParsed(*vm_, parsed, Args(window)), Outcome::kNext) << text;
    roots_.set(i, window[0]);
  }
  std::string Show(Word word) {
    if (word == gc::kTrue) return "t";
    if (word == gc::kFalse) return "f";
    if (IsFloat(word)) return FormatFloat(FloatValue(word));
    if (IsInteger(word)) return FormatInteger(IntegerView(word), 10);
    return "?";
  }
  // The result as text; "generic" and "throw" for the other outcomes.
  std::string Run(ArithOp op, const std::string& x, const std::string& y) {
    SetText(0, x);
    SetText(1, y);
    Word window[2] = {roots_.get(0), roots_.get(1)};
    switch (ArithSlow(*vm_, op, Args(window))) {
      case ArithResult::kDone:
        return Show(window[0]);
      case ArithResult::kThrow:
        return "throw";
      case ArithResult::kGeneric:
        return "generic";
    }
    return "";
  }

  std::unique_ptr<Vm> vm_;
  gc::RootVector roots_;
};

struct ArithCase {
  ArithOp op;
  const char* x;
  const char* y;
  const char* result;
};

TEST_F(NumberTest, ArithmeticFollowsTheTower) {
  const ArithCase cases[] = {
      {ArithOp::kAdd, "2305843009213693951", "1", "2305843009213693952"},
      {ArithOp::kSub, "-2305843009213693952", "1", "-2305843009213693953"},
      {ArithOp::kAdd, "2305843009213693952", "-1", "2305843009213693951"},
      {ArithOp::kMul, "2305843009213693951", "2305843009213693951",
       "5316911983139663487003542222693990401"},
      {ArithOp::kMul, "-2305843009213693952", "-1", "2305843009213693952"},
      {ArithOp::kAdd, "1", "0.5", "1.5"},
      {ArithOp::kMul, "100000000000000000000", "1.0", "1e20"},
      {ArithOp::kDiv, "6", "-3", "-2"},
      {ArithOp::kDiv, "-2305843009213693952", "-1", "2305843009213693952"},
      {ArithOp::kDiv, "1", "0", "generic"},
      {ArithOp::kDiv, "100000000000000000000", "0", "generic"},
      {ArithOp::kDiv, "1.0", "0", "1/0."},
      {ArithOp::kDiv, "0", "0.0", "0/0."},
      {ArithOp::kIntDiv, "-7", "2", "-3"},
      {ArithOp::kIntDiv, "7", "0", "throw"},
      {ArithOp::kIntDiv, "100000000000000000000", "0", "throw"},
      {ArithOp::kIntDiv, "-100000000000000000001", "10", "-10000000000000000000"},
      {ArithOp::kIntDiv, "7.9", "2", "3"},
      {ArithOp::kIntDiv, "1.0", "0.0", "0"},
      {ArithOp::kMod, "-7", "2", "-1"},
      {ArithOp::kMod, "7", "-2", "1"},
      {ArithOp::kMod, "7", "0", "throw"},
      {ArithOp::kMod, "-100000000000000000001", "10", "-1"},
      {ArithOp::kMod, "7.5", "2", "1.5"},
      {ArithOp::kBitAnd, "-1", "100000000000000000000", "100000000000000000000"},
      {ArithOp::kBitOr, "-100000000000000000000", "1", "-99999999999999999999"},
      {ArithOp::kBitXor, "-1", "100000000000000000000", "-100000000000000000001"},
      {ArithOp::kBitAnd, "1.0", "1", "generic"},
      {ArithOp::kShift, "1", "61", "2305843009213693952"},
      {ArithOp::kShift, "1", "64", "18446744073709551616"},
      {ArithOp::kShift, "-1", "65", "-36893488147419103232"},
      {ArithOp::kShift, "-5", "-1", "-3"},
      {ArithOp::kShift, "-5", "-100", "-1"},
      {ArithOp::kShift, "5", "-100000000000000000000", "0"},
      {ArithOp::kShift, "-36893488147419103233", "-1", "-18446744073709551617"},
      {ArithOp::kShift, "1", "100000000000000000000", "throw"},
      {ArithOp::kShift, "1", "3000000000", "throw"},
      {ArithOp::kShift, "0", "3000000000", "0"},
      {ArithOp::kShift, "1.0", "1", "generic"},
      {ArithOp::kLess, "1", "100000000000000000000", "t"},
      {ArithOp::kLess, "-100000000000000000000", "1", "t"},
      {ArithOp::kLessEq, "2", "2.0", "t"},
      {ArithOp::kGreater, "1/0.", "100000000000000000000", "t"},
      {ArithOp::kGreaterEq, "0/0.", "1", "f"},
      {ArithOp::kLessEq, "0/0.", "1", "f"},
      {ArithOp::kNumEq, "9007199254740993", "9007199254740992.0", "t"},
      {ArithOp::kNumEq, "100000000000000000000", "100000000000000000000", "t"},
      {ArithOp::kNumEq, "0/0.", "0/0.", "f"},
  };
  for (const ArithCase& c : cases) {
    EXPECT_EQ(Run(c.op, c.x, c.y), c.result)
        << c.x << " op " << static_cast<int>(c.op) << ' ' << c.y;
  }
}

TEST_F(NumberTest, RandomFixnumAndBignumArithmeticAgreesWithGmp) {
  std::mt19937_64 random(1);
  mpz_t x, y, z;
  mpz_inits(x, y, z, nullptr);
  for (int i = 0; i < 20000; ++i) {
    const auto draw = [&](mpz_ptr n) {
      const int bits = static_cast<int>(random() % 200);
      mpz_set_ui(n, random());
      mpz_mul_2exp(n, n, 136);
      mpz_add_ui(n, n, random());
      mpz_fdiv_q_2exp(n, n, static_cast<mp_bitcnt_t>(200 - bits));
      if ((random() & 1) != 0) mpz_neg(n, n);
    };
    draw(x);
    draw(y);
    const std::string a = FormatInteger(x, 10), b = FormatInteger(y, 10);
    mpz_add(z, x, y);
    ASSERT_EQ(Run(ArithOp::kAdd, a, b), FormatInteger(z, 10)) << a << ' ' << b;
    mpz_sub(z, x, y);
    ASSERT_EQ(Run(ArithOp::kSub, a, b), FormatInteger(z, 10)) << a << ' ' << b;
    mpz_mul(z, x, y);
    ASSERT_EQ(Run(ArithOp::kMul, a, b), FormatInteger(z, 10)) << a << ' ' << b;
    mpz_xor(z, x, y);
    ASSERT_EQ(Run(ArithOp::kBitXor, a, b), FormatInteger(z, 10)) << a << ' ' << b;
    if (mpz_sgn(y) != 0) {
      mpz_tdiv_q(z, x, y);
      ASSERT_EQ(Run(ArithOp::kIntDiv, a, b), FormatInteger(z, 10)) << a << ' ' << b;
      mpz_tdiv_r(z, x, y);
      ASSERT_EQ(Run(ArithOp::kMod, a, b), FormatInteger(z, 10)) << a << ' ' << b;
    }
    ASSERT_EQ(Run(ArithOp::kLess, a, b), mpz_cmp(x, y) < 0 ? "t" : "f") << a << ' ' << b;
    const int shift = static_cast<int>(random() % 300) - 150;
    shift >= 0 ? mpz_mul_2exp(z, x, static_cast<mp_bitcnt_t>(shift))
               : mpz_fdiv_q_2exp(z, x, static_cast<mp_bitcnt_t>(-shift));
    ASSERT_EQ(Run(ArithOp::kShift, a, std::to_string(shift)), FormatInteger(z, 10)) << a;
  }
  mpz_clears(x, y, z, nullptr);
}

struct ParseCase {
  const char* text;
  const char* result;  // "" : no number
};

TEST_F(NumberTest, EveryFormOfLiteralReads) {
  const ParseCase cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"+5", "5"},
      {"1,234,567", "1234567"},
      {"1_000", "1000"},
      {"0x1F", "31"},
      {"-0xff", "-255"},
      {"0b101", "5"},
      {"0o17", "15"},
      {"1e5", "100000.0"},
      {"1.", "1.0"},
      {".5", "0.5"},
      {"-.5", "-0.5"},
      {"1.5e-3", "0.0015"},
      {"1E2", "100.0"},
      {"-0.0", "-0.0"},
      {"1/0.", "1/0."},
      {"-1/0.", "-1/0."},
      {"1/2.", "0.5"},
      {"1+1/2.", "1.5"},
      {"4/2", "2"},
      {"0x1.8p3", "12.0"},
      {"0x1p-1074", "5e-324"},
      {"1e400", "1/0."},
      {"1e-400", "0.0"},
      {"0b1.1p1", "3.0"},
      {"2305843009213693952", "2305843009213693952"},
      {"-2305843009213693953", "-2305843009213693953"},
      {"1,000.5", "1000.5"},
      {"", ""},
      {"-", ""},
      {".", ""},
      {"-.", ""},
      {"e5", ""},
      {"1e", ""},
      {"1e+", ""},
      {",1", ""},
      {"1,", ""},
      {"1,,2", ""},
      {"_1", ""},
      {"1__2", ""},
      {"--1", ""},
      {"+-1", ""},
      {"1/0", ""},
      {"1/-2", ""},
      {"1-1/2", ""},
      {"-1+1/2", ""},
      {"1+1", ""},
      {"0x", ""},
      {"0xg", ""},
      {"1.2.3", ""},
      {"12a", ""},
      {"0x1.8e3g", ""},
      {"1/2e3", ""},
      {"1p5", ""},
      {"0b2", ""},
      {"1 ", ""},
  };
  for (const ParseCase& c : cases) {
    const ParsedNumber parsed = ParseNumber(c.text, 10);
    if (*c.result == 0) {
      EXPECT_EQ(static_cast<int>(parsed.form), static_cast<int>(NumberForm::kNone)) << c.text;
      continue;
    }
    Word window[1];
    ASSERT_EQ(StoreParsed(*vm_, parsed, Args(window)), Outcome::kNext) << c.text;
    EXPECT_EQ(Show(window[0]), c.result) << c.text;
  }
}

TEST_F(NumberTest, QuotientsParseInLowestParts) {
  ASSERT_EQ(ParseNumber("-1-1/2", 10).form, NumberForm::kQuotient);
  EXPECT_EQ(FormatInteger(NumberScratch().a, 10), "-3");
  EXPECT_EQ(FormatInteger(NumberScratch().b, 10), "2");
}

TEST_F(NumberTest, PrintedFloatsReadBackBitForBit) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 200000; ++i) {
    const double d = std::bit_cast<double>(random());
    if (!std::isfinite(d)) continue;
    const ParsedNumber parsed = ParseNumber(FormatFloat(d), 10);
    ASSERT_EQ(parsed.form, NumberForm::kFloat) << FormatFloat(d);
    ASSERT_EQ(std::bit_cast<uint64_t>(parsed.value), std::bit_cast<uint64_t>(d)) << FormatFloat(d);
    for (const int radix : {2, 8, 16}) {
      const ParsedNumber power = ParseNumber(FormatFloatPower2(d, radix), radix);
      ASSERT_EQ(power.form, NumberForm::kFloat) << FormatFloatPower2(d, radix);
      ASSERT_EQ(std::bit_cast<uint64_t>(power.value), std::bit_cast<uint64_t>(d))
          << FormatFloatPower2(d, radix);
    }
  }
}

TEST_F(NumberTest, FloatTextHasTheLanguagesShape) {
  EXPECT_EQ(FormatFloat(0.0), "0.0");
  EXPECT_EQ(FormatFloat(-0.0), "-0.0");
  EXPECT_EQ(FormatFloat(100.0), "100.0");
  EXPECT_EQ(FormatFloat(123.456), "123.456");
  EXPECT_EQ(FormatFloat(0.0001), "0.0001");
  EXPECT_EQ(FormatFloat(0.00001), "1e-5");
  EXPECT_EQ(FormatFloat(1e15), "1000000000000000.0");
  EXPECT_EQ(FormatFloat(1e16), "1e16");
  EXPECT_EQ(FormatFloat(1.25e-7), "1.25e-7");
  EXPECT_EQ(FormatFloat(1.7976931348623157e308), "1.7976931348623157e308");
  EXPECT_EQ(FormatFloatPower2(12.0, 16), "1.8p3");
  EXPECT_EQ(FormatFloatPower2(-1.0, 16), "-1.0p0");
}

// |d - a/b| is at most half the gap to each neighbour.
TEST_F(NumberTest, QuotientsAndPowersRoundOnce) {
  std::mt19937_64 random(3);
  mpz_t a, b;
  mpq_t exact, candidate, error, least;
  mpz_inits(a, b, nullptr);
  mpq_inits(exact, candidate, error, least, nullptr);
  for (int i = 0; i < 20000; ++i) {
    mpz_set_ui(a, random() | 1);
    mpz_mul_2exp(a, a, random() % 500);
    mpz_add_ui(a, a, random());
    mpz_set_ui(b, random() | 1);
    mpz_mul_2exp(b, b, random() % 500);
    mpz_add_ui(b, b, random());
    if ((random() & 1) != 0) mpz_neg(a, a);
    const double d = (i & 1) != 0 ? QuotientToDouble(a, b) : IntegerToDouble(a);
    mpq_set_z(exact, a);
    if ((i & 1) != 0) {
      mpz_set(mpq_denref(exact), b);
      mpq_canonicalize(exact);
    }
    mpq_set_d(candidate, d);
    mpq_sub(least, exact, candidate);
    mpq_abs(least, least);
    for (const double towards : {-INFINITY, INFINITY}) {
      mpq_set_d(candidate, std::nextafter(d, towards));
      mpq_sub(error, exact, candidate);
      mpq_abs(error, error);
      ASSERT_LE(mpq_cmp(least, error), 0) << d;
    }
  }
  mpq_clears(exact, candidate, error, least, nullptr);
  mpz_clears(a, b, nullptr);
}

TEST_F(NumberTest, ScalingRoundsSubnormalsAndOverflows) {
  mpz_t one, three;
  mpz_init_set_ui(one, 1);
  mpz_init_set_ui(three, 3);
  EXPECT_EQ(ScaledToDouble(one, -1074, false), 5e-324);
  EXPECT_EQ(ScaledToDouble(one, -1075, false), 0.0);       // a tie goes to even: zero
  EXPECT_EQ(ScaledToDouble(one, -1075, true), 5e-324);     // anything above the tie does not
  EXPECT_EQ(ScaledToDouble(three, -1075, false), 1e-323);  // 1.5 least subnormals: to even, 2
  EXPECT_EQ(ScaledToDouble(three, -1076, false), 5e-324);
  EXPECT_EQ(ScaledToDouble(one, -5000, true), 0.0);
  EXPECT_EQ(ScaledToDouble(one, 1023, false), 0x1p1023);
  EXPECT_EQ(ScaledToDouble(one, 1024, false), std::numeric_limits<double>::infinity());
  mpz_clears(one, three, nullptr);
}

TEST_F(NumberTest, BoxedBandsOfFloatsKeepTheirBits) {
  for (const double d : {1e-100, -1e-150, 1e100, 1e200, 3e-200, 1e-300, 1e300, 0.1}) {
    const Word word = MakeFloat(*vm_, d);
    EXPECT_TRUE(IsFloat(word));
    EXPECT_EQ(FloatValue(word), d);
  }
}

}  // namespace
}  // namespace weft
