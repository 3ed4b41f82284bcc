#include "vm/machine.h"

#include "gc/check.h"
#include "vm/fatal.h"
#include "vm/generic.h"
#include "vm/machine_internal.h"
#include "vm/primitives.h"
#include "vm/scheduler.h"
#include "vm/stack_walker.h"

namespace weft::machine {

size_t FrameNeed(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  const gc::Object* object = vm.heap().FindObject(reinterpret_cast<uint64_t>(at));
  WEFT_CHECK(object != nullptr);
  const auto* code = static_cast<const Code*>(object);
  // A code may hold local subroutines (kCallLocal), each behind a kEnter of its own.
  const uint32_t* enter = nullptr;
  for (const uint32_t* i = code->instructions(); i <= at; i += InfoOf(DecodeOp(*i)).words()) {
    if (DecodeOp(*i) == Op::kEnter) enter = i;
  }
  if (enter != nullptr) return DecodeA(*enter);
  const auto counts = static_cast<uint64_t>(code->mode_and_counts.AsFixnum());
  const uint64_t inputs = counts >> 8 & 0xFF;
  const uint64_t outputs = counts >> 16 & 0xFF;
  // Entry stubs and chains keep a few temporaries above their inputs.
  return (inputs > outputs ? inputs : outputs) + 4;
}

// Calls the word of `cell` with the first `count` words of vm.scratch, on behalf of `at`.
void CallAbove(Vm& vm, const uint32_t* at, WordCell* cell, size_t count, Op stub) WEFT_NO_ANALYSIS {
  if (cell == nullptr) {
    // The library has not named its word yet: say what it would have been called with.
    const gc::Root first(vm.heap(), vm.scratch.get(0));
    const Word second = count > 1 ? vm.scratch.get(1) : gc::kFalse;
    const Outcome outcome = vm.Throw(ErrorKind::kBadArgument, first.get(), second);
    WEFT_CHECK(outcome == Outcome::kThrow);
    EndWithError(vm, vm.pending_error.get());
    return;
  }
  Context& context = *vm.current();
  if (IsDynamicAt(vm, at)) {
    context.EnsureRoom(count + 8);
    for (size_t i = 0; i < count; ++i) Push(context, vm.scratch.get(i));
    context.pc = vm.IsStub(at) ? at : AfterInstruction(at);
    DynCall(vm, at, cell, /*tail=*/false);
    return;
  }
  const size_t need = FrameNeed(vm, at);
  context.EnsureRoom(need + count + 8);
  PushCallPc(context, at);
  PushCall(context, AsRaw(need * sizeof(Word)));
  PushCallPc(context, vm.StubAddress(stub));
  context.window += need;
  for (size_t i = 0; i < count; ++i) context.window[i] = vm.scratch.get(i);
  context.pc = EntryOf(cell);
}

// The result of the instruction at `at` is `result`: store it or branch on it, and go on behind.
void Deliver(Context& context, const uint32_t* at, Word result) {
  const OpInfo& info = InfoOf(DecodeOp(*at));
  context.pc = at + info.words();
  if (info.roles[3] == Role::kJmp) {
    bool negated = false;
    switch (DecodeOp(*at)) {
      case Op::kJumpIfNotLess:
      case Op::kJumpIfNotLessEq:
      case Op::kJumpIfNotLessImm:
      case Op::kJumpIfNotGreaterImm:
      case Op::kJumpIfNotNumEq:
        negated = true;
        break;
      default:
        break;
    }
    if (result.IsTrue() != negated) context.pc += static_cast<int32_t>(at[1]);
  } else {
    context.window[DecodeA(*at)] = result;
  }
}

// Where a fresh base begins, on the way into dynamic mode.
void EnterBase(Vm& vm, Word* begin, Word* top, uint64_t outputs, bool dynamic_caller,
               Word callable) {
  Context& context = *vm.current();
  const auto inputs = static_cast<uint64_t>(top - begin);
  PushCall(context, callable.bits);
  PushCall(context, AsRaw(BaseCounts::Pack(inputs, outputs, dynamic_caller)));
  PushCall(context, AsRaw(context.base_offset));
  PushCallPc(context, vm.StubAddress(Op::kStubExitDynamic));
  context.base_offset = context.DataOffset(begin);
  context.window = top;
}

bool HasItems(const Context& context, uint64_t count) {
  return context.DataOffset(context.window) >= context.base_offset + count * sizeof(Word);
}

void Underflow(Vm& vm, const uint32_t* at, Word word) {
  EnterThrow(vm, at, ErrorKind::kDatastackUnderflow, word, gc::kFalse);
}

void EnterThrow(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  WordCell* handler = CellOfSpecial(vm, Special::kThrowHandler);
  if (handler == nullptr || vm.current()->handler_offset == 0) {
    Unwind(vm);
    return;
  }
  vm.scratch.set(0, vm.pending_error.get());
  CallAbove(vm, at, handler, 1, Op::kStubResumeOp);
}

void EnterThrow(Vm& vm, const uint32_t* at, ErrorKind kind, Word arg1, Word arg2) WEFT_NO_ANALYSIS {
  const Outcome outcome = vm.Throw(kind, arg1, arg2);
  WEFT_CHECK(outcome == Outcome::kThrow);
  EnterThrow(vm, at);
}

void Unwind(Vm& vm) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  context.overflowed = false;
  vm.scheduler().no_preemption = 0;  // a throw leaves the section
  if (context.handler_offset == 0) {
    EndWithError(vm, vm.pending_error.get());
    return;
  }
  uint64_t* record = context.CallAt(context.handler_offset);
  const Op stub = DecodeOp(*reinterpret_cast<const uint32_t*>(record[0]));
  uint64_t* words = record + 1;
  context.call_top = words + StubFrameOf(stub).words;
  context.DropMarks();
  context.handler_offset = words[0] >> 2;
  RestoreBaseAndHolds(context, words[3]);
  context.namestack = Word{words[4]};
  if (stub == Op::kStubStaticHandler) {
    const auto* at = reinterpret_cast<const uint32_t*>(words[1]);
    context.window = context.DataAt(words[2] >> 2);
    context.window[DecodeA(*at)] = vm.pending_error.get();
    context.pc = at + 2 + static_cast<int32_t>(at[1]);
    return;
  }
  WEFT_CHECK(stub == Op::kStubHandler);
  const Word items{words[5]};  // f at the bottom of a thread
  const Word recovery{words[1]};
  context.window = context.DataAt(context.base_offset);
  // The array ends with room for the two callables that recover took.
  const auto count = static_cast<int64_t>(((words[2] >> 2) - context.base_offset) / sizeof(Word));
  for (int64_t i = 0; i < count; ++i) Push(context, As<Array>(items)->elements[i]);
  Push(context, vm.pending_error.get());
  context.pc = vm.BetweenAddress() + 1;
  DynJumpTo(vm, vm.BetweenAddress(), recovery);
}

