// The interpreter's loop.
//
// Hot state lives in five locals: pc, w (window), cs (top of the call stack), budget and the
// instruction word. SAVE writes them back into the context before anything that can collect,
// throw, switch or grow the stacks; LOAD reads them again, of whichever context is then current.
// Fast paths stand here; everything else is a state transformer in machine.cc.
//
// GCC is told not to merge the indirect jumps (see CMakeLists.txt): each handler ends with its own.
#include "vm/interpreter.h"

#include <bit>
#include <cmath>
#include <cstdio>

#include "gc/check.h"
#include "vm/bytecode.h"
#include "vm/machine.h"
#include "vm/observer.h"
#include "vm/primitives.h"
#include "vm/scheduler.h"
#include "vm/vm.h"

namespace weft {
namespace {

using gc::kFalse;
using gc::kTrue;

inline bool BothFixnums(Word a, Word b) { return ((a.bits | b.bits) & 3) == 0; }
inline bool BothFloats(Word a, Word b) { return (a.bits & b.bits & 2) != 0; }
inline int64_t Signed(Word a) { return static_cast<int64_t>(a.bits); }
inline Word Raw(int64_t bits) { return Word{static_cast<uint64_t>(bits)}; }

inline bool HasDynamicCode(Word callable) WEFT_NO_ANALYSIS {
  return IsType(callable, TypeId::kQuotation) && As<Quotation>(callable)->dynamic_code.IsPointer();
}
inline bool MixedFloats(Word a, Word b, double* x, double* y) {
  if (a.IsFixnum() && b.IsImmediateFloat()) {
    *x = static_cast<double>(a.AsFixnum());
    *y = b.AsImmediateFloat();
    return true;
  }
  if (a.IsImmediateFloat() && b.IsFixnum()) {
    *x = a.AsImmediateFloat();
    *y = static_cast<double>(b.AsFixnum());
    return true;
  }
  return false;
}

inline const uint32_t* DynamicCodeOf(Word quotation) WEFT_NO_ANALYSIS {
  return As<Code>(As<Quotation>(quotation)->dynamic_code)->instructions();
}

// The field that an accessor call reads or writes, if the inline cache knows it.
[[gnu::always_inline]] inline Word* CachedField(Vm& vm, Word object,
                                                uint64_t literal) WEFT_NO_ANALYSIS {
  const auto* cache = reinterpret_cast<const InlineCache*>(literal);
  if (!object.IsPointer() || cache->epoch != vm.cells().dispatch_epoch()) return nullptr;
  // Of built-in objects only tuples have accessors: their shapes have entries without a slot.
  gc::Object* tuple = gc::ObjectAt(object);
  const uint32_t shape = tuple->shape();
  if (cache->used == 0) return nullptr;
  if (cache->entries[0].shape == shape) [[likely]] {
    const int32_t slot = cache->entries[0].slot;
    return slot >= 0 ? tuple->field(static_cast<size_t>(slot)) : nullptr;
  }
  for (uint32_t i = 1; i < cache->used; ++i) {
    const auto& entry = cache->entries[i];
    if (entry.shape != shape) continue;
    return entry.slot >= 0 ? tuple->field(static_cast<size_t>(entry.slot)) : nullptr;
  }
  return nullptr;
}

// The array behind a vector and how many of its elements count. A program may have put anything
// into the vector's slots.
[[gnu::always_inline]] inline Array* VectorElements(const gc::Object* vector,
                                                    int64_t* length) WEFT_NO_ANALYSIS {
  const Word elements = *vector->field(0);
  const Word count = *vector->field(1);
  *length = 0;
  if (!IsType(elements, TypeId::kArray) || !count.IsFixnum()) return nullptr;
  auto* array = As<Array>(elements);
  if (count.AsFixnum() <= array->size()) *length = count.AsFixnum();
  return array;
}

inline bool InBounds(Word index, int64_t length) {
  return static_cast<uint64_t>(index.AsFixnum()) < static_cast<uint64_t>(length);
}

bool ReadSliceElement(const Vm& vm, const gc::Object* slice, Word index,
                      Word* element) WEFT_NO_ANALYSIS;

[[gnu::always_inline]] inline bool ReadElement(const Vm& vm, Word sequence, Word index,
                                               Word* element) WEFT_NO_ANALYSIS {
  if (!sequence.IsPointer() || !index.IsFixnum()) return false;
  const gc::Object* object = gc::ObjectAt(sequence);
  const uint32_t shape = object->shape();
  if (shape == ShapeOf(TypeId::kArray)) {
    const auto* array = static_cast<const Array*>(object);
    if (!InBounds(index, array->size())) return false;
    *element = array->elements[index.AsFixnum()];
    return true;
  }
  if (shape == vm.vector_shape()) {
    int64_t length;
    const Array* array = VectorElements(object, &length);
    if (!InBounds(index, length)) return false;
    *element = array->elements[index.AsFixnum()];
    return true;
  }
  if (shape == ShapeOf(TypeId::kString)) {
    const auto* string = static_cast<const String*>(object);
    if (string->width() != String::kOne || !InBounds(index, string->size())) return false;
    *element = Word::Fixnum(string->data[index.AsFixnum()]);
    return true;
  }
  if (shape == ShapeOf(TypeId::kByteArray)) {
    const auto* bytes = static_cast<const ByteArray*>(object);
    if (!InBounds(index, bytes->size())) return false;
    *element = Word::Fixnum(bytes->bytes[index.AsFixnum()]);
    return true;
  }
  return shape == vm.slice_shape() && ReadSliceElement(vm, object, index, element);
}

// How many elements a slice has; negative: its slots are not what they should be.
inline int64_t SliceLength(const gc::Object* slice) WEFT_NO_ANALYSIS {
  const Word from = *slice->field(0);
  const Word to = *slice->field(1);
  return BothFixnums(from, to) ? to.AsFixnum() - from.AsFixnum() : -1;
}

// A slice of an array, vector, string or byte array.
[[gnu::noinline]] bool ReadSliceElement(const Vm& vm, const gc::Object* slice, Word index,
                                        Word* element) WEFT_NO_ANALYSIS {
  const Word sequence = *slice->field(2);
  const int64_t length = SliceLength(slice);
  if (length < 0 || !InBounds(index, length) || !sequence.IsPointer() ||
      gc::ObjectAt(sequence)->shape() == vm.slice_shape()) {
    return false;
  }
  return ReadElement(vm, sequence, Word::Fixnum(slice->field(0)->AsFixnum() + index.AsFixnum()),
                     element);
}

// Where an element of an array or vector stands. Beyond its length a vector grows: that is its
// method's work.
[[gnu::always_inline]] inline Word* ElementPlace(const Vm& vm, Word sequence,
                                                 Word index) WEFT_NO_ANALYSIS {
  if (!sequence.IsPointer() || !index.IsFixnum()) return nullptr;
  gc::Object* object = gc::ObjectAt(sequence);
  Array* array;
  int64_t length;
  if (object->shape() == ShapeOf(TypeId::kArray)) {
    array = static_cast<Array*>(object);
    length = array->size();
  } else if (object->shape() == vm.vector_shape()) {
    array = VectorElements(object, &length);
  } else {
    return nullptr;
  }
  return InBounds(index, length) ? &array->elements[index.AsFixnum()] : nullptr;
}

[[gnu::always_inline]] inline bool WriteByte(Word sequence, Word index,
                                             Word element) WEFT_NO_ANALYSIS {
  if (!IsType(sequence, TypeId::kByteArray) || !index.IsFixnum() || !element.IsFixnum()) {
    return false;
  }
  auto* bytes = As<ByteArray>(sequence);
  if (!InBounds(index, bytes->size())) return false;
  bytes->bytes[index.AsFixnum()] = static_cast<uint8_t>(element.AsFixnum());
  return true;
}

// No fixnum: the sequence's method must be asked.
[[gnu::always_inline]] inline Word LengthInLine(const Vm& vm, Word sequence) WEFT_NO_ANALYSIS {
  if (!sequence.IsPointer()) return gc::kFalse;
  const gc::Object* object = gc::ObjectAt(sequence);
  const uint32_t shape = object->shape();
  if (shape == ShapeOf(TypeId::kArray) || shape == ShapeOf(TypeId::kByteArray)) {
    return *object->field(0);
  }
  if (shape == ShapeOf(TypeId::kString)) {
    return Word::Fixnum(static_cast<const String*>(object)->size());
  }
  if (shape == vm.vector_shape()) return *object->field(1);
  if (shape != vm.slice_shape()) return gc::kFalse;
  const int64_t length = SliceLength(object);
  return length < 0 ? gc::kFalse : Word::Fixnum(length);
}

}  // namespace

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

