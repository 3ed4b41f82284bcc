// Dynamic mode's rarer instructions, and what happens when a stub is returned to.
#include "gc/check.h"
#include "vm/machine.h"
#include "vm/machine_internal.h"
#include "vm/scheduler.h"
#include "vm/stack_walker.h"
#include "vm/thread_object.h"
#include "vm/wait_queue.h"

namespace weft::machine {
namespace {

// An array of all items of the current base.
Word ItemsArray(Vm& vm) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const size_t bytes =
      static_cast<size_t>(context.DataOffset(context.window) - context.base_offset);
  const Word array = vm.heap().Allocate(ShapeOf(TypeId::kArray), 16 + bytes);
  auto* object = As<Array>(array);
  object->length = Word::Fixnum(static_cast<int64_t>(bytes / sizeof(Word)));
  const Word* items = context.DataAt(context.base_offset);
  for (size_t i = 0; i < bytes / sizeof(Word); ++i) {
    vm.heap().Write(object, &object->elements[i], items[i]);
  }
  return array;
}

// Pops what the instruction takes besides the rest of the base; false (and a throw) if it is short.
bool Need(Vm& vm, const uint32_t* at, uint64_t count) WEFT_NO_ANALYSIS {
  if (HasItems(*vm.current(), count)) return true;
  Underflow(vm, at, gc::kFalse);
  return false;
}

void ThrowType(Vm& vm, const uint32_t* at, TypeId expected, Word found) WEFT_ALLOCATES {
  const Outcome outcome = vm.ThrowType(expected, found);
  WEFT_CHECK(outcome == Outcome::kThrow);
  EnterThrow(vm, at);
}

// Retained values lie on top of the call stack while their code runs: { [StubLocal] [value] } ...
// The dynamic emitter places these instructions in line, never behind a call.
bool IsLocal(const Vm& vm, const uint64_t* record) {
  return record[0] == reinterpret_cast<uint64_t>(vm.StubAddress(Op::kStubLocal));
}

void LoadLocal(Vm& vm, const uint32_t* at) WEFT_ALLOCATES {
  if (!Need(vm, at, 1)) return;
  Context& context = *vm.current();
  if (!context.EnsureRoom(8)) {
    MakeRoom(vm, at, 8);
    return;
  }
  PushCall(context, PopItem(context).bits);
  PushCallPc(context, vm.StubAddress(Op::kStubLocal));
}

// The number of retained values that the operand names, checked against what is there.
bool LocalCount(Vm& vm, const uint32_t* at, int64_t count) WEFT_ALLOCATES {
  Context& context = *vm.current();
  const uint64_t* record = context.call_top;
  for (int64_t i = 0; i < count; ++i, record += 2) {
    if (record >= context.call_end() || !IsLocal(vm, record)) {
      EnterThrow(vm, at, ErrorKind::kRetainstackUnderflow, gc::kFalse, gc::kFalse);
      return false;
    }
  }
  return true;
}

void GetLocal(Vm& vm, const uint32_t* at) WEFT_ALLOCATES {
  if (!Need(vm, at, 1)) return;
  Context& context = *vm.current();
  const Word operand = context.window[-1];
  if (!operand.IsFixnum() || operand.AsFixnum() > 0) {
    ThrowType(vm, at, TypeId::kFixnum, operand);
    return;
  }
  const int64_t index = -operand.AsFixnum();
  if (!LocalCount(vm, at, index + 1)) return;
  context.window[-1] = Word{context.call_top[2 * index + 1]};
}

void DropLocals(Vm& vm, const uint32_t* at) WEFT_ALLOCATES {
  if (!Need(vm, at, 1)) return;
  Context& context = *vm.current();
  const Word operand = context.window[-1];
  if (!operand.IsFixnum() || operand.AsFixnum() < 0) {
    ThrowType(vm, at, TypeId::kFixnum, operand);
    return;
  }
  if (!LocalCount(vm, at, operand.AsFixnum())) return;
  --context.window;
  context.call_top += 2 * operand.AsFixnum();
}

void Try(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  if (!Need(vm, at, 2)) return;
  Context& context = *vm.current();
  if (!context.EnsureRoom(16)) {
    MakeRoom(vm, at, 16);
    return;
  }
  // What lies below the two callables comes back if the body throws.
  const Word all = ItemsArray(vm);
  auto* items = As<Array>(all);
  const int64_t count = items->size() - 2;
  // The array is ours alone: cut the two callables off by shortening its use, not its memory.
  items->elements[count] = gc::kFalse;
  items->elements[count + 1] = gc::kFalse;
  const Word recovery = PopItem(context);
  const Word body = PopItem(context);
  PushCall(context, all.bits);
  PushCall(context, context.namestack.bits);
  PushCall(context, BaseAndHolds(context));
  PushCall(context, AsRaw(context.DataOffset(context.window)));
  PushCall(context, recovery.bits);
  PushCall(context, AsRaw(context.handler_offset));
  PushCallPc(context, vm.StubAddress(Op::kStubHandler));
  context.handler_offset = context.CallOffset(context.call_top);
  context.pc = vm.BetweenAddress() + 1;
  DynJumpTo(vm, vm.BetweenAddress(), body);
}

void WithDatastack(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  if (!Need(vm, at, 2)) return;
  Context& context = *vm.current();
  if (!IsType(context.window[-2], TypeId::kArray)) {
    ThrowType(vm, at, TypeId::kArray, context.window[-2]);
    return;
  }
  const int64_t count = As<Array>(context.window[-2])->size();
  if (!context.EnsureRoom(static_cast<size_t>(count) + 16)) {
    MakeRoom(vm, at, static_cast<size_t>(count) + 16);
    return;
  }
  const Word callable = PopItem(context);
  const auto* items = As<Array>(PopItem(context));
  PushCall(context, AsRaw(context.base_offset));
  PushCallPc(context, vm.StubAddress(Op::kStubEndDatastack));
  context.base_offset = context.DataOffset(context.window);
  for (int64_t i = 0; i < count; ++i) Push(context, items->elements[i]);
  context.pc = vm.BetweenAddress() + 1;
  DynJumpTo(vm, vm.BetweenAddress(), callable);
}

void SetDatastack(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  if (!Need(vm, at, 1)) return;
  Context& context = *vm.current();
  if (!IsType(context.window[-1], TypeId::kArray)) {
    ThrowType(vm, at, TypeId::kArray, context.window[-1]);
    return;
  }
  const int64_t count = As<Array>(context.window[-1])->size();
  if (!context.EnsureRoom(static_cast<size_t>(count) + 8)) {
    MakeRoom(vm, at, static_cast<size_t>(count) + 8);
    return;
  }
  const auto* items = As<Array>(PopItem(context));
  context.window = context.DataAt(context.base_offset);
  for (int64_t i = 0; i < count; ++i) Push(context, items->elements[i]);
}

// The counts that an effect tuple declares.
bool EffectCountsOf(Vm& vm, Word effect, int64_t* inputs, int64_t* outputs) WEFT_NO_ANALYSIS {
  const Word layout = vm.special(Special::kEffectLayout);
  if (!layout.IsPointer() || !IsTuple(effect) ||
      gc::ObjectAt(effect)->shape() !=
          static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum())) {
    return false;
  }
  const Word in = *gc::ObjectAt(effect)->field(0);
  const Word out = *gc::ObjectAt(effect)->field(1);
  if (!IsType(in, TypeId::kArray) || !IsType(out, TypeId::kArray)) return false;
  *inputs = As<Array>(in)->size();
  *outputs = As<Array>(out)->size();
  return true;
}

