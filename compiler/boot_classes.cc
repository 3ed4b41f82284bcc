// Class forms of the boot reader: unions, predicates and the rest, the built-in classes, and what
// makes ClassInfo and GenericInfo arrays of all classes and generics. Tuples: boot_tuples.cc.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "vm/generic.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {
namespace {

struct BuiltinRow {
  const char* name;
  const char* vocabulary;
};
constexpr BuiltinRow kBuiltins[] = {
#define TYPE(name, class_name, vocabulary, rule, fixed, traced) {class_name, vocabulary},
#include "vm/types.def"
#undef TYPE
};

}  // namespace

Word BootReader::ArrayOf(const std::vector<Word>& words) {
  const size_t base = values_.size();
  const BootToken nowhere;
  for (const Word word : words) Push(nowhere, word);
  return ArrayFrom(base);
}

void BootReader::MarkClass(Word word, ClassKind kind, const BootToken& at) {
  Class& data = ClassFor(word);
  if (data.word == gc::kFalse) class_order_.push_back(word);
  data.word = word;
  data.kind = kind;
  data.line = at.line;
  data.column = at.column;
  if (file_ != nullptr) data.path = file_->path;
}

// Classes push themselves, like symbols.
void BootReader::DefineClassWord(Word word, const BootToken& at) WEFT_ALLOCATES {
  const gc::Root root(vm_.heap(), word);
  Push(at, WrapperOf(word));
  Define(word, QuotationFrom(values_.size() - 1));
  DefineSymbol(vm_, root);
  SetEffect(word, EffectFrom(at, "( -- class )"));
}

Word BootReader::PredicateFor(Word class_word) WEFT_ALLOCATES {
  Class& data = ClassFor(class_word);
  if (data.predicate == gc::kFalse) {
    std::string name;
    std::string vocabulary;
    {
      const gc::NoAlloc scope;
      const auto* object = As<WordObject>(class_word);
      name = ToUtf8(object->name);
      vocabulary = ToUtf8(object->vocabulary);
    }
    data.predicate = Create(vocabulary, name + "?");
  }
  return data.predicate;
}

void BootReader::BootstrapClasses() WEFT_ALLOCATES {
  std::vector<Word> by_type;
  int64_t type = 0;
  for (const BuiltinRow& row : kBuiltins) {
    if (row.name[0] == 0) {
      by_type.push_back(gc::kFalse);
    } else {
      const Word word = Create(row.vocabulary, row.name);
      by_type.push_back(word);
      MarkClass(word, ClassKind::kBuiltin, BootToken());
      ClassFor(word).type = type;
      // f and t are read as values; only other classes have a predicate word.
      if (std::string(row.vocabulary) != "syntax") PredicateFor(word);
    }
    ++type;
  }
  vm_.set_special(Special::kBuiltinClasses, ArrayOf(by_type));
  // object: the intersection of nothing contains everything; null: the union of nothing.
  const Word object = Create("kernel", "object");
  MarkClass(object, ClassKind::kIntersection, BootToken());
  PredicateFor(object);
  vm_.set_special(Special::kObjectClass, object);
  const Word null = Create("kernel", "null");
  MarkClass(null, ClassKind::kUnion, BootToken());
  PredicateFor(null);
  const Word tuple = Create("kernel", "tuple");
  MarkClass(tuple, ClassKind::kTuple, BootToken());
  ClassFor(tuple).chain = {tuple};
  PredicateFor(tuple);
  vm_.set_special(Special::kTupleClass, tuple);
}

// --- other kinds of classes ---

void BootReader::ReadUnion(ClassKind kind) WEFT_ALLOCATES {
  const BootToken& name = Next();
  const Word word = CreateHere(name);
  if (pass_ == Pass::kDeclare) {
    MarkClass(word, kind, name);
    PredicateFor(word);
  }
  std::vector<Word> members;
  while (!AtEnd() && !TakeIf(";")) {
    if (pass_ == Pass::kDeclare) {
      Next();
    } else {
      members.push_back(ClassToken());
    }
  }
  if (pass_ == Pass::kStructure) {
    Class& data = ClassFor(word);
    (kind == ClassKind::kUnion ? data.members : data.participants) = members;
  } else if (pass_ == Pass::kDefine) {
    DefineClassWord(word, name);
  }
}

void BootReader::ReadMixin() WEFT_ALLOCATES {
  const BootToken& name = Next();
  const Word word = CreateHere(name);
  if (pass_ == Pass::kDeclare) {
    MarkClass(word, ClassKind::kMixin, name);
    PredicateFor(word);
  } else if (pass_ == Pass::kDefine) {
    DefineClassWord(word, name);
  }
}