    // --- numbers
    OP(Add) ARITH(__builtin_add_overflow, +) OP(Sub) ARITH(__builtin_sub_overflow, -) OP(Mul) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFixnums(a, b)) {
        int64_t product;
        if (!__builtin_mul_overflow(Signed(a) >> 2, Signed(b), &product)) [[likely]] {
          w[A] = Raw(product);
          NEXT;
        }
      } else if (BothFloats(a, b)) {
        STORE_FLOAT(A, a.AsImmediateFloat() * b.AsImmediateFloat());
      }
      MIXED_FLOATS(*)
      ARITH_SLOW(1);
    }
    // clang-format off
  OP(MulThenAdd) MUL_THEN(DecodeC(*pc), __builtin_add_overflow(product, Signed(other), &sum), product + other)
  OP(MulThenAddTo) MUL_THEN(DecodeB(*pc), __builtin_add_overflow(Signed(other), product, &sum), other + product)
  OP(MulThenSub) MUL_THEN(DecodeC(*pc), __builtin_sub_overflow(product, Signed(other), &sum), product - other)
  OP(MulThenSubFrom) MUL_THEN(DecodeB(*pc), __builtin_sub_overflow(Signed(other), product, &sum), other - product)
        // clang-format on
        OP(Div) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFloats(a, b)) {
        STORE_FLOAT(A, a.AsImmediateFloat() / b.AsImmediateFloat());
      }
      MIXED_FLOATS(/)
      ARITH_SLOW(1);
    }
    OP(IntDiv) {
      const Word a = w[B];
      const Word b = w[C];
      // The one quotient that is no fixnum is the smallest divided by -1.
      if (BothFixnums(a, b) && Signed(b) > 0) [[likely]] {
        w[A] = Word::Fixnum(Signed(a) / Signed(b));
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(Mod) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFixnums(a, b) && Signed(b) > 0) [[likely]] {
        w[A] = Raw(Signed(a) % Signed(b));
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(BitAnd)
    BITWISE(a.bits & b.bits)
    OP(BitOr) BITWISE(a.bits | b.bits) OP(BitXor) BITWISE(a.bits ^ b.bits) OP(Shift) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFixnums(a, b)) {
        const int64_t count = b.AsFixnum();
        if (count <= 0) {
          w[A] = Word::Fixnum(a.AsFixnum() >> (count < -63 ? 63 : -count));
          NEXT;
        }
        if (count < 61) {
          const int64_t value = a.AsFixnum();
          const int64_t shifted = static_cast<int64_t>(static_cast<uint64_t>(value) << count);
          if (Word::FitsFixnum(shifted) && shifted >> count == value) {
            w[A] = Word::Fixnum(shifted);
            NEXT;
          }
        }
      }
      ARITH_SLOW(1);
    }
    OP(AddImm) {
      const Word a = w[B];
      int64_t sum;
      if (a.IsFixnum() && !__builtin_add_overflow(Signed(a), int64_t{SC} * 4, &sum)) {
        w[A] = Raw(sum);
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(SubImm) {
      const Word a = w[B];
      int64_t difference;
      if (a.IsFixnum() && !__builtin_sub_overflow(Signed(a), int64_t{SC} * 4, &difference)) {
        w[A] = Raw(difference);
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(MulImm) {
      const Word a = w[B];
      int64_t product;
      if (a.IsFixnum() && !__builtin_mul_overflow(Signed(a), int64_t{SC}, &product)) {
        w[A] = Raw(product);
        NEXT;
      }
      if (a.IsImmediateFloat()) STORE_FLOAT(A, a.AsImmediateFloat() * SC);
      ARITH_SLOW(1);
    }
    OP(AndImm) {
      const Word a = w[B];
      if (a.IsFixnum()) [[likely]] {
        w[A] = Raw(Signed(a) & (int64_t{SC} * 4));
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(ShiftImm) {
      const Word a = w[B];
      const int32_t count = SC;
      if (a.IsFixnum()) {
        if (count <= 0) {
          w[A] = Word::Fixnum(a.AsFixnum() >> (count < -63 ? 63 : -count));
          NEXT;
        }
        const int64_t value = a.AsFixnum();
        if (count < 61) {
          const int64_t shifted = static_cast<int64_t>(static_cast<uint64_t>(value) << count);
          if (Word::FitsFixnum(shifted) && shifted >> count == value) {
            w[A] = Word::Fixnum(shifted);
            NEXT;
          }
        }
      }
      ARITH_SLOW(1);
    }
    OP(ModImm) {
      const Word a = w[B];
      if (a.IsFixnum()) [[likely]] {
        w[A] = Raw(Signed(a) % (int64_t{SC} * 4));
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(Less) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFixnums(a, b)) {
        w[A] = Word::Bool(Signed(a) < Signed(b));
        NEXT;
      }
      if (BothFloats(a, b)) {
        w[A] = Word::Bool(a.AsImmediateFloat() < b.AsImmediateFloat());
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(LessEq) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFixnums(a, b)) {
        w[A] = Word::Bool(Signed(a) <= Signed(b));
        NEXT;
      }
      if (BothFloats(a, b)) {
        w[A] = Word::Bool(a.AsImmediateFloat() <= b.AsImmediateFloat());
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(NumEq) {
      const Word a = w[B];
      const Word b = w[C];
      if (BothFixnums(a, b)) {
        w[A] = Word::Bool(a == b);
        NEXT;
      }
      if (BothFloats(a, b)) {
        w[A] = Word::Bool(a.AsImmediateFloat() == b.AsImmediateFloat());
        NEXT;
      }
      ARITH_SLOW(1);
    }
    OP(Eq) {
      w[A] = Word::Bool(w[B] == w[C]);
      NEXT;
    }
    OP(Not) {
      w[A] = Word::Bool(w[B].IsFalse());
      NEXT;
    }
    OP(IsShape) {
      const uint32_t shape = *pc++;
      w[A] = Word::Bool(ShapeOfWord(w[B]) == shape);
      NEXT;
    }
    OP(IsInstance) {
      const auto* layout = As<Layout>(Word{*LiteralAddress(pc - 1, *pc)});
      ++pc;
      bool is = false;
      if (IsTuple(w[B])) {
        const uint32_t shape = gc::ObjectAt(w[B])->shape();
        if (static_cast<int64_t>(shape) == layout->shape.AsFixnum()) {
          is = true;
        } else {
          const auto* own = As<Layout>(vm.layouts().get(shape - gc::kFirstTupleShape));
          const auto* mine = As<Array>(layout->superclasses);
          const auto* chain = As<Array>(own->superclasses);
          is = mine->size() <= chain->size() &&
               chain->elements[mine->size() - 1] == layout->class_word;
        }
      }
      w[A] = Word::Bool(is);
      NEXT;
    }
    OP(Sqrt) {
      const Word a = w[B];
      if (a.IsImmediateFloat()) {
        const double value = a.AsImmediateFloat();
        if (value >= 0) STORE_FLOAT(A, std::sqrt(value));
      }
      SLOW(Sqrt, 1);
    }

    // --- objects
    OP(Slot) {
      const Word object = w[B];
      if (IsTuple(object)) [[likely]] {
        w[A] = *gc::ObjectAt(object)->field(C);
        NEXT;
      }
      SLOW(Slot, 1);
    }
    OP(SetSlot) {
      const Word object = w[B];
      if (IsTuple(object)) [[likely]] {
        Word* field = gc::ObjectAt(object)->field(C);
        *field = w[A];
        MARK_CARD(field);
        NEXT;
      }
      SLOW(Slot, 1);
    }
    OP(SlotOf) {
      if (const Word* field = CachedField(vm, w[A], LITERAL)) [[likely]] {
        w[A] = *field;
        NEXT;
      }
      SLOW(GenericMiss, 1);
    }
    OP(SlotFrom) {
      const uint32_t next = *pc++;
      const Word object = w[B];
      if (const Word* field = CachedField(vm, object, *LiteralAddress(pc - 1, DecodeD(next))))
          [[likely]] {
        w[DecodeA(next)] = *field;
        NEXT;
      }
      w[DecodeA(next)] = object;
      SLOW(GenericMiss, 1);
    }
    OP(SetSlotOf) {
      if (Word* field = CachedField(vm, w[A + 1], LITERAL)) [[likely]] {
        *field = w[A];
        MARK_CARD(field);
        NEXT;
      }
      SLOW(GenericMiss, 1);
    }
    OP(SetSlotFrom) {
      const uint32_t next = *pc++;
      const Word value = w[B];
      const Word object = w[C];
      if (Word* field = CachedField(vm, object, *LiteralAddress(pc - 1, DecodeD(next))))
          [[likely]] {
        *field = value;
        MARK_CARD(field);
        NEXT;
      }
      w[DecodeA(next)] = value;
      w[DecodeA(next) + 1] = object;
      SLOW(GenericMiss, 1);
    }
    OP(NewTuple) {
      SAVE();
      machine::NewTuple(vm, pc - 1);
      NEXT;
    }
    OP(Nth) {
      Word element;
      if (ReadElement(vm, w[A + 1], w[A], &element)) [[likely]] {
        w[A] = element;
        NEXT;
      }
      SLOW(GenericMiss, 1);
    }
    OP(NthFrom) {
      const uint32_t next = *pc++;
      const Word index = w[B];
      const Word sequence = w[C];
      Word element;
      if (ReadElement(vm, sequence, index, &element)) [[likely]] {
        w[DecodeA(next)] = element;
        NEXT;
      }
      w[DecodeA(next)] = index;
      w[DecodeA(next) + 1] = sequence;
      SLOW(GenericMiss, 1);
    }
    OP(SetNth) {
      const Word element = w[A];
      if (Word* place = ElementPlace(vm, w[A + 2], w[A + 1])) [[likely]] {
        *place = element;
        MARK_CARD(place);
        NEXT;
      }
      if (WriteByte(w[A + 2], w[A + 1], element)) {
        NEXT;
      }
      SLOW(GenericMiss, 1);
    }
    OP(SetNthFrom) {
      const uint32_t next = *pc++;
      const Word element = w[A];
      const Word index = w[B];
      const Word sequence = w[C];
      if (Word* place = ElementPlace(vm, sequence, index)) [[likely]] {
        *place = element;
        MARK_CARD(place);
        NEXT;
      }
      if (WriteByte(sequence, index, element)) {
        NEXT;
      }
      w[DecodeA(next)] = element;
      w[DecodeA(next) + 1] = index;
      w[DecodeA(next) + 2] = sequence;
      SLOW(GenericMiss, 1);
    }
    OP(Length) {
      const Word length = LengthInLine(vm, w[A]);
      if (length.IsFixnum()) [[likely]] {
        w[A] = length;
        NEXT;
      }
      SLOW(GenericMiss, 1);
    }
    OP(LengthFrom) {
      const uint32_t next = *pc++;
      const Word sequence = w[B];
      const Word length = LengthInLine(vm, sequence);
      if (length.IsFixnum()) [[likely]] {
        w[DecodeA(next)] = length;
        NEXT;
      }
      w[DecodeA(next)] = sequence;
      SLOW(GenericMiss, 1);
    }

    // --- entries
    OP(Dispatch) SLOW(Dispatch, 1);
    OP(DispatchMath) SLOW(DispatchMath, 1);
    OP(Undefined) SLOW(Undefined, 1);
    OP(EnterDynamic) SLOW(EnterDynamic, 1);
    OP(Halt) {
      SAVE();
      return;
    }

    // --- dynamic mode
    OP(DynEnter) {
      if (budget <= 0) [[unlikely]]
        SLOW(EndSlice, 1);
      if (!ROOM(16)) [[unlikely]] {
        SAVE();
        machine::MakeRoom(vm, pc - 1, 64);
        LOAD();
        NEXT;
      }
      budget -= D;
      NEXT;
    }
    OP(DynLiteral) {
      if (!ROOM(1)) [[unlikely]] {
        SAVE();
        machine::MakeRoom(vm, pc - 1, 64);
        LOAD();
        NEXT;
      }
      *w++ = Word{LITERAL};
      NEXT;
    }
    OP(DynCall) {
      auto* cell = reinterpret_cast<WordCell*>(LITERAL);
      if (ROOM(4)) [[likely]] {
        if (cell->mode == static_cast<uint8_t>(CodeMode::kDynamic)) {
          *--cs = reinterpret_cast<uint64_t>(pc);
          pc = reinterpret_cast<const uint32_t*>(cell->dynamic_entry);
          NEXT;
        }
        if (cell->mode == static_cast<uint8_t>(CodeMode::kStatic) && HAS_ITEMS(cell->inputs)) {
          *--cs = reinterpret_cast<uint64_t>(pc);
          *--cs = uint64_t{cell->outputs} << 2;
          *--cs = reinterpret_cast<uint64_t>(vm.StubAddress(Op::kStubStaticReturn));
          w -= cell->inputs;
          pc = reinterpret_cast<const uint32_t*>(cell->entry);
          NEXT;
        }
      }
      SAVE();
      machine::DynCall(vm, pc - 1, cell, false);
      LOAD();
      NEXT;
    }
    OP(DynTailCall) {
      auto* cell = reinterpret_cast<WordCell*>(LITERAL);
      if (ROOM(4)) [[likely]] {
        if (cell->mode == static_cast<uint8_t>(CodeMode::kDynamic)) {
          pc = reinterpret_cast<const uint32_t*>(cell->dynamic_entry);
          NEXT;
        }
        if (cell->mode == static_cast<uint8_t>(CodeMode::kStatic) && HAS_ITEMS(cell->inputs)) {
          *--cs = uint64_t{cell->outputs} << 2;
          *--cs = reinterpret_cast<uint64_t>(vm.StubAddress(Op::kStubStaticReturn));
          w -= cell->inputs;
          pc = reinterpret_cast<const uint32_t*>(cell->entry);
          NEXT;
        }
      }
      SAVE();
      machine::DynCall(vm, pc - 1, cell, true);
      LOAD();
      NEXT;
    }
    OP(DynReturn) {
      pc = reinterpret_cast<const uint32_t*>(*cs++);
      NEXT;
    }
    OP(DynCallTop) {
      if (HAS_ITEMS(1) && HasDynamicCode(w[-1])) [[likely]] {
        pc = DynamicCodeOf(*--w);
        NEXT;
      }
      SLOW(DynBody, 1);
    }
    OP(DynExecute) SLOW(DynBody, 1);
    OP(DynIf) {
      if (HAS_ITEMS(3)) [[likely]] {
        const Word chosen = w[w[-3].IsTrue() ? -2 : -1];
        if (HasDynamicCode(chosen)) [[likely]] {
          w -= 3;
          pc = DynamicCodeOf(chosen);
          NEXT;
        }
      }
      SLOW(DynBody, 1);
    }
    OP(DynDip) {
      if (HAS_ITEMS(2) && ROOM(4) && HasDynamicCode(w[-1])) [[likely]] {
        pc = DynamicCodeOf(w[-1]);
        *--cs = w[-2].bits;
        *--cs = reinterpret_cast<uint64_t>(vm.StubAddress(Op::kStubDip));
        w -= 2;
        NEXT;
      }
      SLOW(DynBody, 1);
    }
    OP(DynLoadLocal) SLOW(DynBody, 1);
    OP(DynGetLocal) SLOW(DynBody, 1);
    OP(DynDropLocals) SLOW(DynBody, 1);
    OP(DynTry) SLOW(DynBody, 1);
    OP(DynWithDatastack) SLOW(DynBody, 1);
    OP(DynGetDatastack) SLOW(DynBody, 1);
    OP(DynSetDatastack) SLOW(DynBody, 1);
    OP(DynClear) SLOW(DynBody, 1);
    OP(DynDispatchTable) SLOW(DynBody, 1);
    OP(DynCallEffect) SLOW(DynBody, 1);

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
