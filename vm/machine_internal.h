// Helpers that the files of the machine share: nothing outside vm/machine*.cc includes this.
#ifndef WEFT_VM_MACHINE_INTERNAL_H_
#define WEFT_VM_MACHINE_INTERNAL_H_

#include "gc/check.h"
#include "vm/bytecode.h"
#include "vm/generic.h"
#include "vm/machine.h"

namespace weft::machine {

inline const uint32_t* EntryOf(const WordCell* cell) {
  return reinterpret_cast<const uint32_t*>(cell->entry);
}

inline const uint32_t* AfterInstruction(const uint32_t* at) {
  return at + InfoOf(DecodeOp(*at)).words();
}

inline Word LiteralOf(const uint32_t* at) { return Word{*LiteralAddress(at, DecodeD(*at))}; }

inline void Push(Context& context, Word word) { *context.window++ = word; }
inline Word PopItem(Context& context) { return *--context.window; }
inline void PushCall(Context& context, uint64_t raw) { *--context.call_top = raw; }
inline void PushCallPc(Context& context, const uint32_t* pc) {
  PushCall(context, reinterpret_cast<uint64_t>(pc));
}
inline uint64_t AsRaw(uint64_t n) { return n << 2; }  // shaped like a fixnum

// One word of a handler's record: the base, and how errors from outside were held back.
inline uint64_t BaseAndHolds(const Context& context) {
  return AsRaw(context.base_offset | uint64_t{context.holds} << 36 |
               uint64_t{context.soft_holds} << 48);
}
inline void RestoreBaseAndHolds(Context& context, uint64_t raw) {
  context.base_offset = raw >> 2 & ((uint64_t{1} << 36) - 1);
  context.holds = static_cast<uint16_t>(raw >> 38 & 0xFFF);
  context.soft_holds = static_cast<uint16_t>(raw >> 50 & 0xFFF);
}

inline bool IsDynamicAt(const Vm& vm, const uint32_t* at) {
  return InfoOf(DecodeOp(*at)).Has(kOpDynamic) || vm.IsStub(at);
}

// The cell of a word that the library named, or null.
inline WordCell* CellOfSpecial(Vm& vm, Special special) WEFT_NO_ANALYSIS {
  const Word word = vm.special(special);
  return word.IsPointer() ? As<WordObject>(word)->word_cell() : nullptr;
}

inline bool IsShapeOfLayout(Vm& vm, Word word, Special layout) WEFT_NO_ANALYSIS {
  if (!IsTuple(word)) return false;
  const Word expected = vm.special(layout);
  return expected.IsPointer() && As<Layout>(expected)->shape.AsFixnum() ==
                                     static_cast<int64_t>(gc::ObjectAt(word)->shape());
}

// Calls a word ( argument -- ) between two instructions; the one at `at` runs afterwards.
// REQUIRES: `at` is in dynamic code, or a kEnter.
void CallBetween(Vm& vm, const uint32_t* at, WordCell* cell, Word argument) WEFT_ALLOCATES;
// Calls the word of `cell` with the first `count` words of vm.scratch, on behalf of `at`.
void CallAbove(Vm& vm, const uint32_t* at, WordCell* cell, size_t count, Op stub) WEFT_ALLOCATES;
// The result of the instruction at `at` is `result`: store it or branch on it, and go on behind.
void Deliver(Context& context, const uint32_t* at, Word result);
// A fresh base at `begin`, whose end StubExitDynamic checks for `outputs` items.
void EnterBase(Vm& vm, Word* begin, Word* top, uint64_t outputs, bool dynamic_caller,
               Word callable);
// Brings one operand of a math generic to the class that its method wants.
// The method of a generic word for the object in a slot. Null: there is none, and no-method is
// called.
WordCell* MethodFor(Vm& vm, const uint32_t* at, Word generic, const Word* slot) WEFT_ALLOCATES;
// The same for two operands, which are coerced to what the method wants.
WordCell* MathMethodFor(Vm& vm, const uint32_t* at, Word generic, Word* operands) WEFT_ALLOCATES;
// At least `count` items above the current base.
bool HasItems(const Context& context, uint64_t count);
void Underflow(Vm& vm, const uint32_t* at, Word word) WEFT_ALLOCATES;
// The primitive at `at` waits: its context is parked, unless an error is to be thrown in it first.
void Park(Vm& vm, const uint32_t* at) WEFT_ALLOCATES;
// Drops the innermost handler record, which must be the top of the call stack.
void DropHandler(Context& context, Op stub);

// What stands in the second word of a StubExitDynamic record.
struct BaseCounts {
  uint64_t inputs, outputs;
  bool dynamic_caller;

  static uint64_t Pack(uint64_t inputs, uint64_t outputs, bool dynamic_caller) {
    return outputs | (dynamic_caller ? 0x10000U : 0U) | inputs << 17;
  }
  static BaseCounts Unpack(uint64_t packed) {
    return {packed >> 17, packed & 0xFFFF, (packed & 0x10000) != 0};
  }
};

}  // namespace weft::machine

#endif  // WEFT_VM_MACHINE_INTERNAL_H_
