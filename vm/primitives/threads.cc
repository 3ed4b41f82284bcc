// Primitives of green threads: starting, parking, waking, what is thrown in them from outside.
#include <algorithm>
#include <csignal>
#include <string>

#include "gc/check.h"
#include "vm/line_table.h"
#include "vm/machine.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/primitives/stack_views.h"
#include "vm/scheduler.h"
#include "vm/stack_walker.h"
#include "vm/strings.h"
#include "vm/thread_object.h"
#include "vm/vm.h"
#include "vm/wait_queue.h"

namespace weft {
namespace {

ContextRef* ContextArgument(Args args, size_t i) WEFT_NO_ALLOC {
  return IsType(args.get(i), TypeId::kContextRef) ? As<ContextRef>(args.get(i)) : nullptr;
}

// The context that a reference means; null if it has ended.
Context* ContextOf(Vm& vm, const ContextRef* reference) WEFT_NO_ALLOC {
  const int64_t id = reference->id.AsFixnum();
  return id < 0 ? nullptr : vm.scheduler().Find(static_cast<uint32_t>(id));
}

// The context's value in the language; made when first asked for.
void EnsureReference(Vm& vm, Context& context) WEFT_NO_ANALYSIS {
  if (context.reference.IsPointer()) return;
  const Word reference = vm.heap().Allocate(ShapeOf(TypeId::kContextRef), sizeof(ContextRef));
  auto* object = As<ContextRef>(reference);
  object->id = Word::Fixnum(context.id);
  object->thread = context.thread;
  object->result = gc::kFalse;
  object->spawned = gc::kFalse;
  context.reference = reference;
  vm.scheduler().Touch(&context);
}

// Notes the frames from which a thread is spawned: positions are looked up when a report asks.
constexpr size_t kSpawnFrames = 5;

void NoteSpawn(Vm& vm, const gc::Root& reference) WEFT_NO_ANALYSIS {
  const Context& context = *vm.current();
  Scheduler::SpawnPlace& place = vm.scheduler().spawn_place;
  // The same words of the call stack mean the same frames: threads are mostly spawned in loops.
  const auto depth = static_cast<size_t>(context.call_end() - context.call_top);
  if (place.pc == context.pc && place.words <= depth &&
      std::equal(place.stack, place.stack + place.words, context.call_top)) {
    auto* holder = As<ContextRef>(reference.get());
    vm.heap().Write(holder, &holder->spawned, place.frames.get());
    return;
  }
  const size_t bytes = sizeof(Array) + 2 * kSpawnFrames * sizeof(Word);
  const Word array = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  auto* object = As<Array>(array);
  object->length = Word::Fixnum(2 * kSpawnFrames);
  StackWalker walker(vm, StackState::Of(context));
  for (size_t frame = 0; frame < kSpawnFrames;) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    vm.heap().Write(object, &object->elements[2 * frame], Word::Pointer(walker.code()));
    object->elements[2 * frame + 1] = Word::Fixnum(walker.pc_index());
    ++frame;
  }
  auto* holder = As<ContextRef>(reference.get());
  vm.heap().Write(holder, &holder->spawned, array);
  const auto words = static_cast<size_t>(walker.read_to() - context.call_top);
  const bool marked = context.extras != nullptr && !context.extras->marks.empty();
  place.pc = marked || words > Scheduler::SpawnPlace::kMaxWords ? nullptr : context.pc;
  if (place.pc == nullptr) return;
  place.words = words;
  std::copy_n(context.call_top, words, place.stack);
  place.frames.set(array);
}

bool IsSignalNumber(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) > 0 && args.fixnum(i) < 64;
}

// What (hold) changed may let an error in: soon, at the next safepoint.
Outcome AfterHold(Vm& vm) {
  return vm.scheduler().MustInterruptCurrent() ? Outcome::kYield : Outcome::kNext;
}

}  // namespace

