// Generic dispatch: which method a generic word runs for a shape.
//
// A generic keeps a cache (GenericInfo slot 4) from shape to target word; it and every inline cache
// are valid for one epoch (CellSpace::dispatch_epoch), which moves on whenever a class or a method
// changes. Methods are ordered as Factor does: the most specific class that contains the shape
// first. If predicate classes may match, the target is a hidden word with a chain of code (test,
// jump, method), so that callers never see the difference.
// Errors: a null result means that no method applies; the caller throws no-method.
// Heap: a miss may allocate (chains, cache), a hit never does.
#ifndef WEFT_VM_GENERIC_H_
#define WEFT_VM_GENERIC_H_

#include <cstdint>

#include "gc/no_alloc.h"
#include "vm/cells.h"
#include "vm/objects.h"

namespace weft {

class Vm;

// Indices of the GenericInfo array (docs/hacking.md, 5).
enum GenericInfoSlot : int {
  kGenericKind,      // fixnum GenericKind
  kGenericPosition,  // fixnum: dispatch position from the top
  kGenericMethods,   // array { class method class method ... }
  kGenericDefault,   // word or f
  kGenericCache,     // the VM's
  kGenericInputs,    // fixnum
  kGenericInfoSize,
};
enum class GenericKind : int64_t { kSingle = 0, kMath = 1 };

// The cell to call when the dispatch value of `generic` has `shape`; null: no method. The cell's
// mode may be any (kLazy included). `generic` is pinned, so it may be a raw word.
WordCell* FindMethod(Vm& vm, Word generic, uint32_t shape) WEFT_ALLOCATES;

// The method that `generic` runs for every value of `shape`; f if that depends on the value, or
// there is none.
Word CertainMethod(Vm& vm, Word generic, uint32_t shape) WEFT_NO_ALLOC;

// What the caller has to do to the operands of a math generic before calling `cell`.
enum class MathCoercion : uint8_t { kNone, kToBignum, kToFloat };
struct MathMethod {
  WordCell* cell = nullptr;  // null: no method (throw no-math-method)
  MathCoercion left = MathCoercion::kNone;
  MathCoercion right = MathCoercion::kNone;
};
// The method of MATH: word `generic` for operands of these shapes (in the order left, right): both
// are brought to the greater of the two in fixnum < bignum < ratio < float < complex. Ratios and
// complex numbers take the other operand as it is, as in Factor.
MathMethod FindMathMethod(Vm& vm, Word generic, uint32_t left, uint32_t right) WEFT_ALLOCATES;

// The method after that of class `class_word`, as call-next-method finds it: the method word or f
// (the default method when no other is left).
Word NextMethod(Vm& vm, Word class_word, Word generic) WEFT_NO_ALLOC;

// The method of the most specific class that contains all of `class_word`, without its own method
// if `above`; the default method when there is none, or f.
Word MethodForClass(Vm& vm, Word class_word, Word generic, bool above) WEFT_NO_ALLOC;

// Checks the form of a GenericInfo array (sizes, types, method words); false if something is off.
bool IsGenericInfo(Word info) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_GENERIC_H_
