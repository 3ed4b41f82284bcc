#include "vm/word_code.h"

#include <algorithm>

#include "vm/cells.h"
#include "vm/code_builder.h"
#include "vm/generic.h"
#include "vm/hashing.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

void SetEntry(Vm& vm, const gc::Root& word, const gc::Root& code, CodeMode mode) WEFT_NO_ALLOC {
  auto* object = As<WordObject>(word.get());
  auto* code_object = As<Code>(code.get());
  WordCell* cell = object->word_cell();
  cell->entry = reinterpret_cast<uint64_t>(code_object->instructions());
  cell->mode = static_cast<uint8_t>(mode);
  cell->dynamic_entry = 0;
  vm.heap().Write(object, &object->code, code.get());
}

void SetCounts(const gc::Root& word, const EffectCounts& counts) WEFT_NO_ALLOC {
  WordCell* cell = As<WordObject>(word.get())->word_cell();
  cell->inputs = counts.inputs;
  cell->outputs = counts.outputs;
}

EffectCounts CountsOfWord(Vm& vm, const gc::Root& word) WEFT_NO_ALLOC {
  const auto* object = As<WordObject>(word.get());
  EffectCounts counts = CountsOfEffect(vm, object->effect);
  if (counts.is_valid) return counts;
  const int64_t row = object->flags.AsFixnum() & kFlagPrimitiveMask;
  return row > 0 ? kPrimitives[row - 1].counts : counts;
}

// One instruction with the word as its literal: kEnterDynamic, kUndefined, kDispatchMath. A word
// on its way to a definition is reset several times: it keeps the code that says the same.
Word OneInstruction(Vm& vm, Op op, uint32_t a, CodeMode mode, const EffectCounts& counts,
                    const gc::Root& word) WEFT_ALLOCATES {
  {
    const gc::NoAlloc scope;
    const Word current = As<WordObject>(word.get())->code;
    if (IsType(current, TypeId::kCode)) {
      auto* code = As<Code>(current);
      const uint32_t first = code->instructions()[0];
      if (code->mode_and_counts == CodeModeWord(mode, counts.inputs, counts.outputs) &&
          DecodeOp(first) == op && DecodeA(first) == a) {
        return current;
      }
    }
  }
  CodeBuilder builder(vm);
  uint32_t literal = 0;
  {
    const gc::NoAlloc scope;
    literal = builder.Literal(word.get());
  }
  builder.EmitLiteral(op, a, literal);
  builder.AddPlainMap(counts.inputs);
  const gc::Root no_path(vm.heap());
  return builder.Finish(mode, counts.inputs, counts.outputs, word, no_path);
}

void EmitShuffle(CodeBuilder& builder, const EffectCounts& counts) {
  const uint32_t inputs = counts.inputs;
  const uint32_t temporary = std::max<uint32_t>(counts.inputs, counts.outputs);
  // Inputs that another output overwrites before they are read last go through a temporary.
  bool saved[EffectCounts::kMaxShuffle] = {};
  for (uint32_t out = 0; out < counts.outputs; ++out) {
    const uint32_t from = counts.shuffle[out];
    if (from < out && from < inputs && counts.shuffle[from] != from) saved[from] = true;
  }
  for (uint32_t i = 0; i < inputs; ++i) {
    if (saved[i]) builder.EmitABC(Op::kMove, temporary + i, i);
  }
  for (uint32_t out = 0; out < counts.outputs; ++out) {
    const uint32_t from = counts.shuffle[out];
    if (from != out) builder.EmitABC(Op::kMove, out, saved[from] ? temporary + from : from);
  }
}

void MakePrimitiveCode(Vm& vm, const gc::Root& word, size_t row) WEFT_ALLOCATES {
  const Primitive& primitive = kPrimitives[row];
  const EffectCounts& counts = primitive.counts;
  const gc::Root no_path(vm.heap());
  CodeBuilder builder(vm);
  if (primitive.kind == PrimitiveKind::kBody) {
    EmitDynamicEntry(builder, word);
    builder.EmitABC(primitive.body);
    builder.EmitABC(Op::kDynReturn);
    const gc::Root code(vm.heap(), builder.Finish(CodeMode::kDynamic, 0, 0, word, no_path));
    InstallDynamicCode(vm, word, code);
    return;
  }
  const uint32_t room = std::max<uint32_t>(counts.inputs, counts.outputs);
  builder.EmitAD(Op::kEnter, room * 2, 0);
  builder.AddPlainMap(counts.inputs);
  if (primitive.kind == PrimitiveKind::kShuffle) {
    EmitShuffle(builder, counts);
  } else {
    builder.EmitAD(Op::kPrimitiveBody, 0, static_cast<uint32_t>(row));
    builder.AddMap({}, {}, {});
  }
  builder.EmitABC(Op::kReturn);
  const gc::Root code(
      vm.heap(), builder.Finish(CodeMode::kStatic, counts.inputs, counts.outputs, word, no_path));
  const gc::NoAlloc scope;
  SetCounts(word, counts);
  SetEntry(vm, word, code, CodeMode::kStatic);
}

