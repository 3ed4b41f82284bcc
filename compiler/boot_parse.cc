// Bodies, literals and effects of the boot reader. Nested literals are kept on an explicit stack:
// frames_ says where each began, values_ holds the elements of all that are open.
#include <cstring>

#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "vm/number/number_text.h"
#include "vm/strings.h"
#include "vm/tables.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {

void BootReader::Push(const BootToken& at, Word value) {
  values_.push_back(value);
  places_.emplace_back(at.line, at.column);
}

void BootReader::Open(const BootToken& token, const char* closer) {
  frames_.push_back({closer, values_.size(), &token});
}

bool BootReader::ReadElements(const char* closer) {
  const size_t depth = frames_.size();
  const BootToken& opener = file_->tokens[at_ > 0 ? at_ - 1 : 0];
  while (!AtEnd()) {
    const BootToken& token = file_->tokens[at_];
    if (frames_.size() == depth && !token.is_string && token.text == closer) {
      ++at_;
      return true;
    }
    // An unfinished literal shows at the definition's end, not at the end of the file.
    if (!token.is_string && token.text == ";" && frames_.size() > depth) {
      Error(*frames_.back().opener, absl::StrCat("unfinished ", frames_.back().opener->text));
      while (frames_.size() > depth) frames_.pop_back();
      continue;
    }
    ReadElement();
  }
  Error(opener, absl::StrCat("expected ", closer, " before the end of the file"));
  frames_.resize(depth);
  return false;
}

bool BootReader::ReadOneElement() {
  const size_t depth = frames_.size();
  do {
    if (AtEnd()) {
      Error(end_token_, "unexpected end of the file");
      frames_.resize(depth);
      return false;
    }
    ReadElement();
  } while (frames_.size() > depth);
  return true;
}

// The first element of a pair in T{ class { slot value } }, which is no word; in T{ class f ... }
// braces are arrays.
bool BootReader::IsSlotName(const BootToken& token) const WEFT_ALLOCATES {
  const size_t open = frames_.size();
  if (open < 2 || token.text == "}") return false;
  const Frame& pair = frames_[open - 1];
  const Frame& tuple = frames_[open - 2];
  if (pair.opener->text != "{" || tuple.opener->text != "T{") return false;
  if (values_.size() != pair.base) return false;
  const gc::NoAlloc scope;
  return pair.base < tuple.base + 2 || values_.get(tuple.base + 1) != gc::kFalse;
}

void BootReader::ReadElement() WEFT_ALLOCATES {
  const BootToken& token = Next();
  const std::string& text = token.text;
  gc::Heap& heap = vm_.heap();
  if (token.is_string) {
    Push(token, MakeString(heap, text));
    return;
  }
  if (IsSlotName(token)) {
    Push(token, String(text));
    return;
  }
  static constexpr struct {
    const char* opener;
    const char* closer;
  } kOpeners[] = {{"[", "]"},   {"{", "}"},  {"V{", "}"}, {"H{", "}"},
                  {"HS{", "}"}, {"T{", "}"}, {"W{", "}"}, {"B{", "}"}};
  for (const auto& row : kOpeners) {
    if (text == row.opener) {
      Open(token, row.closer);
      return;
    }
  }
  if (!frames_.empty() && (text == "]" || text == "}")) {
    Close(token);
    return;
  }
  if (text == "t") {
    Push(token, gc::kTrue);
  } else if (text == "f") {
    Push(token, gc::kFalse);
  } else if (text == "\\") {
    const BootToken& name = Next();
    Push(token, WrapperOf(Lookup(name)));
  } else if (text == "POSTPONE:") {
    Push(token, Lookup(Next()));
  } else if (text == "CHAR:") {
    const BootToken& character = Next();
    const int64_t code_point = BootCharacter(character.text);
    if (code_point < 0) Error(character, absl::StrCat("no character: ", character.text));
    Push(token, Word::Fixnum(code_point));
  } else if (text == "M\\") {
    const Word class_word = ClassToken();
    const Word generic = Lookup(Next());
    Word method = gc::kFalse;
    const auto found = generics_.find(generic.bits);
    if (found != generics_.end()) {
      for (const auto& entry : found->second.methods) {
        if (entry.first == class_word) method = entry.second;
      }
    }
    if (method == gc::kFalse) Error(token, "no such method (it must stand further up)");
    Push(token, WrapperOf(method));
  } else if (text == "(") {
    Push(token, ReadEffect());
  } else if (text == "call(" || text == "execute(") {
    Push(token, ReadEffect());
    BootToken name = token;
    name.text = text == "call(" ? "call-effect" : "execute-effect";
    Word word = Find("combinators", name.text);
    if (word == gc::kFalse) word = Lookup(name);
    Push(token, word);
  } else {
    bool ambiguous = false;
    Word value = LookupOrFalse(token, &ambiguous);
    if (value == gc::kFalse && !ambiguous) {
      value = ReadNumber(vm_, text);
      if (value == gc::kFalse) value = Lookup(token);  // for its message
    }
    Push(token, value);
  }
}