void CallEffectWord(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  if (!Need(vm, at, 2)) return;
  Context& context = *vm.current();
  int64_t inputs = 0;
  int64_t outputs = 0;
  if (!EffectCountsOf(vm, context.window[-1], &inputs, &outputs)) {
    EnterThrow(vm, at, ErrorKind::kBadArgument, context.window[-1], gc::kFalse);
    return;
  }
  if (!Need(vm, at, static_cast<uint64_t>(inputs) + 2)) return;
  PopItem(context);
  const Word callable = PopItem(context);
  EnterBase(vm, context.window - inputs, context.window, static_cast<uint64_t>(outputs),
            /*dynamic_caller=*/true, callable);
  context.pc = vm.BetweenAddress() + 1;
  DynJumpTo(vm, vm.BetweenAddress(), callable);
}

void DispatchTable(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  if (!Need(vm, at, 2)) return;
  Context& context = *vm.current();
  const Word table = context.window[-1];
  const Word index = context.window[-2];
  if (!IsType(table, TypeId::kArray)) {
    ThrowType(vm, at, TypeId::kArray, table);
    return;
  }
  if (!index.IsFixnum() || index.AsFixnum() < 0 || index.AsFixnum() >= As<Array>(table)->size()) {
    EnterThrow(vm, at, ErrorKind::kSlotBounds, table, index);
    return;
  }
  context.window -= 2;
  DynJumpTo(vm, at, As<Array>(table)->elements[index.AsFixnum()]);
}

