// Code as text, one line an instruction, made from vm/opcodes.def: index, name, operands by role,
// then the literal or jump target in words. `weft disasm` and the compiler's tests print it.
#ifndef WEFT_VM_DISASSEMBLER_H_
#define WEFT_VM_DISASSEMBLER_H_

#include <string>

#include "gc/no_alloc.h"
#include "vm/objects.h"

namespace weft {

class Observer;
class Vm;

// Works on any structurally valid code; operands that lead nowhere are printed as numbers. With
// `counts`, each line begins with how often the instruction ran.
std::string Disassemble(const Vm& vm, const Code* code,
                        const Observer* counts = nullptr) WEFT_NO_ALLOC;

// The stack map behind each safepoint: "  5: live 0 1 | S0 I3 | S1".
std::string DescribeMaps(const Vm& vm, const Code* code) WEFT_NO_ALLOC;

// A short form of a literal: a number, "text", word, [ ], { }.
std::string DescribeLiteral(const Vm& vm, Word word) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_DISASSEMBLER_H_
