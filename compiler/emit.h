// From procedures to bytecode: instructions, stack maps, positions, through vm/code_builder.h.
#ifndef WEFT_COMPILER_EMIT_H_
#define WEFT_COMPILER_EMIT_H_

#include "compiler/unit.h"
#include "vm/code_builder.h"

namespace weft::compiler {

// Emits the unit's first procedure and the subroutines it reaches. False: a window, jump or table
// would be too large.
bool EmitUnit(Unit& unit, CodeBuilder& builder) WEFT_NO_ALLOC;

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_EMIT_H_
