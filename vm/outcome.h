// What a primitive or slow path tells the interpreter to do next.
#ifndef WEFT_VM_OUTCOME_H_
#define WEFT_VM_OUTCOME_H_

namespace weft {

enum class [[nodiscard]] Outcome{
    kNext,      // results are in place; go on
    kThrow,     // the error object is in vm.pending_error; unwind to the nearest handler
    kYield,     // results are in place; the slice ends here
    kBlock,     // the context was parked (its wake-up fills the results); switch
    kCallWord,  // call vm.call_word with the arguments that now stand at the window, as if it had
                // been called in place of the primitive: its results are the primitive's
    kReload,    // stacks or pc of the current context were replaced (continuation): reload all
    kExit,      // the VM ends with vm.exit_status
};

}  // namespace weft

#endif  // WEFT_VM_OUTCOME_H_
