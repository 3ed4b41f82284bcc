// Dispatch: cache, method order, chains.
//
// A generic's cache is an array { epoch, used, shape target, shape target, ... } with open
// addressing over the pairs; target is a word, or f for "no method". It is thrown away as a whole
// when its epoch is over. What a program could have changed in these arrays is checked when it is
// read: a wrong element is a miss.
//
// A chain has two bodies in one word, because callers of both modes must be able to use it: the
// static one tests in a window above the arguments, the dynamic one is a quotation of the language
// ( [ over foo? [ method ] [ ... ] if ] ), so that methods that take any number of items still see
// the caller's stack. Dispatch positions beyond 2 have only the static body.
#include "vm/generic.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "vm/classes.h"
#include "vm/code_builder.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {
namespace {

constexpr int64_t kCacheHeader = 2;  // epoch, used
constexpr int64_t kFirstPairs = 4;
constexpr int64_t kMaxPosition = 15;

size_t Probe(uint32_t shape, size_t mask) { return (shape * 2654435761U >> 7) & mask; }

Array* InfoOf(Word generic) WEFT_NO_ALLOC {
  const Word info = As<WordObject>(generic)->generic_info;
  if (!IsType(info, TypeId::kArray) || As<Array>(info)->size() < kGenericInfoSize) return nullptr;
  return As<Array>(info);
}

// The valid cache of a generic, or null.
Array* CacheOf(Vm& vm, const Array* info) WEFT_NO_ALLOC {
  const Word cache = info->elements[kGenericCache];
  if (!IsType(cache, TypeId::kArray)) return nullptr;
  auto* array = As<Array>(cache);
  const int64_t pairs = (array->size() - kCacheHeader) / 2;
  const bool is_power = pairs > 0 && (pairs & (pairs - 1)) == 0;
  if (!is_power || array->elements[0] != Word::Fixnum(vm.cells().dispatch_epoch())) return nullptr;
  return array;
}

// The pair for `shape`: its own, or the free one where it belongs. Null: the table is full.
Word* FindPair(Array* cache, uint32_t shape) WEFT_NO_ALLOC {
  const auto pairs = static_cast<size_t>((cache->size() - kCacheHeader) / 2);
  size_t at = Probe(shape, pairs - 1);
  for (size_t tries = 0; tries < pairs; ++tries) {
    Word* pair = cache->elements + kCacheHeader + 2 * at;
    if (pair[0] == Word::Fixnum(shape) || pair[0] == gc::kFalse) return pair;
    at = (at + 1) & (pairs - 1);
  }
  return nullptr;
}

WordCell* CellOf(Word word) WEFT_NO_ALLOC {
  return IsType(word, TypeId::kWordObject) ? As<WordObject>(word)->word_cell() : nullptr;
}

struct Candidates {
  std::vector<std::pair<Word, Word>> tests;  // predicate word, method: most specific first
  Word last = gc::kFalse;                    // method that surely applies, or f
};

Candidates FindCandidates(Vm& vm, const Array* info, uint32_t shape) WEFT_NO_ALLOC {
  Candidates result;
  result.last = info->elements[kGenericDefault];
  if (!IsType(result.last, TypeId::kWordObject)) result.last = gc::kFalse;
  const Word list = info->elements[kGenericMethods];
  if (!IsType(list, TypeId::kArray)) return result;
  const auto* methods = As<Array>(list);
  std::vector<Word> classes;
  std::vector<std::pair<Word, Word>> possible;
  std::vector<Containment> how;
  for (int64_t i = 0; i + 1 < methods->size(); i += 2) {
    const Word class_word = methods->elements[i];
    const Word method = methods->elements[i + 1];
    if (!IsType(class_word, TypeId::kWordObject) || !IsType(method, TypeId::kWordObject)) continue;
    const Containment containment = ContainsShape(vm, class_word, shape);
    if (containment == Containment::kNo) continue;
    classes.push_back(class_word);
    possible.emplace_back(class_word, method);
    how.push_back(containment);
  }
  if (classes.size() > 1) SortClasses(vm, classes);
  for (const Word class_word : classes) {
    size_t i = 0;
    while (possible[i].first != class_word) ++i;
    if (how[i] == Containment::kYes) {
      result.last = possible[i].second;
      break;
    }
    const Array* class_info = ClassInfoOf(class_word);
    const Word predicate =
        class_info == nullptr ? gc::kFalse : class_info->elements[kClassPredicate];
    if (IsType(predicate, TypeId::kWordObject)) {
      result.tests.emplace_back(predicate, possible[i].second);
    }
  }
  return result;
}

// The static body of a chain: Move the value up, test, tail-call.
Word StaticChain(Vm& vm, const gc::Root& chain, Word generic, const Candidates& candidates,
                 uint32_t inputs, uint32_t outputs, uint32_t slot) WEFT_ALLOCATES {
  CodeBuilder builder(vm);
  {
    const gc::NoAlloc scope;
    builder.EmitAD(Op::kEnter, std::min(255U, inputs + 3), 0);
    builder.AddPlainMap(inputs);
    for (const auto& test : candidates.tests) {
      builder.EmitABC(Op::kMove, inputs, slot);
      builder.EmitLiteral(Op::kCall, inputs, builder.CellLiteral(test.first));
      builder.AddPlainMap(inputs);
      const CodeBuilder::Label next = builder.NewLabel();
      builder.EmitJump(Op::kJumpIfFalse, inputs, 0, next);
      builder.EmitLiteral(Op::kTailCall, 0, builder.CellLiteral(test.second));
      builder.AddPlainMap(inputs);
      builder.Bind(next);
    }
    if (candidates.last != gc::kFalse) {
      builder.EmitLiteral(Op::kTailCall, 0, builder.CellLiteral(candidates.last));
      builder.AddPlainMap(inputs);
    } else {
      const Word no_method = vm.special(Special::kNoMethod);
      const uint32_t literal = builder.Literal(generic);
      if (IsType(no_method, TypeId::kWordObject)) {
        builder.EmitABC(Op::kMove, inputs, slot);
        builder.EmitLiteral(Op::kLoadLiteral, inputs + 1, literal);
        builder.EmitLiteral(Op::kCall, inputs, builder.CellLiteral(no_method));
        builder.AddPlainMap(inputs);
        builder.EmitABC(Op::kReturn);
      } else {
        builder.EmitLiteral(Op::kUndefined, 0, literal);
        builder.AddPlainMap(inputs);
      }
    }
  }
  const gc::Root no_path(vm.heap());
  return builder.Finish(CodeMode::kStatic, inputs, outputs, chain, no_path);
}

// A quotation of up to five elements.
Word SmallQuotation(Vm& vm, const gc::RootVector& elements) WEFT_ALLOCATES {
  gc::Heap& heap = vm.heap();
  const size_t count = elements.size();
  gc::Root array(heap, heap.Allocate(ShapeOf(TypeId::kArray), 16 + count * 8));
  {
    // Before anything else is allocated: the collector goes by the length.
    const gc::NoAlloc scope;
    auto* object = static_cast<Array*>(gc::ObjectAt(array.get()));
    object->length = Word::Fixnum(static_cast<int64_t>(count));
    for (size_t i = 0; i < count; ++i) heap.Write(object, &object->elements[i], elements.get(i));
  }
  const Word word = heap.Allocate(ShapeOf(TypeId::kQuotation), 8 + 6 * 8);
  const gc::NoAlloc scope;
  auto* quotation = static_cast<Quotation*>(gc::ObjectAt(word));
  for (size_t i = 0; i < 6; ++i) *quotation->field(i) = gc::kFalse;
  heap.Write(quotation, &quotation->array, array.get());
  return word;
}

Word PrimitiveWord(Vm& vm, const char* vocabulary, const char* name) WEFT_NO_ALLOC {
  const int row = FindPrimitive(vocabulary, name);
  const Word words = vm.special(Special::kPrimitiveWords);
  if (row < 0 || !IsType(words, TypeId::kArray) || row >= As<Array>(words)->size()) {
    return gc::kFalse;
  }
  return As<Array>(words)->elements[row];
}

// The dynamic body of a chain as a quotation; f if the words it needs are not there.
Word DynamicChain(Vm& vm, Word generic, const Candidates& candidates,
                  int64_t position) WEFT_ALLOCATES {
  static constexpr const char* kPeek[] = {"dup", "over", "pick"};
  gc::Heap& heap = vm.heap();
  Word peek = gc::kFalse;
  Word branch = gc::kFalse;
  Word no_method = gc::kFalse;
  {
    const gc::NoAlloc scope;
    if (position > 2) return gc::kFalse;
    peek = PrimitiveWord(vm, "kernel", kPeek[position]);
    branch = PrimitiveWord(vm, "kernel", "if");
    no_method = vm.special(Special::kNoMethod);
    if (peek == gc::kFalse || branch == gc::kFalse) return gc::kFalse;
  }
  if (candidates.last == gc::kFalse && no_method == gc::kFalse) {
    // Before the library has set the special object: a word that throws undefined-word.
    gc::Root name(heap, MakeString(heap, "no-method"));
    const gc::Root nowhere(heap);
    no_method = NewWord(vm, name, nowhere);
  }
  const gc::Root no_method_root(heap, no_method);
  gc::Root rest(heap);
  {
    gc::RootVector elements(heap);
    if (candidates.last != gc::kFalse) {
      elements.push_back(candidates.last);
    } else {
      const gc::Root wrapper(heap, heap.Allocate(ShapeOf(TypeId::kWrapper), 16));
      const gc::NoAlloc scope;
      auto* object = static_cast<Wrapper*>(gc::ObjectAt(wrapper.get()));
      heap.Write(object, &object->wrapped, generic);
      elements.push_back(peek);
      elements.push_back(wrapper.get());
      elements.push_back(no_method);
    }
    rest.set(SmallQuotation(vm, elements));
  }
  for (auto test = candidates.tests.rbegin(); test != candidates.tests.rend(); ++test) {
    gc::RootVector matched(heap);
    matched.push_back(test->second);
    const gc::Root method(heap, SmallQuotation(vm, matched));
    gc::RootVector elements(heap);
    elements.push_back(peek);
    elements.push_back(test->first);
    {
      const gc::NoAlloc scope;
      elements.push_back(method.get());
      elements.push_back(rest.get());
    }
    elements.push_back(branch);
    rest.set(SmallQuotation(vm, elements));
  }
  const gc::NoAlloc scope;
  return rest.get();
}

Word MakeChain(Vm& vm, Word generic, const Candidates& candidates) WEFT_ALLOCATES {
  gc::Heap& heap = vm.heap();
  gc::Root name(heap);
  gc::Root nowhere(heap);
  gc::Root effect(heap);
  uint32_t inputs = 0;
  uint32_t outputs = 0;
  int64_t position = 0;
  {
    const gc::NoAlloc scope;
    const auto* object = As<WordObject>(generic);
    name.set(object->name);
    effect.set(object->effect);
    inputs = object->word_cell()->inputs;
    outputs = object->word_cell()->outputs;
    position = InfoOf(generic)->elements[kGenericPosition].AsFixnum();
  }
  const gc::Root chain(heap, NewWord(vm, name, nowhere));
  {
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(chain.get());
    heap.Write(object, &object->effect, effect.get());
  }
  const gc::Root code(heap, StaticChain(vm, chain, generic, candidates, inputs, outputs,
                                        inputs - 1 - static_cast<uint32_t>(position)));
  const gc::Root definition(heap, DynamicChain(vm, generic, candidates, position));
  if (definition.is_false()) {
    InstallStaticCode(vm, chain, code);
  } else {
    DefineWord(vm, chain, definition);
    vm.compiler().CompileDynamic(vm, chain);
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(chain.get());
    // Windowed callers take the static body; props keeps it alive.
    heap.Write(object, &object->props, code.get());
    WordCell* cell = object->word_cell();
    cell->entry = reinterpret_cast<uint64_t>(As<Code>(code.get())->instructions());
    cell->inputs = static_cast<uint8_t>(inputs);
    cell->outputs = static_cast<uint8_t>(outputs);
  }
  const gc::NoAlloc scope;
  return chain.get();
}

// A cache with room for one more entry, holding the entries of `old` (null: none).
Word GrowCache(Vm& vm, const gc::Root& info_root, bool keep) WEFT_ALLOCATES {
  gc::Heap& heap = vm.heap();
  int64_t pairs = kFirstPairs;
  if (keep) {
    const gc::NoAlloc scope;
    pairs = As<Array>(As<Array>(info_root.get())->elements[kGenericCache])->size() - kCacheHeader;
  }
  const auto size = static_cast<size_t>(kCacheHeader + 2 * pairs);
  const Word word = heap.Allocate(ShapeOf(TypeId::kArray), 16 + size * 8);
  const gc::NoAlloc scope;
  auto* cache = static_cast<Array*>(gc::ObjectAt(word));
  cache->length = Word::Fixnum(static_cast<int64_t>(size));
  for (size_t i = 0; i < size; ++i) cache->elements[i] = gc::kFalse;
  cache->elements[0] = Word::Fixnum(vm.cells().dispatch_epoch());
  auto* info = As<Array>(info_root.get());
  int64_t used = 0;
  if (keep) {
    const auto* old = As<Array>(info->elements[kGenericCache]);
    for (int64_t i = kCacheHeader; i + 1 < old->size(); i += 2) {
      const Word shape = old->elements[i];
      if (!shape.IsFixnum()) continue;
      Word* pair = FindPair(cache, static_cast<uint32_t>(shape.AsFixnum()));
      if (pair == nullptr) continue;
      heap.Write(cache, &pair[0], shape);
      heap.Write(cache, &pair[1], old->elements[i + 1]);
      ++used;
    }
  }
  cache->elements[1] = Word::Fixnum(used);
  heap.Write(info, &info->elements[kGenericCache], word);
  return word;
}

void Remember(Vm& vm, Word generic, uint32_t shape, Word target_word) WEFT_ALLOCATES {
  gc::Heap& heap = vm.heap();
  gc::Root target(heap, target_word);
  gc::Root info(heap);
  bool valid = false;
  bool full = true;
  {
    const gc::NoAlloc scope;
    info.set(As<WordObject>(generic)->generic_info);
    const Array* cache = CacheOf(vm, As<Array>(info.get()));
    valid = cache != nullptr;
    if (valid) {
      const int64_t pairs = (cache->size() - kCacheHeader) / 2;
      const Word used = cache->elements[1];
      full = !used.IsFixnum() || used.AsFixnum() * 4 >= pairs * 3;
    }
  }
  if (full) GrowCache(vm, info, valid);
  const gc::NoAlloc scope;
  auto* cache = As<Array>(As<Array>(info.get())->elements[kGenericCache]);
  Word* pair = FindPair(cache, shape);
  if (pair == nullptr) return;
  pair[0] = Word::Fixnum(shape);
  heap.Write(cache, &pair[1], target.get());
  if (cache->elements[1].IsFixnum()) {
    cache->elements[1] = Word::Fixnum(cache->elements[1].AsFixnum() + 1);
  }
}

enum NumberKind { kFixnum, kBignum, kRatio, kFloat, kComplex, kNoNumber };

NumberKind NumberKindOf(Vm& vm, uint32_t shape) WEFT_NO_ALLOC {
  if (shape == ShapeOf(TypeId::kFixnum)) return kFixnum;
  if (shape == ShapeOf(TypeId::kBignum)) return kBignum;
  if (shape == ShapeOf(TypeId::kFloat)) return kFloat;
  const auto is_shape_of = [&](Special special) WEFT_NO_ANALYSIS {
    const Word layout = vm.special(special);
    return IsType(layout, TypeId::kLayout) && As<Layout>(layout)->shape == Word::Fixnum(shape);
  };
  if (is_shape_of(Special::kRatioLayout)) return kRatio;
  if (is_shape_of(Special::kComplexLayout)) return kComplex;
  return kNoNumber;
}

}  // namespace