Outcome PrimStartThread(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ThreadObject* thread = ThreadOf(vm, args.get(0));
  if (thread == nullptr) return vm.Throw(ErrorKind::kBadArgument, args.get(0));
  Context* context = vm.scheduler().NewContext();
  context->thread = args.get(0);
  context->namestack = vm.current()->namestack;
  {
    const gc::Root callable(vm.heap(), thread->quotation);
    machine::PrepareThread(vm, *context, callable);
  }
  EnsureReference(vm, *context);
  {
    const gc::Root reference(vm.heap(), context->reference);
    NoteSpawn(vm, reference);
    context->reference = reference.get();
  }
  auto* started = static_cast<ThreadObject*>(gc::ObjectAt(args.get(0)));
  started->id = Word::Fixnum(context->id);
  vm.heap().Write(started, &started->context, context->reference);
  vm.scheduler().MakeReady(context);
  return Outcome::kNext;
}

Outcome PrimSelfContext(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  EnsureReference(vm, *vm.current());
  args.set(0, vm.current()->reference);
  return Outcome::kNext;
}

Outcome PrimSelfThread(Vm& vm, Args args) {
  args.set(0, vm.current()->thread);
  return Outcome::kNext;
}

Outcome PrimSetSelfThread(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  context.thread = args.get(0);
  if (context.reference.IsPointer()) {
    auto* reference = As<ContextRef>(context.reference);
    vm.heap().Write(reference, &reference->thread, context.thread);
  }
  return Outcome::kNext;
}

Outcome PrimBeginProgram(Vm& vm, Args) {
  vm.scheduler().BeginProgram();
  return Outcome::kReload;
}

Outcome PrimEndProgram(Vm& vm, Args) {
  vm.scheduler().EndProgram();
  return Outcome::kNext;
}

Outcome PrimYield(Vm&, Args) { return Outcome::kYield; }

namespace {

// Operands `object reason timeout/f` of a wait, from `first` on. False: one is bad.
bool AreWaitOperands(Args args, size_t first) WEFT_NO_ALLOC {
  return args.is_fixnum(first + 1) && args.fixnum(first + 1) > 0 &&
         args.fixnum(first + 1) < static_cast<int64_t>(WaitReason::kCount) &&
         (args.is_fixnum(first + 2) || !args.is_true(first + 2));
}

Outcome BadWaitOperand(Vm& vm, Args args, size_t first) WEFT_NO_ANALYSIS {
  return vm.ThrowType(TypeId::kFixnum,
                      args.is_fixnum(first + 1) ? args.get(first + 2) : args.get(first + 1));
}

void BeginWaitFor(Vm& vm, Args args, size_t first) WEFT_NO_ALLOC {
  const int64_t timeout =
      args.is_fixnum(first + 2) ? std::max<int64_t>(args.fixnum(first + 2), 0) : -1;
  vm.scheduler().BeginWait(static_cast<WaitReason>(args.fixnum(first + 1)), args.get(first),
                           timeout);
}

Word NewWaiter(Vm& vm) WEFT_NO_ANALYSIS {
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kWaiter), sizeof(Waiter));
  auto* waiter = As<Waiter>(word);
  waiter->context = waiter->id = waiter->ticket = Word::Fixnum(0);
  waiter->queue = waiter->previous = waiter->next = waiter->sibling = gc::kFalse;
  return word;
}

}  // namespace

Outcome PrimPark(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!AreWaitOperands(args, 0)) return BadWaitOperand(vm, args, 0);
  BeginWaitFor(vm, args, 0);
  return Outcome::kBlock;
}

