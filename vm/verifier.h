// Structural verification of bytecode: what must hold so that running it cannot harm the VM. By
// operand role, never by opcode, from the table of vm/bytecode.h.
//
// Checked: every word is an instruction of the code's mode; slots lie in the frame that kEnter
// announces; literals lie in the pool and are of the kind the instruction wants (cells and caches
// are live ones); jumps land on instructions, backwards only from loops; control never runs off the
// end; every safepoint has a stack map, and maps are sorted and well-formed. Not checked: that
// slots are written before they are read (maps decide what the collector sees).
#ifndef WEFT_VM_VERIFIER_H_
#define WEFT_VM_VERIFIER_H_

#include <string>

#include "gc/no_alloc.h"
#include "vm/objects.h"

namespace weft {

class Vm;

// The first violation in words, "" if there is none.
std::string VerifyCode(Vm& vm, const Code* code) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_VERIFIER_H_
