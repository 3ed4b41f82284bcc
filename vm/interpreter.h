// The interpreter: runs the current context, and whatever contexts follow it, until the VM ends.
#ifndef WEFT_VM_INTERPRETER_H_
#define WEFT_VM_INTERPRETER_H_

#include "gc/no_alloc.h"

namespace weft {

class Vm;

// Runs until a primitive asks for the end (vm.exit_status) or the main context ends.
// REQUIRES: vm.current() is prepared (machine::PrepareContext).
void Interpret(Vm& vm) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_INTERPRETER_H_