Outcome PrimWaitQueue(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kWaitQueue), sizeof(WaitQueue));
  As<WaitQueue>(word)->first = As<WaitQueue>(word)->last = gc::kFalse;
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimWaitIn(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(0), TypeId::kWaitQueue)) {
    return vm.ThrowType(TypeId::kWaitQueue, args.get(0));
  }
  if (!AreWaitOperands(args, 1)) return BadWaitOperand(vm, args, 1);
  const Word waiter = NewWaiter(vm);
  BeginWaitFor(vm, args, 1);
  Enqueue(vm, args.get(0), waiter);
  return Outcome::kBlock;
}

Outcome PrimWaitInAll(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(0), TypeId::kArray)) return vm.ThrowType(TypeId::kArray, args.get(0));
  if (!AreWaitOperands(args, 1)) return BadWaitOperand(vm, args, 1);
  const int64_t count = As<Array>(args.get(0))->size();
  for (int64_t i = 0; i < count; ++i) {
    const Word queue = As<Array>(args.get(0))->elements[i];
    if (!IsType(queue, TypeId::kWaitQueue)) return vm.ThrowType(TypeId::kWaitQueue, queue);
  }
  gc::RootVector waiters(vm.heap());
  for (int64_t i = 0; i < count; ++i) waiters.push_back(NewWaiter(vm));
  BeginWaitFor(vm, args, 1);
  for (int64_t i = 0; i < count; ++i) {
    Enqueue(vm, As<Array>(args.get(0))->elements[i], waiters.get(static_cast<size_t>(i)));
  }
  return Outcome::kBlock;
}

Outcome PrimWakeFirst(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(1), TypeId::kWaitQueue)) {
    return vm.ThrowType(TypeId::kWaitQueue, args.get(1));
  }
  args.set(0, Word::Bool(WakeFirst(vm, args.get(1), args.get(0))));
  return Outcome::kNext;
}

Outcome PrimWakeAll(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(1), TypeId::kWaitQueue)) {
    return vm.ThrowType(TypeId::kWaitQueue, args.get(1));
  }
  WakeAll(vm, args.get(1), args.get(0));
  return Outcome::kNext;
}

Outcome PrimHasWaiters(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(0), TypeId::kWaitQueue)) {
    return vm.ThrowType(TypeId::kWaitQueue, args.get(0));
  }
  args.set(0, Word::Bool(As<WaitQueue>(args.get(0))->first.IsPointer()));
  return Outcome::kNext;
}

Outcome PrimRegistrations(Vm& vm, Args args) {
  args.set(0, Word::Fixnum(vm.scheduler().registrations()));
  return Outcome::kNext;
}

Outcome PrimNextTicket(Vm& vm, Args args) {
  args.set(0, Word::Fixnum(int64_t{vm.current()->last_ticket} + 1));
  return Outcome::kNext;
}

Outcome PrimUnpark(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 1);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(1));
  if (!args.is_fixnum(2)) return vm.ThrowType(TypeId::kFixnum, args.get(2));
  Context* context = ContextOf(vm, reference);
  const auto ticket = static_cast<uint32_t>(args.fixnum(2));
  args.set(0,
           Word::Bool(context != nullptr && vm.scheduler().EndWait(context, ticket, args.get(0))));
  return Outcome::kNext;
}

Outcome PrimUnparkIf(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 1);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(1));
  if (!args.is_fixnum(2)) return vm.ThrowType(TypeId::kFixnum, args.get(2));
  Context* context = ContextOf(vm, reference);
  bool woken = false;
  if (context != nullptr && args.fixnum(2) != 0) {
    uint32_t ticket =
        static_cast<int64_t>(context->wait.reason) == args.fixnum(2) ? context->wait.ticket : 0;
    // A signal handler may run on top of the wait that is meant.
    if (ticket == 0 && context->extras != nullptr) {
      for (const ContextExtras::Outer& outer : context->extras->outer_waits) {
        if (static_cast<int64_t>(outer.wait.reason) == args.fixnum(2)) ticket = outer.wait.ticket;
      }
    }
    woken = ticket != 0 && vm.scheduler().EndWait(context, ticket, args.get(0));
  }
  args.set(0, Word::Bool(woken));
  return Outcome::kNext;
}

