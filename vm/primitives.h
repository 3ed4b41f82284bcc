// The primitives as a table, made from vm/primitives.def: its row numbers are what CallPrimitive
// and PrimitiveBody carry and what WordObject::flags holds (plus one).
// Every function reads its operands from its window (vm/args.h), leaves its results there, and says
// with its Outcome how to go on. Counts come from the effect string, at compile time.
#ifndef WEFT_VM_PRIMITIVES_H_
#define WEFT_VM_PRIMITIVES_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "vm/args.h"
#include "vm/bytecode.h"
#include "vm/outcome.h"

namespace weft {

class Vm;

// Flags of a row.
enum PrimitiveFlag : uint16_t {
  kPrimAllocates = 1,   // A
  kPrimThrows = 2,      // T
  kPrimBlocks = 4,      // B
  kPrimFoldable = 8,    // F
  kPrimFlushable = 16,  // U
  kPrimNeedsMap = 32,   // X
};

enum class PrimitiveKind : uint8_t { kFunction, kShuffle, kBody };

// Counts of an effect, and for shuffles which input each output repeats.
struct EffectCounts {
  static constexpr int kMaxShuffle = 8;
  uint8_t inputs = 0;
  uint8_t outputs = 0;
  bool terminates = false;  // "-- * )"
  bool is_valid = false;
  uint8_t shuffle[kMaxShuffle] = {};  // shuffle[output] = input; only for SHUFFLE rows
};

// Parses "( a b: class ..r quot: ( x -- y ) -- c )". Row variables count nothing.
constexpr EffectCounts ParseEffectCounts(const char* text) {
  EffectCounts counts;
  const char* names[EffectCounts::kMaxShuffle] = {};
  int sizes[EffectCounts::kMaxShuffle] = {};
  bool after_dashes = false;
  const char* p = text;
  while (*p == ' ') ++p;
  if (*p != '(') return counts;
  ++p;
  while (true) {
    while (*p == ' ') ++p;
    if (*p == 0) return counts;  // no closing parenthesis: not valid
    const char* begin = p;
    while (*p != 0 && *p != ' ') ++p;
    const int size = static_cast<int>(p - begin);
    if (size == 1 && *begin == ')') break;
    if (size == 2 && begin[0] == '-' && begin[1] == '-') {
      after_dashes = true;
      continue;
    }
    if (size >= 2 && begin[0] == '.' && begin[1] == '.') continue;
    if (size == 1 && *begin == '*') {
      counts.terminates = true;
      continue;
    }
    if (begin[size - 1] == ':') {  // skip the class or the nested effect of "name: ..."
      while (*p == ' ') ++p;
      if (*p == '(') {
        int depth = 0;
        do {
          if (*p == '(') ++depth;
          if (*p == ')') --depth;
          if (*p == 0) return counts;
          ++p;
        } while (depth > 0);
      } else {
        while (*p != 0 && *p != ' ') ++p;
      }
    }
    if (!after_dashes) {
      if (counts.inputs < EffectCounts::kMaxShuffle) {
        names[counts.inputs] = begin;
        sizes[counts.inputs] = size;
      }
      ++counts.inputs;
    } else {
      if (counts.outputs < EffectCounts::kMaxShuffle) {
        for (int i = 0; i < counts.inputs && i < EffectCounts::kMaxShuffle; ++i) {
          bool equal = sizes[i] == size;
          for (int j = 0; equal && j < size; ++j) equal = names[i][j] == begin[j];
          if (equal) counts.shuffle[counts.outputs] = static_cast<uint8_t>(i);
        }
      }
      ++counts.outputs;
    }
  }
  counts.is_valid = after_dashes;
  return counts;
}

struct Primitive {
  const char* vocabulary;
  const char* word;
  const char* effect;
  Outcome (*function)(Vm& vm, Args args);  // kFunction only
  EffectCounts counts;
  PrimitiveKind kind;
  Op body;         // kBody only
  uint16_t flags;  // PrimitiveFlag
  [[nodiscard]] bool Has(PrimitiveFlag flag) const { return (flags & flag) != 0; }
};

// Row numbers by function name; rows that share a function have the number of the first.
inline constexpr size_t kPrimitiveCount = 0
#define PRIM(vocabulary, word, function, effect, flags) +1
#define SHUFFLE(vocabulary, word, effect) +1
#define BODY(vocabulary, word, opcode, effect) +1
#include "vm/primitives.def"
#undef PRIM
#undef SHUFFLE
#undef BODY
    ;

extern const Primitive kPrimitives[kPrimitiveCount];

// Row of the primitive `word` of `vocabulary`; -1 if there is none.
int FindPrimitive(absl::string_view vocabulary, absl::string_view word);

#define PRIM(vocabulary, word, function, effect, flags) \
  Outcome function(Vm& vm, Args args) WEFT_ALLOCATES;
#define SHUFFLE(vocabulary, word, effect)
#define BODY(vocabulary, word, opcode, effect)
#include "vm/primitives.def"
#undef PRIM
#undef SHUFFLE
#undef BODY

}  // namespace weft

#endif  // WEFT_VM_PRIMITIVES_H_