void MakeSymbolCode(Vm& vm, const gc::Root& word) WEFT_ALLOCATES {
  const gc::Root no_path(vm.heap());
  CodeBuilder builder(vm);
  uint32_t literal = 0;
  {
    const gc::NoAlloc scope;
    literal = builder.Literal(word.get());
  }
  builder.EmitAD(Op::kEnter, 1, 0);
  builder.AddPlainMap(0);
  builder.EmitLiteral(Op::kLoadLiteral, 0, literal);
  builder.EmitABC(Op::kReturn);
  const gc::Root code(vm.heap(), builder.Finish(CodeMode::kStatic, 0, 1, word, no_path));
  const gc::NoAlloc scope;
  EffectCounts counts;
  counts.outputs = 1;
  SetCounts(word, counts);
  SetEntry(vm, word, code, CodeMode::kStatic);
}

}  // namespace

void EmitDynamicEntry(CodeBuilder& builder, const gc::Root& word) WEFT_ALLOCATES {
  uint32_t literal = 0;
  {
    const gc::NoAlloc scope;
    literal = builder.Literal(word.get());
  }
  builder.EmitLiteral(Op::kEnterDynamic, 0, literal);
  builder.EmitAD(Op::kDynEnter, 0, 0);
}

Word NewWord(Vm& vm, const gc::Root& name, const gc::Root& vocabulary) {
  gc::Heap& heap = vm.heap();
  gc::Root word(heap, heap.AllocatePinned(ShapeOf(TypeId::kWordObject), 8 + 12 * 8));
  {
    const gc::NoAlloc scope;
    auto* object = static_cast<WordObject*>(gc::ObjectAt(word.get()));
    for (size_t i = 0; i < 12; ++i) *object->field(i) = gc::kFalse;
    heap.Write(object, &object->name, name.get());
    heap.Write(object, &object->vocabulary, vocabulary.get());
    auto hash = static_cast<uint64_t>(HashString(As<String>(name.get())));
    if (IsType(vocabulary.get(), TypeId::kString)) {
      hash ^= static_cast<uint64_t>(HashString(As<String>(vocabulary.get()))) * 31;
    }
    object->hash = Word::Fixnum(static_cast<int64_t>(hash & ((uint64_t{1} << 60) - 1)));
    object->flags = Word::Fixnum(0);
    WordCell* cell = vm.cells().NewWordCell(word.get());
    object->cell = Word::FromBits(reinterpret_cast<uint64_t>(cell));
  }
  MakeBroken(vm, word);
  const gc::NoAlloc scope;
  return word.get();
}

EffectCounts CountsOfEffect(Vm& vm, Word effect) {
  EffectCounts counts;
  if (!IsTuple(effect)) return counts;
  const Word layout = vm.special(Special::kEffectLayout);
  if (!IsType(layout, TypeId::kLayout)) return counts;
  const Object* tuple = gc::ObjectAt(effect);
  if (Word::Fixnum(tuple->shape()) != As<Layout>(layout)->shape) return counts;
  const Word in = *tuple->field(0);
  const Word out = *tuple->field(1);
  if (!IsType(in, TypeId::kArray) || !IsType(out, TypeId::kArray)) return counts;
  const int64_t inputs = As<Array>(in)->size();
  const int64_t outputs = As<Array>(out)->size();
  if (inputs > 255 || outputs > 255) return counts;
  counts.inputs = static_cast<uint8_t>(inputs);
  counts.outputs = static_cast<uint8_t>(outputs);
  counts.terminates = tuple->field(2)->IsTrue();
  counts.is_valid = true;
  return counts;
}

void MakeBroken(Vm& vm, const gc::Root& word) {
  EffectCounts counts;
  {
    const gc::NoAlloc scope;
    counts = CountsOfWord(vm, word);
    SetCounts(word, counts);
  }
  const gc::Root code(vm.heap(),
                      OneInstruction(vm, Op::kUndefined, 0, CodeMode::kBroken, counts, word));
  const gc::NoAlloc scope;
  SetEntry(vm, word, code, CodeMode::kBroken);
}