void BootReader::Close(const BootToken& token) WEFT_ALLOCATES {
  const Frame frame = frames_.back();
  if (token.text != frame.closer) {
    Error(token, absl::StrCat("found ", token.text, " where ", frame.closer, " is expected"));
  }
  frames_.pop_back();
  const std::string& opener = frame.opener->text;
  if (opener == "[") {
    Push(*frame.opener, QuotationFrom(frame.base));
  } else if (opener == "{") {
    Push(*frame.opener, ArrayFrom(frame.base));
  } else if (opener == "V{") {
    MakeVector(frame.base, *frame.opener);
  } else if (opener == "H{" || opener == "HS{") {
    MakeTable(frame.base, opener == "HS{", *frame.opener);
  } else if (opener == "T{") {
    MakeTuple(frame.base, *frame.opener);
  } else if (opener == "B{") {
    MakeByteArray(frame.base, *frame.opener);
  } else {  // W{
    Word wrapped = gc::kFalse;
    if (values_.size() != frame.base + 1) {
      Error(*frame.opener, "W{ wants one element");
    } else {
      const gc::NoAlloc scope;
      wrapped = values_.get(frame.base);
    }
    const Word wrapper = WrapperOf(wrapped);
    values_.resize(frame.base);
    places_.resize(frame.base);
    Push(*frame.opener, wrapper);
  }
}

Word BootReader::ArrayFrom(size_t base) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const size_t count = values_.size() - base;
  const Word word = heap.Allocate(ShapeOf(TypeId::kArray), 16 + count * 8);
  const gc::NoAlloc scope;
  auto* array = static_cast<Array*>(gc::ObjectAt(word));
  array->length = Word::Fixnum(static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    heap.Write(array, &array->elements[i], values_.get(base + i));
  }
  values_.resize(base);
  places_.resize(base);
  return word;
}

Word BootReader::QuotationFrom(size_t base) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const size_t count = values_.size() - base;
  gc::Root positions(heap, heap.Allocate(ShapeOf(TypeId::kByteArray), 16 + count * 8));
  {
    const gc::NoAlloc scope;
    auto* bytes = static_cast<ByteArray*>(gc::ObjectAt(positions.get()));
    bytes->length = Word::Fixnum(static_cast<int64_t>(count * 8));
    for (size_t i = 0; i < count; ++i) {
      const uint32_t place[2] = {places_[base + i].first, places_[base + i].second};
      std::memcpy(bytes->bytes + i * 8, place, 8);
    }
  }
  gc::Root array(heap, ArrayFrom(base));
  gc::Root source(heap, heap.Allocate(ShapeOf(TypeId::kArray), 16 + 2 * 8));
  {
    const gc::NoAlloc scope;
    auto* pair = static_cast<Array*>(gc::ObjectAt(source.get()));
    pair->length = Word::Fixnum(2);
    heap.Write(pair, &pair->elements[0], kept_.get(path_));
    heap.Write(pair, &pair->elements[1], positions.get());
  }
  const Word word = heap.Allocate(ShapeOf(TypeId::kQuotation), 8 + 6 * 8);
  const gc::NoAlloc scope;
  auto* quotation = static_cast<Quotation*>(gc::ObjectAt(word));
  for (size_t i = 0; i < 6; ++i) *quotation->field(i) = gc::kFalse;
  heap.Write(quotation, &quotation->array, array.get());
  heap.Write(quotation, &quotation->source, source.get());
  heap.Write(quotation, &quotation->owner, owner_);
  return word;
}