Outcome PrimInject(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 1);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(1));
  Context* context = ContextOf(vm, reference);
  if (context == nullptr) return Outcome::kNext;
  vm.scheduler().Inject(context, args.get(0));
  return context == vm.current() ? AfterHold(vm) : Outcome::kNext;
}

Outcome PrimHold(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  Context& context = *vm.current();
  uint16_t& holds = args.is_true(1) ? context.soft_holds : context.holds;
  if (args.fixnum(0) > 0) {
    if (holds >= 4095) return vm.Throw(ErrorKind::kBadArgument, args.get(0));
    ++holds;
    return Outcome::kNext;
  }
  if (holds > 0) --holds;
  return AfterHold(vm);
}

Outcome PrimSetTimeLimit(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(1)) return vm.ThrowType(TypeId::kFixnum, args.get(1));
  const int64_t now = EventLoop::Now();
  const int64_t timeout = std::max<int64_t>(args.fixnum(1), 0);
  const int64_t deadline = timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
  const uint32_t timer =
      vm.scheduler().events().timers().Set(deadline, vm.current(), Timer::kThrows, args.get(0));
  ++vm.current()->Extras().time_limits;
  args.set(0, Word::Fixnum(timer));
  return Outcome::kNext;
}

Outcome PrimCancelTimeLimit(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  TimerQueue& timers = vm.scheduler().events().timers();
  const auto number = static_cast<uint32_t>(args.fixnum(0));
  const bool set = args.fixnum(0) >= 0 && args.fixnum(0) < UINT32_MAX && timers.IsSet(number) &&
                   timers.at(number).context == vm.current() &&
                   timers.at(number).error.bits == args.get(1).bits;
  if (set) {
    timers.Cancel(number);
    --vm.current()->Extras().time_limits;
  } else if (vm.current()->HasInjected()) {
    // It fired, and its error was held back or has not come to a safepoint: it is not thrown.
    std::vector<Word>& injected = vm.current()->extras->injected;
    const Word wanted = args.get(1);
    injected.erase(std::remove_if(injected.begin(), injected.end(),
                                  [wanted](Word error) { return error.bits == wanted.bits; }),
                   injected.end());
  }
  return Outcome::kNext;
}

