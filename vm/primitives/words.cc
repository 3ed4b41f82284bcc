// Primitives of words: making and defining them, flags, installing compiled code.
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "vm/generic.h"
#include "vm/hashing.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"
#include "vm/tables.h"
#include "vm/word_code.h"

namespace weft {
namespace {

Word Get(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return args.get(i);
}

WordObject* WordAt(Args args, size_t i) WEFT_NO_ALLOC { return As<WordObject>(args.get(i)); }

struct FlagName {
  const char* key;
  int64_t bit;
};
constexpr FlagName kFlagNames[] = {
    {"inline", kFlagInline},       {"recursive", kFlagRecursive}, {"foldable", kFlagFoldable},
    {"flushable", kFlagFlushable}, {"parsing", kFlagParsing},     {"macro", kFlagMacro},
    {"symbol", kFlagSymbol},       {"delimiter", kFlagDelimiter}, {"deferred", kFlagDeferred},
    {"boa-check", kFlagBoaCheck},
};

bool HasName(String* key, const char* name, int64_t hash) WEFT_NO_ALLOC {
  return HashString(key) == hash && StringEquals(key, name);
}

int64_t HashOfName(const char* name) {
  return HashBytes(reinterpret_cast<const uint8_t*>(name), static_cast<int64_t>(std::strlen(name)));
}

// Keeps the flags of a word in step with its property `key`.
void SyncProp(WordObject* word, String* key, Word value) WEFT_NO_ALLOC {
  constexpr size_t kFlags = sizeof(kFlagNames) / sizeof(kFlagNames[0]);
  struct Hashes {
    int64_t flags[kFlags];
    int64_t reading = HashOfName("reading-slot");
    int64_t writing = HashOfName("writing-slot");
    int64_t transform = HashOfName("transform-n");
    Hashes() {
      for (size_t i = 0; i < kFlags; ++i) flags[i] = HashOfName(kFlagNames[i].key);
    }
  };
  static const Hashes hashes;
  int64_t flags = word->flags.AsFixnum();
  for (size_t i = 0; i < kFlags; ++i) {
    if (HasName(key, kFlagNames[i].key, hashes.flags[i])) {
      flags = value.IsTrue() ? flags | kFlagNames[i].bit : flags & ~kFlagNames[i].bit;
    }
  }
  const bool reads = HasName(key, "reading-slot", hashes.reading);
  if (reads || HasName(key, "writing-slot", hashes.writing)) {
    flags &= ~(kFlagReadsSlot | kFlagWritesSlot | int64_t{0xFF} << kFlagSlotShift);
    if (value.IsFixnum() && value.AsFixnum() >= 0 && value.AsFixnum() < 256) {
      flags |= (reads ? kFlagReadsSlot : kFlagWritesSlot) | value.AsFixnum() << kFlagSlotShift;
    }
  }
  if (HasName(key, "transform-n", hashes.transform)) {
    flags &= ~(int64_t{0xFF} << kFlagTransformShift);
    if (value.IsFixnum() && value.AsFixnum() >= 0 && value.AsFixnum() < 255) {
      flags |= (value.AsFixnum() + 1) << kFlagTransformShift;
    }
  }
  word->flags = Word::Fixnum(flags);
}

}  // namespace

Outcome PrimWord(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  const gc::Root name(vm.heap(), Get(args, 0));
  const gc::Root vocabulary(vm.heap(), Get(args, 1));
  args.set(0, NewWord(vm, name, vocabulary));
  return Outcome::kNext;
}

Outcome PrimDefine(Vm& vm, Args args) {
  if (args.is_true(0) && !Is(args, 0, TypeId::kQuotation)) {
    return BadType(vm, TypeId::kQuotation, args, 0);
  }
  if (!Is(args, 1, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 1);
  const gc::Root definition(vm.heap(), Get(args, 0));
  const gc::Root word(vm.heap(), Get(args, 1));
  DefineWord(vm, word, definition);
  return Outcome::kNext;
}

Outcome PrimDefineSymbol(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::Root word(vm.heap(), Get(args, 0));
  DefineSymbol(vm, word);
  return Outcome::kNext;
}

Outcome PrimSetEffect(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 1);
  {
    const gc::NoAlloc scope;
    WordObject* word = WordAt(args, 1);
    vm.heap().Write(word, &word->effect, args.get(0));
    // Static code keeps the counts it was made for until it is made again.
    const auto mode = static_cast<CodeMode>(word->word_cell()->mode);
    if (mode == CodeMode::kStatic) return Outcome::kNext;
    const EffectCounts counts = CountsOfEffect(vm, word->effect);
    if (!counts.is_valid || mode == CodeMode::kGeneric) return Outcome::kNext;
    word->word_cell()->inputs = counts.inputs;
    word->word_cell()->outputs = counts.outputs;
  }
  return Outcome::kNext;
}

Outcome PrimInvalidate(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::Root word(vm.heap(), Get(args, 0));
  ResetWordCode(vm, word);
  return Outcome::kNext;
}

// ( word names -- done? ): what remove-word-prop does for each name, where the properties are a
// table. f: they are an array of pairs.
Outcome PrimRemoveWordProps(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  if (!Is(args, 1, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 1);
  const gc::NoAlloc scope;
  WordObject* word = WordAt(args, 0);
  const Word props = word->props;
  const Array* names = As<Array>(args.get(1));
  bool done = props == gc::kFalse || IsTuple(props);
  // A word that is only deferred has none of the other flags to lose.
  const bool has_flags = (word->flags.AsFixnum() & ~kFlagDeferred) != 0;
  for (int64_t i = 0; done && i < names->size(); ++i) {
    const Word name = names->elements[i];
    if (!IsType(name, TypeId::kString)) {
      done = false;
      break;
    }
    bool removed = false;
    if (props != gc::kFalse) done = RemoveFromTable(vm, props, name, &removed);
    if (done && (has_flags || removed)) SyncProp(word, As<String>(name), gc::kFalse);
  }
  args.set(0, Word::Bool(done));
  return Outcome::kNext;
}

Outcome PrimSyncWordProp(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  if (!IsType(args.get(1), TypeId::kString)) return Outcome::kNext;
  SyncProp(WordAt(args, 0), As<String>(args.get(1)), args.get(2));
  return Outcome::kNext;
}

Outcome PrimWordFlags(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  args.set(0, WordAt(args, 0)->flags);
  return Outcome::kNext;
}

Outcome PrimPrimitiveNumber(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  const int64_t row = WordAt(args, 0)->flags.AsFixnum() & kFlagPrimitiveMask;
  args.set(0, row == 0 ? gc::kFalse : Word::Fixnum(row - 1));
  return Outcome::kNext;
}

Outcome PrimInstallCode(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kCode)) return BadType(vm, TypeId::kCode, args, 0);
  if (!Is(args, 1, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 1);
  bool fits = false;
  {
    const gc::NoAlloc scope;
    const int64_t mode = As<Code>(args.get(0))->mode_and_counts.AsFixnum() & 0xFF;
    fits = mode == static_cast<int64_t>(CodeMode::kStatic) &&
           As<Code>(args.get(0))->owner == args.get(1);
  }
  if (!fits) return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
  {
    const gc::NoAlloc scope;
    int64_t flags = WordAt(args, 1)->flags.AsFixnum();
    WordAt(args, 1)->flags = Word::Fixnum(flags & ~kFlagUncompiled);
  }
  const gc::Root code(vm.heap(), Get(args, 0));
  const gc::Root word(vm.heap(), Get(args, 1));
  InstallStaticCode(vm, word, code);
  return Outcome::kNext;
}

Outcome PrimInstallQuotationCode(Vm& vm, Args args) {
  if (args.is_true(0) && !Is(args, 0, TypeId::kCode)) return BadType(vm, TypeId::kCode, args, 0);
  if (!Is(args, 1, TypeId::kQuotation)) return BadType(vm, TypeId::kQuotation, args, 1);
  int64_t packed = static_cast<int64_t>(CodeMode::kStatic);
  if (args.is_true(0)) {
    const gc::NoAlloc scope;
    packed = As<Code>(args.get(0))->mode_and_counts.AsFixnum();
  }
  if ((packed & 0xFF) != static_cast<int64_t>(CodeMode::kStatic)) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
  }
  const gc::NoAlloc scope;
  auto* quotation = As<Quotation>(args.get(1));
  if (!args.is_true(0)) {
    quotation->effect = gc::kTrue;
    quotation->code = gc::kFalse;
    return Outcome::kNext;
  }
  const int64_t inputs = packed >> 8 & 0xFF;
  const int64_t outputs = packed >> 16 & 0xFF;
  quotation->effect = Word::Fixnum(inputs * 256 + outputs);
  vm.heap().Write(quotation, &quotation->code, args.get(0));
  return Outcome::kNext;
}

Outcome PrimSetBroken(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  {
    const gc::NoAlloc scope;
    WordObject* word = WordAt(args, 0);
    word->flags = Word::Fixnum(word->flags.AsFixnum() | kFlagUncompiled);
  }
  const gc::Root word(vm.heap(), Get(args, 0));
  MakeBroken(vm, word);
  return Outcome::kNext;
}

Outcome PrimWordMode(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  args.set(0, Word::Fixnum(WordAt(args, 0)->word_cell()->mode));
  return Outcome::kNext;
}

Outcome PrimWordCodeObject(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  args.set(0, WordAt(args, 0)->code);
  return Outcome::kNext;
}

}  // namespace weft
