// Defining forms of the boot reader other than classes: words, generics, methods, symbols, flags.
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {

void BootReader::ReadUsing() {
  while (!AtEnd()) {
    const BootToken& name = Next();
    if (name.text == ";") return;
    UseVocabulary(name, name.text);
  }
}

void BootReader::ReadFrom() {
  const BootToken& vocabulary = Next();
  if (!TakeIf("=>")) Error(vocabulary, "FROM: wants vocabulary => words ;");
  while (!AtEnd()) {
    const BootToken& name = Next();
    if (name.text == ";") return;
    if (pass_ == Pass::kDeclare) continue;
    const Word word = Find(vocabulary.text, name.text);
    if (word == gc::kFalse) {
      Error(name, absl::StrCat("vocabulary ", vocabulary.text, " has no word ", name.text));
    } else {
      named_[name.text] = word;
    }
  }
}

void BootReader::ReadColon() WEFT_ALLOCATES {
  const Word word = CreateHere(Next());
  if (pass_ != Pass::kDefine) {
    SkipBody();
    return;
  }
  owner_ = word;
  if (!TakeIf("(")) {
    Error(file_->tokens[at_ - 1], "a word needs a declared stack effect");
  } else {
    SetEffect(word, ReadEffect());
  }
  if (ReadElements(";")) Define(word, QuotationFrom(0));
  values_.resize(0);
  places_.clear();
}

void BootReader::ReadSyntax() WEFT_ALLOCATES {
  const BootToken& name = Next();
  const Word word = CreateHere(name);
  if (pass_ != Pass::kDefine) {
    SkipBody();
    return;
  }
  owner_ = word;
  SetEffect(word, EffectFrom(name, "( accum -- accum )"));
  if (ReadElements(";")) Define(word, QuotationFrom(0));
  values_.resize(0);
  places_.clear();
  SetFlag(word, kFlagParsing);
  AddProp(word, "parsing", gc::kTrue);
}

void BootReader::ReadGeneric(const std::string& form) WEFT_ALLOCATES {
  const Word word = CreateHere(Next());
  int64_t position = 0;
  if (form == "GENERIC#:") {
    const BootToken& number = Next();
    if (number.text.size() != 1 ||
        !absl::ascii_isdigit(static_cast<unsigned char>(number.text[0]))) {
      Error(number, "GENERIC#: wants a small number");
    } else {
      position = number.text[0] - '0';
    }
  }
  const BootToken at = AtEnd() ? end_token_ : file_->tokens[at_];
  const std::string effect = EffectText();
  if (pass_ == Pass::kStructure) {
    const EffectCounts counts = ParseEffectCounts(effect.c_str());
    Generic& generic = generics_[word.bits];
    if (generic.word == gc::kFalse) generic_order_.push_back(word);
    generic.word = word;
    generic.is_math = form == "MATH:";
    generic.position = position;
    generic.inputs = counts.inputs;
    if (!counts.is_valid || counts.inputs <= position || (generic.is_math && counts.inputs != 2)) {
      Error(at, "the stack effect does not fit the generic");
    }
  } else if (pass_ == Pass::kDefine) {
    SetEffect(word, EffectFrom(at, effect));
  }
}

// The hook word fetches its variable's value and calls a hidden generic, whose methods drop it.
void BootReader::ReadHook() WEFT_ALLOCATES {
  const Word word = CreateHere(Next());
  const BootToken& variable = Next();
  const BootToken at = AtEnd() ? end_token_ : file_->tokens[at_];
  const std::string effect = EffectText();
  if (pass_ == Pass::kStructure) {
    const EffectCounts counts = ParseEffectCounts(effect.c_str());
    if (!counts.is_valid) Error(at, "expected a stack effect");
    gc::Root name(vm_.heap());
    {
      const gc::NoAlloc scope;
      name.set(As<WordObject>(word)->name);
    }
    const gc::Root nowhere(vm_.heap());
    const Word hidden = Keep(NewWord(vm_, name, nowhere));
    hook_generics_[word.bits] = hidden;
    Generic& generic = generics_[hidden.bits];
    generic_order_.push_back(hidden);
    generic.word = hidden;
    generic.inputs = counts.inputs + 1;
    generic.drops_value = true;
  } else if (pass_ == Pass::kDefine) {
    const Word hidden = hook_generics_[word.bits];
    SetEffect(word, EffectFrom(at, effect));
    SetEffect(hidden, EffectFrom(at, absl::StrCat("( ", effect.substr(1, effect.find("--") - 1),
                                                  " value ", effect.substr(effect.find("--")))));
    owner_ = word;
    Push(variable, Lookup(variable));
    Push(variable, Find("namespaces", "get"));
    Push(variable, hidden);
    Define(word, QuotationFrom(0));
    AddProp(word, "hook-variable", Lookup(variable));
    AddProp(word, "hook-generic", hidden);
  }
}

void BootReader::ReadMethod() WEFT_ALLOCATES {
  if (pass_ != Pass::kDefine) {
    Next();
    Next();
    SkipBody();
    return;
  }
  const BootToken at = AtEnd() ? end_token_ : file_->tokens[at_];
  const Word class_word = ClassToken();
  const BootToken& generic_token = Next();
  Word generic_word = Lookup(generic_token);
  const Word visible = generic_word;
  const auto hook = hook_generics_.find(generic_word.bits);
  if (hook != hook_generics_.end()) generic_word = hook->second;
  const auto found = generics_.find(generic_word.bits);
  if (found == generics_.end() || !classes_.contains(class_word.bits)) {
    if (visible != gc::kFalse && found == generics_.end()) {
      Error(generic_token, absl::StrCat(generic_token.text, " is not a generic word"));
    }
    if (class_word != gc::kFalse && !classes_.contains(class_word.bits)) {
      Error(at, absl::StrCat(at.text, " is not a class"));
    }
    SkipBody();
    last_ = gc::kFalse;
    return;
  }
  Generic& generic = found->second;
  std::string name;
  {
    const gc::NoAlloc scope;
    name = absl::StrCat(ToUtf8(As<WordObject>(class_word)->name), "=>", generic_token.text);
  }
  gc::Root name_root(vm_.heap(), String(name));
  const gc::Root nowhere(vm_.heap());
  const Word method = Keep(NewWord(vm_, name_root, nowhere));
  SetLocation(method, at);
  {
    const gc::NoAlloc scope;
    SetEffect(method, As<WordObject>(generic_word)->effect);
  }
  owner_ = method;
  last_ = method;
  if (generic.drops_value) Push(at, Find("kernel", "drop"));
  if (ReadElements(";")) Define(method, QuotationFrom(0));
  values_.resize(0);
  places_.clear();
  AddProp(method, "method-class", class_word);
  AddProp(method, "method-generic", visible);
  for (auto& entry : generic.methods) {
    if (entry.first == class_word) {
      Error(at, absl::StrCat("a second method ", name));
      return;
    }
  }
  generic.methods.emplace_back(class_word, method);
}

void BootReader::ReadConstant() WEFT_ALLOCATES {
  const Word word = CreateHere(Next());
  if (pass_ != Pass::kDefine) {
    // One element, without looking words up: brackets count, everything else is one token.
    int depth = 0;
    do {
      const BootToken& token = Next();
      if (token.is_string) continue;
      if (token.text == "CHAR:" || token.text == "\\") Next();
      if (token.text == "[" || (!token.text.empty() && token.text.back() == '{')) ++depth;
      if (token.text == "]" || token.text == "}") --depth;
    } while (depth > 0 && !AtEnd());
    return;
  }
  owner_ = word;
  const BootToken at = AtEnd() ? end_token_ : file_->tokens[at_];
  ReadOneElement();
  Word value = gc::kFalse;
  if (!values_.empty()) {
    const gc::NoAlloc scope;
    value = values_.get(0);
    if (IsType(value, TypeId::kWordObject)) Error(at, "CONSTANT: wants a literal");
  }
  if (!values_.empty()) Define(word, QuotationFrom(0));
  values_.resize(0);
  places_.clear();
  SetEffect(word, EffectFrom(at, "( -- value )"));
  AddProp(word, "constant", gc::kTrue);
  SetFlag(word, kFlagInline | kFlagFoldable);
}

void BootReader::ReadAlias() WEFT_ALLOCATES {
  const Word word = CreateHere(Next());
  const BootToken& old = Next();
  if (pass_ != Pass::kDefine) return;
  const Word target = Lookup(old);
  if (target == gc::kFalse) return;
  owner_ = word;
  Push(old, target);
  Define(word, QuotationFrom(0));
  aliases_.emplace_back(word, target);
  SetFlag(word, kFlagInline);
  AddProp(word, "inline", gc::kTrue);
  AddProp(word, "alias", target);
}

void BootReader::ReadSymbols(bool plural) WEFT_ALLOCATES {
  while (!AtEnd()) {
    const BootToken& name = Next();
    if (plural && name.text == ";") return;
    const Word word = CreateHere(name);
    if (pass_ == Pass::kDefine) {
      const gc::Root root(vm_.heap(), word);
      Push(name, WrapperOf(word));
      Define(word, QuotationFrom(0));
      DefineSymbol(vm_, root);
      SetEffect(word, EffectFrom(name, "( -- value )"));
      AddProp(word, "symbol", gc::kTrue);
    }
    if (!plural) return;
  }
}

void BootReader::ReadFlag(const std::string& flag) {
  if (pass_ != Pass::kDefine || last_ == gc::kFalse) return;
  static constexpr struct {
    const char* name;
    int64_t bit;
  } kFlags[] = {{"inline", kFlagInline},       {"foldable", kFlagFoldable},
                {"flushable", kFlagFlushable}, {"recursive", kFlagRecursive},
                {"parsing", kFlagParsing},     {"delimiter", kFlagDelimiter}};
  for (const auto& row : kFlags) {
    if (flag == row.name) SetFlag(last_, row.bit);
  }
  if (flag == "foldable") {
    AddProp(last_, "flushable", gc::kTrue);
    SetFlag(last_, kFlagFlushable);
  }
  AddProp(last_, flag, gc::kTrue);
}

void BootReader::ReadPrimitive() {
  const BootToken& name = Next();
  SkipEffect();
  if (pass_ == Pass::kDeclare && FindPrimitive(vocabulary_, name.text) < 0) {
    Error(name, absl::StrCat(name.text, " is not a primitive of ", vocabulary_));
  }
}

}  // namespace weft