// The first stop of a thread at its end: the library has something to do, and comes here again.
bool CallThreadEnded(Vm& vm, Context& context, const ThreadObject& thread) WEFT_NO_ANALYSIS {
  if (context.ending) return false;
  context.ending = true;
  if (!thread.exit_handler.IsTrue() && !thread.scope.IsTrue() && !thread.held.IsTrue()) {
    return false;
  }
  WordCell* ended = CellOfSpecial(vm, Special::kThreadEnded);
  if (ended == nullptr) return false;
  ++context.holds;
  context.window = context.block;
  PushCallPc(context, vm.StubAddress(Op::kStubContextEnd));
  context.pc = EntryOf(ended);
  return true;
}

void EndContext(Vm& vm) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  Scheduler& scheduler = vm.scheduler();
  auto* reference = context.reference.IsPointer() ? As<ContextRef>(context.reference) : nullptr;
  if (reference != nullptr && !context.ending) {
    const Word result = context.window > context.block ? context.window[-1] : gc::kFalse;
    vm.heap().Write(reference, &reference->result, result);
  }
  if (&context == scheduler.main_context()) {
    vm.exiting = true;
    context.pc = vm.HaltAddress();
    return;
  }
  if (const ThreadObject* thread = ThreadOf(vm, context.thread); thread != nullptr) {
    if (CallThreadEnded(vm, context, *thread)) return;
    if (IsType(thread->joiners, TypeId::kWaitQueue)) WakeAll(vm, thread->joiners, context.thread);
  }
  if (reference != nullptr) reference->id = Word::Fixnum(-1);
  scheduler.SwitchFromEnded();
}

void ExitDynamic(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const uint64_t* words = context.call_top;
  const BaseCounts counts = BaseCounts::Unpack(words[1] >> 2);
  Word* begin = context.DataAt(context.base_offset);
  const auto found = static_cast<uint64_t>(context.window - begin);
  if (found != counts.outputs) {
    const Word thrower = vm.special(Special::kWrongValues);
    if (!thrower.IsPointer()) {
      EnterThrow(vm, at, ErrorKind::kWrongValues, Word{words[2]},
                 Word::Fixnum(static_cast<int64_t>(found)));
      return;
    }
    vm.scratch.set(0, Word{words[2]});
    vm.scratch.set(1, Word::Fixnum(static_cast<int64_t>(counts.inputs)));
    vm.scratch.set(2, Word::Fixnum(static_cast<int64_t>(counts.outputs)));
    CallAbove(vm, at, As<WordObject>(thrower)->word_cell(), 3, Op::kStubResumeOp);
    return;
  }
  context.base_offset = words[0] >> 2;
  context.call_top += 3;
  if (!counts.dynamic_caller) context.window = begin;
  const auto* pc = reinterpret_cast<const uint32_t*>(*context.call_top++);
  if (!counts.dynamic_caller) context.window -= vm.IsStub(pc) ? 0 : DecodeA(pc[-1]);
  context.pc = pc;
}

}  // namespace

void DropHandler(Context& context, Op stub) {
  WEFT_CHECK(context.CallAt(context.handler_offset) == context.call_top);
  context.handler_offset = context.call_top[1] >> 2;
  context.call_top += 1 + StubFrameOf(stub).words;
}

