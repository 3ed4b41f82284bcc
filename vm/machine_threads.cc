// State transformers of threads: ends of slices, parking, and what is told a context from outside
// (injected errors, signals, deadlock).
#include <algorithm>
#include <cstdio>

#include "gc/check.h"
#include "vm/ipc/fork.h"
#include "vm/machine.h"
#include "vm/machine_internal.h"
#include "vm/primitives.h"
#include "vm/scheduler.h"

namespace weft::machine {
namespace {

// The oldest injected error becomes vm.pending_error.
void TakeInjected(Vm& vm, Context& context) WEFT_NO_ANALYSIS {
  std::vector<Word>& injected = context.extras->injected;
  vm.pending_error.set(injected.front());
  injected.erase(injected.begin());
}

// What stands under the handler that was just called.
void NoteHandler(Scheduler& scheduler, const Context& context) {
  scheduler.handler_record.offset = context.CallOffset(context.call_top);
  std::copy_n(context.call_top, 3, scheduler.handler_record.words);
}

// The next signal's handler runs in the main context, which is the current one.
bool DeliverSignal(Vm& vm, const uint32_t* at, bool in_wait) WEFT_NO_ANALYSIS {
  Scheduler& scheduler = vm.scheduler();
  WordCell* handler = CellOfSpecial(vm, in_wait ? Special::kSignalInWait : Special::kSignalHandler);
  const int number = scheduler.events().TakeSignal();
  if (number == 0 || handler == nullptr) return false;
  scheduler.signals_held = true;  // until the handler's word releases them
  if (!in_wait) {
    CallBetween(vm, at, handler, Word::Fixnum(number));
    NoteHandler(scheduler, *vm.current());
    return true;
  }
  Context& context = *vm.current();
  ContextExtras::Outer outer;
  outer.wait = context.wait;
  context.wait = Wait();
  context.Extras().outer_waits.push_back(outer);
  vm.scratch.set(0, Word::Fixnum(number));
  CallAbove(vm, at, handler, 1, Op::kStubResumeOp);
  NoteHandler(scheduler, context);
  return true;
}

}  // namespace

void CallBetween(Vm& vm, const uint32_t* at, WordCell* cell, Word argument) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  // Dynamic code keeps its items below the window, so the call may start right there.
  const size_t need = IsDynamicAt(vm, at) ? 0 : FrameNeed(vm, at);
  vm.scratch.set(0, argument);
  context.EnsureRoom(need + 16);
  PushCallPc(context, at);
  PushCall(context, AsRaw(need * sizeof(Word)));
  PushCallPc(context, vm.StubAddress(Op::kStubRetry));
  context.window += need;
  context.window[0] = vm.scratch.get(0);
  context.pc = EntryOf(cell);
}

void EndSlice(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  Scheduler& scheduler = vm.scheduler();
  scheduler.AccountSlice();
  if (vm.heap().limit_exceeded()) {
    vm.heap().ClearLimitExceeded();
    vm.budget = scheduler.DrawSlice();
    EnterThrow(vm, at, ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
    return;
  }
  context.retry_at = at;
  ipc::NotePlace(vm);
  if (scheduler.no_preemption > 0) {
    vm.budget = scheduler.DrawSlice();
    return;
  }
  scheduler.LookOutside();
  if (scheduler.MustInterruptCurrent()) {
    vm.budget = scheduler.DrawSlice();
    if (context.HasInjected() && context.holds == 0 && context.soft_holds == 0) {
      context.retry_at = nullptr;
      TakeInjected(vm, context);
      EnterThrow(vm, at);
      return;
    }
    context.retry_at = nullptr;
    if (DeliverSignal(vm, at, /*in_wait=*/false)) return;
    context.retry_at = at;
  }
  if (scheduler.events().signals_pending()) scheduler.SummonMain();
  if (!scheduler.HasReady()) {
    vm.budget = scheduler.DrawSlice();
    return;
  }
  scheduler.SwitchAway(/*ready=*/true);
}

void StoreWakeValue(Context& context) {
  const uint32_t instruction = context.pc[-1];
  const bool in_body = DecodeOp(instruction) == Op::kPrimitiveBody;
  if (kPrimitives[DecodeD(instruction)].counts.outputs > 0) {
    context.window[in_body ? 0 : DecodeA(instruction)] = context.wake_value;
  }
  context.wake_value = gc::kFalse;
}

void ThrowWakeValue(Vm& vm) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  vm.pending_error.set(context.wake_value);
  context.wake_value = gc::kFalse;
  EnterThrow(vm, context.pc - 1);
}

void Park(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  Scheduler& scheduler = vm.scheduler();
  if (context.HasInjected() && context.holds == 0) {
    scheduler.DropWait(&context);
    TakeInjected(vm, context);
    EnterThrow(vm, at);
    return;
  }
  ipc::NotePlace(vm);
  scheduler.SwitchAway(/*ready=*/false);
}

void InterruptWait(Vm& vm) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const uint32_t* at = context.pc - 1;
  if (context.HasInjected() && context.holds == 0) {
    vm.scheduler().DropWait(&context);
    TakeInjected(vm, context);
    EnterThrow(vm, at);
    return;
  }
  if (DeliverSignal(vm, at, /*in_wait=*/true)) return;
  // What interrupted it was taken back meanwhile: it goes on waiting.
  vm.scheduler().SwitchAway(/*ready=*/false);
}

void DeadlockMain(Vm& vm) WEFT_NO_ANALYSIS {
  Scheduler& scheduler = vm.scheduler();
  Context* main = scheduler.main_context();
  WordCell* deadlock = CellOfSpecial(vm, Special::kDeadlock);
  vm.set_current(main);
  main->state = ContextState::kRunning;
  scheduler.Touch(main);
  vm.budget = scheduler.DrawSlice();
  if (deadlock == nullptr) {
    std::fprintf(stderr, "weft: all threads wait for each other\n");
    vm.exit_status = 3;
    vm.exiting = true;
    main->pc = vm.HaltAddress();
    return;
  }
  // The wait's record stays until the word has made its report of it: the word drops it.
  vm.scratch.set(0, gc::kFalse);
  CallAbove(vm, main->pc - 1, deadlock, 0, Op::kStubResumeOp);
}

}  // namespace weft::machine
