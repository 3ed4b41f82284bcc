// A context: one green thread's stacks. One block of memory outside the heap: the data stack grows
// up from its start, the call stack down from its end; one check covers both. Grown by copying:
// everything that refers into it is an offset, except the saved registers below, which are
// relocated by Grow().
//
//   block | data stack ->  ... free ...  <- call stack |
//          data_begin      window     call_top     end
//
// State while not running: saved in the fields below. While running the interpreter holds them in
// registers and writes them back at every safepoint (SaveState).
// Call stack records, from call_top up: a return pc; if the instruction there is a stub, its frame
// words follow (vm/stub_frames.def); then the next record.
#ifndef WEFT_VM_CONTEXT_H_
#define WEFT_VM_CONTEXT_H_

#include <cstddef>
#include <cstdint>

#include "gc/word.h"

namespace weft {

enum class ContextState : uint8_t {
  kRunning,   // in no queue; the interpreter owns its stacks
  kReady,     // in the run queue
  kParked,    // in no queue of the scheduler; its waiter resumes it
  kEnded,
};

struct Context {
  static constexpr size_t kInitialWords = 64;

  // Saved registers.
  uint32_t* pc = nullptr;           // next instruction (static: after the call that switched)
  gc::Word* window = nullptr;       // static: slot 0; dynamic: top of stack
  gc::Word* call_top = nullptr;
  bool dynamic = true;              // mode of the code at pc

  gc::Word* block = nullptr;
  gc::Word* block_end = nullptr;
  uint64_t base_offset = 0;         // bytes from block: bottom of the current dynamic base
  uint64_t handler_offset = 0;      // bytes from block_end down to the innermost handler record; 0: none
  gc::Word namestack{5};            // dynamic variables (language object)
  gc::Word thread{5};               // the language's thread object
  gc::Word reference{5};            // ContextRef
  uint64_t instructions = 0;        // charged so far
  uint32_t id = 0;
  ContextState state = ContextState::kParked;
  bool dirty = true;                // ran since the last minor collection
  Context* next_ready = nullptr;    // run queue link
};

}  // namespace weft

#endif  // WEFT_VM_CONTEXT_H_
