// Primitives of objects as such: identity, slots, arrays, byte arrays, quotations, weak references.
#include <algorithm>
#include <cstring>
#include <vector>

#include "vm/hashing.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

constexpr size_t kArrayHeader = sizeof(Array);

size_t ArrayBytes(int64_t size) { return kArrayHeader + static_cast<size_t>(size) * sizeof(Word); }
size_t ByteArrayBytes(int64_t size) { return sizeof(ByteArray) + static_cast<size_t>(size); }

// Words of an object that `slot` can reach: its traced ones.
int64_t ReadableSlots(Word word) WEFT_NO_ALLOC {
  if (!word.IsPointer()) return 0;
  const Object* object = gc::ObjectAt(word);
  const uint32_t shape = object->shape();
  if (shape >= gc::kFirstTupleShape) return -1;  // by its layout
  switch (static_cast<TypeId>(shape)) {
    case TypeId::kArray:
      return static_cast<const Array*>(object)->size() + 1;
    case TypeId::kWordObject:
      return 10;  // not its flags and its cell
    case TypeId::kQuotation:
      return 6;
    case TypeId::kWrapper:
      return 1;
    case TypeId::kLayout:
      return 4;
    case TypeId::kContextRef:
      return 3;
    default:
      return 0;
  }
}

int64_t SlotCount(Vm& vm, Word word) WEFT_NO_ALLOC {
  const int64_t count = ReadableSlots(word);
  if (count >= 0) return count;
  const Word layout = vm.layouts().get(gc::ObjectAt(word)->shape() - gc::kFirstTupleShape);
  return As<Layout>(layout)->slot_count.AsFixnum();
}

// What a program may overwrite without breaking the VM's own structures.
bool IsWritable(Word word, int64_t slot) WEFT_NO_ALLOC {
  const uint32_t shape = gc::ObjectAt(word)->shape();
  if (shape >= gc::kFirstTupleShape) return true;
  switch (static_cast<TypeId>(shape)) {
    case TypeId::kArray:
      return slot > 0;
    case TypeId::kWordObject:
      return slot == 0 || slot == 1 || slot == 3 || slot == 8;
    case TypeId::kWrapper:
      return true;
    default:
      return false;
  }
}

Word NewArray(Vm& vm, int64_t size, Word fill) WEFT_ALLOCATES {
  const gc::Root value(vm.heap(), fill);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), ArrayBytes(size));
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(size);
  std::fill(array->elements, array->elements + size, value.get());
  // Else the cards stay dirty, as they are at birth.
  if (!value.get().IsPointer() || !vm.heap().InNursery(value.get().Address())) {
    vm.heap().CleanNew(word);
  }
  return word;
}

Word Get(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return args.get(i);
}

}  // namespace

Outcome PrimEq(Vm&, Args args) {
  const gc::NoAlloc scope;
  args.set(0, Word::Bool(args.get(0) == args.get(1)));
  return Outcome::kNext;
}

Outcome PrimClone(Vm& vm, Args args) {
  size_t bytes = 0;
  uint32_t shape = 0;
  {
    const gc::NoAlloc scope;
    const Word word = args.get(0);
    if (!word.IsPointer()) return Outcome::kNext;
    shape = gc::ObjectAt(word)->shape();
    if (shape < gc::kFirstTupleShape) {
      switch (static_cast<TypeId>(shape)) {
        case TypeId::kArray:
        case TypeId::kByteArray:
        case TypeId::kString:
        case TypeId::kWrapper:
        case TypeId::kQuotation:
          break;
        default:
          return Outcome::kNext;  // immutable, or part of the VM's own structure
      }
    }
    bytes = vm.heap().SizeOf(gc::ObjectAt(word));
  }
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word copy = vm.heap().Allocate(shape, bytes);
  const gc::NoAlloc scope;
  Object* from = gc::ObjectAt(args.get(0));
  Object* to = gc::ObjectAt(copy);
  std::memcpy(static_cast<void*>(to->field(0)), from->field(0), bytes - sizeof(Object));
  if (bytes >= gc::kLargeBytes) {
    for (size_t at = 0; at < bytes; at += gc::CardTable::kCardBytes) {
      vm.heap().cards().Mark(reinterpret_cast<const char*>(to) + at);
    }
    vm.heap().cards().Mark(reinterpret_cast<const char*>(to) + bytes - 1);
  }
  args.set(0, copy);
  return Outcome::kNext;
}

Outcome PrimWrapper(Vm& vm, Args args) {
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kWrapper), sizeof(Wrapper));
  const gc::NoAlloc scope;
  vm.heap().Write(gc::ObjectAt(word), &As<Wrapper>(word)->wrapped, args.get(0));
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimIdentityHash(Vm& vm, Args args) {
  const gc::NoAlloc scope;
  const Word word = args.get(0);
  int64_t hash = 0;
  if (word.IsPointer()) {
    hash = IdentityHash(vm.heap(), word);
  } else if (!NativeHash(vm.heap(), word, &hash)) {
    hash = static_cast<int64_t>(word.bits >> 3);
  }
  args.set(0, Word::Fixnum(hash));
  return Outcome::kNext;
}

