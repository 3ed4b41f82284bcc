// The token scanner under the language's reader: it walks over what needs no parsing word, and
// leaves the lexer as if scan-token had been called for each token.
//
// The language asks for a run of tokens. Names of ordinary words and small decimal integers go
// straight onto the accumulator, with their places; the first token that is anything else ends the
// run and is answered. So parsing words, errors, restarts, and lexers of a program's own class stay
// matters of the language, which falls back to its own reader whenever the answer is 0.
#include <algorithm>
#include <array>
#include <cstring>

#include "vm/hashing.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"
#include "vm/tables.h"

namespace weft {
namespace {

// Slots of a lexer, as TUPLE: lexer declares them.
enum LexerSlot : size_t {
  kText,
  kLine,
  kLineText,
  kLineLength,
  kColumn,
  kParsingWords,
  kTokenLine,
  kTokenColumn,
  kLexerSlots,
};

// Slots of a manifest; of a vocabulary; of a vector.
constexpr size_t kSearchVocabs = 2;
constexpr size_t kQualifiedVocabs = 3;
constexpr size_t kCache = 5;
constexpr size_t kManifestSlots = 6;
constexpr size_t kVectorArray = 0;
constexpr size_t kVectorLength = 1;

constexpr int64_t kDigits = 18;  // more may be no fixnum

const Word kReadYourself = Word::Fixnum(0);

size_t SlotCount(Vm& vm, const Object* tuple) WEFT_NO_ALLOC {
  const Word layout = vm.layouts().get(tuple->shape() - gc::kFirstTupleShape);
  return static_cast<size_t>(As<Layout>(layout)->slot_count.AsFixnum());
}

// A tuple with at least so many slots; null if the word is none.
Object* TupleOf(Vm& vm, Word word, size_t slots) WEFT_NO_ALLOC {
  if (!IsTuple(word)) return nullptr;
  Object* tuple = gc::ObjectAt(word);
  return SlotCount(vm, tuple) < slots ? nullptr : tuple;
}

struct VectorView {
  Object* vector = nullptr;
  Array* array = nullptr;
  int64_t length = 0;
};

bool ReadVector(Vm& vm, Word word, VectorView* view) WEFT_NO_ALLOC {
  if (!IsTuple(word) || gc::ObjectAt(word)->shape() != vm.vector_shape()) return false;
  view->vector = gc::ObjectAt(word);
  const Word array = *view->vector->field(kVectorArray);
  const Word length = *view->vector->field(kVectorLength);
  if (!IsType(array, TypeId::kArray) || !length.IsFixnum()) return false;
  view->array = As<Array>(array);
  view->length = length.AsFixnum();
  return view->length >= 0 && view->length <= view->array->size();
}

// REQUIRES: the array has a free place.
void Push(Vm& vm, const VectorView& view, Word word) WEFT_NO_ALLOC {
  vm.heap().Write(view.array, view.array->elements + view.length, word);
  *view.vector->field(kVectorLength) = Word::Fixnum(view.length + 1);
}

// Makes a free place in the vector args[i]. False: it is no vector, or there is no room.
bool MakePlace(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  int64_t length;
  {
    const gc::NoAlloc scope;
    VectorView view;
    if (!ReadVector(vm, args.get(i), &view)) return false;
    if (view.length < view.array->size()) return true;
    length = view.length;
  }
  const int64_t capacity = 2 * length + 8;
  const size_t bytes = sizeof(Array) + static_cast<size_t>(capacity) * sizeof(Word);
  if (!HasRoom(vm, bytes)) return false;
  const Word fresh = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  VectorView view;
  if (!ReadVector(vm, args.get(i), &view)) return false;
  auto* array = static_cast<Array*>(gc::ObjectAt(fresh));
  array->length = Word::Fixnum(capacity);
  for (int64_t n = 0; n < length; ++n) {
    vm.heap().Write(array, array->elements + n, view.array->elements[n]);
  }
  vm.heap().Write(view.vector, view.vector->field(kVectorArray), fresh);
  return true;
}

struct Token {
  StringView line;
  int64_t from = 0;
  int64_t to = 0;
  [[nodiscard]] int64_t size() const { return to - from; }
  [[nodiscard]] uint32_t at(int64_t i) const { return line.at(from + i); }
  [[nodiscard]] bool Is(char c) const { return size() == 1 && at(0) == static_cast<uint32_t>(c); }
};

enum class Scan : uint8_t { kToken, kEnd, kFallBack };

bool NextLine(Vm& vm, Object* lexer, const Array* text) WEFT_NO_ALLOC {
  const int64_t line = lexer->field(kLine)->AsFixnum();
  const Word next = line < text->size() ? text->elements[line] : gc::kFalse;
  const bool is_text = IsType(next, TypeId::kString);
  if (!is_text && next != gc::kFalse) return false;
  gc::Heap& heap = vm.heap();
  heap.Write(lexer, lexer->field(kLineText), next);
  *lexer->field(kLineLength) = Word::Fixnum(is_text ? As<String>(next)->size() : 0);
  *lexer->field(kLine) = Word::Fixnum(line + 1);
  *lexer->field(kColumn) = Word::Fixnum(0);
  return true;
}

// The next token that is no comment; the lexer then stands behind it.
Scan NextToken(Vm& vm, Word lexer_word, Token* token) WEFT_NO_ALLOC {
  Object* lexer = TupleOf(vm, lexer_word, kLexerSlots);
  if (lexer == nullptr || !IsType(*lexer->field(kText), TypeId::kArray)) return Scan::kFallBack;
  const Array* text = As<Array>(*lexer->field(kText));
  while (true) {
    for (const size_t slot : {kLine, kLineLength, kColumn}) {
      if (!lexer->field(slot)->IsFixnum()) return Scan::kFallBack;
    }
    const int64_t line = lexer->field(kLine)->AsFixnum();
    if (line < 0 || lexer->field(kColumn)->AsFixnum() < 0) return Scan::kFallBack;
    if (line > text->size()) return Scan::kEnd;
    const Word line_text = *lexer->field(kLineText);
    if (IsType(line_text, TypeId::kString)) {
      token->line = StringView(As<String>(line_text));
      const int64_t size = token->line.size();
      if (lexer->field(kLineLength)->AsFixnum() != size) return Scan::kFallBack;
      int64_t i = lexer->field(kColumn)->AsFixnum();
      const bool shebang =
          line == 1 && i == 0 && size >= 2 && token->line.at(0) == '#' && token->line.at(1) == '!';
      if (shebang) i = size;
      while (i < size && token->line.at(i) <= ' ') ++i;
      if (i < size) {
        token->from = i++;
        if (token->line.at(token->from) != '"') {
          while (i < size && token->line.at(i) > ' ') ++i;
        }
        token->to = i;
        *lexer->field(kColumn) = Word::Fixnum(i);
        *lexer->field(kTokenLine) = Word::Fixnum(line);
        *lexer->field(kTokenColumn) = Word::Fixnum(token->from + 1);
        if (!token->Is('!')) return Scan::kToken;
      }
    } else if (line_text != gc::kFalse) {
      return Scan::kFallBack;
    }
    if (!NextLine(vm, lexer, text)) return Scan::kFallBack;
  }
}

enum class Name : uint8_t { kWord, kNone, kAskLanguage };

// The last slot of an entry of qualified-vocabs is its assoc of words.
Word WordsOf(Vm& vm, Word qualified) WEFT_NO_ALLOC {
  Object* tuple = TupleOf(vm, qualified, 1);
  return tuple == nullptr ? gc::kFalse : *tuple->field(SlotCount(vm, tuple) - 1);
}

// What `search` finds, as far as tables alone tell it.
Name LookUp(Vm& vm, Word manifest_word, const Token& token, Word* word) WEFT_NO_ALLOC {
  const Object* manifest = TupleOf(vm, manifest_word, kManifestSlots);
  VectorView qualified;
  if (manifest == nullptr ||
      !ReadVector(vm, *const_cast<Object*>(manifest)->field(kQualifiedVocabs), &qualified)) {
    return Name::kAskLanguage;
  }
  const TextKey key(token.line, token.from, token.to);
  for (int64_t i = qualified.length; i > 0; --i) {
    switch (FindText(vm, WordsOf(vm, qualified.array->elements[i - 1]), key, word)) {
      case TextFound::kFound:
        // f as a value is no hit.
        if (*word == gc::kFalse) break;
        return IsType(*word, TypeId::kWordObject) ? Name::kWord : Name::kAskLanguage;
      case TextFound::kBadTable:
        return Name::kAskLanguage;
      case TextFound::kAbsent:
        break;
    }
  }
  switch (FindText(vm, *const_cast<Object*>(manifest)->field(kCache), key, word)) {
    case TextFound::kFound:
      return IsType(*word, TypeId::kWordObject) ? Name::kWord : Name::kAskLanguage;
    case TextFound::kBadTable:
      return Name::kAskLanguage;
    case TextFound::kAbsent:
      return Name::kNone;
  }
  return Name::kAskLanguage;
}

// Does any vocabulary in use have a word of that name?
bool AnyVocabularyHas(Vm& vm, Word manifest_word, const Token& token) WEFT_NO_ALLOC {
  Object* manifest = TupleOf(vm, manifest_word, kManifestSlots);
  VectorView vocabs;
  if (manifest == nullptr || !ReadVector(vm, *manifest->field(kSearchVocabs), &vocabs)) return true;
  const TextKey key(token.line, token.from, token.to);
  for (int64_t i = 0; i < vocabs.length; ++i) {
    // TUPLE: vocab name words ...
    Object* vocab = TupleOf(vm, vocabs.array->elements[i], 2);
    Word word;
    if (vocab == nullptr) return true;
    if (FindText(vm, *vocab->field(1), key, &word) != TextFound::kAbsent) return true;
  }
  return false;
}

// Decimal digits, perhaps behind a minus sign.
bool ReadInteger(const Token& token, int64_t* number) {
  const int64_t first = token.at(0) == '-' ? 1 : 0;
  const int64_t digits = token.size() - first;
  if (digits < 1 || digits > kDigits) return false;
  int64_t value = 0;
  for (int64_t i = first; i < token.size(); ++i) {
    const uint32_t c = token.at(i);
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  *number = first == 1 ? -value : value;
  return true;
}

// The token's text as a string, in args[result].
Outcome StoreToken(Vm& vm, Args args, size_t lexer_index, size_t result,
                   const Token& token) WEFT_ALLOCATES {
  gc::Root line(vm.heap());
  {
    const gc::NoAlloc scope;
    line.set(*gc::ObjectAt(args.get(lexer_index))->field(kLineText));
  }
  args.set(result, MakeSubstring(vm.heap(), line, token.from, token.to));
  return Outcome::kNext;
}

// Ends a run here? Else the datum was pushed.
enum class Step : uint8_t { kPushed, kDatum, kToken, kEnd, kFallBack };

Step ScanDatum(Vm& vm, Args args, Token* token, Word* datum) WEFT_NO_ALLOC {
  VectorView accumulator;
  VectorView positions;
  if (!ReadVector(vm, args.get(0), &accumulator) || !ReadVector(vm, args.get(1), &positions) ||
      accumulator.length != positions.length) {
    return Step::kFallBack;
  }
  switch (NextToken(vm, args.get(2), token)) {
    case Scan::kEnd:
      return Step::kEnd;
    case Scan::kFallBack:
      return Step::kFallBack;
    case Scan::kToken:
      break;
  }
  switch (LookUp(vm, args.get(3), *token, datum)) {
    case Name::kAskLanguage:
      return Step::kToken;
    case Name::kWord:
      if ((As<WordObject>(*datum)->flags.AsFixnum() & (kFlagParsing | kFlagDelimiter)) != 0) {
        return Step::kDatum;
      }
      break;
    case Name::kNone: {
      int64_t number;
      if (!ReadInteger(*token, &number) || AnyVocabularyHas(vm, args.get(3), *token)) {
        return Step::kToken;
      }
      *datum = Word::Fixnum(number);
    }
  }
  Object* lexer = gc::ObjectAt(args.get(2));
  Push(vm, accumulator, *datum);
  Push(vm, positions,
       Word::Fixnum(lexer->field(kTokenLine)->AsFixnum() << 32 |
                    lexer->field(kTokenColumn)->AsFixnum()));
  return Step::kPushed;
}

}  // namespace

Outcome PrimScanDatums(Vm& vm, Args args) {
  while (true) {
    if (!MakePlace(vm, args, 0) || !MakePlace(vm, args, 1)) {
      args.set(0, kReadYourself);
      return Outcome::kNext;
    }
    Token token;
    Step step;
    {
      const gc::NoAlloc scope;
      Word datum = gc::kFalse;
      step = ScanDatum(vm, args, &token, &datum);
      if (step == Step::kDatum || step == Step::kEnd) args.set(0, datum);
      if (step == Step::kEnd) args.set(0, gc::kFalse);
    }
    switch (step) {
      case Step::kPushed:
        continue;
      case Step::kDatum:
      case Step::kEnd:
        return Outcome::kNext;
      case Step::kToken:
        return StoreToken(vm, args, 2, 0, token);
      case Step::kFallBack:
        args.set(0, kReadYourself);
        return Outcome::kNext;
    }
  }
}

Outcome PrimScanNames(Vm& vm, Args args) {
  while (true) {
    if (!MakePlace(vm, args, 0)) {
      args.set(0, kReadYourself);
      return Outcome::kNext;
    }
    Token token;
    Scan scan;
    bool plain = true;
    {
      const gc::NoAlloc scope;
      scan = NextToken(vm, args.get(2), &token);
      if (scan == Scan::kToken) {
        const Word end = args.get(1);
        const bool is_end = IsType(end, TypeId::kString) &&
                            TextKey(token.line, token.from, token.to).Equals(As<String>(end));
        const uint32_t last = token.at(token.size() - 1);
        const bool dots = token.size() >= 2 && token.at(0) == '.' && token.at(1) == '.';
        const bool dashes = token.size() == 2 && token.at(0) == '-' && token.at(1) == '-';
        plain = !is_end && !dots && !dashes && last != ':' && !token.Is('(') && !token.Is(')');
      }
    }
    if (scan != Scan::kToken) {
      args.set(0, scan == Scan::kEnd ? gc::kFalse : kReadYourself);
      return Outcome::kNext;
    }
    if (!plain) return StoreToken(vm, args, 2, 0, token);
    gc::Root line(vm.heap());
    {
      const gc::NoAlloc scope;
      line.set(*gc::ObjectAt(args.get(2))->field(kLineText));
    }
    const Word name = MakeSubstring(vm.heap(), line, token.from, token.to);
    const gc::NoAlloc scope;
    VectorView names;
    if (ReadVector(vm, args.get(0), &names)) Push(vm, names, name);
  }
}

Outcome PrimNextToken(Vm& vm, Args args) {
  Token token;
  Scan scan;
  {
    const gc::NoAlloc scope;
    scan = NextToken(vm, args.get(0), &token);
  }
  if (scan == Scan::kToken) return StoreToken(vm, args, 0, 0, token);
  args.set(0, scan == Scan::kEnd ? gc::kFalse : kReadYourself);
  return Outcome::kNext;
}

Outcome PrimVectorToArray(Vm& vm, Args args) {
  int64_t length;
  {
    const gc::NoAlloc scope;
    VectorView view;
    length = ReadVector(vm, args.get(0), &view) ? view.length : -1;
  }
  if (length < 0) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  const size_t bytes = sizeof(Array) + static_cast<size_t>(length) * sizeof(Word);
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = static_cast<Array*>(gc::ObjectAt(word));
  array->length = Word::Fixnum(length);
  VectorView view;
  if (ReadVector(vm, args.get(0), &view)) {
    for (int64_t i = 0; i < length; ++i) array->elements[i] = view.array->elements[i];
  }
  args.set(0, word);
  return Outcome::kNext;
}

// A position is line << 32 + column; the bytes have both in 32 bits each, little endian.
Outcome PrimPackPositions(Vm& vm, Args args) {
  int64_t length;
  {
    const gc::NoAlloc scope;
    VectorView positions;
    length = ReadVector(vm, args.get(0), &positions) ? positions.length : -1;
  }
  if (length < 0) return BadType(vm, TypeId::kArray, args, 0);
  const size_t bytes = static_cast<size_t>(length) * 8;
  if (!HasRoom(vm, sizeof(ByteArray) + bytes)) return NoRoom(vm, sizeof(ByteArray) + bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + bytes);
  const gc::NoAlloc scope;
  auto* packed = static_cast<ByteArray*>(gc::ObjectAt(word));
  packed->length = Word::Fixnum(static_cast<int64_t>(bytes));
  VectorView positions;
  if (ReadVector(vm, args.get(0), &positions)) {
    for (int64_t i = 0; i < length; ++i) {
      const Word position = positions.array->elements[i];
      const int64_t both = position.IsFixnum() ? position.AsFixnum() : 0;
      const std::array<uint32_t, 2> pair = {static_cast<uint32_t>(both >> 32),
                                            static_cast<uint32_t>(both)};
      std::memcpy(packed->bytes + 8 * i, pair.data(), 8);
    }
  }
  args.set(0, word);
  return Outcome::kNext;
}

}  // namespace weft