Word BootReader::WrapperOf(Word wrapped) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const gc::Root root(heap, wrapped);
  const Word word = heap.Allocate(ShapeOf(TypeId::kWrapper), 16);
  const gc::NoAlloc scope;
  auto* wrapper = static_cast<Wrapper*>(gc::ObjectAt(word));
  heap.Write(wrapper, &wrapper->wrapped, root.get());
  return word;
}

void BootReader::MakeByteArray(size_t base, const BootToken& at) WEFT_ALLOCATES {
  const size_t count = values_.size() - base;
  const Word word = vm_.heap().Allocate(ShapeOf(TypeId::kByteArray), 16 + count);
  {
    const gc::NoAlloc scope;
    auto* bytes = static_cast<ByteArray*>(gc::ObjectAt(word));
    bytes->length = Word::Fixnum(static_cast<int64_t>(count));
    for (size_t i = 0; i < count; ++i) {
      const Word element = values_.get(base + i);
      if (!element.IsFixnum()) Error(at, "B{ wants integers");
      bytes->bytes[i] = static_cast<uint8_t>(element.AsFixnum());
    }
  }
  values_.resize(base);
  places_.resize(base);
  Push(at, word);
}

void BootReader::MakeVector(size_t base, const BootToken& at) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const auto count = static_cast<int64_t>(values_.size() - base);
  gc::Root array(heap, ArrayFrom(base));
  const Class& data = ClassFor(Find("vectors", "vector"));
  if (data.layout == 0 || data.total_slots < 2) {
    Error(at, "V{ needs the class vectors:vector with its two slots");
    Push(at, gc::kFalse);
    return;
  }
  gc::Root vector(heap, NewTuple(data));
  {
    const gc::NoAlloc scope;
    Object* tuple = gc::ObjectAt(vector.get());
    heap.Write(tuple, tuple->field(0), array.get());
    heap.Write(tuple, tuple->field(1), Word::Fixnum(count));
  }
  const gc::NoAlloc scope;
  Push(at, vector.get());
}

Word BootReader::NewTuple(const Class& data) WEFT_ALLOCATES {
  uint32_t shape = 0;
  {
    const gc::NoAlloc scope;
    shape = static_cast<uint32_t>(As<Layout>(kept_.get(data.layout))->shape.AsFixnum());
  }
  const auto slots = static_cast<size_t>(data.total_slots);
  const Word word = vm_.heap().Allocate(shape, 8 + slots * 8);
  const gc::NoAlloc scope;
  for (size_t i = 0; i < slots; ++i) *gc::ObjectAt(word)->field(i) = gc::kFalse;
  return word;
}

void BootReader::MakeTable(size_t base, bool is_set, const BootToken& at) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const Word class_word = is_set ? Find("hash-sets", "hash-set") : Find("hashtables", "hashtable");
  const Class& data = ClassFor(class_word);
  const size_t count = values_.size() - base;
  if (data.layout == 0 || data.total_slots < 3) {
    Error(at, "H{ and HS{ need their classes with three slots");
    values_.resize(base);
    places_.resize(base);
    Push(at, gc::kFalse);
    return;
  }
  gc::Root table(heap, NewTuple(data));
  bool ok = InitTable(vm_, table, is_set ? TableKind::kSet : TableKind::kMap, count);
  gc::Root key(heap);
  gc::Root value(heap);
  for (size_t i = 0; ok && i < count; ++i) {
    {
      const gc::NoAlloc scope;
      const Word element = values_.get(base + i);
      key.set(element);
      if (!is_set) {
        ok = IsType(element, TypeId::kArray) && As<Array>(element)->size() == 2;
        if (ok) {
          key.set(As<Array>(element)->elements[0]);
          value.set(As<Array>(element)->elements[1]);
        }
      }
    }
    ok = ok && AddToTable(vm_, table, key, value);
  }
  if (!ok) Error(at, "H{ wants pairs; keys may be numbers, strings, words, t and f here");
  values_.resize(base);
  places_.resize(base);
  const gc::NoAlloc scope;
  Push(at, table.get());
}

