// What the number primitives share: type errors about an operand, and reading integer operands.
#ifndef WEFT_VM_PRIMITIVES_NUMBER_OPERANDS_H_
#define WEFT_VM_PRIMITIVES_NUMBER_OPERANDS_H_

#include "vm/args.h"
#include "vm/number/arith.h"
#include "vm/number/number.h"
#include "vm/vm.h"

namespace weft {

// Throws a type error about args[i].
inline Outcome WrongType(Vm& vm, TypeId expected, Args args, size_t i) WEFT_ALLOCATES {
  Word operand;
  {
    const gc::NoAlloc no_alloc;
    operand = args.get(i);
  }
  return vm.ThrowType(expected, operand);
}

inline bool IsIntegerAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc no_alloc;
  return IsInteger(args.get(i));
}

// The double of a float operand, or false.
inline bool ReadFloat(Args args, size_t i, double* value) WEFT_ALLOCATES {
  const gc::NoAlloc no_alloc;
  const Word word = args.get(i);
  if (!IsFloat(word)) return false;
  *value = FloatValue(word);
  return true;
}

// The double of a real operand (fixnum, bignum, float), or false.
inline bool ReadReal(Args args, size_t i, double* value) WEFT_ALLOCATES {
  const gc::NoAlloc no_alloc;
  const Word word = args.get(i);
  if (!IsInteger(word) && !IsFloat(word)) return false;
  *value = RealToDouble(word);
  return true;
}

inline Outcome FromArith(ArithResult result) {
  return result == ArithResult::kThrow ? Outcome::kThrow : Outcome::kNext;
}

}  // namespace weft

#endif  // WEFT_VM_PRIMITIVES_NUMBER_OPERANDS_H_