void BootReader::ReadInstance() {
  const bool structure = pass_ == Pass::kStructure;
  if (!structure) {
    const BootToken& first = Next();
    if (first.text == "POSTPONE:" || first.text == "\\") Next();
    Next();
    return;
  }
  const BootToken at = file_->tokens[std::min(at_, file_->tokens.size() - 1)];
  const Word class_word = ClassToken();
  const Word mixin = Lookup(Next());
  const auto found = classes_.find(mixin.bits);
  if (found == classes_.end() || found->second.kind != ClassKind::kMixin) {
    Error(at, "INSTANCE: wants a mixin class");
    return;
  }
  std::vector<Word>& members = found->second.members;
  if (std::find(members.begin(), members.end(), class_word) == members.end()) {
    members.push_back(class_word);
  }
}

void BootReader::ReadPredicateClass() WEFT_ALLOCATES {
  const BootToken& name = Next();
  const Word word = CreateHere(name);
  if (!TakeIf("<")) Error(name, "PREDICATE: wants name < superclass");
  if (pass_ == Pass::kDeclare) {
    MarkClass(word, ClassKind::kPredicate, name);
    PredicateFor(word);
    SkipBody();
    return;
  }
  const Word superclass = ClassToken();
  if (pass_ == Pass::kStructure) {
    ClassFor(word).superclass = superclass;
    SkipBody();
    return;
  }
  DefineClassWord(word, name);
  const Word predicate = PredicateFor(word);
  owner_ = predicate;
  gc::Root body(vm_.heap());
  if (ReadElements(";")) body.set(QuotationFrom(0));
  values_.resize(0);
  places_.clear();
  // [ dup super? [ body ] [ drop f ] if ]
  Push(name, Find("kernel", "dup"));
  PushTest(superclass);
  {
    const gc::NoAlloc scope;
    Push(name, body.get());
  }
  const size_t base = values_.size();
  Push(name, Find("kernel", "drop"));
  Push(name, gc::kFalse);
  Push(name, QuotationFrom(base));
  Push(name, Find("kernel", "if"));
  Define(predicate, QuotationFrom(0));
  SetEffect(predicate, EffectFrom(name, "( object -- ? )"));
  Word definition = gc::kFalse;
  {
    const gc::NoAlloc scope;
    definition = body.get();
  }
  AddProp(word, "predicate-definition", definition);
}

void BootReader::ReadSingletons(bool plural) WEFT_ALLOCATES {
  while (!AtEnd()) {
    const BootToken& name = Next();
    if (plural && name.text == ";") return;
    const Word word = CreateHere(name);
    if (pass_ == Pass::kDeclare) {
      MarkClass(word, ClassKind::kSingleton, name);
      PredicateFor(word);
      ClassFor(word).superclass = Find("words", "word");
    } else if (pass_ == Pass::kDefine) {
      DefineClassWord(word, name);
      const Word predicate = PredicateFor(word);
      owner_ = predicate;
      Push(name, WrapperOf(word));
      Push(name, Find("kernel", "eq?"));
      Define(predicate, QuotationFrom(0));
      SetEffect(predicate, EffectFrom(name, "( object -- ? )"));
    }
    if (!plural) return;
  }
}

// ( obj -- ? ): a built-in type is asked for directly, anything else by its predicate word.
void BootReader::PushTest(Word class_word) WEFT_ALLOCATES {
  const BootToken nowhere;
  const auto found = classes_.find(class_word.bits);
  if (found == classes_.end()) {
    errors_.push_back("a class form names a word that is no class");
    return;
  }
  if (found->second.type >= 0) {
    Push(nowhere, Word::Fixnum(found->second.type));
    Push(nowhere, Find("classes.private", "(builtin-instance?)"));
  } else {
    Push(nowhere, PredicateFor(class_word));
  }
}

void BootReader::DefineStructuralPredicates() WEFT_ALLOCATES {
  file_ = nullptr;
  const BootToken at;
  const Word dup = Find("kernel", "dup");
  const Word drop = Find("kernel", "drop");
  const Word branch = Find("kernel", "if");
  for (const Word word : class_order_) {
    const Class data = ClassFor(word);
    bool is_defined = false;
    {
      const gc::NoAlloc scope;
      is_defined = As<WordObject>(word)->def != gc::kFalse;
    }
    owner_ = word;
    if (!is_defined) DefineClassWord(word, at);  // built-in ones and object, null, tuple
    if (data.predicate == gc::kFalse) continue;
    const Word predicate = data.predicate;
    owner_ = predicate;
    switch (data.kind) {
      case ClassKind::kBuiltin:
        PushTest(word);
        break;
      case ClassKind::kTuple:
        if (data.layout == 0) {  // tuple itself
          Push(at, Find("classes.private", "any-tuple?"));
        } else {
          {
            const gc::NoAlloc scope;
            Push(at, kept_.get(data.layout));
          }
          Push(at, Find("classes.private", "(tuple-instance?)"));
        }
        break;
      case ClassKind::kUnion:
      case ClassKind::kMixin:
      case ClassKind::kIntersection: {
        // Innermost first: [ dup a? [ drop t ] [ dup b? [ drop t ] [ drop f ] if ] if ] for a
        // union, with the branches exchanged for an intersection.
        const bool any = data.kind != ClassKind::kIntersection;
        const std::vector<Word>& parts = any ? data.members : data.participants;
        Push(at, drop);
        Push(at, Word::Bool(!any));
        for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
          const gc::Root rest(vm_.heap(), QuotationFrom(0));
          Push(at, dup);
          PushTest(*part);
          const size_t base = values_.size();
          Push(at, drop);
          Push(at, Word::Bool(any));
          const gc::Root decided(vm_.heap(), QuotationFrom(base));
          const gc::NoAlloc scope;
          Push(at, any ? decided.get() : rest.get());
          Push(at, any ? rest.get() : decided.get());
          Push(at, branch);
        }
        break;
      }
      case ClassKind::kPredicate:
      case ClassKind::kSingleton:
        continue;  // by their forms
    }
    Define(predicate, QuotationFrom(0));
    SetEffect(predicate, EffectFrom(at, "( object -- ? )"));
  }
  for (const Word word : class_order_) {
    const Class& data = ClassFor(word);
    if (data.predicate != gc::kFalse) AddProp(data.predicate, "predicating", word);
  }
}

