// Dynamic-mode code for quotations and word definitions: one instruction per element, no knowledge
// of stack effects, never an error. Everything starts here; the static compiler replaces it where
// effects are known.
#ifndef WEFT_COMPILER_DYNAMIC_H_
#define WEFT_COMPILER_DYNAMIC_H_

#include "gc/handle.h"

namespace weft {

class Vm;

// Makes and installs dynamic code: Quotation::dynamic_code, or the cell of a word from its
// definition. REQUIRES: callable is a quotation, or a word whose def is one.
void CompileDynamic(Vm& vm, const gc::Root& callable) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_COMPILER_DYNAMIC_H_
