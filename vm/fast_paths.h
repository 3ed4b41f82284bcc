// What the interpreter does in line with words and objects: tests of types, fields through inline
// caches, elements of built-in sequences. Whatever is not of the usual form is left to slow paths.
#ifndef WEFT_VM_FAST_PATHS_H_
#define WEFT_VM_FAST_PATHS_H_

#include <cstdint>

#include "vm/cells.h"
#include "vm/objects.h"
#include "vm/vm.h"

namespace weft {

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

// Tuples of more slots are made by machine::NewTuple.
constexpr size_t kSlotsInLine = 64;

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
[[gnu::noinline]] inline bool ReadSliceElement(const Vm& vm, const gc::Object* slice, Word index,
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

// Into a byte array, or a string of one byte a character.
[[gnu::always_inline]] inline bool WriteByte(Word sequence, Word index,
                                             Word element) WEFT_NO_ANALYSIS {
  if (!sequence.IsPointer() || !index.IsFixnum() || !element.IsFixnum()) return false;
  gc::Object* object = gc::ObjectAt(sequence);
  if (object->shape() == ShapeOf(TypeId::kByteArray)) {
    auto* bytes = static_cast<ByteArray*>(object);
    if (!InBounds(index, bytes->size())) return false;
    bytes->bytes[index.AsFixnum()] = static_cast<uint8_t>(element.AsFixnum());
    return true;
  }
  if (object->shape() != ShapeOf(TypeId::kString)) return false;
  auto* string = static_cast<String*>(object);
  if (string->width() != String::kOne || !InBounds(index, string->size()) ||
      !InBounds(element, 256)) {
    return false;
  }
  string->data[index.AsFixnum()] = static_cast<uint8_t>(element.AsFixnum());
  string->hash = gc::kFalse;
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

}  // namespace weft

#endif  // WEFT_VM_FAST_PATHS_H_