// --- what the machine reads ---

void BootReader::InstallClasses() WEFT_ALLOCATES {
  const BootToken nowhere;
  for (const Word word : class_order_) {
    const Class data = ClassFor(word);
    const size_t base = values_.size();
    Push(nowhere, Word::Fixnum(static_cast<int64_t>(data.kind)));
    Push(nowhere, data.superclass);
    const bool has_members = data.kind == ClassKind::kUnion || data.kind == ClassKind::kMixin;
    Push(nowhere, has_members ? ArrayOf(data.members) : gc::kFalse);
    Push(nowhere, data.kind == ClassKind::kIntersection ? ArrayOf(data.participants) : gc::kFalse);
    Push(nowhere, data.predicate);
    {
      const gc::NoAlloc scope;
      Push(nowhere, kept_.get(data.layout));
    }
    Push(nowhere, data.type < 0 ? gc::kFalse : Word::Fixnum(data.type));
    Push(nowhere, gc::kFalse);
    const Word info = ArrayFrom(base);
    const gc::NoAlloc scope;
    WEFT_CHECK(IsClassInfo(info));
    auto* object = As<WordObject>(word);
    vm_.heap().Write(object, &object->class_info, info);
  }
  static constexpr struct {
    const char* vocabulary;
    const char* name;
    Special special;
  } kLayouts[] = {{"effects", "effect", Special::kEffectLayout},
                  {"kernel", "curried", Special::kCurriedLayout},
                  {"kernel", "composed", Special::kComposedLayout},
                  {"vectors", "vector", Special::kVectorLayout},
                  {"sbufs", "sbuf", Special::kSbufLayout},
                  {"hashtables", "hashtable", Special::kHashtableLayout},
                  {"sequences", "slice", Special::kSliceLayout},
                  {"math", "ratio", Special::kRatioLayout},
                  {"math", "complex", Special::kComplexLayout}};
  for (const auto& row : kLayouts) {
    const Word word = Find(row.vocabulary, row.name);
    const auto found = classes_.find(word.bits);
    if (word == gc::kFalse || found == classes_.end()) continue;
    const gc::NoAlloc scope;
    vm_.set_special(row.special, kept_.get(found->second.layout));
  }
  vm_.cells().InvalidateDispatch();
}

void BootReader::InstallGenerics() WEFT_ALLOCATES {
  const BootToken nowhere;
  for (const Word word : generic_order_) {
    const Generic& generic = generics_[word.bits];
    std::vector<Word> methods;
    for (const auto& method : generic.methods) {
      methods.push_back(method.first);
      methods.push_back(method.second);
    }
    const gc::Root list(vm_.heap(), ArrayOf(methods));
    const size_t base = values_.size();
    Push(nowhere, Word::Fixnum(generic.is_math ? 1 : 0));
    Push(nowhere, Word::Fixnum(generic.position));
    {
      const gc::NoAlloc scope;
      Push(nowhere, list.get());
    }
    Push(nowhere, gc::kFalse);
    Push(nowhere, gc::kFalse);
    Push(nowhere, Word::Fixnum(generic.inputs));
    const Word info = ArrayFrom(base);
    {
      const gc::NoAlloc scope;
      WEFT_CHECK(IsGenericInfo(info));
      auto* object = As<WordObject>(word);
      vm_.heap().Write(object, &object->generic_info, info);
    }
    const gc::Root root(vm_.heap(), word);
    ResetWordCode(vm_, root);
  }
  vm_.cells().InvalidateDispatch();

  for (const Constructor& row : constructors_) DefineConstructor(row.word, row.class_word, false);
  for (const Word word : class_order_) {
    if (ClassFor(word).is_error) DefineConstructor(word, word, true);
  }
}

}  // namespace weft
