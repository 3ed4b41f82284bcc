// A context: one green thread's stacks. One block of memory outside the heap: the data stack grows
// up from its start, the call stack down from its end; one check covers both. Grown by copying:
// everything that refers into it is an offset, except the saved registers below, which Grow()
// relocates.
//
//   block | data stack ->  ... free ...  <- call stack | block_end
//                    window            call_top
//
// While a context runs, the interpreter holds pc, window and call_top in registers and writes them
// back at every safepoint. Call stack records, from call_top up: a return pc; if the instruction
// there is a stub, its frame words follow (vm/stub_frames.def); then the next record.
//
// Units: block sizes in words, offsets in bytes. Errors: EnsureRoom tells when the limit is hit.
// Owned by the scheduler; touched by the VM thread only.
#ifndef WEFT_VM_CONTEXT_H_
#define WEFT_VM_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "gc/word.h"
#include "vm/wait.h"

namespace weft {

enum class ContextState : uint8_t {
  kRunning,  // in no queue; the interpreter owns its stacks
  kReady,    // in the run queue
  kParked,   // in no queue of the scheduler; whoever it waits for resumes it
  kEnded,    // its stacks are gone
};

// Below a mark nothing has changed since the last minor collection, so the next one looks only
// above the topmost (Cheng, Harper, Lee, "Generational stack collection and profile-driven
// pretenuring", 1998). At `offset` of the call stack StubMark stands instead of `pc`, a return
// address into a static frame: no frame above one reaches below its window. Ways out other than
// returning (unwinding, resuming) drop the marks they pass; copies of stacks get `pc` back.
struct StackMark {
  uint64_t offset;  // as Context::CallOffset
  const uint32_t* pc;
  // The window of the frame that is returned to, and its dynamic base (Context::DataOffset): a walk
  // can begin there.
  uint64_t window_offset;
  uint64_t base_offset;
};

// What few contexts have: made when first needed.
struct ContextExtras {
  std::vector<StackMark> marks;    // ascending offsets: topmost last
  std::vector<gc::Word> injected;  // errors to be thrown in it, first to last; traced
  // A wait on top of which a signal handler runs, and what ended it meanwhile.
  struct Outer {
    Wait wait;
    gc::Word value{5};
    bool ended = false;
    bool throws = false;
  };
  std::vector<Outer> outer_waits;  // traced
  int time_limits = 0;             // timers that throw in it
};

struct Context {
  static constexpr size_t kInitialWords = 64;
  // The limit of both stacks together; programs get stack overflow errors beyond it. A margin lets
  // the error itself be handled.
  static constexpr size_t kMaxWords = size_t{8} << 20;
  static constexpr size_t kOverflowMarginWords = 16384;
  // Free words that hold at every instruction, beyond what code announces in kEnter.
  static constexpr size_t kRedZoneWords = 24;

  // Saved registers. `pc` is the word after the instruction of the safepoint (its map's key).
  const uint32_t* pc = nullptr;
  gc::Word* window = nullptr;  // static: slot 0; dynamic: just past the top item
  uint64_t* call_top = nullptr;
  const uint32_t* retry_at = nullptr;  // go on with this instruction, not with pc
  bool take_wake_value = false;        // going on stores wake_value as the primitive's result
  bool throw_wake_value = false;       // going on throws wake_value there

  gc::Word* block = nullptr;
  gc::Word* block_end = nullptr;
  uint64_t base_offset = 0;     // from block: bottom of the current dynamic base
  uint64_t handler_offset = 0;  // from block_end down to the innermost handler record; 0: none
  gc::Word namestack{5};        // dynamic variables (a language object)
  gc::Word thread{5};           // the language's thread object
  gc::Word reference{5};        // its ContextRef
  gc::Word wake_value{5};       // what the primitive that parked it leaves
  Wait wait;                    // what it waits for; reason kNone: nothing
  std::unique_ptr<ContextExtras> extras;
  uint64_t instructions = 0;  // charged so far
  uint32_t id = 0;
  ContextState state = ContextState::kParked;
  // Changed since the last minor collection: it stands in the scheduler's list of such (Touch).
  bool dirty = true;
  bool overflowed = false;  // the margin is in use: no second overflow error
  bool fresh = true;        // has not run yet
  bool ending = false;      // its callable has returned: what is left is the library's
  // An injected error, or a call of the signal handler, ended or interrupted the wait.
  bool interrupted = false;
  uint32_t last_ticket = 0;
  // Injected errors are held: `holds` always, `soft_holds` but at waits (with-lock: between the
  // lock and the cleanup that releases it).
  // A throw restores them as they were at its handler. At most 4095 deep.
  uint16_t holds = 0;
  uint16_t soft_holds = 0;
  size_t live_index = 0;  // place in the scheduler's list
  Context* next_ready = nullptr;

  [[nodiscard]] bool HasInjected() const { return extras != nullptr && !extras->injected.empty(); }
  ContextExtras& Extras() {
    if (extras == nullptr) extras = std::make_unique<ContextExtras>();
    return *extras;
  }
  // The call stack now ends at call_top: marks above it are gone.
  void DropMarks() {
    if (extras == nullptr) return;
    std::vector<StackMark>& marks = extras->marks;
    const uint64_t depth = CallOffset(call_top);
    while (!marks.empty() && marks.back().offset > depth) marks.pop_back();
  }
  void ClearMarks() {
    if (extras != nullptr) extras->marks.clear();
  }
  [[nodiscard]] size_t block_words() const { return static_cast<size_t>(block_end - block); }
  [[nodiscard]] uint64_t* call_end() const { return reinterpret_cast<uint64_t*>(block_end); }
  uint64_t DataOffset(const gc::Word* at) const {
    return static_cast<uint64_t>(reinterpret_cast<const char*>(at) -
                                 reinterpret_cast<const char*>(block));
  }
  [[nodiscard]] gc::Word* DataAt(uint64_t offset) const {
    return reinterpret_cast<gc::Word*>(reinterpret_cast<char*>(block) + offset);
  }
  uint64_t CallOffset(const uint64_t* at) const {
    return static_cast<uint64_t>(reinterpret_cast<const char*>(block_end) -
                                 reinterpret_cast<const char*>(at));
  }
  [[nodiscard]] uint64_t* CallAt(uint64_t offset) const {
    return reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(block_end) - offset);
  }

  void AllocateBlock(size_t words);
  void FreeBlock();
  // Makes room for `words` between window and call_top. False if the limit forbids it.
  bool EnsureRoom(size_t words);
};

}  // namespace weft

#endif  // WEFT_VM_CONTEXT_H_