// T{ class f v1 v2 } gives all slots in order, T{ class { name value } ... } some by name.
void BootReader::MakeTuple(size_t base, const BootToken& at) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const size_t count = values_.size() - base;
  gc::Root tuple(heap);
  std::string problem;
  Word class_word = gc::kFalse;
  if (count > 0) {
    const gc::NoAlloc scope;
    class_word = values_.get(base);
  }
  const auto found = classes_.find(class_word.bits);
  if (found == classes_.end() || found->second.layout == 0) {
    problem = "T{ wants a tuple class first";
  } else {
    const Class& data = found->second;
    tuple.set(NewTuple(data));
    const gc::NoAlloc scope;
    Object* object = gc::ObjectAt(tuple.get());
    if (count > 1 && values_.get(base + 1) == gc::kFalse) {
      if (static_cast<int64_t>(count - 2) > data.total_slots) {
        problem = "too many slots in T{";
      } else {
        for (size_t i = 2; i < count; ++i) {
          heap.Write(object, object->field(i - 2), values_.get(base + i));
        }
      }
    } else {
      for (size_t i = 1; i < count && problem.empty(); ++i) {
        const Word pair = values_.get(base + i);
        if (!IsType(pair, TypeId::kArray) || As<Array>(pair)->size() != 2) {
          problem = "T{ wants { slot value } pairs";
          break;
        }
        // A slot name was read as whatever word has that name.
        const Word name = As<Array>(pair)->elements[0];
        const std::string text =
            IsType(name, TypeId::kWordObject) ? ToUtf8(As<WordObject>(name)->name) : std::string();
        const int64_t index = SlotIndex(data, text);
        if (index < 0) {
          problem = absl::StrCat("T{ names no slot of the class: ", text);
          break;
        }
        heap.Write(object, object->field(static_cast<size_t>(index)), As<Array>(pair)->elements[1]);
      }
    }
  }
  if (!problem.empty()) Error(at, problem);
  values_.resize(base);
  places_.resize(base);
  const gc::NoAlloc scope;
  Push(at, tuple.get());
}

int64_t BootReader::SlotIndex(const Class& data, const std::string& name) const {
  int64_t index = 0;
  for (const Word link : data.chain) {
    const auto found = classes_.find(link.bits);
    if (found == classes_.end()) continue;
    for (const Slot& slot : found->second.slots) {
      if (slot.name == name) return index;
      ++index;
    }
  }
  return -1;
}

// --- effects ---

Word BootReader::ReadEffectSide(const char* closer, Word* row, bool* terminated) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const size_t base = values_.size();
  gc::Root row_root(heap);
  while (true) {
    if (AtEnd()) {
      Error(end_token_, "unfinished stack effect");
      break;
    }
    const BootToken& token = Next();
    const std::string& text = token.text;
    if (text == closer) break;
    if (text == ")" || text == "--" || text == ";" || text == "(") {
      Error(token, absl::StrCat("stack effect: found ", text, " where ", closer, " is expected"));
      break;
    }
    if (text.size() > 2 && text.substr(0, 2) == "..") {
      row_root.set(String(text.substr(2)));
    } else if (text == "*" && terminated != nullptr) {
      *terminated = true;
    } else if (text.size() > 1 && text.back() == ':') {
      const size_t pair = values_.size();
      Push(token, String(text.substr(0, text.size() - 1)));
      if (TakeIf("(")) {
        Push(token, ReadEffect());
      } else if (reading_primitives_) {
        Next();  // classes of primitives' inputs are for people
      } else {
        Push(token, ClassToken());
      }
      if (values_.size() == pair + 2) Push(token, ArrayFrom(pair));
    } else {
      Push(token, String(text));
    }
  }
  const Word side = ArrayFrom(base);
  const gc::NoAlloc scope;
  *row = row_root.get();
  return side;
}

Word BootReader::ReadEffect() WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  gc::Root in(heap);
  gc::Root out(heap);
  gc::Root in_row(heap);
  gc::Root out_row(heap);
  bool terminated = false;
  Word row = gc::kFalse;
  in.set(ReadEffectSide("--", &row, nullptr));
  in_row.set(row);
  out.set(ReadEffectSide(")", &row, &terminated));
  out_row.set(row);
  const Class& data = ClassFor(Find("effects", "effect"));
  if (data.layout == 0 || data.total_slots < 5) return gc::kFalse;  // reported by Finish
  const Word word = NewTuple(data);
  const gc::NoAlloc scope;
  Object* effect = gc::ObjectAt(word);
  heap.Write(effect, effect->field(0), in.get());
  heap.Write(effect, effect->field(1), out.get());
  heap.Write(effect, effect->field(2), Word::Bool(terminated));
  heap.Write(effect, effect->field(3), in_row.get());
  heap.Write(effect, effect->field(4), out_row.get());
  return word;
}

