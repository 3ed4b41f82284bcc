#include "vm/args.h"
#include "vm/compile_request.h"
#include "vm/disassembler.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {

Outcome PrimCompile(Vm& vm, Args args) { return vm.compiler().CompileStatic(vm, args); }

Outcome PrimInfer(Vm& vm, Args args) { return vm.compiler().InferEffect(vm, args); }

Outcome PrimDisassemble(Vm& vm, Args args) {
  std::string text;
  {
    gc::NoAlloc scope;
    if (IsType(args.get(0), TypeId::kCode)) text = Disassemble(vm, As<Code>(args.get(0)));
  }
  if (text.empty()) return BadType(vm, TypeId::kCode, args, 0);
  args.set(0, MakeString(vm.heap(), text));
  return Outcome::kNext;
}

}  // namespace weft