void MakeRoom(Vm& vm, const uint32_t* at, size_t words) {
  Context& context = *vm.current();
  if (context.EnsureRoom(words)) {
    context.retry_at = at;
    return;
  }
  if (context.overflowed) {
    // Handling the first overflow overflowed too: straight to the handler.
    const Outcome outcome = vm.Throw(ErrorKind::kCallstackOverflow);
    WEFT_CHECK(outcome == Outcome::kThrow);
    Unwind(vm);
    return;
  }
  context.overflowed = true;
  const auto data_bytes = context.DataOffset(context.window);
  const auto call_bytes = context.CallOffset(context.call_top);
  EnterThrow(
      vm, at,
      data_bytes > call_bytes ? ErrorKind::kDatastackOverflow : ErrorKind::kCallstackOverflow,
      gc::kFalse, gc::kFalse);
}

void FinishPrimitive(Vm& vm, const uint32_t* at, Outcome outcome) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  Scheduler& scheduler = vm.scheduler();
  switch (outcome) {
    case Outcome::kNext:
    case Outcome::kReload:
      return;
    case Outcome::kThrow:
      EnterThrow(vm, at);
      return;
    case Outcome::kYield:
      if (scheduler.MustInterruptCurrent()) {
        scheduler.EndSliceSoon();
      } else if (scheduler.HasReady()) {
        scheduler.SwitchAway(/*ready=*/true);
      }
      return;
    case Outcome::kBlock:
      Park(vm, at);
      return;
    case Outcome::kCallWord: {
      WordCell* cell = As<WordObject>(vm.call_word.get())->word_cell();
      vm.call_word.set(gc::kFalse);
      if (DecodeOp(*at) == Op::kCallPrimitive) {
        PushCallPc(context, AfterInstruction(at));
        context.window += DecodeA(*at);
      } else {
        // A primitive's body: its caller's return address is on the call stack already.
        WEFT_CHECK(DecodeOp(*at) == Op::kPrimitiveBody);
      }
      context.pc = EntryOf(cell);
      return;
    }
    case Outcome::kExit:
      vm.exiting = true;
      context.pc = vm.HaltAddress();
      return;
  }
}

