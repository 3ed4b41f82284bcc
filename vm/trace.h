// --trace-ops: one line on stderr for each instruction, before it runs.
#ifndef WEFT_VM_TRACE_H_
#define WEFT_VM_TRACE_H_

#include <cstdint>

namespace weft {

// The window's distance from the bottom of the data stack in words, the name, the operands.
void TraceInstruction(const uint32_t* at, int64_t depth);

}  // namespace weft

#endif  // WEFT_VM_TRACE_H_
