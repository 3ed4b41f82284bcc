#include "compiler/effects.h"

#include "gc/handle.h"
#include "vm/strings.h"

namespace weft::compiler {
namespace {

// Fields of an effect tuple.
enum EffectField : size_t { kIn, kOut, kTerminated, kInVar, kOutVar, kEffectFields };

bool SameName(Word a, Word b) WEFT_NO_ALLOC {
  if (a == b) return true;
  if (!IsType(a, TypeId::kString) || !IsType(b, TypeId::kString)) return false;
  return CompareStrings(As<String>(a), As<String>(b)) == 0;
}

Word MakeNames(Vm& vm, int count) WEFT_ALLOCATES {
  gc::Root name(vm.heap(), MakeString(vm.heap(), "x"));
  const size_t bytes = sizeof(Array) + static_cast<size_t>(count) * sizeof(Word);
  gc::Root array(vm.heap(), vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes));
  gc::NoAlloc scope;
  Array* object = As<Array>(array.get());
  object->length = Word::Fixnum(count);
  for (int i = 0; i < count; ++i) vm.heap().Write(object, &object->elements[i], name.get());
  return array.get();
}

}  // namespace

bool ReadEffect(const Vm& vm, Word effect, EffectCount* count) {
  const Word layout_word = vm.special(Special::kEffectLayout);
  if (!IsTuple(effect) || !IsType(layout_word, TypeId::kLayout)) return false;
  const Object* tuple = gc::ObjectAt(effect);
  if (tuple->shape() != static_cast<uint32_t>(As<Layout>(layout_word)->shape.AsFixnum())) {
    return false;
  }
  const Word in = *tuple->field(kIn);
  const Word out = *tuple->field(kOut);
  if (!IsType(in, TypeId::kArray) || !IsType(out, TypeId::kArray)) return false;
  count->inputs = static_cast<int>(As<Array>(in)->size());
  count->outputs = static_cast<int>(As<Array>(out)->size());
  count->terminated = tuple->field(kTerminated)->IsTrue();
  const Word in_var = *tuple->field(kInVar);
  const Word out_var = *tuple->field(kOutVar);
  count->has_rows = in_var.IsTrue() || out_var.IsTrue();
  count->same_rows = SameName(in_var, out_var);
  return true;
}

bool ReadInputHeight(const Vm& vm, Word effect, int64_t i, int* height) {
  const Word in = *gc::ObjectAt(effect)->field(kIn);
  const Word input = As<Array>(in)->elements[i];
  if (!IsType(input, TypeId::kArray) || As<Array>(input)->size() != 2) return false;
  EffectCount declared;
  if (!ReadEffect(vm, As<Array>(input)->elements[1], &declared)) return false;
  *height = declared.height();
  return declared.has_rows && declared.same_rows && !declared.terminated;
}

bool Fits(const EffectCount& inferred, const EffectCount& declared) {
  if (inferred.terminated) return inferred.inputs <= declared.inputs;
  if (declared.terminated) return false;
  return inferred.inputs <= declared.inputs && inferred.height() == declared.height();
}

Word MakeEffect(Vm& vm, const EffectCount& count) {
  gc::Root in(vm.heap(), MakeNames(vm, count.inputs));
  gc::Root out(vm.heap(), MakeNames(vm, count.terminated ? 0 : count.outputs));
  uint32_t shape = 0;
  {
    gc::NoAlloc scope;
    const Word layout = vm.special(Special::kEffectLayout);
    if (!IsType(layout, TypeId::kLayout)) return gc::kFalse;
    shape = static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum());
  }
  const Word effect = vm.heap().Allocate(shape, sizeof(Object) + kEffectFields * sizeof(Word));
  gc::NoAlloc scope;
  Object* tuple = gc::ObjectAt(effect);
  vm.heap().Write(tuple, tuple->field(kIn), in.get());
  vm.heap().Write(tuple, tuple->field(kOut), out.get());
  vm.heap().Write(tuple, tuple->field(kTerminated), Word::Bool(count.terminated));
  vm.heap().Write(tuple, tuple->field(kInVar), gc::kFalse);
  vm.heap().Write(tuple, tuple->field(kOutVar), gc::kFalse);
  return effect;
}

}  // namespace weft::compiler