void CallEffect(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const Op op = DecodeOp(*at);
  const uint32_t win = DecodeA(*at);
  const uint32_t inputs = DecodeB(*at);
  const uint32_t outputs = DecodeC(*at);
  const Word callable = context.window[win + inputs];
  if (op == Op::kCallQuotation && IsType(callable, TypeId::kQuotation) &&
      As<Quotation>(callable)->effect == gc::kFalse) {
    WordCell* compile = CellOfSpecial(vm, Special::kCompileQuotation);
    if (compile != nullptr && !vm.options().dynamic_only) {
      vm.scratch.set(0, callable);
      CallAbove(vm, at, compile, 1, Op::kStubRetry);
      return;
    }
  }
  WordCell* cell = nullptr;
  if (op == Op::kExecuteWord) {
    if (!IsType(callable, TypeId::kWordObject)) {
      EnterThrow(vm, at, ErrorKind::kNotCallable, callable, gc::kTrue);
      return;
    }
    cell = As<WordObject>(callable)->word_cell();
    if ((cell->mode == static_cast<uint8_t>(CodeMode::kStatic) ||
         cell->mode == static_cast<uint8_t>(CodeMode::kGeneric)) &&
        cell->inputs == inputs && cell->outputs == outputs) {
      PushCallPc(context, AfterInstruction(at));
      context.window += win;
      context.pc = EntryOf(cell);
      return;
    }
  }
  PushCallPc(context, AfterInstruction(at));
  Word* begin = context.window + win;
  EnterBase(vm, begin, begin + inputs, outputs, /*dynamic_caller=*/false, callable);
  context.pc = vm.BetweenAddress() + 1;
  if (cell != nullptr) {
    DynCall(vm, vm.BetweenAddress(), cell, /*tail=*/true);
  } else {
    DynJumpTo(vm, vm.BetweenAddress(), callable);
  }
}

void EnterDynamic(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const Word word = LiteralOf(at);
  WordCell* cell = As<WordObject>(word)->word_cell();
  Word* begin = context.window;
  EnterBase(vm, begin, begin + cell->inputs, cell->outputs, /*dynamic_caller=*/false, word);
  context.pc = vm.BetweenAddress() + 1;
  DynCall(vm, vm.BetweenAddress(), cell, /*tail=*/true);
}

void DynCall(Vm& vm, const uint32_t* at, WordCell* cell, bool tail) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const uint32_t* return_pc = context.pc;
  if (!context.EnsureRoom(16)) {
    MakeRoom(vm, at, 16);
    return;
  }
  while (true) {
    switch (static_cast<CodeMode>(cell->mode)) {
      case CodeMode::kLazy: {
        gc::Root word(vm.heap(), cell->word);
        vm.compiler().CompileDynamic(vm, word);
        WEFT_CHECK(static_cast<CodeMode>(cell->mode) != CodeMode::kLazy);
        continue;
      }
      case CodeMode::kDynamic:
        if (!tail) PushCallPc(context, return_pc);
        context.pc = reinterpret_cast<const uint32_t*>(cell->dynamic_entry);
        return;
      case CodeMode::kBroken:
      case CodeMode::kStatic: {
        const bool broken = static_cast<CodeMode>(cell->mode) == CodeMode::kBroken;
        const uint32_t inputs = broken ? 0 : cell->inputs;
        if (!HasItems(context, inputs)) {
          Underflow(vm, at, cell->word);
          return;
        }
        if (!tail) PushCallPc(context, return_pc);
        PushCall(context, AsRaw(broken ? 0 : cell->outputs));
        PushCallPc(context, vm.StubAddress(Op::kStubStaticReturn));
        context.window -= inputs;
        context.pc = EntryOf(cell);
        return;
      }
      case CodeMode::kGeneric: {
        const Word generic = cell->word;
        const auto* fields = As<Array>(As<WordObject>(generic)->generic_info)->elements;
        const auto inputs = static_cast<uint64_t>(fields[kGenericInputs].AsFixnum());
        if (!HasItems(context, inputs)) {
          Underflow(vm, at, generic);
          return;
        }
        if (fields[kGenericKind].AsFixnum() == static_cast<int64_t>(GenericKind::kMath)) {
          Word* operands = context.window - 2;
          cell = MathMethodFor(vm, at, generic, operands);
          if (cell == nullptr) return;
          continue;
        }
        const int64_t position = fields[kGenericPosition].AsFixnum();
        cell = MethodFor(vm, at, generic, &context.window[-1 - position]);
        if (cell == nullptr) return;
        continue;
      }
    }
  }
}