void DynBody(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  switch (DecodeOp(*at)) {
    case Op::kDynLoadLocal:
      LoadLocal(vm, at);
      return;
    case Op::kDynGetLocal:
      GetLocal(vm, at);
      return;
    case Op::kDynDropLocals:
      DropLocals(vm, at);
      return;
    case Op::kDynTry:
      Try(vm, at);
      return;
    case Op::kDynWithDatastack:
      WithDatastack(vm, at);
      return;
    case Op::kDynGetDatastack: {
      const size_t bytes =
          static_cast<size_t>(context.DataOffset(context.window) - context.base_offset) + 16;
      if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
        EnterThrow(vm, at, ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
        return;
      }
      const Word items = ItemsArray(vm);
      Push(context, items);
      return;
    }
    case Op::kDynSetDatastack:
      SetDatastack(vm, at);
      return;
    case Op::kDynClear:
      context.window = context.DataAt(context.base_offset);
      return;
    case Op::kDynDispatchTable:
      DispatchTable(vm, at);
      return;
    case Op::kDynCallEffect:
      CallEffectWord(vm, at);
      return;
    case Op::kDynExecute: {
      if (!Need(vm, at, 1)) return;
      const Word word = context.window[-1];
      if (!IsType(word, TypeId::kWordObject)) {
        EnterThrow(vm, at, ErrorKind::kNotCallable, word, gc::kTrue);
        return;
      }
      PopItem(context);
      DynCall(vm, at, As<WordObject>(word)->word_cell(), /*tail=*/true);
      return;
    }
    case Op::kDynCallTop:
      if (!Need(vm, at, 1)) return;
      DynJumpTo(vm, at, PopItem(context));
      return;
    case Op::kDynIf: {
      if (!Need(vm, at, 3)) return;
      const Word otherwise = PopItem(context);
      const Word then = PopItem(context);
      DynJumpTo(vm, at, PopItem(context).IsTrue() ? then : otherwise);
      return;
    }
    case Op::kDynDip: {
      if (!Need(vm, at, 2)) return;
      const Word callable = PopItem(context);
      PushCall(context, PopItem(context).bits);
      PushCallPc(context, vm.StubAddress(Op::kStubDip));
      DynJumpTo(vm, at, callable);
      return;
    }
    default:
      WEFT_CHECK(false && "not a dynamic body");
  }
}

void Stub(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  // A pc at a stub means: returned to, its frame words on top of the call stack.
  context.pc = at;
  switch (DecodeOp(*at)) {
    case Op::kStubExitDynamic:
      ExitDynamic(vm, at);
      return;
    case Op::kStubEndDatastack: {
      const Word items = ItemsArray(vm);
      context.window = context.DataAt(context.base_offset);
      context.base_offset = *context.call_top++ >> 2;
      Push(context, items);
      context.pc = reinterpret_cast<const uint32_t*>(*context.call_top++);
      return;
    }
    case Op::kStubHandler:
      --context.call_top;  // the stub's own address was popped by the return
      DropHandler(context, Op::kStubHandler);
      context.pc = reinterpret_cast<const uint32_t*>(*context.call_top++);
      return;
    case Op::kStubCompose: {
      const Word second{*context.call_top++};
      context.pc = vm.BetweenAddress() + 1;
      DynJumpTo(vm, vm.BetweenAddress(), second);
      return;
    }
    case Op::kStubResumeOp: {
      const Word result = context.window[0];
      context.window -= (context.call_top[0] >> 2) / sizeof(Word);
      const auto* instruction = reinterpret_cast<const uint32_t*>(context.call_top[1]);
      context.call_top += 2;
      Deliver(context, instruction, result);
      return;
    }
    case Op::kStubRetry: {
      context.window -= (context.call_top[0] >> 2) / sizeof(Word);
      context.pc = reinterpret_cast<const uint32_t*>(context.call_top[1]);
      context.call_top += 2;
      return;
    }
    case Op::kStubLocal:
      // Code that ended without dropping what it retained: dropped for it.
      context.call_top += 1;
      context.pc = reinterpret_cast<const uint32_t*>(*context.call_top++);
      return;
    case Op::kStubMark: {
      const StackMark mark = context.extras->marks.back();
      WEFT_DCHECK(mark.offset == context.CallOffset(context.call_top - 1));
      context.extras->marks.pop_back();
      context.window -= DecodeA(mark.pc[-1]);
      context.pc = mark.pc;
      return;
    }
    case Op::kStubContextEnd:
      EndContext(vm);
      return;
    default:
      WEFT_CHECK(false && "a stub that is never returned to");
  }
}

}  // namespace weft::machine
