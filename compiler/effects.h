// Stack effects as the compiler sees them: counts, read from effect tuples or from primitives.def.
#ifndef WEFT_COMPILER_EFFECTS_H_
#define WEFT_COMPILER_EFFECTS_H_

#include <cstdint>

#include "gc/handle.h"
#include "gc/no_alloc.h"
#include "vm/objects.h"
#include "vm/vm.h"

namespace weft::compiler {

// Named items only; row variables count nothing.
struct EffectCount {
  int inputs = 0;
  int outputs = 0;
  bool terminated = false;  // ends in *: never returns
  // Row variables: equal ones (..a -- ..a) leave the stack below as high as it was.
  bool has_rows = false;
  bool same_rows = true;

  [[nodiscard]] int height() const { return outputs - inputs; }
  bool operator==(const EffectCount& other) const = default;
};

// False if `effect` is not a well-formed effect tuple.
bool ReadEffect(const Vm& vm, Word effect, EffectCount* count) WEFT_NO_ALLOC;

// What a word with this effect declares for the quotation that is its input number `i`: true if it
// must leave the stack, below what it takes and leaves itself, as high as it was (..a -- ..a).
bool ReadInputHeight(const Vm& vm, Word effect, int64_t i, int* height) WEFT_NO_ALLOC;

// What may be declared for code of effect `inferred`: as many or more inputs, the same height; code
// that never returns fits every declaration, and only it fits "-- * )".
bool Fits(const EffectCount& inferred, const EffectCount& declared);

// An effect tuple with names x, as the stack checker prints inferred effects.
Word MakeEffect(Vm& vm, const EffectCount& count) WEFT_ALLOCATES;

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_EFFECTS_H_
