#include "compiler/boot_reader.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {
namespace {

constexpr size_t kMaxErrors = 60;

bool ReadFile(const std::string& path, std::string* text) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  text->assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  return true;
}

}  // namespace

BootReader::BootReader(Vm& vm) : vm_(vm), kept_(vm.heap()), values_(vm.heap()) {
  kept_.push_back(gc::kFalse);  // index 0 means "none"
}

BootReader::~BootReader() = default;

absl::Status BootReader::ReadLibrary(const std::string& library) {
  std::string list;
  const std::string list_path = library + "/bootstrap/stage1.list";
  if (!ReadFile(list_path, &list)) return absl::NotFoundError(absl::StrCat("no ", list_path));
  std::vector<std::pair<std::string, std::string>> sources;
  std::vector<std::string> missing;
  for (absl::string_view line : absl::StrSplit(list, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#' || line[0] == '!') continue;
    std::string path(line);
    if (!absl::StrContains(path, '/') || !absl::StrContains(path, ".weft")) {
      const std::vector<std::string> parts = absl::StrSplit(line, '.');
      path = absl::StrCat(absl::StrJoin(parts, "/"), "/", parts.back(), ".weft");
    }
    std::string text;
    if (ReadFile(absl::StrCat(library, "/", path), &text)) {
      sources.emplace_back("vocab:" + path, std::move(text));
    } else {
      missing.push_back(path);
    }
  }
  if (!missing.empty()) {
    return absl::NotFoundError(absl::StrCat("files of stage1.list that do not exist:\n  ",
                                            absl::StrJoin(missing, "\n  ")));
  }
  return ReadSources(sources);
}

absl::Status BootReader::ReadSources(
    const std::vector<std::pair<std::string, std::string>>& sources) {
  Bootstrap();
  for (const auto& source : sources) {
    std::vector<std::string> problems;
    files_.push_back({source.first, LexBootSource(source.second, problems)});
    for (const std::string& problem : problems) {
      errors_.push_back(absl::StrCat(source.first, ":", problem));
    }
  }
  if (!errors_.empty()) return Result();
  RunPass(Pass::kDeclare);
  if (!errors_.empty()) return Result();
  RunPass(Pass::kStructure);
  ResolveTuples();
  if (!errors_.empty()) return Result();
  InstallClasses();
  RunPass(Pass::kDefine);
  if (!errors_.empty()) return Result();
  Finish();
  return Result();
}

absl::Status BootReader::Result() const {
  if (errors_.empty()) return absl::OkStatus();
  std::vector<std::string> shown = errors_;
  if (shown.size() > kMaxErrors) {
    const size_t more = shown.size() - kMaxErrors;
    shown.resize(kMaxErrors);
    shown.push_back(absl::StrCat("... and ", more, " more"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(shown, "\n"));
}

void BootReader::Error(const BootToken& at, const std::string& message) {
  errors_.push_back(absl::StrCat(file_ == nullptr ? "" : file_->path, ":", at.line, ":", at.column,
                                 ": error: ", message));
}

// --- words by name ---

Word BootReader::Find(absl::string_view vocabulary, absl::string_view name) const {
  const auto found = by_name_.find(vocabulary);
  if (found == by_name_.end()) return gc::kFalse;
  const auto word = found->second->index.find(name);
  return word == found->second->index.end() ? gc::kFalse : word->second;
}

Word BootReader::Create(absl::string_view vocabulary, absl::string_view name) WEFT_ALLOCATES {
  const Word existing = Find(vocabulary, name);
  if (existing != gc::kFalse) return existing;
  auto found = by_name_.find(vocabulary);
  if (found == by_name_.end()) {
    vocabularies_.push_back({std::string(vocabulary), {}, {}});
    found = by_name_.emplace(std::string(vocabulary), &vocabularies_.back()).first;
  }
  gc::Root name_root(vm_.heap(), String(name));
  gc::Root vocabulary_root(vm_.heap(), String(vocabulary));
  const Word word = Keep(NewWord(vm_, name_root, vocabulary_root));
  found->second->words.push_back(word);
  found->second->index.emplace(std::string(name), word);
  return word;
}

Word BootReader::CreateHere(const BootToken& name) WEFT_ALLOCATES {
  if (vocabulary_.empty()) {
    Error(name, "a definition before IN:");
    vocabulary_ = "scratchpad";
  }
  const Word word = Create(vocabulary_, name.text);
  last_ = word;
  if (pass_ != Pass::kDeclare) return word;
  {
    const gc::NoAlloc scope;
    if ((As<WordObject>(word)->flags.AsFixnum() & kFlagPrimitiveMask) != 0) {
      Error(name, absl::StrCat(name.text, " is a primitive of ", vocabulary_));
    }
  }
  const std::string place = absl::StrCat(file_->path, ":", name.line, ":", name.column);
  const auto [entry, is_new] = defined_at_.emplace(word.bits, place);
  if (!is_new) {
    Error(name, absl::StrCat(name.text, " is defined already, at ", entry->second));
  }
  SetLocation(word, name);
  return word;
}

Word BootReader::LookupOrFalse(const BootToken& token, bool* ambiguous) {
  *ambiguous = false;
  const auto named = named_.find(token.text);
  if (named != named_.end()) return named->second;
  Word word = Find(vocabulary_, token.text);
  if (word != gc::kFalse) return word;
  for (auto own = own_.rbegin(); own != own_.rend(); ++own) {
    word = Find(*own, token.text);
    if (word != gc::kFalse) return word;
  }
  std::string where;
  for (const std::string& vocabulary : used_) {
    const Word candidate = Find(vocabulary, token.text);
    if (candidate == gc::kFalse || candidate == word) continue;
    if (word != gc::kFalse) {
      Error(token, absl::StrCat(token.text, " is ambiguous: ", where, " and ", vocabulary,
                                " both have it (say which with FROM:)"));
      *ambiguous = true;
      return word;
    }
    word = candidate;
    where = vocabulary;
  }
  return word == gc::kFalse ? Find("syntax", token.text) : word;
}

Word BootReader::Lookup(const BootToken& token) {
  bool ambiguous = false;
  const Word word = LookupOrFalse(token, &ambiguous);
  if (word != gc::kFalse || ambiguous) return word;
  std::vector<std::string> elsewhere;
  for (const Vocabulary& vocabulary : vocabularies_) {
    if (vocabulary.index.contains(token.text)) elsewhere.push_back(vocabulary.name);
  }
  std::sort(elsewhere.begin(), elsewhere.end());
  Error(token, absl::StrCat("no word named ", token.text, " here",
                            elsewhere.empty() ? std::string("; no vocabulary has it")
                                              : "; found in " + absl::StrJoin(elsewhere, " ")));
  return gc::kFalse;
}

Word BootReader::ClassToken() {
  const BootToken& token = Next();
  if (token.text == "POSTPONE:" || token.text == "\\") return Lookup(Next());
  return Lookup(token);
}

// --- tokens ---

const BootToken& BootReader::Next() {
  if (AtEnd()) {
    Error(end_token_, "unexpected end of the file");
    static const BootToken kEmpty;  // NOLINT(readability-identifier-naming): a constant
    return kEmpty;
  }
  return file_->tokens[at_++];
}

bool BootReader::TakeIf(absl::string_view text) {
  if (AtEnd() || file_->tokens[at_].is_string || file_->tokens[at_].text != text) return false;
  ++at_;
  return true;
}

void BootReader::SkipBody() {
  while (!AtEnd()) {
    const BootToken& token = file_->tokens[at_++];
    if (token.is_string) continue;
    if (token.text == ";") return;
    if (token.text == "\\" || token.text == "POSTPONE:" || token.text == "CHAR:") {
      if (!AtEnd()) ++at_;
    }
  }
  Error(end_token_, "a definition without its ;");
}

std::string BootReader::EffectText() {
  std::vector<std::string> parts;
  int depth = 0;
  if (AtEnd() || file_->tokens[at_].text != "(") {
    Error(AtEnd() ? end_token_ : file_->tokens[at_], "expected a stack effect");
    return "( -- )";
  }
  while (!AtEnd()) {
    const BootToken& token = Next();
    parts.push_back(token.text);
    if (token.text == "(") ++depth;
    if (token.text == ")" && --depth == 0) break;
  }
  return absl::StrJoin(parts, " ");
}

void BootReader::SkipEffect() {
  if (!AtEnd() && file_->tokens[at_].text == "(") EffectText();
}

// --- passes ---

void BootReader::BeginFile(File& file) {
  file_ = &file;
  at_ = 0;
  vocabulary_.clear();
  own_.clear();
  used_.clear();
  named_.clear();
  last_ = gc::kFalse;
  owner_ = gc::kFalse;
  end_token_ = BootToken();
  if (!file.tokens.empty()) {
    end_token_.line = file.tokens.back().line;
    end_token_.column = file.tokens.back().column;
  }
  String(file.path);
  path_ = strings_[file.path];
}

void BootReader::RunPass(Pass pass) {
  pass_ = pass;
  for (File& file : files_) {
    BeginFile(file);
    while (!AtEnd() && errors_.size() < 4 * kMaxErrors) ReadForm(Next());
  }
}

void BootReader::SetVocabulary(const std::string& name) {
  vocabulary_ = name;
  if (std::find(own_.begin(), own_.end(), name) == own_.end()) own_.push_back(name);
  if (!by_name_.contains(name)) {
    vocabularies_.push_back({name, {}, {}});
    by_name_.emplace(name, &vocabularies_.back());
  }
}

void BootReader::UseVocabulary(const BootToken& at, const std::string& name) {
  if (pass_ == Pass::kDeclare) return;
  if (!by_name_.contains(name)) {
    if (pass_ == Pass::kStructure) Error(at, absl::StrCat("no vocabulary named ", name));
    return;
  }
  if (std::find(used_.begin(), used_.end(), name) == used_.end()) used_.push_back(name);
}

void BootReader::ReadForm(const BootToken& token) WEFT_ALLOCATES {
  const std::string& form = token.text;
  if (token.is_string) {
    Error(token, "a string outside a definition");
  } else if (form == ":") {
    ReadColon();
  } else if (form == "M:") {
    ReadMethod();
  } else if (form == "USING:") {
    ReadUsing();
  } else if (form == "USE:") {
    const BootToken& name = Next();
    UseVocabulary(name, name.text);
  } else if (form == "FROM:") {
    ReadFrom();
  } else if (form == "IN:") {
    SetVocabulary(Next().text);
  } else if (form == "<PRIVATE") {
    SetVocabulary(vocabulary_ + ".private");
  } else if (form == "PRIVATE>") {
    if (absl::EndsWith(vocabulary_, ".private")) {
      SetVocabulary(vocabulary_.substr(0, vocabulary_.size() - 8));
    } else {
      Error(token, "PRIVATE> without <PRIVATE");
    }
  } else if (form == "GENERIC:" || form == "GENERIC#:" || form == "MATH:") {
    ReadGeneric(form);
  } else if (form == "HOOK:") {
    ReadHook();
  } else if (form == "SYNTAX:") {
    ReadSyntax();
  } else if (form == "TUPLE:") {
    ReadTuple(false);
  } else if (form == "ERROR:") {
    ReadTuple(true);
  } else if (form == "C:") {
    ReadConstructor();
  } else if (form == "UNION:") {
    ReadUnion(ClassKind::kUnion);
  } else if (form == "INTERSECTION:") {
    ReadUnion(ClassKind::kIntersection);
  } else if (form == "MIXIN:") {
    ReadMixin();
  } else if (form == "INSTANCE:") {
    ReadInstance();
  } else if (form == "PREDICATE:") {
    ReadPredicateClass();
  } else if (form == "SINGLETON:" || form == "SINGLETONS:") {
    ReadSingletons(form == "SINGLETONS:");
  } else if (form == "SYMBOL:" || form == "SYMBOLS:") {
    ReadSymbols(form == "SYMBOLS:");
  } else if (form == "CONSTANT:") {
    ReadConstant();
  } else if (form == "ALIAS:") {
    ReadAlias();
  } else if (form == "DEFER:") {
    const BootToken& name = Next();
    if (pass_ == Pass::kDeclare && !vocabulary_.empty()) Create(vocabulary_, name.text);
  } else if (form == "SLOT:") {
    const BootToken& name = Next();
    if (pass_ == Pass::kDeclare) DeclareAccessors(name, false);
  } else if (form == "PRIMITIVE:") {
    ReadPrimitive();
  } else if (form == "MAIN:") {
    const BootToken& name = Next();
    if (pass_ == Pass::kDefine) main_ = Lookup(name);
  } else if (form == "inline" || form == "foldable" || form == "flushable" || form == "recursive" ||
             form == "parsing" || form == "deprecated" || form == "delimiter") {
    ReadFlag(form);
  } else {
    // A word alone at top level runs when stage 2 loads the file again.
    bool ambiguous = false;
    if (pass_ != Pass::kDefine || LookupOrFalse(token, &ambiguous) != gc::kFalse) return;
    Error(token, absl::StrCat(form, " is not a form of stage-1 files"));
  }
}

// --- beginning and end ---

void BootReader::Bootstrap() WEFT_ALLOCATES {
  for (size_t row = 0; row < kPrimitiveCount; ++row) {
    const Primitive& primitive = kPrimitives[row];
    const gc::Root word(vm_.heap(), Create(primitive.vocabulary, primitive.word));
    DefinePrimitive(vm_, word, row);
  }
  // What ends a form is a word too, so that it can be named.
  for (const char* name : {";", "]", "}", ")", "PRIVATE>", ">>", "--"}) {
    const Word word = Create("syntax", name);
    SetFlag(word, kFlagDelimiter);
    AddProp(word, "delimiter", gc::kTrue);
  }
  BootstrapClasses();
}

void BootReader::Finish() WEFT_ALLOCATES {
  InstallGenerics();
  DefineStructuralPredicates();
  for (const auto& alias : aliases_) {
    const gc::NoAlloc scope;
    SetEffect(alias.first, As<WordObject>(alias.second)->effect);
  }

  file_ = nullptr;
  reading_primitives_ = true;
  std::vector<Word> words;
  for (const Primitive& primitive : kPrimitives) {
    const Word word = Find(primitive.vocabulary, primitive.word);
    words.push_back(word);
    SetEffect(word, EffectFrom(BootToken(), primitive.effect));
  }
  reading_primitives_ = false;
  vm_.set_special(Special::kPrimitiveWords, ArrayOf(words));

  words.clear();
  static constexpr const char* kIntrinsics[][2] = {
#define INTRINSIC(vocabulary, word, ...) {vocabulary, word},
#include "vm/intrinsics.def"
#undef INTRINSIC
  };
  int64_t row = 0;
  for (const auto& intrinsic : kIntrinsics) {
    const Word word = Find(intrinsic[0], intrinsic[1]);
    words.push_back(word);
    ++row;
    if (word != gc::kFalse) SetFlag(word, row << kFlagIntrinsicShift);
  }
  vm_.set_special(Special::kIntrinsicWords, ArrayOf(words));
  if (main_ != gc::kFalse) vm_.set_special(Special::kStartup, main_);
  static constexpr struct {
    const char* vocabulary;
    const char* name;
    Special special;
  } kWords[] = {{"generic.single", "no-method", Special::kNoMethod},
                {"generic.math", "no-math-method", Special::kNoMathMethod}};
  for (const auto& named : kWords) {
    const Word word = Find(named.vocabulary, named.name);
    if (word != gc::kFalse) vm_.set_special(named.special, word);
  }

  // Code of words that were given an effect after their body has stale counts.
  for (const Vocabulary& vocabulary : vocabularies_) {
    for (const Word word : vocabulary.words) {
      const gc::Root root(vm_.heap(), word);
      ResetWordCode(vm_, root);
    }
  }
  for (const Word generic : generic_order_) {  // never in the order of a hash table
    for (const auto& method : generics_[generic.bits].methods) {
      const gc::Root root(vm_.heap(), method.second);
      ResetWordCode(vm_, root);
    }
  }

  InstallPrototypes();
  ConvertProps();

  const BootToken nowhere;
  for (const Vocabulary& vocabulary : vocabularies_) {
    const gc::Root list(vm_.heap(), ArrayOf(vocabulary.words));
    Push(nowhere, String(vocabulary.name));
    const gc::NoAlloc scope;
    Push(nowhere, list.get());
  }
  vm_.set_special(Special::kBootVocabularies, ArrayFrom(0));
}

}  // namespace weft
