#include "compiler/dynamic.h"

#include <cstring>

#include "compiler/effects.h"
#include "vm/code_builder.h"
#include "vm/primitives.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {
namespace {

// Distances to literals have 16 bits; longer quotations continue in a further one.
constexpr int64_t kMaxElements = 20000;

// The opcode that stands for a call of the word, if it needs no return address: what load-local
// keeps lies on the call stack, so a called body could not do it.
bool InlineBody(const WordObject* word, Op* op) {
  const int64_t row = word->flags.AsFixnum() & kFlagPrimitiveMask;
  if (row == 0) return false;
  const Primitive& primitive = kPrimitives[row - 1];
  if (primitive.kind != PrimitiveKind::kBody) return false;
  *op = primitive.body;
  return !InfoOf(primitive.body).Has(kOpEndsBlock);
}

void SetPosition(CodeBuilder& builder, Word source, int64_t element) WEFT_NO_ALLOC {
  if (!IsType(source, TypeId::kArray)) return;
  const auto* pair = As<Array>(source);
  if (pair->size() < 2 || !IsType(pair->elements[1], TypeId::kByteArray)) return;
  const auto* positions = As<ByteArray>(pair->elements[1]);
  if ((element + 1) * 8 > positions->size()) return;
  uint32_t place[2];
  std::memcpy(place, positions->bytes + element * 8, 8);
  if (place[0] != 0) builder.SetPosition(place[0], place[1]);
}

// Calls of such words keep their return address, as in static code, so that the trace of an error
// shows the caller.
bool NeverReturns(const Vm& vm, Word word) WEFT_NO_ALLOC {
  compiler::EffectCount effect;
  return compiler::ReadEffect(vm, As<WordObject>(word)->effect, &effect) && effect.terminated;
}

void EmitElement(const Vm& vm, CodeBuilder& builder, Word element, bool is_last) WEFT_NO_ALLOC {
  if (IsType(element, TypeId::kWordObject)) {
    Op op = Op::kNop;
    if (InlineBody(As<WordObject>(element), &op)) {
      builder.EmitABC(op);
      if (is_last) builder.EmitABC(Op::kDynReturn);
      return;
    }
    const uint32_t literal = builder.CellLiteral(element);
    const bool in_tail = is_last && !NeverReturns(vm, element);
    builder.EmitLiteral(in_tail ? Op::kDynTailCall : Op::kDynCall, 0, literal);
    if (is_last && !in_tail) builder.EmitABC(Op::kDynReturn);
    return;
  }
  if (IsType(element, TypeId::kWrapper)) element = As<Wrapper>(element)->wrapped;
  builder.EmitLiteral(Op::kDynLiteral, 0, builder.Literal(element));
  if (is_last) builder.EmitABC(Op::kDynReturn);
}

// The elements from `first` on as a quotation of their own.
Word RestOfQuotation(Vm& vm, const gc::Root& quotation, int64_t first) WEFT_ALLOCATES {
  gc::Heap& heap = vm.heap();
  int64_t count = 0;
  {
    const gc::NoAlloc scope;
    count = As<Array>(As<Quotation>(quotation.get())->array)->size() - first;
  }
  gc::Root array(heap, heap.Allocate(ShapeOf(TypeId::kArray), 16 + static_cast<size_t>(count) * 8));
  {
    // Before anything else is allocated: the collector goes by the length.
    const gc::NoAlloc scope;
    auto* elements = static_cast<Array*>(gc::ObjectAt(array.get()));
    elements->length = Word::Fixnum(count);
    const auto* from = As<Array>(As<Quotation>(quotation.get())->array);
    for (int64_t i = 0; i < count; ++i) {
      heap.Write(elements, &elements->elements[i], from->elements[first + i]);
    }
  }
  const Word rest = heap.Allocate(ShapeOf(TypeId::kQuotation), 8 + 6 * 8);
  const gc::NoAlloc scope;
  const auto* whole = As<Quotation>(quotation.get());
  auto* object = static_cast<Quotation*>(gc::ObjectAt(rest));
  for (size_t i = 0; i < 6; ++i) *object->field(i) = gc::kFalse;
  heap.Write(object, &object->array, array.get());
  heap.Write(object, &object->owner, whole->owner);
  return rest;
}

}  // namespace

void CompileDynamic(Vm& vm, const gc::Root& callable) {
  gc::Heap& heap = vm.heap();
  gc::Root quotation(heap);
  gc::Root path(heap);
  bool is_word = false;
  int64_t count = 0;
  CodeBuilder builder(vm);
  {
    const gc::NoAlloc scope;
    is_word = IsType(callable.get(), TypeId::kWordObject);
    quotation.set(is_word ? As<WordObject>(callable.get())->def : callable.get());
    const auto* object = As<Quotation>(quotation.get());
    count = As<Array>(object->array)->size();
    if (IsType(object->source, TypeId::kArray) && As<Array>(object->source)->size() >= 1) {
      path.set(As<Array>(object->source)->elements[0]);
    }
  }
  if (is_word) {
    EmitDynamicEntry(builder, callable);
  } else {
    builder.EmitAD(Op::kDynEnter, 0, 0);
  }
  gc::Root rest(heap);
  if (count > kMaxElements) {
    count = kMaxElements;
    rest.set(RestOfQuotation(vm, quotation, count));
  }
  {
    const gc::NoAlloc scope;
    const auto* object = As<Quotation>(quotation.get());
    const auto* array = As<Array>(object->array);
    for (int64_t i = 0; i < count; ++i) {
      SetPosition(builder, object->source, i);
      EmitElement(vm, builder, array->elements[i], i + 1 == count && rest.is_false());
    }
    if (!rest.is_false()) {
      builder.EmitLiteral(Op::kDynLiteral, 0, builder.Literal(rest.get()));
      builder.EmitABC(Op::kDynCallTop);
    }
    if (count == 0) builder.EmitABC(Op::kDynReturn);
  }
  const gc::Root code(heap, builder.Finish(CodeMode::kDynamic, 0, 0, callable, path));
  WEFT_CHECK(!code.is_false());
  if (is_word) {
    InstallDynamicCode(vm, callable, code);
    return;
  }
  const gc::NoAlloc scope;
  auto* object = As<Quotation>(callable.get());
  heap.Write(object, &object->dynamic_code, code.get());
}

}  // namespace weft