bool IsGenericInfo(Word info) {
  if (!IsType(info, TypeId::kArray) || As<Array>(info)->size() < kGenericInfoSize) return false;
  const auto* array = As<Array>(info);
  const Word kind = array->elements[kGenericKind];
  const Word position = array->elements[kGenericPosition];
  const Word inputs = array->elements[kGenericInputs];
  if (!kind.IsFixnum() || !position.IsFixnum() || !inputs.IsFixnum()) return false;
  if (kind.AsFixnum() < 0 || kind.AsFixnum() > 1) return false;
  if (position.AsFixnum() < 0 || position.AsFixnum() > kMaxPosition) return false;
  if (inputs.AsFixnum() <= position.AsFixnum() || inputs.AsFixnum() > 250) return false;
  if (kind.AsFixnum() == 1 && inputs.AsFixnum() != 2) return false;
  const Word fallback = array->elements[kGenericDefault];
  if (fallback != gc::kFalse && !IsType(fallback, TypeId::kWordObject)) return false;
  const Word methods = array->elements[kGenericMethods];
  if (!IsType(methods, TypeId::kArray) || As<Array>(methods)->size() % 2 != 0) return false;
  const auto* list = As<Array>(methods);
  for (int64_t i = 0; i < list->size(); ++i) {
    if (!IsType(list->elements[i], TypeId::kWordObject)) return false;
  }
  return true;
}

