// The slow half of arithmetic: what the interpreter's inline fixnum and float paths leave over.
//
// ArithSlow knows every mix of fixnum, bignum and float; anything else (ratios, complex numbers,
// what is no number, exact division by zero) is for the generic word in the language.
// As in Factor: integers overflow into bignums, a float operand makes both floats (comparisons
// too), `/` of integers is exact, `/i` truncates, `mod` has the sign of the dividend.
#ifndef WEFT_VM_NUMBER_ARITH_H_
#define WEFT_VM_NUMBER_ARITH_H_

#include <cstdint>

#include "gc/no_alloc.h"
#include "vm/args.h"

namespace weft {

class Vm;

enum class ArithOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kIntDiv,
  kMod,
  kBitAnd,
  kBitOr,
  kBitXor,
  kShift,
  kLess,
  kLessEq,
  kGreater,
  kGreaterEq,
  kNumEq,
};

enum class [[nodiscard]] ArithResult{
    kDone,     // args[0] holds the result
    kThrow,    // vm.pending_error is set
    kGeneric,  // operands untouched: call the generic word of the operation
};

// args[0], args[1] in; the result in args[0]. args[1] is left as it is.
ArithResult ArithSlow(Vm& vm, ArithOp op, Args args) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_NUMBER_ARITH_H_
