// --trace-ops: one line on stderr for each instruction, before it runs.
#ifndef WEFT_VM_TRACE_H_
#define WEFT_VM_TRACE_H_

#include <cstdint>

#include "vm/objects.h"

namespace weft {

// name, operands, and the word in slot A (or the top item in dynamic mode) as bits.
void TraceInstruction(const uint32_t* at, const Word* window);

}  // namespace weft

#endif  // WEFT_VM_TRACE_H_
