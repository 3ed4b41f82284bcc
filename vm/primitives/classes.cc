// Primitives of classes, generics and tuples.
#include "vm/classes.h"

#include <vector>

#include "vm/generic.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"
#include "vm/word_code.h"

namespace weft {
namespace {

Word Get(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return args.get(i);
}

bool AreWords(Args args, size_t first, size_t second) WEFT_ALLOCATES {
  return Is(args, first, TypeId::kWordObject) && Is(args, second, TypeId::kWordObject);
}

Outcome WantsWords(Vm& vm, Args args, size_t first, size_t second) WEFT_ALLOCATES {
  const size_t bad = Is(args, first, TypeId::kWordObject) ? second : first;
  return BadType(vm, TypeId::kWordObject, args, bad);
}

Outcome BadInfo(Vm& vm, Args args) WEFT_ALLOCATES {
  return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
}

// Throws if an element of the array in args[i] is no word.
Outcome CheckWordsIn(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  Word other = gc::kFalse;
  bool found = false;
  {
    const gc::NoAlloc scope;
    const auto* array = As<Array>(args.get(i));
    for (int64_t n = 0; n < array->size() && !found; ++n) {
      other = array->elements[n];
      found = !IsType(other, TypeId::kWordObject);
    }
  }
  return found ? vm.ThrowType(TypeId::kWordObject, other) : Outcome::kNext;
}

bool IsTupleAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return IsTuple(args.get(i));
}

// A new tuple of the layout in args[i], all slots f.
Word NewTuple(Vm& vm, Args args, size_t i, int64_t* slots) WEFT_ALLOCATES {
  uint32_t shape = 0;
  {
    const gc::NoAlloc scope;
    const auto* layout = As<Layout>(args.get(i));
    shape = static_cast<uint32_t>(layout->shape.AsFixnum());
    *slots = layout->slot_count.AsFixnum();
  }
  const Word word = vm.heap().Allocate(shape, 8 + static_cast<size_t>(*slots) * 8);
  const gc::NoAlloc scope;
  Object* tuple = gc::ObjectAt(word);
  for (int64_t n = 0; n < *slots; ++n) *tuple->field(static_cast<size_t>(n)) = gc::kFalse;
  return word;
}

// The VM makes ratios, curried quotations and such by itself: with the new layout from now on.
void FollowLayout(Vm& vm, Word class_word, Word layout) WEFT_NO_ALLOC {
  if (!IsType(layout, TypeId::kLayout)) return;
  for (const Special special :
       {Special::kEffectLayout, Special::kCurriedLayout, Special::kComposedLayout,
        Special::kVectorLayout, Special::kSbufLayout, Special::kHashtableLayout,
        Special::kRatioLayout, Special::kComplexLayout}) {
    const Word old = vm.special(special);
    if (IsType(old, TypeId::kLayout) && As<Layout>(old)->class_word == class_word &&
        As<Layout>(old)->slot_count == As<Layout>(layout)->slot_count) {
      vm.set_special(special, layout);
      vm.SpecialsChanged();
    }
  }
}

}  // namespace

Outcome PrimClassInfo(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<WordObject>(args.get(0))->class_info);
  return Outcome::kNext;
}

Outcome PrimSetClassInfo(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 1);
  {
    const gc::NoAlloc scope;
    if (!args.is_true(0) || IsClassInfo(args.get(0))) {
      auto* word = As<WordObject>(args.get(1));
      vm.heap().Write(word, &word->class_info, args.get(0));
      if (args.is_true(0)) FollowLayout(vm, args.get(1), As<Array>(args.get(0))->elements[5]);
      vm.cells().InvalidateDispatch();
      return Outcome::kNext;
    }
  }
  return BadInfo(vm, args);
}

Outcome PrimClassLessEqual(Vm& vm, Args args) {
  if (!AreWords(args, 0, 1)) return WantsWords(vm, args, 0, 1);
  const gc::NoAlloc scope;
  args.set(0, Word::Bool(ClassLessEqual(vm, args.get(0), args.get(1))));
  return Outcome::kNext;
}

Outcome PrimClassesIntersect(Vm& vm, Args args) {
  if (!AreWords(args, 0, 1)) return WantsWords(vm, args, 0, 1);
  const gc::NoAlloc scope;
  args.set(0, Word::Bool(ClassesIntersect(vm, args.get(0), args.get(1))));
  return Outcome::kNext;
}

Outcome PrimBuiltinInstance(Vm& vm, Args args) {
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const gc::NoAlloc scope;
  args.set(0, Word::Bool(int64_t{ShapeOfWord(args.get(0))} == args.fixnum(1)));
  return Outcome::kNext;
}