Outcome PrimClassOf(Vm& vm, Args args) {
  const gc::NoAlloc scope;
  const uint32_t shape = ShapeOfWord(args.get(0));
  Word class_word = gc::kFalse;
  if (shape >= gc::kFirstTupleShape) {
    class_word = As<Layout>(vm.layouts().get(shape - gc::kFirstTupleShape))->class_word;
  } else {
    const Word classes = vm.special(Special::kBuiltinClasses);
    if (classes.IsPointer()) class_word = As<Array>(classes)->elements[shape];
    if (class_word == gc::kFalse) class_word = vm.special(Special::kObjectClass);
  }
  args.set(0, class_word);
  return Outcome::kNext;
}

Outcome PrimSlot(Vm& vm, Args args) {
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const int64_t slot = args.fixnum(1);
  {
    const gc::NoAlloc scope;
    const Word word = args.get(0);
    if (slot >= 0 && slot < SlotCount(vm, word)) {
      args.set(0, *gc::ObjectAt(word)->field(static_cast<size_t>(slot)));
      return Outcome::kNext;
    }
  }
  return BadIndex(vm, args, 1, 0);
}

Outcome PrimSetSlot(Vm& vm, Args args) {
  if (!args.is_fixnum(2)) return BadType(vm, TypeId::kFixnum, args, 2);
  const int64_t slot = args.fixnum(2);
  {
    const gc::NoAlloc scope;
    const Word word = args.get(1);
    if (slot >= 0 && slot < SlotCount(vm, word) && IsWritable(word, slot)) {
      Object* object = gc::ObjectAt(word);
      vm.heap().Write(object, object->field(static_cast<size_t>(slot)), args.get(0));
      return Outcome::kNext;
    }
  }
  return BadIndex(vm, args, 2, 1);
}

Outcome PrimSlotCount(Vm& vm, Args args) {
  const gc::NoAlloc scope;
  args.set(0, Word::Fixnum(SlotCount(vm, args.get(0))));
  return Outcome::kNext;
}

Outcome PrimArray(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  const int64_t size = args.fixnum(0);
  if (!HasRoom(vm, ArrayBytes(size))) return NoRoom(vm, ArrayBytes(size));
  args.set(0, NewArray(vm, size, Get(args, 1)));
  return Outcome::kNext;
}

Outcome PrimResizeArray(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  if (!Is(args, 1, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 1);
  const int64_t size = args.fixnum(0);
  if (!HasRoom(vm, ArrayBytes(size))) return NoRoom(vm, ArrayBytes(size));
  const Word word = NewArray(vm, size, Word::Fixnum(0));
  const gc::NoAlloc scope;
  const auto* old = As<Array>(args.get(1));
  auto* array = As<Array>(word);
  const int64_t kept = std::min(size, old->size());
  for (int64_t i = 0; i < kept; ++i) vm.heap().WriteNew(&array->elements[i], old->elements[i]);
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimArrayCapacity(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<Array>(args.get(0))->length);
  return Outcome::kNext;
}

Outcome PrimArrayNth(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 1);
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  {
    const gc::NoAlloc scope;
    const auto* array = As<Array>(args.get(1));
    if (args.fixnum(0) >= 0 && args.fixnum(0) < array->size()) {
      args.set(0, array->elements[args.fixnum(0)]);
      return Outcome::kNext;
    }
  }
  return BadIndex(vm, args, 0, 1);
}

Outcome PrimSetArrayNth(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 2);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  {
    const gc::NoAlloc scope;
    auto* array = As<Array>(args.get(2));
    if (args.fixnum(1) >= 0 && args.fixnum(1) < array->size()) {
      vm.heap().Write(array, &array->elements[args.fixnum(1)], args.get(0));
      return Outcome::kNext;
    }
  }
  return BadIndex(vm, args, 1, 2);
}

Outcome PrimByteArray(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  const int64_t size = args.fixnum(0);
  if (!HasRoom(vm, ByteArrayBytes(size))) return NoRoom(vm, ByteArrayBytes(size));
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), ByteArrayBytes(size));
  const gc::NoAlloc scope;
  As<ByteArray>(word)->length = Word::Fixnum(size);
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimResizeByteArray(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  if (!Is(args, 1, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 1);
  const int64_t size = args.fixnum(0);
  if (!HasRoom(vm, ByteArrayBytes(size))) return NoRoom(vm, ByteArrayBytes(size));
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), ByteArrayBytes(size));
  const gc::NoAlloc scope;
  const auto* old = As<ByteArray>(args.get(1));
  auto* bytes = As<ByteArray>(word);
  bytes->length = Word::Fixnum(size);
  std::memcpy(bytes->bytes, old->bytes, static_cast<size_t>(std::min(size, old->size())));
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimByteArrayCapacity(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<ByteArray>(args.get(0))->length);
  return Outcome::kNext;
}

Outcome PrimByteArrayNth(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 1);
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(1));
    if (args.fixnum(0) >= 0 && args.fixnum(0) < bytes->size()) {
      args.set(0, Word::Fixnum(bytes->bytes[args.fixnum(0)]));
      return Outcome::kNext;
    }
  }
  return BadIndex(vm, args, 0, 1);
}