void ResetWordCode(Vm& vm, const gc::Root& word) {
  EffectCounts counts;
  int64_t flags = 0;
  Word definition = gc::kFalse;
  bool is_generic = false;
  bool is_math = false;
  int64_t position = 0;
  {
    const gc::NoAlloc scope;
    const auto* object = As<WordObject>(word.get());
    flags = object->flags.AsFixnum();
    definition = object->def;
    counts = CountsOfWord(vm, word);
    SetCounts(word, counts);
    if (IsGenericInfo(object->generic_info)) {
      is_generic = true;
      const auto* info = As<Array>(object->generic_info);
      is_math = info->elements[kGenericKind].AsFixnum() == static_cast<int64_t>(GenericKind::kMath);
      position = info->elements[kGenericPosition].AsFixnum();
      // Callers take their arguments by the cell's counts, the dispatch by the generic's.
      counts.inputs = static_cast<uint8_t>(info->elements[kGenericInputs].AsFixnum());
      SetCounts(word, counts);
    }
  }
  if (is_generic) {
    const auto slot = static_cast<uint32_t>(counts.inputs - 1 - position);
    const gc::Root code(vm.heap(),
                        OneInstruction(vm, is_math ? Op::kDispatchMath : Op::kDispatch,
                                       is_math ? 0 : slot, CodeMode::kGeneric, counts, word));
    const gc::NoAlloc scope;
    SetEntry(vm, word, code, CodeMode::kGeneric);
    return;
  }
  if ((flags & kFlagPrimitiveMask) != 0) {
    MakePrimitiveCode(vm, word, static_cast<size_t>((flags & kFlagPrimitiveMask) - 1));
    return;
  }
  if ((flags & kFlagSymbol) != 0) {
    MakeSymbolCode(vm, word);
    return;
  }
  if (definition == gc::kFalse) {
    MakeBroken(vm, word);
    return;
  }
  const gc::Root code(vm.heap(),
                      OneInstruction(vm, Op::kEnterDynamic, 0, CodeMode::kLazy, counts, word));
  const gc::NoAlloc scope;
  SetEntry(vm, word, code, CodeMode::kLazy);
}

void DefineWord(Vm& vm, const gc::Root& word, const gc::Root& definition) {
  {
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(word.get());
    vm.heap().Write(object, &object->def, definition.get());
    int64_t flags = object->flags.AsFixnum();
    flags &= ~(int64_t{kFlagPrimitiveMask} | kFlagSymbol | kFlagDeferred | kFlagUncompiled);
    if (definition.is_false()) flags |= kFlagDeferred;
    object->flags = Word::Fixnum(flags);
  }
  ResetWordCode(vm, word);
}

void DefineSymbol(Vm& vm, const gc::Root& word) {
  {
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(word.get());
    int64_t flags = object->flags.AsFixnum();
    flags &= ~(int64_t{kFlagPrimitiveMask} | kFlagDeferred | kFlagUncompiled);
    object->flags = Word::Fixnum(flags | kFlagSymbol);
  }
  ResetWordCode(vm, word);
}

void DefinePrimitive(Vm& vm, const gc::Root& word, size_t row) {
  {
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(word.get());
    int64_t flags = object->flags.AsFixnum();
    flags &= ~(int64_t{kFlagPrimitiveMask} | kFlagSymbol | kFlagDeferred | kFlagUncompiled);
    const Primitive& primitive = kPrimitives[row];
    if (primitive.Has(kPrimFoldable)) flags |= kFlagFoldable;
    if (primitive.Has(kPrimFlushable)) flags |= kFlagFlushable;
    object->flags = Word::Fixnum(flags | static_cast<int64_t>(row + 1));
  }
  ResetWordCode(vm, word);
}

void InstallStaticCode(Vm& vm, const gc::Root& word, const gc::Root& code) {
  const gc::NoAlloc scope;
  const auto* object = As<Code>(code.get());
  const int64_t packed = object->mode_and_counts.AsFixnum();
  EffectCounts counts;
  counts.inputs = static_cast<uint8_t>(packed >> 8);
  counts.outputs = static_cast<uint8_t>(packed >> 16);
  SetCounts(word, counts);
  SetEntry(vm, word, code, CodeMode::kStatic);
}

void InstallDynamicCode(Vm& vm, const gc::Root& word, const gc::Root& code) {
  const gc::NoAlloc scope;
  SetCounts(word, CountsOfWord(vm, word));
  SetEntry(vm, word, code, CodeMode::kDynamic);
  auto* instructions = As<Code>(code.get())->instructions();
  WEFT_CHECK(DecodeOp(instructions[0]) == Op::kEnterDynamic);
  As<WordObject>(word.get())->word_cell()->dynamic_entry =
      reinterpret_cast<uint64_t>(instructions + 1);
}

Word MakeConstructor(Vm& vm, const gc::Root& layout) {
  gc::Heap& heap = vm.heap();
  gc::Root name(heap, MakeString(heap, "constructor"));
  gc::Root vocabulary(heap);
  gc::Root word(heap, NewWord(vm, name, vocabulary));
  CodeBuilder builder(vm);
  uint32_t literal = 0;
  uint32_t slots = 0;
  {
    const gc::NoAlloc scope;
    slots = static_cast<uint32_t>(As<Layout>(layout.get())->slot_count.AsFixnum());
    literal = builder.Literal(layout.get());
  }
  builder.EmitAD(Op::kEnter, std::min(255U, std::max(1U, slots)), 0);
  builder.AddPlainMap(slots);
  builder.EmitLiteral(Op::kNewTuple, 0, literal);
  builder.AddMap(std::vector<bool>(slots, true), {}, {});
  builder.EmitABC(Op::kReturn);
  const gc::Root code(heap, builder.Finish(CodeMode::kStatic, slots, 1, word, vocabulary));
  InstallStaticCode(vm, word, code);
  const gc::NoAlloc scope;
  return word.get();
}

}  // namespace weft
