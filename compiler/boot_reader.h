// The boot reader: reads the stage-1 files of the library while the image is built, and never
// again.
//
// Three passes over all files, so that they may refer to each other in any order:
//   kDeclare    creates the words that defining forms name
//   kStructure  classes (layouts, members) and generics (dispatch position)
//   kDefine     effects, bodies, methods, initial values, flags
// The forms are those of docs/hacking.md, 6. What it leaves: words with definitions, ClassInfo and
// GenericInfo, properties as hashtables in WordObject::props, the special objects
// that name classes, and Special::kBootVocabularies.
// Errors: all that are found, as "path:line:column: message" lines in one absl::Status.
// Everything it creates stays alive through Vm roots and its own.
#ifndef WEFT_COMPILER_BOOT_READER_H_
#define WEFT_COMPILER_BOOT_READER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "compiler/boot_lexer.h"
#include "gc/handle.h"
#include "vm/classes.h"
#include "vm/objects.h"

namespace weft {

class Vm;

class BootReader {
 public:
  explicit BootReader(Vm& vm);
  ~BootReader();

  // Reads the vocabularies listed in library/bootstrap/stage1.list.
  absl::Status ReadLibrary(const std::string& library);
  // Reads sources, each a path (for messages and positions) and a text.
  absl::Status ReadSources(const std::vector<std::pair<std::string, std::string>>& sources);

  // The word of that name; f if there is none.
  Word Find(absl::string_view vocabulary, absl::string_view name) const;
  // What the last MAIN: named, else f.
  Word main_word() const { return main_; }

 private:
  enum class Pass { kDeclare, kStructure, kDefine };

  struct Vocabulary {
    std::string name;
    std::vector<Word> words;
    absl::flat_hash_map<std::string, Word> index;
  };
  struct File {
    std::string path;
    std::vector<BootToken> tokens;
  };
  struct Slot {
    std::string name;
    Word class_word = gc::kFalse;
    bool read_only = false;
    size_t initial = 0;  // in kept_, 0: none given
  };
  struct Class {
    Word word = gc::kFalse;
    ClassKind kind = ClassKind::kTuple;
    Word superclass = gc::kFalse;
    std::vector<Word> members;
    std::vector<Word> participants;
    Word predicate = gc::kFalse;
    int64_t type = -1;  // built-in
    size_t layout = 0;  // in kept_
    bool is_error = false;
    std::vector<Slot> slots;  // own ones
    std::vector<Word> chain;  // superclasses, root first, this last; empty: not resolved yet
    int64_t total_slots = 0;
    std::string path;  // of the form, for messages
    uint32_t line = 0, column = 0;
  };
  struct Generic {
    Word word = gc::kFalse;
    bool is_math = false;
    int64_t position = 0;
    int64_t inputs = 1;
    bool drops_value = false;  // methods of a hook do not see the variable's value
    std::vector<std::pair<Word, Word>> methods;  // class, method word
  };
  struct Constructor {
    Word word, class_word;
  };
  struct Reader {  // of one slot, or its writer
    Word method;
    uint32_t slot;
    bool writes;
  };
  struct Frame {
    const char* closer;
    size_t base;
    const BootToken* opener;
  };

  // boot_reader.cc: passes, scopes, tokens; boot_forms.cc: forms.
  void Bootstrap();  // primitives, built-in classes, delimiters
  void RunPass(Pass pass);
  void ReadForm(const BootToken& token);
  void Finish();
  absl::Status Result() const;
  void Error(const BootToken& at, const std::string& message);

  const BootToken& Next();  // the next token; an empty one at the end of the file, with an error
  bool AtEnd() const { return at_ >= file_->tokens.size(); }
  bool TakeIf(absl::string_view text);
  void SkipBody();    // to the next ;
  void SkipEffect();  // a parenthesised effect, if one follows
  std::string EffectText();

  void BeginFile(File& file);
  void SetVocabulary(const std::string& name);
  void UseVocabulary(const BootToken& at, const std::string& name);
  Word Lookup(const BootToken& token);  // f and an error if there is none
  Word LookupOrFalse(const BootToken& token, bool* ambiguous);
  Word ClassToken();  // a class by name, \ name or POSTPONE: name
  Word Create(absl::string_view vocabulary, absl::string_view name);
  Word CreateHere(const BootToken& name);  // in the current vocabulary; an error if defined twice

  void ReadColon();
  void ReadSyntax();
  void ReadGeneric(const std::string& form);
  void ReadHook();
  void ReadMethod();
  void ReadConstant();
  void ReadAlias();
  void ReadSymbols(bool plural);
  void ReadFlag(const std::string& flag);
  void ReadUsing();
  void ReadFrom();
  void ReadPrimitive();

