// The interpreter's loop.
//
// Hot state lives in five locals: pc, w (window), cs (top of the call stack), budget and the
// instruction word. SAVE writes them back into the context before anything that can collect,
// throw, switch or grow the stacks; LOAD reads them again, of whichever context is then current.
// Fast paths stand here, in fast_paths.h and in the .inc files, which are parts of Interpret;
// everything else is a state transformer in machine.cc.
//
// GCC is told not to merge the indirect jumps (see CMakeLists.txt): each handler ends with its own.
#include "vm/interpreter.h"

#include <bit>
#include <cmath>
#include <cstdio>

#include "gc/check.h"
#include "vm/bytecode.h"
#include "vm/fast_paths.h"
#include "vm/machine.h"
#include "vm/observer.h"
#include "vm/primitives.h"
#include "vm/scheduler.h"
#include "vm/vm.h"

namespace weft {

// Operands of the instruction word `in`.
#define A DecodeA(in)
#define B DecodeB(in)
#define C DecodeC(in)
#define D DecodeD(in)
#define SB DecodeSignedB(in)
#define SC DecodeSignedC(in)
#define SD DecodeSignedD(in)
// The literal of the one-word instruction before pc.
#define LITERAL (*LiteralAddress(pc - 1, D))

#define SAVE()                     \
  do {                             \
    Context* saved = vm.current(); \
    saved->pc = pc;                \
    saved->window = w;             \
    saved->call_top = cs;          \
    vm.budget = budget;            \
  } while (false)

#define LOAD()                         \
  do {                                 \
    Context* loaded = vm.current();    \
    pc = loaded->pc;                   \
    if (loaded->retry_at != nullptr) { \
      pc = loaded->retry_at;           \
      loaded->retry_at = nullptr;      \
    }                                  \
    w = loaded->window;                \
    cs = loaded->call_top;             \
    budget = vm.budget;                \
  } while (false)

// Runs a state transformer on the one- or two-word instruction before pc.
#define SLOW(function, words)            \
  {                                      \
    SAVE();                              \
    machine::function(vm, pc - (words)); \
    LOAD();                              \
    NEXT;                                \
  }

#if defined(WEFT_SWITCH_DISPATCH)
#define NEXT goto dispatch
#else
#define NEXT                 \
  do {                       \
    in = *pc++;              \
    goto* labels[in & 0xFF]; \
  } while (false)
#endif

// After a primitive that may have begun or ended an observation.
#if defined(WEFT_SWITCH_DISPATCH)
#define CHOOSE_LABELS()
#else
#define CHOOSE_LABELS() labels = vm.observer().active() ? observed_labels : plain_labels
#endif

// Room between the stacks, in words, beyond the red zone.
#define ROOM(words) \
  (reinterpret_cast<Word*>(cs) - w >= static_cast<ptrdiff_t>((words) + Context::kRedZoneWords))

// Items above the current dynamic base.
#define HAS_ITEMS(count) \
  (w - vm.current()->DataAt(vm.current()->base_offset) >= static_cast<ptrdiff_t>(count))

#define ARITH_SLOW(words) SLOW(Arithmetic, words)

// A float result: immediate for most exponents, else boxed.
#define STORE_FLOAT(slot, expression)          \
  {                                            \
    const double result = (expression);        \
    const Word word = Word::FloatBits(result); \
    if (word.IsImmediateFloat()) [[likely]] {  \
      w[slot] = word;                          \
      NEXT;                                    \
    }                                          \
    const uint32_t target = slot;              \
    SAVE();                                    \
    machine::BoxFloat(vm, w + target, result); \
    NEXT;                                      \
  }

#define MARK_CARD(field)                                                  \
  cards[reinterpret_cast<uint64_t>(field) >> gc::CardTable::kCardShift] = \
      gc::CardTable::kYoung | gc::CardTable::kWritten

// Puts a value into an object, then goes on.
#define STORE(field, value) \
  {                         \
    *field = value;         \
    MARK_CARD(field);       \
    NEXT;                   \
  }

#define COMPARE_JUMP(condition_fixnum, condition_float, sense) \
  {                                                            \
    const Word a = w[A];                                       \
    const Word b = w[B];                                       \
    bool holds;                                                \
    if (BothFixnums(a, b)) [[likely]] {                        \
      holds = condition_fixnum;                                \
    } else if (BothFloats(a, b)) {                             \
      const double x = a.AsImmediateFloat();                   \
      const double y = b.AsImmediateFloat();                   \
      holds = condition_float;                                 \
    } else {                                                   \
      ++pc;                                                    \
      ARITH_SLOW(2);                                           \
    }                                                          \
    const auto distance = static_cast<int32_t>(*pc++);         \
    if (holds == (sense)) pc += distance;                      \
    NEXT;                                                      \
  }

#define COMPARE_IMM_JUMP(condition, sense)                    \
  {                                                           \
    const Word a = w[A];                                      \
    if (!a.IsFixnum()) [[unlikely]] {                         \
      ++pc;                                                   \
      ARITH_SLOW(2);                                          \
    }                                                         \
    const int64_t imm = int64_t{SB} * 4;                      \
    const auto distance = static_cast<int32_t>(*pc++);        \
    if ((Signed(a) condition imm) == (sense)) pc += distance; \
    NEXT;                                                     \
  }

// A fixnum and a float: both as floats.
#define MIXED_FLOATS(float_operator)                                   \
  {                                                                    \
    double x;                                                          \
    double y;                                                          \
    if (MixedFloats(a, b, &x, &y)) STORE_FLOAT(A, x float_operator y); \
  }

#define ARITH(fixnum_builtin, float_operator)                                   \
  {                                                                             \
    const Word a = w[B];                                                        \
    const Word b = w[C];                                                        \
    if (BothFixnums(a, b)) {                                                    \
      int64_t sum;                                                              \
      if (!fixnum_builtin(Signed(a), Signed(b), &sum)) [[likely]] {             \
        w[A] = Raw(sum);                                                        \
        NEXT;                                                                   \
      }                                                                         \
    } else if (BothFloats(a, b)) {                                              \
      STORE_FLOAT(A, a.AsImmediateFloat() float_operator b.AsImmediateFloat()); \
    }                                                                           \
    MIXED_FLOATS(float_operator)                                                \
    ARITH_SLOW(1);                                                              \
  }

// A product that only the next instruction reads.
#define MUL_THEN(other_slot, fixnum_overflow, float_result)               \
  {                                                                       \
    const Word a = w[B];                                                  \
    const Word b = w[C];                                                  \
    if (BothFixnums(a, b)) {                                              \
      const Word other = w[other_slot];                                   \
      int64_t product;                                                    \
      int64_t sum;                                                        \
      if (!__builtin_mul_overflow(Signed(a) >> 2, Signed(b), &product)) { \
        if (other.IsFixnum() && !(fixnum_overflow)) [[likely]] {          \
          w[DecodeA(*pc)] = Raw(sum);                                     \
          ++pc;                                                           \
          NEXT;                                                           \
        }                                                                 \
        w[A] = Raw(product);                                              \
        NEXT;                                                             \
      }                                                                   \
    } else if (BothFloats(a, b)) {                                        \
      const double product = a.AsImmediateFloat() * b.AsImmediateFloat(); \
      const Word addend = w[other_slot];                                  \
      if (addend.IsImmediateFloat()) [[likely]] {                         \
        const double other = addend.AsImmediateFloat();                   \
        in = *pc++;                                                       \
        STORE_FLOAT(A, float_result);                                     \
      }                                                                   \
      STORE_FLOAT(A, product);                                            \
    }                                                                     \
    ARITH_SLOW(1);                                                        \
  }

#define BITWISE(expression)             \
  {                                     \
    const Word a = w[B];                \
    const Word b = w[C];                \
    if (BothFixnums(a, b)) [[likely]] { \
      w[A] = Word{expression};          \
      NEXT;                             \
    }                                   \
    ARITH_SLOW(1);                      \
  }

// NOLINTNEXTLINE(google-readability-function-size): one handler for each opcode
void Interpret(Vm& vm) WEFT_NO_ANALYSIS {
  const uint32_t* pc;
  Word* w;
  uint64_t* cs;
  int64_t budget;
  uint32_t in;
  uint8_t* const cards = vm.heap().cards().biased();

#if !defined(WEFT_SWITCH_DISPATCH)
  static const void* const plain_labels[256] = {
#define OP(name, charge, flags, a, b, c, ext, meaning) &&L_##name,
#include "vm/opcodes.def"
#undef OP
  };
#define OP(name) L_##name:
  const void* observed_labels[256];
  for (const void*& label : observed_labels) label = &&L_Observe;
  const void* const* labels = vm.observer().active() ? observed_labels : plain_labels;
#endif

  LOAD();
  NEXT;

#if defined(WEFT_SWITCH_DISPATCH)
#define OP(name) case Op::k##name:
dispatch:
  in = *pc++;
  if (vm.observer().active()) [[unlikely]] {
    SAVE();
    int64_t stop;
    if (!vm.observer().Instruction(pc - 1, &stop)) {
      machine::StopStepping(vm, pc - 1, stop);
      LOAD();
      NEXT;
    }
  }
  switch (static_cast<Op>(in & 0xFF)) {
#else
L_Observe:
  SAVE();
  {
    int64_t stop;
    if (!vm.observer().Instruction(pc - 1, &stop)) [[unlikely]] {
      machine::StopStepping(vm, pc - 1, stop);
      LOAD();
      NEXT;
    }
  }
  goto* plain_labels[in & 0xFF];
#endif

    OP(Nop) { NEXT; }

    OP(Enter) {
      if (budget <= 0) [[unlikely]]
        SLOW(EndSlice, 1);
      if (!ROOM(A)) [[unlikely]] {
        const size_t need = A;
        SAVE();
        machine::MakeRoom(vm, pc - 1, need);
        LOAD();
        NEXT;
      }
      budget -= D;
      NEXT;
    }

    OP(Move) {
      w[A] = w[B];
      NEXT;
    }
    OP(LoadLiteral) {
      w[A] = Word{LITERAL};
      NEXT;
    }
    OP(LoadInt) {
      w[A] = Raw(int64_t{SD} * 4);
      NEXT;
    }
    OP(LoadOther) {
      w[A] = Word{D};
      NEXT;
    }

    // --- calls
    OP(Call) {
      const auto* cell = reinterpret_cast<const WordCell*>(LITERAL);
      *--cs = reinterpret_cast<uint64_t>(pc);
      w += A;
      pc = reinterpret_cast<const uint32_t*>(cell->entry);
      NEXT;
    }
    OP(CallLocal) {
      *--cs = reinterpret_cast<uint64_t>(pc);
      w += A;
      pc += SD;
      NEXT;
    }
    OP(TailCall) {
      const auto* cell = reinterpret_cast<const WordCell*>(LITERAL);
      pc = reinterpret_cast<const uint32_t*>(cell->entry);
      NEXT;
    }
    OP(CallGeneric) {
      const auto* cache = reinterpret_cast<const InlineCache*>(LITERAL);
      const uint32_t shape = ShapeOfWord(w[A + cache->dispatch_slot]);
      if (cache->epoch == vm.cells().dispatch_epoch()) [[likely]] {
        for (uint32_t i = 0; i < cache->used; ++i) {
          if (cache->entries[i].shape == shape) {
            *--cs = reinterpret_cast<uint64_t>(pc);
            w += A;
            pc = reinterpret_cast<const uint32_t*>(cache->entries[i].target->entry);
            NEXT;
          }
        }
      }
      SLOW(GenericMiss, 1);
    }
    OP(TailCallGeneric) {
      const auto* cache = reinterpret_cast<const InlineCache*>(LITERAL);
      const uint32_t shape = ShapeOfWord(w[cache->dispatch_slot]);
      if (cache->epoch == vm.cells().dispatch_epoch()) [[likely]] {
        for (uint32_t i = 0; i < cache->used; ++i) {
          if (cache->entries[i].shape == shape) {
            pc = reinterpret_cast<const uint32_t*>(cache->entries[i].target->entry);
            NEXT;
          }
        }
      }
      SLOW(GenericMiss, 1);
    }
    OP(CallPrimitive) {
      SAVE();
      const Outcome outcome = kPrimitives[D].function(vm, Args(w + A));
      if (outcome == Outcome::kNext) [[likely]] {
        NEXT;
      }
      machine::FinishPrimitive(vm, pc - 1, outcome);
      LOAD();
      CHOOSE_LABELS();
      NEXT;
    }
    OP(PrimitiveBody) {
      SAVE();
      const Outcome outcome = kPrimitives[D].function(vm, Args(w));
      if (outcome == Outcome::kNext) [[likely]] {
        NEXT;
      }
      machine::FinishPrimitive(vm, pc - 1, outcome);
      LOAD();
      CHOOSE_LABELS();
      NEXT;
    }
    OP(Return) {
      pc = reinterpret_cast<const uint32_t*>(*cs++);
      w -= DecodeA(pc[-1]);
      NEXT;
    }
    OP(ReturnFrom) {
      const Word result = w[B];
      w[0] = result;
      pc = reinterpret_cast<const uint32_t*>(*cs++);
      w -= DecodeA(pc[-1]);
      NEXT;
    }
    OP(CallQuotation) {
      const Word callable = w[A + B];
      if (IsType(callable, TypeId::kQuotation)) {
        const auto* quotation = As<Quotation>(callable);
        if (quotation->effect == Word::Fixnum(int64_t{B} * 256 + C) && quotation->code.IsPointer())
            [[likely]] {
          *--cs = reinterpret_cast<uint64_t>(pc);
          w += A;
          pc = As<Code>(quotation->code)->instructions();
          NEXT;
        }
      }
      SLOW(CallEffect, 1);
    }
    OP(ExecuteWord) SLOW(CallEffect, 1);
    OP(CallDynamic) SLOW(CallEffect, 1);

    // --- control
    OP(Jump) {
      pc += SD;
      NEXT;
    }
    OP(Loop) {
      if (budget <= 0) [[unlikely]]
        SLOW(EndSlice, 1);
      const int32_t distance = SD;
      budget -= LoopCharge(distance);
      pc += distance;
      NEXT;
    }
    OP(JumpIfTrue) {
      if (w[A].IsTrue()) pc += SD;
      NEXT;
    }
    OP(JumpIfFalse) {
      if (w[A].IsFalse()) pc += SD;
      NEXT;
    }
    // clang-format off
  OP(JumpIfLess) COMPARE_JUMP(Signed(a) < Signed(b), x < y, true)
  OP(JumpIfNotLess) COMPARE_JUMP(Signed(a) < Signed(b), x < y, false)
  OP(JumpIfLessEq) COMPARE_JUMP(Signed(a) <= Signed(b), x <= y, true)
  OP(JumpIfNotLessEq) COMPARE_JUMP(Signed(a) <= Signed(b), x <= y, false)
  OP(JumpIfNumEq) COMPARE_JUMP(a.bits == b.bits, x == y, true)
  OP(JumpIfNotNumEq) COMPARE_JUMP(a.bits == b.bits, x == y, false)
  OP(JumpIfLessImm) COMPARE_IMM_JUMP(<, true)
  OP(JumpIfNotLessImm) COMPARE_IMM_JUMP(<, false)
  OP(JumpIfGreaterImm) COMPARE_IMM_JUMP(>, true)
  OP(JumpIfNotGreaterImm) COMPARE_IMM_JUMP(>, false)
        // clang-format on
        OP(JumpIfEqImm) {
      const auto distance = static_cast<int32_t>(*pc++);
      if (Signed(w[A]) == int64_t{SB} * 4) pc += distance;
      NEXT;
    }
    OP(JumpIfNotEqImm) {
      const auto distance = static_cast<int32_t>(*pc++);
      if (Signed(w[A]) != int64_t{SB} * 4) pc += distance;
      NEXT;
    }
    OP(JumpIfEq) {
      const auto distance = static_cast<int32_t>(*pc++);
      if (w[A] == w[B]) pc += distance;
      NEXT;
    }
    OP(JumpIfNotEq) {
      const auto distance = static_cast<int32_t>(*pc++);
      if (w[A] != w[B]) pc += distance;
      NEXT;
    }
    OP(JumpIfShape) {
      const auto distance = static_cast<int32_t>(*pc++);
      if (ShapeOfWord(w[A]) == D) pc += distance;
      NEXT;
    }
    OP(JumpIfNotShape) {
      const auto distance = static_cast<int32_t>(*pc++);
      if (ShapeOfWord(w[A]) != D) pc += distance;
      NEXT;
    }
    OP(TableJump) {
      const Word index = w[A];
      if (!index.IsFixnum() || static_cast<uint64_t>(index.AsFixnum()) >= B) [[unlikely]] {
        SLOW(TableBounds, 1);
      }
      pc += index.AsFixnum();
      NEXT;
    }
    OP(LoopIfLess) {
      if (budget <= 0) [[unlikely]] {
        ++pc;
        SLOW(EndSlice, 2);
      }
      const auto distance = static_cast<int32_t>(*pc++);
      if (!BothFixnums(w[A], w[B])) [[unlikely]] {
        ++pc;
        NEXT;
      }
      const int64_t next = Signed(w[A]) + 4;
      w[A] = Raw(next);
      if (next < Signed(w[B])) {
        budget -= LoopCharge(distance);
        pc += distance;
      }
      NEXT;
    }
    OP(Try) {
      ++pc;
      SLOW(EnterTry, 2);
    }
    OP(EndTry) SLOW(LeaveTry, 1);

#include "vm/interpreter_numbers.inc"
#include "vm/interpreter_objects.inc"

    // --- entries
    OP(Dispatch) SLOW(Dispatch, 1);
    OP(DispatchMath) SLOW(DispatchMath, 1);
    OP(Undefined) SLOW(Undefined, 1);
    OP(EnterDynamic) SLOW(EnterDynamic, 1);
    OP(Halt) {
      SAVE();
      return;
    }

#include "vm/interpreter_dynamic.inc"

    // --- stubs
    OP(StubStaticReturn) {
      w += *cs++ >> 2;
      pc = reinterpret_cast<const uint32_t*>(*cs++);
      NEXT;
    }
    OP(StubDip) {
      *w++ = Word{*cs++};
      pc = reinterpret_cast<const uint32_t*>(*cs++);
      NEXT;
    }
    OP(StubExitDynamic) SLOW(Stub, 1);
    OP(StubEndDatastack) SLOW(Stub, 1);
    OP(StubLocal) SLOW(Stub, 1);
    OP(StubHandler) SLOW(Stub, 1);
    OP(StubStaticHandler) SLOW(Stub, 1);
    OP(StubCompose) SLOW(Stub, 1);
    OP(StubResumeOp) SLOW(Stub, 1);
    OP(StubRetry) SLOW(Stub, 1);
    OP(StubMark) SLOW(Stub, 1);
    OP(StubContextEnd) SLOW(Stub, 1);

#if defined(WEFT_SWITCH_DISPATCH)
    case Op::kCount:
      break;
  }
  WEFT_CHECK(false && "not an instruction");
#endif
}

}  // namespace weft
