#include "vm/primitives.h"

namespace weft {
namespace {

// The letters of primitives.def.
constexpr uint16_t A = kPrimAllocates;
constexpr uint16_t T = kPrimThrows;
[[maybe_unused]] constexpr uint16_t B =  // NOLINT(readability-identifier-naming)
    kPrimBlocks;
constexpr uint16_t F = kPrimFoldable;
constexpr uint16_t U = kPrimFlushable;
[[maybe_unused]] constexpr uint16_t X =  // NOLINT(readability-identifier-naming)
    kPrimNeedsMap;

// A misspelt effect fails the build here.
#define PRIM(vocabulary, word, function, effect, flags) \
  static_assert(ParseEffectCounts(effect).is_valid, word);
#define SHUFFLE(vocabulary, word, effect) static_assert(ParseEffectCounts(effect).is_valid, word);
#define BODY(vocabulary, word, opcode, effect) \
  static_assert(ParseEffectCounts(effect).is_valid, word);
#include "vm/primitives.def"
#undef PRIM
#undef SHUFFLE
#undef BODY

}  // namespace

#define PRIM(vocabulary, word, function, effect, flags)                                       \
  {vocabulary, word,   effect, function, ParseEffectCounts(effect), PrimitiveKind::kFunction, \
   Op::kNop,   (flags)},
#define SHUFFLE(vocabulary, word, effect)                                                 \
  {vocabulary, word, effect, nullptr, ParseEffectCounts(effect), PrimitiveKind::kShuffle, \
   Op::kNop,   F | U},
#define BODY(vocabulary, word, opcode, effect)                                      \
  {vocabulary,           word,          effect, nullptr, ParseEffectCounts(effect), \
   PrimitiveKind::kBody, Op::k##opcode, A | T},
const Primitive kPrimitives[kPrimitiveCount] = {
#include "vm/primitives.def"
};
#undef PRIM
#undef SHUFFLE
#undef BODY

int FindPrimitive(absl::string_view vocabulary, absl::string_view word) {
  for (size_t i = 0; i < kPrimitiveCount; ++i) {
    if (word == kPrimitives[i].word && vocabulary == kPrimitives[i].vocabulary) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

}  // namespace weft