  // boot_classes.cc, boot_tuples.cc.
  void BootstrapClasses();
  Class& ClassFor(Word word) { return classes_[word.bits]; }
  Word PredicateFor(Word class_word);
  void ReadTuple(bool is_error);
  void ReadTupleSlots(Class& data);
  void ReadSlotAttributes(Slot& slot);
  void DefineClassWord(Word word, const BootToken& at);
  void DeclareAccessors(const BootToken& slot, bool read_only);
  void DefineAccessors(const Class& data);
  void DefineSetters(const std::string& name, Word reader, Word writer, const BootToken& at);
  Word AccessorMethod(Word class_word, Word generic_word, const std::string& effect, int64_t inputs,
                      const BootToken& at);
  void DefineConstructor(Word word, Word class_word, bool throws);
  void ReadConstructor();
  void ReadUnion(ClassKind kind);
  void ReadMixin();
  void ReadInstance();
  void ReadPredicateClass();
  void ReadSingletons(bool plural);
  void MarkClass(Word word, ClassKind kind, const BootToken& at);
  void ResolveTuples();
  void InstallClasses();
  void InstallGenerics();
  void InstallPrototypes();
  void DefineStructuralPredicates();
  // Pushes elements that test the top of the stack: ( obj -- ? ).
  void PushTest(Word class_word);
  Word DefaultInitial(Word class_word);
  Word SlotSpec(const Slot& slot, int64_t offset);
  Word ArrayOf(const std::vector<Word>& words);

  // boot_parse.cc: bodies, literals, effects.

  // Reads elements up to `closer` (or one element) onto values_; false at the end of the file.
  bool ReadElements(const char* closer);
  void ReadElement();
  bool IsSlotName(const BootToken& token) const;
  bool ReadOneElement();
  void Open(const BootToken& token, const char* closer);
  void Close(const BootToken& token);
  void Push(const BootToken& at, Word value);
  void MakeVector(size_t base, const BootToken& at);
  void MakeTable(size_t base, bool is_set, const BootToken& at);
  void MakeTuple(size_t base, const BootToken& at);
  void MakeByteArray(size_t base, const BootToken& at);
  Word NewTuple(const Class& data);  // all slots f
  int64_t SlotIndex(const Class& data, const std::string& name) const;
  Word ArrayFrom(size_t base);      // pops the values from base on
  Word QuotationFrom(size_t base);  // the same, with positions
  Word WrapperOf(Word word);
  Word ReadEffect();  // after its opening parenthesis
  Word EffectFrom(const BootToken& at, const std::string& text);
  Word ReadEffectSide(const char* closer, Word* row, bool* terminated);
  Word String(absl::string_view text);  // interned: one object per text

  void SetEffect(Word word, Word effect);
  void AddProp(Word word, absl::string_view key, Word value);
  void ConvertProps();
  void SetFlag(Word word, int64_t flag);
  void SetLocation(Word word, const BootToken& at);
  void Define(Word word, Word quotation);
  Word Keep(Word word);  // root it for good

  Vm& vm_;
  std::deque<File> files_;
  File* file_ = nullptr;
  size_t at_ = 0;
  Pass pass_ = Pass::kDeclare;
  BootToken end_token_;
  std::vector<std::string> errors_;

  std::deque<Vocabulary> vocabularies_;
  absl::flat_hash_map<std::string, Vocabulary*> by_name_;
  absl::node_hash_map<uint64_t, Class> classes_;
  std::vector<Word> class_order_;
  absl::node_hash_map<uint64_t, Generic> generics_;
  std::vector<Word> generic_order_;
  absl::flat_hash_map<uint64_t, Word> hook_generics_;  // hook word to its hidden generic
  std::vector<std::pair<Word, Word>> aliases_;
  std::vector<Constructor> constructors_;
  std::vector<Reader> readers_;
  absl::flat_hash_map<uint64_t, std::string> defined_at_;
  absl::flat_hash_map<std::string, size_t> strings_;  // text to index in kept_

  // Scope of the file being read.
  std::string vocabulary_;
  std::vector<std::string> own_;  // every IN: so far, with the .private ones
  std::vector<std::string> used_;
  absl::flat_hash_map<std::string, Word> named_;  // FROM:
  Word last_ = gc::kFalse;                        // word or method that flags apply to
  Word owner_ = gc::kFalse;                       // word whose body is being read
  Word main_ = gc::kFalse;

  gc::RootVector kept_;    // words, layouts, strings, initial values: alive for good
  gc::RootVector values_;  // elements being collected
  std::vector<std::pair<uint32_t, uint32_t>> places_;  // line and column of each value
  std::vector<Frame> frames_;
  bool reading_primitives_ = false;
  size_t path_ = 0;  // string of the file's path, in kept_
};

}  // namespace weft

#endif  // WEFT_COMPILER_BOOT_READER_H_
