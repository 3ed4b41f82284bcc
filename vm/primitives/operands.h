// Checks that primitives share: operands of a type, indices, sizes.
#ifndef WEFT_VM_PRIMITIVES_OPERANDS_H_
#define WEFT_VM_PRIMITIVES_OPERANDS_H_

#include <string>

#include "vm/args.h"
#include "vm/objects.h"
#include "vm/vm.h"

namespace weft {

inline bool Is(Args args, size_t i, TypeId type) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return IsType(args.get(i), type);
}

// Throws a type error about args[i].
inline Outcome BadType(Vm& vm, TypeId expected, Args args, size_t i) WEFT_ALLOCATES {
  Word operand;
  {
    const gc::NoAlloc scope;
    operand = args.get(i);
  }
  return vm.ThrowType(expected, operand);
}

// Throws { "kernel-error" slot-bounds object index }.
inline Outcome BadIndex(Vm& vm, Args args, size_t index, size_t object) WEFT_ALLOCATES {
  Word words[2];
  {
    const gc::NoAlloc scope;
    words[0] = args.get(object);
    words[1] = args.get(index);
  }
  return vm.Throw(ErrorKind::kSlotBounds, words[0], words[1]);
}

// Room for a new object of so many bytes; false if the heap refuses it.
inline bool HasRoom(Vm& vm, size_t bytes) WEFT_ALLOCATES {
  return bytes < gc::kLargeBytes || vm.heap().Reserve(bytes);
}
inline Outcome NoRoom(Vm& vm, size_t bytes) WEFT_ALLOCATES {
  return vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
}

// A size that a program asks for: a fixnum from 0 to the largest that any heap could hold.
inline constexpr int64_t kMaxElements = int64_t{1} << 40;
inline bool IsSize(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) >= 0 && args.fixnum(i) <= kMaxElements;
}
inline Outcome BadSize(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  Word size;
  {
    const gc::NoAlloc scope;
    size = args.get(i);
  }
  return vm.Throw(ErrorKind::kArraySize, size, Word::Fixnum(kMaxElements));
}

}  // namespace weft

#endif  // WEFT_VM_PRIMITIVES_OPERANDS_H_
