// Generic calls: an inline cache that misses, and the entries of generic words.
#include "gc/check.h"
#include "vm/generic.h"
#include "vm/machine.h"
#include "vm/machine_internal.h"
#include "vm/number/number.h"

namespace weft::machine {
namespace {

// The slot that an accessor call reads or writes, if the method that it leads to does nothing else;
// else -1.
int AccessedSlot(Op op, const WordCell* method, uint32_t shape) WEFT_NO_ALLOC {
  if (shape < gc::kFirstTupleShape) return -1;
  const int64_t flags = As<WordObject>(method->word)->flags.AsFixnum();
  const bool reads = op == Op::kSlotOf && (flags & kFlagReadsSlot) != 0;
  const bool writes = op == Op::kSetSlotOf && (flags & kFlagWritesSlot) != 0;
  return reads || writes ? static_cast<int>(flags >> kFlagSlotShift & 0xFF) : -1;
}

// What the instruction itself does where its cache knows the slot: that nothing is called here
// either keeps the count of instructions, and with it the schedule, free of what the caches hold.
void AccessSlot(Vm& vm, Context& context, Op op, uint32_t win, size_t slot) WEFT_NO_ALLOC {
  Word* window = context.window + win;
  if (op == Op::kSlotOf) {
    window[0] = *gc::ObjectAt(window[0])->field(slot);
    return;
  }
  gc::Object* object = gc::ObjectAt(window[1]);
  vm.heap().Write(object, object->field(slot), window[0]);
}

void Coerce(Vm& vm, Word* slot, MathCoercion coercion) WEFT_NO_ANALYSIS {
  if (coercion != MathCoercion::kToFloat || IsFloat(*slot)) return;
  double value;
  if (IsShapeOfLayout(vm, *slot, Special::kRatioLayout)) {
    const gc::Object* ratio = gc::ObjectAt(*slot);
    const IntegerView numerator(*ratio->field(0));
    const IntegerView denominator(*ratio->field(1));
    value = QuotientToDouble(numerator, denominator);
  } else {
    value = RealToDouble(*slot);
  }
  BoxFloat(vm, slot, value);
}

}  // namespace

WordCell* MethodFor(Vm& vm, const uint32_t* at, Word generic, const Word* slot) WEFT_NO_ANALYSIS {
  WordCell* cell = FindMethod(vm, generic, ShapeOfWord(*slot));
  if (cell != nullptr) return cell;
  vm.scratch.set(0, *slot);
  vm.scratch.set(1, generic);
  CallAbove(vm, at, CellOfSpecial(vm, Special::kNoMethod), 2, Op::kStubResumeOp);
  return nullptr;
}

WordCell* MathMethodFor(Vm& vm, const uint32_t* at, Word generic, Word* operands) WEFT_NO_ANALYSIS {
  const MathMethod method =
      FindMathMethod(vm, generic, ShapeOfWord(operands[0]), ShapeOfWord(operands[1]));
  if (method.cell == nullptr) {
    vm.scratch.set(0, operands[0]);
    vm.scratch.set(1, operands[1]);
    vm.scratch.set(2, generic);
    CallAbove(vm, at, CellOfSpecial(vm, Special::kNoMathMethod), 3, Op::kStubResumeOp);
    return nullptr;
  }
  Coerce(vm, &operands[0], method.left);
  Coerce(vm, &operands[1], method.right);
  return method.cell;
}

void GenericMiss(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const Op op = DecodeOp(*at);
  const bool tail = op == Op::kTailCallGeneric;
  const uint32_t win = tail ? 0 : DecodeA(*at);
  auto* cache = reinterpret_cast<InlineCache*>(LiteralOf(at).bits);
  const Word info = As<WordObject>(cache->generic)->generic_info;
  if (!info.IsPointer()) {
    // The word is no longer generic: its cell knows what it is now.
    WordCell* cell = As<WordObject>(cache->generic)->word_cell();
    if (!tail) PushCallPc(context, AfterInstruction(at));
    context.window += win;
    context.pc = EntryOf(cell);
    return;
  }
  const auto* fields = As<Array>(info)->elements;
  const int64_t inputs = fields[kGenericInputs].AsFixnum();
  cache->inputs = static_cast<uint16_t>(inputs);
  WordCell* cell;
  if (fields[kGenericKind].AsFixnum() == static_cast<int64_t>(GenericKind::kMath)) {
    // MATH: words dispatch on both operands: their entry does it.
    cell = As<WordObject>(cache->generic)->word_cell();
  } else {
    cache->dispatch_slot = static_cast<uint16_t>(inputs - 1 - fields[kGenericPosition].AsFixnum());
    const Word object = context.window[win + cache->dispatch_slot];
    const uint32_t shape = ShapeOfWord(object);
    cell = MethodFor(vm, at, cache->generic, &context.window[win + cache->dispatch_slot]);
    if (cell == nullptr) return;
    if (cache->epoch != vm.cells().dispatch_epoch()) {
      cache->epoch = vm.cells().dispatch_epoch();
      cache->used = 0;
    }
    ++cache->misses;
    const int slot = AccessedSlot(op, cell, shape);
    if (cache->used < InlineCache::kEntries && !vm.options().no_inline_caches) {
      cache->entries[cache->used++] = {cell, shape, slot};
    }
    if (slot >= 0) {
      AccessSlot(vm, context, op, win, static_cast<size_t>(slot));
      context.pc = AfterInstruction(at);
      return;
    }
  }
  if (!tail) PushCallPc(context, AfterInstruction(at));
  context.window += win;
  context.pc = EntryOf(cell);
}

void Dispatch(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const WordCell* cell = MethodFor(vm, at, LiteralOf(at), &context.window[DecodeA(*at)]);
  if (cell != nullptr) context.pc = EntryOf(cell);
}

void DispatchMath(Vm& vm, const uint32_t* at) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const WordCell* cell = MathMethodFor(vm, at, LiteralOf(at), context.window);
  if (cell != nullptr) context.pc = EntryOf(cell);
}

}  // namespace weft::machine
