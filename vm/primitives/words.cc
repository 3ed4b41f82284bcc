// Primitives of words: making and defining them, flags, installing compiled code.
#include <string>

#include "absl/strings/string_view.h"
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

Outcome PrimSyncWordProp(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, 0);
  const gc::NoAlloc scope;
  if (!IsType(args.get(1), TypeId::kString)) return Outcome::kNext;
  const auto* key = As<String>(args.get(1));
  WordObject* word = WordAt(args, 0);
  int64_t flags = word->flags.AsFixnum();
  const Word value = args.get(2);
  for (const FlagName& row : kFlagNames) {
    if (StringEquals(key, row.key)) flags = value.IsTrue() ? flags | row.bit : flags & ~row.bit;
  }
  const bool reads = StringEquals(key, "reading-slot");
  if (reads || StringEquals(key, "writing-slot")) {
    flags &= ~(kFlagReadsSlot | kFlagWritesSlot | int64_t{0xFF} << kFlagSlotShift);
    if (value.IsFixnum() && value.AsFixnum() >= 0 && value.AsFixnum() < 256) {
      flags |= (reads ? kFlagReadsSlot : kFlagWritesSlot) | value.AsFixnum() << kFlagSlotShift;
    }
  }
  if (StringEquals(key, "transform-n")) {
    flags &= ~(int64_t{0xFF} << kFlagTransformShift);
    if (value.IsFixnum() && value.AsFixnum() >= 0 && value.AsFixnum() < 255) {
      flags |= (value.AsFixnum() + 1) << kFlagTransformShift;
    }
  }
  word->flags = Word::Fixnum(flags);
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
