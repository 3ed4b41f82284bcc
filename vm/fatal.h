// The last resort: an error before the library's own handlers are in place (image build), or after
// they are gone. Prints what is known to stderr and ends the VM with status 1.
#ifndef WEFT_VM_FATAL_H_
#define WEFT_VM_FATAL_H_

#include <cstdio>

#include "vm/objects.h"

namespace weft {

class Vm;
struct StackState;

// Says what went wrong without running anything of the language: the error, then the calls of
// `state`, innermost first.
void ReportError(Vm& vm, Word error, const StackState& state) WEFT_NO_ALLOC;

// The calls of `state`, innermost first, a line each.
void PrintFrames(std::FILE* file, const StackState& state, Vm& vm) WEFT_NO_ALLOC;

// ReportError, and the VM ends. `error`: the error object; frames of the current context follow,
// innermost first.
void EndWithError(Vm& vm, Word error) WEFT_NO_ALLOC;

// One line for a value: numbers, strings, words, and what class anything else has.
void PrintBriefly(Vm& vm, Word word) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_FATAL_H_