Outcome PrimContextWait(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  const Context* context = ContextOf(vm, reference);
  if (context == nullptr || context->wait.reason == WaitReason::kNone) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  const Wait wait = context->wait;
  gc::RootVector items(vm.heap());
  items.push_back(Word::Fixnum(static_cast<int64_t>(wait.reason)));
  items.push_back(wait.object);
  items.push_back(Word::Fixnum(wait.since_ns));
  items.push_back(Word::Fixnum(static_cast<int64_t>(wait.since_instructions)));
  items.push_back(wait.timer == Wait::kNoTimer
                      ? gc::kFalse
                      : Word::Fixnum(vm.scheduler().events().timers().at(wait.timer).deadline));
  items.push_back(Word::Fixnum(wait.ticket));
  items.push_back(Word::Bool(wait.operation != nullptr));
  items.push_back(Word::Bool(context->extras != nullptr && context->extras->time_limits > 0));
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimContextFrames(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  const Context* context = ContextOf(vm, reference);
  // Where a fresh context stands is nowhere yet.
  if (context == nullptr || context->fresh) return ArrayOf(vm, gc::RootVector(vm.heap()), args, 0);
  return StoreFrames(vm, StackState::Of(*context), args);
}

Outcome PrimContextSpawnFrames(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  gc::RootVector items(vm.heap());
  if (reference->spawned.IsPointer()) {
    const auto* noted = As<Array>(reference->spawned);
    for (int64_t i = 0; i + 1 < noted->size(); i += 2) {
      if (!IsType(noted->elements[i], TypeId::kCode)) break;
      const auto* code = As<Code>(noted->elements[i]);
      StoreRunningWords(code, static_cast<uint32_t>(noted->elements[i + 1].AsFixnum()), items);
    }
  }
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimStop(Vm& vm, Args) {
  Context& context = *vm.current();
  context.window = context.block;
  context.call_top = context.call_end();
  context.ClearMarks();
  context.base_offset = 0;
  context.handler_offset = 0;
  context.pc = vm.StubAddress(Op::kStubContextEnd);
  return Outcome::kReload;
}

Outcome PrimContextState(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  const Context* context = ContextOf(vm, reference);
  args.set(0, Word::Fixnum(static_cast<int64_t>(context == nullptr ? ContextState::kEnded
                                                                   : context->state)));
  return Outcome::kNext;
}

Outcome PrimDropWait(Vm& vm, Args) {
  vm.scheduler().DropWait(vm.current());
  return Outcome::kNext;
}

Outcome PrimResumeWait(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  if (context.extras == nullptr || context.extras->outer_waits.empty()) {
    return vm.Throw(ErrorKind::kBadArgument);
  }
  const ContextExtras::Outer outer = context.extras->outer_waits.back();
  context.extras->outer_waits.pop_back();
  // Not before: a signal that came here, with the wait still set aside, would leave it behind.
  vm.scheduler().signals_held = false;
  if (!outer.ended) {
    context.wait = outer.wait;
    return Outcome::kBlock;
  }
  if (outer.throws) {
    vm.pending_error.set(outer.value);
    return Outcome::kThrow;
  }
  args.set(0, outer.value);
  return AfterHold(vm);
}

Outcome PrimDropOuterWait(Vm& vm, Args) {
  Context& context = *vm.current();
  if (context.extras == nullptr || context.extras->outer_waits.empty()) return Outcome::kNext;
  ContextExtras::Outer outer = context.extras->outer_waits.back();
  context.extras->outer_waits.pop_back();
  if (!outer.ended) vm.scheduler().DropWait(outer.wait);
  return Outcome::kNext;
}

Outcome PrimCatchSignal(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsSignalNumber(args, 0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  args.set(0, Word::Fixnum(vm.scheduler().events().CatchSignal(static_cast<int>(args.fixnum(0)))));
  return Outcome::kNext;
}

Outcome PrimUncatchSignal(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsSignalNumber(args, 0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  args.set(0,
           Word::Fixnum(vm.scheduler().events().ReleaseSignal(static_cast<int>(args.fixnum(0)))));
  return Outcome::kNext;
}

Outcome PrimCountSignalHandlers(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  vm.scheduler().signal_handlers = static_cast<int>(args.fixnum(0));
  return Outcome::kNext;
}

Outcome PrimReleaseSignals(Vm& vm, Args) {
  vm.scheduler().signals_held = false;
  return AfterHold(vm);
}

Outcome PrimRaiseSignal(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsSignalNumber(args, 0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  raise(static_cast<int>(args.fixnum(0)));
  return AfterHold(vm);
}

Outcome PrimSignalNumber(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  static constexpr struct {
    const char* name;
    int number;
  } kSignals[] = {
      {"SIGHUP", SIGHUP},       {"SIGINT", SIGINT},   {"SIGQUIT", SIGQUIT},   {"SIGUSR1", SIGUSR1},
      {"SIGUSR2", SIGUSR2},     {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},   {"SIGTERM", SIGTERM},
      {"SIGCHLD", SIGCHLD},     {"SIGCONT", SIGCONT}, {"SIGTSTP", SIGTSTP},   {"SIGTTIN", SIGTTIN},
      {"SIGTTOU", SIGTTOU},     {"SIGURG", SIGURG},   {"SIGXCPU", SIGXCPU},   {"SIGXFSZ", SIGXFSZ},
      {"SIGVTALRM", SIGVTALRM}, {"SIGPROF", SIGPROF}, {"SIGWINCH", SIGWINCH}, {"SIGIO", SIGIO},
      {"SIGKILL", SIGKILL},     {"SIGSTOP", SIGSTOP}, {"SIGABRT", SIGABRT},   {"SIGSEGV", SIGSEGV},
      {"SIGBUS", SIGBUS},       {"SIGILL", SIGILL},   {"SIGFPE", SIGFPE}};
  if (args.is_fixnum(0)) {
    for (const auto& signal : kSignals) {
      if (signal.number == args.fixnum(0)) {
        args.set(0, MakeString(vm.heap(), signal.name));
        return Outcome::kNext;
      }
    }
  } else if (IsType(args.get(0), TypeId::kString)) {
    const std::string name = ToUtf8(args.get(0));
    for (const auto& signal : kSignals) {
      if (name == signal.name) {
        args.set(0, Word::Fixnum(signal.number));
        return Outcome::kNext;
      }
    }
  }
  args.set(0, gc::kFalse);
  return Outcome::kNext;
}

Outcome PrimWaitReasonNumber(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(0), TypeId::kString)) return vm.ThrowType(TypeId::kString, args.get(0));
  const std::string name = ToUtf8(args.get(0));
  for (int i = 0; i < static_cast<int>(WaitReason::kCount); ++i) {
    if (NameOf(static_cast<WaitReason>(i)) == name) {
      args.set(0, Word::Fixnum(i));
      return Outcome::kNext;
    }
  }
  return vm.Throw(ErrorKind::kBadArgument, args.get(0));
}

Outcome PrimWaitReasonText(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(0) || args.fixnum(0) < 0 ||
      args.fixnum(0) >= static_cast<int64_t>(WaitReason::kCount)) {
    return vm.ThrowType(TypeId::kFixnum, args.get(0));
  }
  const auto reason = static_cast<WaitReason>(args.fixnum(0));
  args.set(0, MakeString(vm.heap(), NameOf(reason)));
  args.set(1, MakeString(vm.heap(), PhraseOf(reason)));
  return Outcome::kNext;
}

Outcome PrimWaitCount(Vm& vm, Args args) {
  args.set(0, Word::Fixnum(static_cast<int64_t>(vm.scheduler().waits())));
  return Outcome::kNext;
}

Outcome PrimMainContext(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  Context* main = vm.scheduler().main_context();
  if (main == nullptr) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  EnsureReference(vm, *main);
  args.set(0, main->reference);
  return Outcome::kNext;
}

Outcome PrimContextEnded(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  // In a forked child the parent's contexts are gone without a word.
  args.set(0, Word::Bool(ContextOf(vm, reference) == nullptr));
  return Outcome::kNext;
}

Outcome PrimContextResult(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  args.set(0, reference->result);
  return Outcome::kNext;
}

Outcome PrimContextInstructions(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  const ContextRef* reference = ContextArgument(args, 0);
  if (reference == nullptr) return vm.ThrowType(TypeId::kContextRef, args.get(0));
  const int64_t id = reference->id.AsFixnum();
  const Context* context = id < 0 ? nullptr : vm.scheduler().Find(static_cast<uint32_t>(id));
  args.set(0, Word::Fixnum(context == nullptr ? 0 : static_cast<int64_t>(context->instructions)));
  return Outcome::kNext;
}

Outcome PrimChangePreemption(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  Scheduler& scheduler = vm.scheduler();
  scheduler.no_preemption += args.fixnum(0) > 0 ? 1 : -1;
  if (scheduler.no_preemption < 0) scheduler.no_preemption = 0;
  return Outcome::kNext;
}

Outcome PrimLiveContexts(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  gc::RootVector threads(vm.heap());
  for (const Context* context : vm.scheduler().live()) threads.push_back(context->thread);
  return ArrayOf(vm, threads, args, 0);
}

}  // namespace weft