Outcome PrimTupleInstance(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 1);
  const gc::NoAlloc scope;
  bool is_instance = false;
  if (IsTuple(args.get(0))) {
    const Word class_word = As<Layout>(args.get(1))->class_word;
    const Layout* layout = LayoutOf(vm, args.get(0));
    is_instance = layout->class_word == class_word;
    if (!is_instance && IsType(layout->superclasses, TypeId::kArray)) {
      const auto* ancestors = As<Array>(layout->superclasses);
      for (int64_t i = 0; i < ancestors->size() && !is_instance; ++i) {
        is_instance = ancestors->elements[i] == class_word;
      }
    }
  }
  args.set(0, Word::Bool(is_instance));
  return Outcome::kNext;
}

Outcome PrimAnyTuple(Vm& vm, Args args) {
  const gc::NoAlloc scope;
  bool is_tuple = IsTuple(args.get(0));
  for (const Special special : {Special::kRatioLayout, Special::kComplexLayout}) {
    const Word layout = vm.special(special);
    if (is_tuple && IsType(layout, TypeId::kLayout)) {
      is_tuple = LayoutOf(vm, args.get(0)) != As<Layout>(layout);
    }
  }
  args.set(0, Word::Bool(is_tuple));
  return Outcome::kNext;
}

Outcome PrimBuiltinType(Vm& vm, Args args) {
  (void)vm;
  const gc::NoAlloc scope;
  const uint32_t shape = ShapeOfWord(args.get(0));
  args.set(0, Word::Fixnum(shape >= gc::kFirstTupleShape ? -1 : int64_t{shape}));
  return Outcome::kNext;
}

Outcome PrimInvalidateDispatch(Vm& vm, Args args) {
  (void)args;
  vm.cells().InvalidateDispatch();
  return Outcome::kNext;
}

Outcome PrimGenericInfo(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<WordObject>(args.get(0))->generic_info);
  return Outcome::kNext;
}

Outcome PrimSetGenericInfo(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 1);
  bool ok = false;
  {
    const gc::NoAlloc scope;
    ok = !args.is_true(0) || IsGenericInfo(args.get(0));
    if (ok) {
      auto* word = As<WordObject>(args.get(1));
      vm.heap().Write(word, &word->generic_info, args.get(0));
      if (args.is_true(0)) {
        auto* info = As<Array>(args.get(0));
        info->elements[kGenericCache] = gc::kFalse;
      }
      vm.cells().InvalidateDispatch();
    }
  }
  if (!ok) return BadInfo(vm, args);
  const gc::Root word(vm.heap(), Get(args, 1));
  ResetWordCode(vm, word);
  return Outcome::kNext;
}

Outcome PrimMethodForObject(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 1);
  // The method itself, not the chain that FindMethod may give: predicates are language code, so
  // the answer is by class only.
  const gc::NoAlloc scope;
  const Word class_word = ClassOf(vm, args.get(0));
  args.set(0, MethodForClass(vm, class_word, args.get(1), false));
  return Outcome::kNext;
}

Outcome PrimMethodForClass(Vm& vm, Args args) {
  if (!AreWords(args, 0, 1)) return WantsWords(vm, args, 0, 1);
  const gc::NoAlloc scope;
  args.set(0, MethodForClass(vm, args.get(0), args.get(1), false));
  return Outcome::kNext;
}

Outcome PrimNextMethod(Vm& vm, Args args) {
  if (!AreWords(args, 0, 1)) return WantsWords(vm, args, 0, 1);
  const gc::NoAlloc scope;
  args.set(0, NextMethod(vm, args.get(0), args.get(1)));
  return Outcome::kNext;
}

Outcome PrimSortClasses(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 0);
  if (CheckWordsIn(vm, args, 0) == Outcome::kThrow) return Outcome::kThrow;
  std::vector<Word> classes;
  {
    const gc::NoAlloc scope;
    const auto* array = As<Array>(args.get(0));
    for (int64_t i = 0; i < array->size(); ++i) {
      classes.push_back(array->elements[i]);
    }
    SortClasses(vm, classes);
  }
  const size_t bytes = 16 + classes.size() * 8;
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = static_cast<Array*>(gc::ObjectAt(word));
  array->length = Word::Fixnum(static_cast<int64_t>(classes.size()));
  for (size_t i = 0; i < classes.size(); ++i) {
    vm.heap().Write(array, &array->elements[i], classes[i]);
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimLayout(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  if (!Is(args, 2, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 2);
  if (CheckWordsIn(vm, args, 2) == Outcome::kThrow) return Outcome::kThrow;
  const gc::Root class_word(vm.heap(), Get(args, 0));
  const gc::Root superclasses(vm.heap(), Get(args, 2));
  gc::Root layout(vm.heap());
  if (!MakeLayout(vm, class_word, args.fixnum(1), superclasses, layout)) {
    return vm.Throw(ErrorKind::kArraySize, Get(args, 1), Word::Fixnum(kMaxTupleSlots));
  }
  const gc::NoAlloc scope;
  args.set(0, layout.get());
  return Outcome::kNext;
}

Outcome PrimLayoutOf(Vm& vm, Args args) {
  if (!IsTupleAt(args, 0)) return vm.ThrowType(TypeId::kLayout, Get(args, 0));
  const gc::NoAlloc scope;
  args.set(0, Word::Pointer(LayoutOf(vm, args.get(0))));
  return Outcome::kNext;
}

Outcome PrimLayoutClass(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<Layout>(args.get(0))->class_word);
  return Outcome::kNext;
}

Outcome PrimLayoutSize(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 0);
  const gc::NoAlloc scope;
  args.set(0, As<Layout>(args.get(0))->slot_count);
  return Outcome::kNext;
}

