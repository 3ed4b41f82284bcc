// The compiler as the VM sees it (vm/compile_request.h): dynamic code for everything, static code
// where stack effects are known. Stateless; owned by tools/.
#ifndef WEFT_COMPILER_COMPILER_H_
#define WEFT_COMPILER_COMPILER_H_

#include "vm/compile_request.h"

namespace weft {

class Compiler : public CompilerInterface {
 public:
  void CompileDynamic(Vm& vm, const gc::Root& callable) override WEFT_ALLOCATES;
  Outcome CompileStatic(Vm& vm, Args args) override WEFT_ALLOCATES;
  Outcome InferEffect(Vm& vm, Args args) override WEFT_ALLOCATES;
};

}  // namespace weft

#endif  // WEFT_COMPILER_COMPILER_H_
