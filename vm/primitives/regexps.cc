// Primitives of regular expressions: matching by RE2.
#include "vm/regexps.h"

#include <re2/re2.h>

#include <algorithm>
#include <vector>

#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

// The text and the pattern of a call, if both have one byte for each character and RE2 can compile
// the pattern; valid until the next allocation.
struct Subject {
  const re2::RE2* expression = nullptr;
  re2::StringPiece text;
};

Subject SubjectOf(Vm& vm, Args args) WEFT_NO_ALLOC {
  const StringView text(As<String>(args.get(0)));
  const StringView pattern(As<String>(args.get(1)));
  if (text.width() != String::kOne || pattern.width() != String::kOne) return {};
  return {vm.regexps().Find(
              {reinterpret_cast<const char*>(pattern.data()), static_cast<size_t>(pattern.size())}),
          {reinterpret_cast<const char*>(text.data()), static_cast<size_t>(text.size())}};
}

// The places from, to, from, to ... of at most `limit` matches that do not overlap.
void FindMatches(const Subject& subject, size_t from, size_t limit, std::vector<size_t>* places) {
  re2::StringPiece match;
  while (from <= subject.text.size() && places->size() < 2 * limit &&
         subject.expression->Match(subject.text, from, subject.text.size(), re2::RE2::UNANCHORED,
                                   &match, 1)) {
    const auto begin = static_cast<size_t>(match.data() - subject.text.data());
    const size_t end = begin + match.size();
    places->push_back(begin);
    places->push_back(end);
    from = std::max(end, begin + 1);
  }
}

}  // namespace

Outcome PrimRegexpMatches(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kString)) return BadType(vm, TypeId::kString, args, i);
  }
  for (size_t i = 2; i < 4; ++i) {
    if (!args.is_fixnum(i)) return BadType(vm, TypeId::kFixnum, args, i);
    if (args.fixnum(i) < 0) return BadSize(vm, args, i);
  }
  std::vector<size_t> places;
  {
    const gc::NoAlloc scope;
    const Subject subject = SubjectOf(vm, args);
    if (subject.expression == nullptr) {
      args.set(0, gc::kFalse);
      return Outcome::kNext;
    }
    FindMatches(subject, static_cast<size_t>(args.fixnum(2)), static_cast<size_t>(args.fixnum(3)),
                &places);
  }
  const size_t bytes = sizeof(Array) + places.size() * sizeof(Word);
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word result = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = As<Array>(result);
  array->length = Word::Fixnum(static_cast<int64_t>(places.size()));
  for (size_t i = 0; i < places.size(); ++i) {
    array->elements[i] = Word::Fixnum(static_cast<int64_t>(places[i]));
  }
  args.set(0, result);
  return Outcome::kNext;
}

Outcome PrimRegexpMatchesAll(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!Is(args, i, TypeId::kString)) return BadType(vm, TypeId::kString, args, i);
  }
  const gc::NoAlloc scope;
  const Subject subject = SubjectOf(vm, args);
  if (subject.expression == nullptr) {
    args.set(0, Word::Fixnum(0));
  } else {
    args.set(0, Word::Bool(subject.expression->Match(subject.text, 0, subject.text.size(),
                                                     re2::RE2::ANCHOR_BOTH, nullptr, 0)));
  }
  return Outcome::kNext;
}

}  // namespace weft
