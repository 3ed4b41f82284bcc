// What the VM asks of the compiler, without including it (tools/ hands it in).
#ifndef WEFT_VM_COMPILE_REQUEST_H_
#define WEFT_VM_COMPILE_REQUEST_H_

#include "gc/handle.h"
#include "vm/args.h"
#include "vm/outcome.h"

namespace weft {

class Vm;

class CompilerInterface {
 public:
  virtual ~CompilerInterface() = default;
  // Dynamic-mode code for a quotation or the definition of a word: always succeeds. Installs it
  // (quotation->dynamic_code, or word->code and its cell). Allocates.
  virtual void CompileDynamic(Vm& vm, const gc::Root& callable) WEFT_ALLOCATES = 0;

  // (compile) ( callable declared/f answers -- code/f report )
  // Static code for a quotation or word: pure. On success `code` is Code (not yet installed) and
  // `report` the array of words it depends on; else code is f and report is an array: a request
  // { "expand" macro literals } to be answered (answers: array of { macro literals expansion }), or
  // an error { kind details... position } that the language turns into its error tuples.
  virtual Outcome CompileStatic(Vm& vm, Args args) WEFT_ALLOCATES = 0;

  // (infer) ( quot answers -- effect/f report ): the stack effect, with the same requests and
  // errors; makes no code.
  virtual Outcome InferEffect(Vm& vm, Args args) WEFT_ALLOCATES = 0;
};

}  // namespace weft

#endif  // WEFT_VM_COMPILE_REQUEST_H_