Word BootReader::EffectFrom(const BootToken& at, const std::string& text) WEFT_ALLOCATES {
  File effect_file;
  effect_file.path = "";
  effect_file.tokens = LexBootSource(text, errors_);
  File* const file = file_;
  const size_t position = at_;
  file_ = &effect_file;
  at_ = 0;
  const bool ok = TakeIf("(");
  const Word effect = ok ? ReadEffect() : gc::kFalse;
  file_ = file;
  at_ = position;
  if (!ok) Error(at, "expected a stack effect");
  return effect;
}

Word BootReader::String(absl::string_view text) WEFT_ALLOCATES {
  const auto found = strings_.find(text);
  if (found == strings_.end()) {
    const Word word = MakeString(vm_.heap(), text);
    strings_.emplace(std::string(text), kept_.size());
    kept_.push_back(word);
    return word;
  }
  const gc::NoAlloc scope;
  return kept_.get(found->second);
}

// --- what a word carries ---

void BootReader::SetEffect(Word word, Word effect) WEFT_ALLOCATES {
  {
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(word);
    vm_.heap().Write(object, &object->effect, effect);
  }
}

void BootReader::AddProp(Word word, absl::string_view key, Word value) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const size_t base = values_.size();
  const BootToken nowhere;
  Push(nowhere, gc::kFalse);  // room for the key: making it may move the value
  Push(nowhere, value);
  values_.set(base, String(key));
  gc::Root pair(heap, ArrayFrom(base));
  {
    const gc::NoAlloc scope;
    const Word props = As<WordObject>(word)->props;
    if (IsType(props, TypeId::kArray)) {
      const auto* old = As<Array>(props);
      for (int64_t i = 0; i < old->size(); ++i) Push(nowhere, old->elements[i]);
    }
    Push(nowhere, pair.get());
  }
  const Word props = ArrayFrom(base);
  const gc::NoAlloc scope;
  auto* object = As<WordObject>(word);
  heap.Write(object, &object->props, props);
}

// The collected { key value } pairs of every word as a hashtable.
void BootReader::ConvertProps() WEFT_ALLOCATES {
  const BootToken nowhere;
  for (size_t i = 0; i < kept_.size(); ++i) {
    Word word = gc::kFalse;
    size_t base = values_.size();
    {
      const gc::NoAlloc scope;
      word = kept_.get(i);
      if (!IsType(word, TypeId::kWordObject)) continue;
      const Word props = As<WordObject>(word)->props;
      if (!IsType(props, TypeId::kArray)) continue;
      const auto* pairs = As<Array>(props);
      for (int64_t n = 0; n < pairs->size(); ++n) Push(nowhere, pairs->elements[n]);
    }
    MakeTable(base, false, nowhere);
    const gc::NoAlloc scope;
    auto* object = As<WordObject>(word);
    vm_.heap().Write(object, &object->props, values_.get(base));
    values_.resize(base);
    places_.resize(base);
  }
}

void BootReader::SetFlag(Word word, int64_t flag) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  auto* object = As<WordObject>(word);
  object->flags = Word::Fixnum(object->flags.AsFixnum() | flag);
}

void BootReader::SetLocation(Word word, const BootToken& at) WEFT_ALLOCATES {
  gc::Heap& heap = vm_.heap();
  const size_t base = values_.size();
  {
    const gc::NoAlloc scope;
    Push(at, kept_.get(path_));
  }
  Push(at, Word::Fixnum(at.line));
  Push(at, Word::Fixnum(at.column));
  const Word location = ArrayFrom(base);
  const gc::NoAlloc scope;
  auto* object = As<WordObject>(word);
  heap.Write(object, &object->location, location);
}

void BootReader::Define(Word word, Word quotation) WEFT_ALLOCATES {
  const gc::Root definition(vm_.heap(), quotation);
  const gc::Root root(vm_.heap(), word);
  DefineWord(vm_, root, definition);
}

Word BootReader::Keep(Word word) {
  kept_.push_back(word);
  return word;
}

}  // namespace weft
