#include "compiler/compiler.h"

#include "compiler/dynamic.h"
#include "compiler/static_compiler.h"

namespace weft {

void Compiler::CompileDynamic(Vm& vm, const gc::Root& callable) {
  weft::CompileDynamic(vm, callable);
}

Outcome Compiler::CompileStatic(Vm& vm, Args args) { return weft::CompileStatic(vm, args); }

Outcome Compiler::InferEffect(Vm& vm, Args args) { return weft::InferEffect(vm, args); }

}  // namespace weft
