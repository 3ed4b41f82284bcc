// What primitives show of stacks: shared by continuations and threads.
#ifndef WEFT_VM_PRIMITIVES_STACK_VIEWS_H_
#define WEFT_VM_PRIMITIVES_STACK_VIEWS_H_

#include <cstddef>

#include "gc/handle.h"
#include "vm/args.h"
#include "vm/outcome.h"
#include "vm/stack_walker.h"

namespace weft {

class Vm;

// Stores an array of `items` as a result. Throws out-of-memory if a large one does not fit.
Outcome ArrayOf(Vm& vm, const gc::RootVector& items, Args args, size_t result);

// Result 0: four items a frame, innermost first: word or quotation, path/f, line, column.
// Adds four items for each word that runs at an instruction: word or quotation, path, line, column.
void StoreRunningWords(const Code* code, uint32_t pc_index, gc::RootVector& items);
Outcome StoreFrames(Vm& vm, const StackState& state, Args args);

}  // namespace weft

#endif  // WEFT_VM_PRIMITIVES_STACK_VIEWS_H_