WordCell* FindMethod(Vm& vm, Word generic, uint32_t shape) {
  Candidates candidates;
  {
    const gc::NoAlloc scope;
    Array* info = InfoOf(generic);
    if (info == nullptr) return nullptr;
    if (Array* cache = CacheOf(vm, info)) {
      const Word* pair = FindPair(cache, shape);
      if (pair != nullptr && pair[0] == Word::Fixnum(shape)) return CellOf(pair[1]);
    }
    if (!IsGenericInfo(As<WordObject>(generic)->generic_info)) return nullptr;
    candidates = FindCandidates(vm, info, shape);
  }
  const Word target =
      candidates.tests.empty() ? candidates.last : MakeChain(vm, generic, candidates);
  Remember(vm, generic, shape, target);
  const gc::NoAlloc scope;
  return CellOf(target);
}

Word CertainMethod(Vm& vm, Word generic, uint32_t shape) {
  if (!IsGenericInfo(As<WordObject>(generic)->generic_info)) return gc::kFalse;
  const Array* info = InfoOf(generic);
  const Candidates candidates = FindCandidates(vm, info, shape);
  const bool is_default = candidates.last == info->elements[kGenericDefault];
  return candidates.tests.empty() && !is_default ? candidates.last : gc::kFalse;
}

MathMethod FindMathMethod(Vm& vm, Word generic, uint32_t left, uint32_t right) {
  MathMethod result;
  NumberKind left_kind = kNoNumber;
  NumberKind right_kind = kNoNumber;
  {
    const gc::NoAlloc scope;
    left_kind = NumberKindOf(vm, left);
    right_kind = NumberKindOf(vm, right);
  }
  if (left_kind == kNoNumber || right_kind == kNoNumber) {
    // What is no number has a method on object only (number= has one).
    result.cell = FindMethod(vm, generic, left_kind == kNoNumber ? left : right);
    return result;
  }
  const NumberKind greater = std::max(left_kind, right_kind);
  const auto coercion = [greater](NumberKind kind) {
    if (kind == greater) return MathCoercion::kNone;
    if (greater == kBignum) return MathCoercion::kToBignum;
    return greater == kFloat ? MathCoercion::kToFloat : MathCoercion::kNone;
  };
  result.left = coercion(left_kind);
  result.right = coercion(right_kind);
  result.cell = FindMethod(vm, generic, left_kind == greater ? left : right);
  return result;
}

Word MethodForClass(Vm& vm, Word class_word, Word generic, bool above) {
  const Array* info = InfoOf(generic);
  if (info == nullptr || !IsType(info->elements[kGenericMethods], TypeId::kArray)) {
    return gc::kFalse;
  }
  const auto* methods = As<Array>(info->elements[kGenericMethods]);
  std::vector<Word> classes;
  for (int64_t i = 0; i + 1 < methods->size(); i += 2) {
    const Word candidate = methods->elements[i];
    if (!IsType(candidate, TypeId::kWordObject)) continue;
    if (above && candidate == class_word) continue;
    if (ClassLessEqual(vm, class_word, candidate)) classes.push_back(candidate);
  }
  if (classes.empty()) {
    const Word fallback = info->elements[kGenericDefault];
    return IsType(fallback, TypeId::kWordObject) ? fallback : gc::kFalse;
  }
  SortClasses(vm, classes);
  for (int64_t i = 0; i + 1 < methods->size(); i += 2) {
    if (methods->elements[i] == classes[0]) return methods->elements[i + 1];
  }
  return gc::kFalse;
}

Word NextMethod(Vm& vm, Word class_word, Word generic) {
  return MethodForClass(vm, class_word, generic, true);
}

}  // namespace weft
