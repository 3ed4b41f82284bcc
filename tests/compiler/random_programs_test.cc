// Windows against a plain stack: every small program, and many larger random ones, must leave the
// same items compiled and in dynamic mode.
#include <cstdint>

#include "tests/compiler/static_fixture.h"

namespace weft {
namespace {

struct Piece {
  const char* text;
  int inputs;
  int outputs;
};

constexpr Piece kShuffles[] = {{"drop", 1, 0}, {"dup", 1, 2},   {"swap", 2, 2},  {"over", 2, 3},
                               {"nip", 2, 1},  {"rot", 3, 3},   {"-rot", 3, 3},  {"pick", 3, 4},
                               {"2dup", 2, 4}, {"2drop", 2, 0}, {"swapd", 3, 3}, {"dupd", 2, 3}};
constexpr Piece kCalls[] = {{"1 +", 1, 1}, {"-", 2, 1},    {"5", 0, 1},
                            {"mix", 2, 1}, {"both", 2, 2}, {"self", 1, 1},
                            {"-3", 0, 1},  {"none", 0, 1}, {"eat", 1, 0}};

class Generator {
 public:
  explicit Generator(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 1) {}

  // Code that starts at `height` items and the height it ends with.
  std::string Body(int height, int length, int depth, int* end) {
    std::string out;
    for (int i = 0; i < length; ++i) {
      if (depth > 0 && Below(4) == 0) {
        out += Combinator(&height, depth);
      } else {
        const Piece& piece = Below(2) == 0 ? kShuffles[Below(std::size(kShuffles))]
                                           : kCalls[Below(std::size(kCalls))];
        if (piece.inputs > height || height - piece.inputs + piece.outputs > 9) continue;
        height += piece.outputs - piece.inputs;
        absl::StrAppend(&out, piece.text, " ");
      }
    }
    *end = height;
    return out;
  }

  // Drops or adds items until the height is `to`.
  static std::string Adjust(int from, int to) {
    std::string out;
    for (; from > to; --from) out += "drop ";
    for (; from < to; ++from) out += "7 ";
    return out;
  }

  uint64_t Below(uint64_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ % n;
  }

 private:
  std::string Combinator(int* height, int depth) {
    const int length = 1 + static_cast<int>(Below(4));
    int end = 0;
    switch (Below(11)) {
      case 0: {
        if (*height < 1) return "";
        const std::string body = Body(*height - 1, length, depth - 1, &end);
        *height = end + 1;
        return absl::StrCat("[ ", body, "] dip ");
      }
      case 1: {
        if (*height < 1) return "";
        const std::string body = Body(*height, length, depth - 1, &end);
        *height = end + 1;
        return absl::StrCat("[ ", body, "] keep ");
      }
      case 2:
      case 3: {
        if (*height < 2) return "";
        // dup 3 < keeps the height; the condition goes.
        int other = 0;
        const std::string yes = Body(*height, length, depth - 1, &end);
        const std::string no = Body(*height, length, depth - 1, &other);
        const int height_in = *height;
        *height = end;
        const char* tests[] = {
            "dup 3 <", "2dup -", "2dup number=", "2dup eq?", "dup not", "dup 2 <="};
        (void)height_in;
        std::string test = tests[Below(6)];
        if (test == "2dup -") test = "2dup - 0 <";
        return absl::StrCat(test, " [ ", yes, "] [ ", no, Adjust(other, end), "] if ");
      }
      case 4: {
        if (*height < 1) return "";
        const std::string body = Body(*height, length, depth - 1, &end);
        *height = end;
        return absl::StrCat("[ ", body, "] curry call ");
      }
      case 5: {
        int last = 0;
        const std::string first = Body(*height, length, depth - 1, &end);
        const std::string second = Body(end, length, depth - 1, &last);
        *height = last;
        return absl::StrCat("[ ", first, "] [ ", second, "] compose call ");
      }
      case 6: {
        const std::string body = Body(*height, length, depth - 1, &end);
        const std::string adjusted = absl::StrCat(body, Adjust(end, *height));
        return absl::StrCat("3 [ [ ", adjusted, "] dip 1 - dup 0 > ] loop drop ");
      }
      case 7: {
        const std::string body = Body(*height + 1, length, depth - 1, &end);
        return absl::StrCat("3 [ ", body, Adjust(end, *height), "] each-integer ");
      }
      case 8: {
        // Calls itself twice: a subroutine, with a captured item.
        if (*height < 1) return "";
        const std::string body = Body(*height + 1, length, depth - 1, &end);
        return absl::StrCat("dup [ drop ", body, Adjust(end, *height),
                            "] curry 0 3 rot split-range ");
      }
      default: {
        // A try that may throw half way, and a recovery that leaves as much.
        const std::string body = Body(*height, length, depth - 1, &end);
        const std::string rest = Body(end, length, depth - 1, &end);
        const std::string raise = Below(2) == 0 ? "" : "boom ";
        int other = 0;
        const std::string recovery = Body(*height + 1, length, depth - 1, &other);
        *height = end;
        return absl::StrCat("[ ", body, raise, rest, "] [ drop 77 ", recovery, Adjust(other, end),
                            "] recover ");
      }
    }
  }

  uint64_t state_;
};

class RandomProgramsTest : public StaticCompilerTest {};

std::string EffectText(int inputs, int outputs) {
  std::string out = "( ";
  for (int i = 0; i < inputs; ++i) out += "x ";
  out += "-- ";
  for (int i = 0; i < outputs; ++i) out += "x ";
  return out + ")";
}

TEST_F(RandomProgramsTest, CompiledCodeLeavesWhatDynamicCodeLeaves) {
  constexpr int kRounds = 40;
  constexpr int kWords = 40;
  for (int round = 0; round < kRounds; ++round) {
    std::string text =
        ": mix ( x y -- z ) 2 * + ;\n: both ( x y -- z w ) over + ;\n: self ( x -- x ) ;\n"
        ": none ( -- x ) 11 ;\n: eat ( x -- ) drop ;\n"
        ": boom ( -- ) 0 1 eq? [ ] [ \"boom\" pending ] if ;\n: pending ( x -- ) (unwind) ;\n";
    std::string main = ": main ( -- ) ";
    std::vector<std::string> words;
    for (int i = 0; i < kWords; ++i) {
      Generator generator(static_cast<uint64_t>(round * 1000 + i));
      const int inputs = static_cast<int>(generator.Below(5));
      int outputs = 0;
      const std::string body = generator.Body(inputs, 3 + static_cast<int>(generator.Below(10)),
                                              1 + static_cast<int>(generator.Below(3)), &outputs);
      const std::string name = absl::StrCat("w", i);
      absl::StrAppend(&text, ": ", name, " ", EffectText(inputs, outputs), " ", body, ";\n");
      words.push_back(name);
      for (int k = 0; k < inputs; ++k) absl::StrAppend(&main, k + 1, " ");
      absl::StrAppend(&main, name, " ");
    }
    absl::StrAppend(&text, main, "get-datastack SAVE 0 (exit) ;\n");
    Load(text);
    if (HasFatalFailure()) {
      std::printf("%s", text.c_str());
      return;
    }
    const std::string expected = Run("main");
    ASSERT_NE(expected, "nothing") << text;
    ASSERT_EQ(Run("main", words), expected) << text;
  }
}

}  // namespace
}  // namespace weft
