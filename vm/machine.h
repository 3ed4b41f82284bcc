// State transformers: everything that changes what a context runs next, but is not worth doing in
// the interpreter's registers.
//
// The interpreter saves its registers into the current context (pc: the word after the
// instruction), calls one of these, and loads the registers of what is then the current context.
// So nothing here re-enters the interpreter: where an instruction needs a word of the language, the
// context is set up to call it in a window above the frame, under a StubResumeOp record (its result
// goes where the instruction's would) or a StubRetry record (the instruction runs again).
//
// `at` is always the address of the instruction concerned.
#ifndef WEFT_VM_MACHINE_H_
#define WEFT_VM_MACHINE_H_

#include <cstdint>

#include "vm/cells.h"
#include "vm/error_kind.h"
#include "vm/outcome.h"
#include "vm/vm.h"

namespace weft::machine {

// What a primitive's outcome asks for. REQUIRES: outcome != kNext.
void FinishPrimitive(Vm& vm, const uint32_t* at, Outcome outcome) WEFT_ALLOCATES;

// Calls the language's throw handler with vm.pending_error, on top of the frame at `at`.
void EnterThrow(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void EnterThrow(Vm& vm, const uint32_t* at, ErrorKind kind, Word arg1, Word arg2) WEFT_ALLOCATES;

// (unwind): to the innermost handler with pending_error; no handler left: the VM ends.
void Unwind(Vm& vm) WEFT_ALLOCATES;

// Room at an entry or before a push; throws the overflow error if the limit is reached.
void MakeRoom(Vm& vm, const uint32_t* at, size_t words) WEFT_ALLOCATES;

// The budget is used up at `at`, which runs again when the thread goes on.
void EndSlice(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;

// Arithmetic and comparison that the fast path did not handle.
void Arithmetic(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;

// Generic calls: an inline cache miss (kCallGeneric, kTailCallGeneric, kSlotOf, kSetSlotOf, kNth,
// kSetNth, kLength), the entry of a generic word, the entry of a MATH: word.
void GenericMiss(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void Dispatch(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void DispatchMath(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;

// kCallQuotation, kExecuteWord, kCallDynamic whose fast path did not apply.
void CallEffect(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void EnterDynamic(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;

// Dynamic mode.
void DynCall(Vm& vm, const uint32_t* at, WordCell* cell, bool tail) WEFT_ALLOCATES;
// Jumps to the callable (already popped; the return address is on the call stack).
void DynJumpTo(Vm& vm, const uint32_t* at, Word callable) WEFT_ALLOCATES;
void DynBody(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;  // the rarer kDyn... bodies
void Stub(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;     // a stub was returned to

// kTry, kEndTry: the record of a handler in static code.
void EnterTry(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void LeaveTry(Vm& vm, const uint32_t* at);
void TableBounds(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void Undefined(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void Sqrt(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;

void NewTuple(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
void Slot(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;  // kSlot, kSetSlot that are out of bounds
void BoxFloat(Vm& vm, Word* slot, double value) WEFT_ALLOCATES;

// Slots that the static frame of the instruction at `at` may use from its window on.
size_t FrameNeed(Vm& vm, const uint32_t* at) WEFT_NO_ALLOC;

// Puts the first frame of a new context in place: runs `callable` in dynamic mode.
void PrepareContext(Vm& vm, Context& context, const gc::Root& callable) WEFT_ALLOCATES;
// The same for a thread: a throw that nobody catches goes to the special object ThreadFailed.
void PrepareThread(Vm& vm, Context& context, const gc::Root& callable) WEFT_ALLOCATES;

// --- waits (vm/machine_threads.cc). The current context stands behind the primitive that parked
// it. Its wake_value becomes the primitive's result, or is thrown there.
void StoreWakeValue(Context& context);
void ThrowWakeValue(Vm& vm) WEFT_ALLOCATES;
// A context that is debugged stops before the instruction at `at` (vm/stepper.h): calls the hook.
void StopStepping(Vm& vm, const uint32_t* at, int64_t stop) WEFT_ALLOCATES;
// Its wait goes on, but first an injected error is thrown out of it, or the signal handler runs on
// top of it.
void InterruptWait(Vm& vm) WEFT_ALLOCATES;
// Nothing can run and nothing outside can wake a thread: the main context becomes the current one
// and is told, out of its wait.
void DeadlockMain(Vm& vm) WEFT_ALLOCATES;

}  // namespace weft::machine

#endif  // WEFT_VM_MACHINE_H_
