// Tuple classes of the boot reader: slots, layouts, accessors, constructors, initial values.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "vm/code_builder.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {

void BootReader::DeclareAccessors(const BootToken& slot, bool read_only) {
  const std::string& name = slot.text;
  Create("accessors", name + ">>");
  if (read_only) return;
  Create("accessors", name + "<<");
  Create("accessors", ">>" + name);
  Create("accessors", "change-" + name);
}

void BootReader::ReadTupleSlots(Class& data) {
  const bool declaring = pass_ == Pass::kDeclare;
  const bool defining = pass_ == Pass::kDefine;
  const size_t count = data.slots.size();
  size_t index = 0;
  while (!AtEnd()) {
    const BootToken& token = Next();
    if (token.text == ";") break;
    Slot slot;
    const BootToken* name = &token;
    if (token.text == "{") {
      name = &Next();
      // Without looking words up: what stands after initial: may be nested.
      const size_t start = at_;
      int depth = 1;
      while (depth > 0 && !AtEnd()) {
        const BootToken& part = Next();
        if (part.is_string) continue;
        if (part.text == "CHAR:" || part.text == "\\") Next();
        if (part.text == "[" || part.text.back() == '{') ++depth;
        if (part.text == "]" || part.text == "}") --depth;
        if (part.text == "read-only" && depth == 1) slot.read_only = true;
      }
      if (defining) {
        at_ = start;
        ReadSlotAttributes(slot);
      }
    }
    slot.name = name->text;
    if (declaring) DeclareAccessors(*name, slot.read_only);
    if (pass_ == Pass::kStructure) data.slots.push_back(slot);
    if (defining && index < count) data.slots[index] = slot;
    ++index;
  }
}

// After the name: [class] [read-only] [initial: value] }
void BootReader::ReadSlotAttributes(Slot& slot) WEFT_ALLOCATES {
  bool has_class = false;
  while (!AtEnd()) {
    const BootToken& token = Next();
    if (token.text == "}") return;
    if (token.text == "read-only") {
      slot.read_only = true;
    } else if (token.text == "initial:") {
      const size_t base = values_.size();
      if (!ReadOneElement()) return;
      const gc::NoAlloc scope;
      Word value = values_.get(base);
      if (IsType(value, TypeId::kWrapper)) value = As<Wrapper>(value)->wrapped;
      slot.initial = kept_.size();
      kept_.push_back(value);
      values_.resize(base);
      places_.resize(base);
    } else if (!has_class) {
      --at_;
      slot.class_word = ClassToken();
      has_class = true;
    } else {
      Error(token, absl::StrCat("a slot has no attribute ", token.text));
    }
  }
}

void BootReader::ReadTuple(bool is_error) WEFT_ALLOCATES {
  const BootToken& name = Next();
  const Word word = CreateHere(name);
  if (pass_ == Pass::kDeclare) {
    MarkClass(word, ClassKind::kTuple, name);
    ClassFor(word).is_error = is_error;
    PredicateFor(word);
  }
  Word superclass = Find("kernel", "tuple");
  if (TakeIf("<")) {
    const BootToken& super = Next();
    if (pass_ != Pass::kDeclare) superclass = Lookup(super);
  } else if (name.text == "ratio" || name.text == "complex") {
    // Numbers that happen to have slots: no instances of tuple, as in Factor.
    if (vocabulary_ == "math") superclass = gc::kFalse;
  }
  Class& data = ClassFor(word);
  if (pass_ == Pass::kStructure) data.superclass = superclass;
  ReadTupleSlots(data);
  if (pass_ != Pass::kDefine) return;
  if (!is_error) {
    DefineClassWord(word, name);
  }
  DefineAccessors(data);
}