Outcome PrimTuple(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 0);
  int64_t slots = 0;
  args.set(0, NewTuple(vm, args, 0, &slots));
  return Outcome::kNext;
}

// Kept in the layout's spare slot once it has been asked for.
Outcome PrimLayoutConstructor(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 0);
  {
    const gc::NoAlloc scope;
    const Word made = As<Layout>(args.get(0))->spare;
    if (IsType(made, TypeId::kWordObject)) {
      args.set(0, made);
      return Outcome::kNext;
    }
  }
  const gc::Root layout(vm.heap(), Get(args, 0));
  const Word word = MakeConstructor(vm, layout);
  const gc::NoAlloc scope;
  auto* object = As<Layout>(layout.get());
  vm.heap().Write(object, &object->spare, word);
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimSlotsToTuple(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 0);
  if (!Is(args, 1, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 1);
  bool fits = false;
  {
    const gc::NoAlloc scope;
    fits = As<Array>(args.get(0))->length == As<Layout>(args.get(1))->slot_count;
  }
  if (!fits) return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
  int64_t slots = 0;
  const Word word = NewTuple(vm, args, 1, &slots);
  const gc::NoAlloc scope;
  Object* tuple = gc::ObjectAt(word);
  const auto* array = As<Array>(args.get(0));
  for (int64_t i = 0; i < slots; ++i) {
    vm.heap().Write(tuple, tuple->field(static_cast<size_t>(i)), array->elements[i]);
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimTupleToSlots(Vm& vm, Args args) {
  if (!IsTupleAt(args, 0)) return vm.ThrowType(TypeId::kLayout, Get(args, 0));
  int64_t slots = 0;
  {
    const gc::NoAlloc scope;
    slots = LayoutOf(vm, args.get(0))->slot_count.AsFixnum();
  }
  const Word word =
      vm.heap().Allocate(ShapeOf(TypeId::kArray), 16 + static_cast<size_t>(slots) * 8);
  const gc::NoAlloc scope;
  auto* array = static_cast<Array*>(gc::ObjectAt(word));
  array->length = Word::Fixnum(slots);
  const Object* tuple = gc::ObjectAt(args.get(0));
  for (int64_t i = 0; i < slots; ++i) {
    vm.heap().Write(array, &array->elements[i], *tuple->field(static_cast<size_t>(i)));
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimTupleShallowEquals(Vm& vm, Args args) {
  bool equal = false;
  if (IsTupleAt(args, 0) && IsTupleAt(args, 1)) {
    const gc::NoAlloc scope;
    const Object* a = gc::ObjectAt(args.get(0));
    const Object* b = gc::ObjectAt(args.get(1));
    equal = a->shape() == b->shape();
    const int64_t slots = LayoutOf(vm, args.get(0))->slot_count.AsFixnum();
    for (int64_t i = 0; equal && i < slots; ++i) {
      equal = *a->field(static_cast<size_t>(i)) == *b->field(static_cast<size_t>(i));
    }
  }
  args.set(0, Word::Bool(equal));
  return Outcome::kNext;
}

Outcome PrimInstancesOfLayout(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kLayout)) return BadType(vm, TypeId::kLayout, args, 0);
  struct Search {
    uint32_t shape;
    std::vector<Word> found;
  } search;
  {
    const gc::NoAlloc scope;
    search.shape = static_cast<uint32_t>(As<Layout>(args.get(0))->shape.AsFixnum());
  }
  vm.heap().CollectFull();
  vm.heap().ForEachObject(
      [](Object* object, void* data) {
        auto* wanted = static_cast<Search*>(data);
        if (object->shape() == wanted->shape) wanted->found.push_back(Word::Pointer(object));
      },
      &search);
  gc::RootVector kept(vm.heap());
  for (const Word word : search.found) kept.push_back(word);
  const size_t bytes = 16 + kept.size() * 8;
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = static_cast<Array*>(gc::ObjectAt(word));
  array->length = Word::Fixnum(static_cast<int64_t>(kept.size()));
  for (size_t i = 0; i < kept.size(); ++i) {
    vm.heap().Write(array, &array->elements[i], kept.get(i));
  }
  args.set(0, word);
  return Outcome::kNext;
}

}  // namespace weft