void DynJumpTo(Vm& vm, const uint32_t* at, Word callable) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  while (true) {
    if (!context.EnsureRoom(8)) {
      MakeRoom(vm, at, 8);
      return;
    }
    if (IsType(callable, TypeId::kQuotation)) {
      if (!As<Quotation>(callable)->dynamic_code.IsPointer()) {
        gc::Root root(vm.heap(), callable);
        vm.compiler().CompileDynamic(vm, root);
        callable = root.get();
      }
      context.pc = As<Code>(As<Quotation>(callable)->dynamic_code)->instructions();
      return;
    }
    if (IsShapeOfLayout(vm, callable, Special::kCurriedLayout)) {
      const gc::Object* curried = gc::ObjectAt(callable);
      Push(context, *curried->field(0));
      callable = *curried->field(1);
      continue;
    }
    if (IsShapeOfLayout(vm, callable, Special::kComposedLayout)) {
      const gc::Object* composed = gc::ObjectAt(callable);
      PushCall(context, composed->field(1)->bits);
      PushCallPc(context, vm.StubAddress(Op::kStubCompose));
      callable = *composed->field(0);
      continue;
    }
    EnterThrow(vm, at, ErrorKind::kNotCallable, callable, gc::kFalse);
    return;
  }
}

void Slot(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  EnterThrow(vm, at, ErrorKind::kSlotBounds, context.window[DecodeB(*at)],
             Word::Fixnum(DecodeC(*at)));
}

void EnterTry(Vm& vm, const uint32_t* at) {
  Context& context = *vm.current();
  if (!context.EnsureRoom(16)) {
    MakeRoom(vm, at, 16);
    return;
  }
  PushCall(context, context.namestack.bits);
  PushCall(context, BaseAndHolds(context));
  PushCall(context, AsRaw(context.DataOffset(context.window)));
  PushCallPc(context, at);
  PushCall(context, AsRaw(context.handler_offset));
  PushCallPc(context, vm.StubAddress(Op::kStubStaticHandler));
  context.handler_offset = context.CallOffset(context.call_top);
}

void LeaveTry(Vm& vm, const uint32_t*) { DropHandler(*vm.current(), Op::kStubStaticHandler); }

void TableBounds(Vm& vm, const uint32_t* at) {
  Context& context = *vm.current();
  const Word index = context.window[DecodeA(*at)];
  if (!index.IsFixnum()) {
    const Outcome outcome = vm.ThrowType(TypeId::kFixnum, index);
    WEFT_CHECK(outcome == Outcome::kThrow);
    EnterThrow(vm, at);
    return;
  }
  EnterThrow(vm, at, ErrorKind::kSlotBounds, index, Word::Fixnum(DecodeB(*at)));
}

void Undefined(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  const Word word = LiteralOf(at);
  const bool uncompiled = (As<WordObject>(word)->flags.AsFixnum() & kFlagUncompiled) != 0;
  EnterThrow(vm, at, uncompiled ? ErrorKind::kNotCompiled : ErrorKind::kUndefinedWord, word,
             gc::kFalse);
}

void NewTuple(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const auto* layout = As<Layout>(LiteralOf(at));
  const auto shape = static_cast<uint32_t>(layout->shape.AsFixnum());
  const int64_t slots = layout->slot_count.AsFixnum();
  Word* fields = context.window + DecodeA(*at);
  const Word tuple = vm.heap().Allocate(shape, 8 + static_cast<size_t>(slots) * sizeof(Word));
  gc::Object* object = gc::ObjectAt(tuple);
  for (int64_t i = 0; i < slots; ++i) {
    *object->field(static_cast<size_t>(i)) = fields[i];  // needs no barrier yet: it is new
  }
  fields[0] = tuple;
}

void PrepareContext(Vm& vm, Context& context, const gc::Root& callable) WEFT_NO_ANALYSIS {
  static const int row = FindPrimitive("kernel", "call");
  WEFT_CHECK(row >= 0);
  const Word words = vm.special(Special::kPrimitiveWords);
  const Word word = As<Array>(words)->elements[row];
  WordCell* cell = As<WordObject>(word)->word_cell();
  if (static_cast<CodeMode>(cell->mode) == CodeMode::kLazy) {
    gc::Root root(vm.heap(), word);
    vm.compiler().CompileDynamic(vm, root);
  }
  context.window = context.block;
  context.call_top = context.call_end();
  context.ClearMarks();
  context.base_offset = 0;
  context.handler_offset = 0;
  PushCallPc(context, vm.StubAddress(Op::kStubContextEnd));
  Push(context, callable.get());
  context.pc = reinterpret_cast<const uint32_t*>(cell->dynamic_entry);
  vm.scheduler().Touch(&context);
}

void PrepareThread(Vm& vm, Context& context, const gc::Root& callable) WEFT_NO_ANALYSIS {
  PrepareContext(vm, context, callable);
  PushCall(context, gc::kFalse.bits);  // no items lie below the callable
  PushCall(context, context.namestack.bits);
  PushCall(context, BaseAndHolds(context));
  PushCall(context, AsRaw(0));
  PushCall(context, vm.special(Special::kThreadFailed).bits);
  PushCall(context, AsRaw(0));
  PushCallPc(context, vm.StubAddress(Op::kStubHandler));
  context.handler_offset = context.CallOffset(context.call_top);
}

}  // namespace weft::machine