// Layouts, superclasses first, whatever the order of the files.
void BootReader::ResolveTuples() WEFT_ALLOCATES {
  bool progress = true;
  size_t left = 1;
  while (progress && left > 0) {
    progress = false;
    left = 0;
    for (const Word word : class_order_) {
      Class& data = ClassFor(word);
      if (data.kind != ClassKind::kTuple || !data.chain.empty()) continue;
      std::vector<Word> chain;
      int64_t inherited = 0;
      if (data.superclass != gc::kFalse) {
        const auto super = classes_.find(data.superclass.bits);
        if (super == classes_.end() || super->second.chain.empty()) {
          ++left;
          continue;
        }
        chain = super->second.chain;
        inherited = super->second.total_slots;
      }
      chain.push_back(word);
      data.chain = chain;
      data.total_slots = inherited + static_cast<int64_t>(data.slots.size());
      const gc::Root class_word(vm_.heap(), word);
      const gc::Root superclasses(vm_.heap(), ArrayOf(chain));
      gc::Root layout(vm_.heap());
      if (!MakeLayout(vm_, class_word, data.total_slots, superclasses, layout)) {
        errors_.push_back(
            absl::StrCat(data.path, ":", data.line, ":", data.column, ": error: too many slots"));
      }
      data.layout = kept_.size();
      {
        const gc::NoAlloc scope;
        kept_.push_back(layout.get());
      }
      progress = true;
    }
  }
  if (left == 0) return;
  for (const Word word : class_order_) {
    const Class& data = ClassFor(word);
    if (data.kind == ClassKind::kTuple && data.chain.empty()) {
      errors_.push_back(absl::StrCat(data.path, ":", data.line, ":", data.column,
                                     ": error: the superclass is no tuple class"));
    }
  }
}

namespace {

// Static code of an untyped reader or writer: slot access and return.
void InstallAccessor(Vm& vm, const gc::Root& method, uint32_t slot, bool writes) WEFT_ALLOCATES {
  CodeBuilder builder(vm);
  builder.EmitAD(Op::kEnter, 2, 0);
  builder.AddPlainMap(writes ? 2 : 1);
  if (writes) {
    builder.EmitABC(Op::kSetSlot, 0, 1, slot);
  } else {
    builder.EmitABC(Op::kSlot, 0, 0, slot);
  }
  builder.EmitABC(Op::kReturn);
  const gc::Root no_path(vm.heap());
  const gc::Root code(vm.heap(), builder.Finish(CodeMode::kStatic, writes ? 2 : 1, writes ? 0 : 1,
                                                method, no_path));
  InstallStaticCode(vm, method, code);
}

}  // namespace

Word BootReader::AccessorMethod(Word class_word, Word generic_word, const std::string& effect,
                                int64_t inputs, const BootToken& at) WEFT_ALLOCATES {
  Generic& generic = generics_[generic_word.bits];
  if (generic.word == gc::kFalse) {
    generic.word = generic_word;
    generic.inputs = inputs;
    generic_order_.push_back(generic_word);
    SetEffect(generic_word, EffectFrom(at, effect));
  }
  std::string name;
  {
    const gc::NoAlloc scope;
    name = absl::StrCat(ToUtf8(As<WordObject>(class_word)->name), "=>",
                        ToUtf8(As<WordObject>(generic_word)->name));
  }
  gc::Root name_root(vm_.heap(), String(name));
  const gc::Root nowhere(vm_.heap());
  const Word method = Keep(NewWord(vm_, name_root, nowhere));
  SetEffect(method, EffectFrom(at, effect));
  SetLocation(method, at);
  AddProp(method, "method-class", class_word);
  AddProp(method, "method-generic", generic_word);
  generics_[generic_word.bits].methods.emplace_back(class_word, method);
  return method;
}