Outcome PrimSetByteArrayNth(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 2);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  uint8_t value;
  if (args.is_fixnum(0)) {
    value = static_cast<uint8_t>(args.fixnum(0));
  } else if (Is(args, 0, TypeId::kBignum)) {
    const gc::NoAlloc scope;
    const auto* number = As<Bignum>(args.get(0));
    const auto low = static_cast<uint8_t>(number->limbs[0]);
    value = number->size.AsFixnum() < 0 ? static_cast<uint8_t>(-low) : low;
  } else {
    return BadType(vm, TypeId::kFixnum, args, 0);
  }
  {
    const gc::NoAlloc scope;
    auto* bytes = As<ByteArray>(args.get(2));
    if (args.fixnum(1) >= 0 && args.fixnum(1) < bytes->size()) {
      bytes->bytes[args.fixnum(1)] = value;
      return Outcome::kNext;
    }
  }
  return BadIndex(vm, args, 1, 2);
}

Outcome PrimByteArrayEquals(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, i);
  }
  const gc::NoAlloc scope;
  const auto* a = As<ByteArray>(args.get(0));
  const auto* b = As<ByteArray>(args.get(1));
  args.set(0, Word::Bool(a->size() == b->size() &&
                         std::memcmp(a->bytes, b->bytes, static_cast<size_t>(a->size())) == 0));
  return Outcome::kNext;
}

Outcome PrimByteArrayHash(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  const gc::NoAlloc scope;
  const auto* bytes = As<ByteArray>(args.get(0));
  args.set(0, Word::Fixnum(HashBytes(bytes->bytes, bytes->size())));
  return Outcome::kNext;
}

namespace {

Outcome NewQuotation(Vm& vm, Args args, bool has_source) WEFT_ALLOCATES {
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kQuotation), sizeof(Quotation));
  const gc::NoAlloc scope;
  auto* quotation = As<Quotation>(word);
  quotation->source = quotation->effect = quotation->code = gc::kFalse;
  quotation->dynamic_code = quotation->owner = gc::kFalse;
  vm.heap().Write(quotation, &quotation->array, args.get(0));
  if (has_source) {
    vm.heap().Write(quotation, &quotation->source, args.get(1));
    vm.heap().Write(quotation, &quotation->owner, args.get(2));
  }
  args.set(0, word);
  return Outcome::kNext;
}

}  // namespace

Outcome PrimQuotation(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 0);
  return NewQuotation(vm, args, /*has_source=*/false);
}

Outcome PrimQuotationWithSource(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 0);
  if (args.is_true(1)) {
    bool good = false;
    if (Is(args, 1, TypeId::kArray)) {
      const gc::NoAlloc scope;
      const auto* pair = As<Array>(args.get(1));
      good = pair->size() == 2 && IsType(pair->elements[1], TypeId::kByteArray);
    }
    if (!good) return BadType(vm, TypeId::kArray, args, 1);
  }
  return NewQuotation(vm, args, /*has_source=*/true);
}

Outcome PrimQuotationArray(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kQuotation)) return BadType(vm, TypeId::kQuotation, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<Quotation>(args.get(0))->array);
  return Outcome::kNext;
}

Outcome PrimQuotationSource(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kQuotation)) return BadType(vm, TypeId::kQuotation, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<Quotation>(args.get(0))->source);
  return Outcome::kNext;
}

Outcome PrimWeakRef(Vm& vm, Args args) {
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kWeakRef), sizeof(WeakRef));
  const gc::NoAlloc scope;
  vm.heap().Write(gc::ObjectAt(word), &As<WeakRef>(word)->target, args.get(0));
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimWeakRefValue(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWeakRef)) return BadType(vm, TypeId::kWeakRef, args, 0);
  const gc::NoAlloc scope;
  args.set(0, vm.heap().WeakTarget(gc::ObjectAt(args.get(0))));
  return Outcome::kNext;
}

Outcome PrimBecome(Vm& vm, Args args) {
  std::vector<Word> from;
  std::vector<Word> to;
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, i);
  }
  {
    const gc::NoAlloc scope;
    const auto* olds = As<Array>(args.get(0));
    const auto* news = As<Array>(args.get(1));
    const int64_t count = olds->size() == news->size() ? olds->size() : -1;
    for (int64_t i = 0; i < count; ++i) {
      // Only tuples change places: the VM refers to its other structures by address.
      if (!IsTuple(olds->elements[i]) || !IsTuple(news->elements[i])) break;
      from.push_back(olds->elements[i]);
      to.push_back(news->elements[i]);
    }
    if (static_cast<int64_t>(from.size()) != count) from.clear(), to.push_back(gc::kFalse);
  }
  if (from.size() != to.size()) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
  }
  // The two arrays are not to be rewritten into each other.
  args.set(0, gc::kFalse);
  args.set(1, gc::kFalse);
  vm.heap().Become(from, to);
  return Outcome::kNext;
}

}  // namespace weft