void BootReader::DefineAccessors(const Class& data) WEFT_ALLOCATES {
  BootToken at;
  at.line = data.line;
  at.column = data.column;
  const Word class_word = data.word;
  const std::vector<Slot> slots = data.slots;
  int64_t index = data.total_slots - static_cast<int64_t>(slots.size());
  for (const Slot& slot : slots) {
    const auto number = static_cast<uint32_t>(index);
    const Word reader_word = Create("accessors", slot.name + ">>");
    const Word reader = AccessorMethod(class_word, reader_word, "( object -- value )", 1, at);
    owner_ = reader;
    Push(at, Word::Fixnum(index));
    Push(at, Find("slots.private", "slot"));
    Define(reader, QuotationFrom(0));
    readers_.push_back({reader, number, false});
    AddProp(reader, "reading-slot", Word::Fixnum(index));
    SetFlag(reader, kFlagReadsSlot | index << kFlagSlotShift);
    if (!slot.read_only) {
      const Word writer_word = Create("accessors", slot.name + "<<");
      const Word writer = AccessorMethod(class_word, writer_word, "( value object -- )", 2, at);
      owner_ = writer;
      Push(at, Word::Fixnum(index));
      Push(at, Find("slots.private", "set-slot"));
      Define(writer, QuotationFrom(0));
      readers_.push_back({writer, number, true});
      AddProp(writer, "writing-slot", Word::Fixnum(index));
      SetFlag(writer, kFlagWritesSlot | index << kFlagSlotShift);
      DefineSetters(slot.name, reader_word, writer_word, at);
    }
    ++index;
  }
}

// >>x ( object value -- object ) and change-x ( object quot -- object ).
void BootReader::DefineSetters(const std::string& name, Word reader, Word writer,
                               const BootToken& at) WEFT_ALLOCATES {
  const Word setter = Create("accessors", ">>" + name);
  bool is_new = false;
  {
    const gc::NoAlloc scope;
    is_new = As<WordObject>(setter)->def == gc::kFalse;
  }
  if (!is_new) return;
  owner_ = setter;
  Push(at, Find("kernel", "over"));
  Push(at, writer);
  Define(setter, QuotationFrom(0));
  SetEffect(setter, EffectFrom(at, "( object value -- object )"));
  SetFlag(setter, kFlagInline);
  AddProp(setter, "inline", gc::kTrue);

  // [ over [ [ x>> ] dip call ] dip swap >>x ]
  const Word changer = Create("accessors", "change-" + name);
  owner_ = changer;
  const Word dip = Find("kernel", "dip");
  Push(at, Find("kernel", "over"));
  Push(at, reader);
  Push(at, QuotationFrom(1));
  Push(at, dip);
  Push(at, Find("kernel", "call"));
  Push(at, QuotationFrom(1));
  Push(at, dip);
  Push(at, Find("kernel", "swap"));
  Push(at, setter);
  Define(changer, QuotationFrom(0));
  SetEffect(changer, EffectFrom(at, "( ..a object quot: ( ..a old -- ..b new ) -- ..b object )"));
  SetFlag(changer, kFlagInline);
  AddProp(changer, "inline", gc::kTrue);
}

void BootReader::ReadConstructor() {
  const Word word = CreateHere(Next());
  const BootToken& class_token = Next();
  if (pass_ == Pass::kDefine) {
    const Word class_word = Lookup(class_token);
    constructors_.push_back({word, class_word});
    const auto found = classes_.find(class_word.bits);
    if (found == classes_.end() || found->second.layout == 0) {
      Error(class_token, absl::StrCat(class_token.text, " is no tuple class"));
      constructors_.pop_back();
    }
  }
}

// C: [ constructor ], ERROR: [ constructor throw ].
void BootReader::DefineConstructor(Word word, Word class_word, bool throws) WEFT_ALLOCATES {
  file_ = nullptr;
  const Class& data = ClassFor(class_word);
  const BootToken at;
  gc::Root layout(vm_.heap());
  {
    const gc::NoAlloc scope;
    layout.set(kept_.get(data.layout));
  }
  owner_ = word;
  Push(at, Keep(MakeConstructor(vm_, layout)));
  if (throws) Push(at, Find("kernel", "throw"));
  Define(word, QuotationFrom(0));
  std::string effect = "( ";
  for (const Word link : data.chain) {
    for (const Slot& slot : ClassFor(link).slots) absl::StrAppend(&effect, slot.name, " ");
  }
  absl::StrAppend(&effect, throws ? "-- * )" : "-- obj )");
  SetEffect(word, EffectFrom(at, effect));
  if (throws) AddProp(word, "error-class", gc::kTrue);
}

Word BootReader::DefaultInitial(Word class_word) WEFT_ALLOCATES {
  if (class_word == gc::kFalse) return gc::kFalse;
  static constexpr struct {
    const char* vocabulary;
    const char* name;
  } kZero[] = {{"math", "fixnum"},
               {"math", "integer"},
               {"math", "number"},
               {"math", "real"},
               {"math", "rational"}};
  for (const auto& row : kZero) {
    if (class_word == Find(row.vocabulary, row.name)) return Word::Fixnum(0);
  }
  std::string name;
  {
    const gc::NoAlloc scope;
    name = ToUtf8(As<WordObject>(class_word)->name);
  }
  if (name == "array-capacity") return Word::Fixnum(0);
  if (class_word == Find("math", "float")) return Word::FloatBits(0.0);
  if (class_word == Find("strings", "string")) return String("");
  if (class_word == Find("arrays", "array")) return ArrayOf({});
  return gc::kFalse;
}

// A slot as the language describes it: a tuple slots:slot-spec.
Word BootReader::SlotSpec(const Slot& slot, int64_t offset) WEFT_ALLOCATES {
  const Word class_word =
      slot.class_word == gc::kFalse ? Find("kernel", "object") : slot.class_word;
  gc::Root initial(vm_.heap(), DefaultInitial(slot.class_word));
  if (slot.initial != 0) {
    const gc::NoAlloc scope;
    initial.set(kept_.get(slot.initial));
  }
  const gc::Root name(vm_.heap(), String(slot.name));
  const auto found = classes_.find(Find("slots", "slot-spec").bits);
  if (found == classes_.end() || found->second.layout == 0) return gc::kFalse;
  const Class& data = found->second;
  const Word word = NewTuple(data);
  const gc::NoAlloc scope;
  Object* spec = gc::ObjectAt(word);
  const auto put = [&](const char* field, Word value) WEFT_NO_ANALYSIS {
    const int64_t index = SlotIndex(data, field);
    if (index >= 0) vm_.heap().Write(spec, spec->field(static_cast<size_t>(index)), value);
  };
  put("name", name.get());
  put("offset", Word::Fixnum(offset));
  put("class", class_word);
  put("initial", initial.get());
  put("read-only", Word::Bool(slot.read_only));
  return word;
}

// Properties of tuple classes: slots (own ones), superclass, and a prototype where some slot does
// not begin as f.
void BootReader::InstallPrototypes() WEFT_ALLOCATES {
  const BootToken nowhere;
  for (const Word word : class_order_) {
    const Class& data = ClassFor(word);
    if (data.superclass != gc::kFalse) AddProp(word, "superclass", data.superclass);
    if (data.layout == 0) continue;
    const size_t base = values_.size();
    int64_t offset = data.total_slots - static_cast<int64_t>(data.slots.size());
    for (const Slot& slot : data.slots) Push(nowhere, SlotSpec(slot, offset++));
    AddProp(word, "slots", ArrayFrom(base));

    gc::Root prototype(vm_.heap(), NewTuple(data));
    bool wanted = false;
    size_t index = 0;
    for (const Word link : data.chain) {
      for (const Slot& slot : ClassFor(link).slots) {
        gc::Root value(vm_.heap(),
                       slot.initial == 0 ? DefaultInitial(slot.class_word) : gc::kFalse);
        const gc::NoAlloc scope;
        if (slot.initial != 0) value.set(kept_.get(slot.initial));
        Object* object = gc::ObjectAt(prototype.get());
        vm_.heap().Write(object, object->field(index++), value.get());
        if (!value.is_false()) wanted = true;
      }
    }
    if (!wanted) continue;
    Word value = gc::kFalse;
    {
      const gc::NoAlloc scope;
      value = prototype.get();
    }
    AddProp(word, "prototype", value);
  }
  for (const Reader& reader : readers_) {
    const gc::Root method(vm_.heap(), reader.method);
    InstallAccessor(vm_, method, reader.slot, reader.writes);
  }
}

}  // namespace weft
