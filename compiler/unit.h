// What one compilation shares: values, scopes, what was learnt about other words, the answers of
// the language, limits, and the outcome so far. Lives inside one gc::NoAlloc scope.
#ifndef WEFT_COMPILER_UNIT_H_
#define WEFT_COMPILER_UNIT_H_

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "compiler/effects.h"
#include "compiler/ir.h"
#include "compiler/values.h"
#include "vm/vm.h"

namespace weft::compiler {

// Which inline words enclose a literal in the text it stands in, so that a call of an inline
// recursive word is a recursive one only where the word's own definition says it.
struct Scope {
  ScopeId parent = kNoScope;
  Word word = gc::kFalse;
  int frame = -1;      // of an inline recursive word: Unit::frames; -1: a plain inline word
  int32_t splice = 0;  // whose text this is part of, as in Position
};

// A call of an ordinary word that is followed in place (splice.cc).
struct Splice {
  Word word = gc::kFalse;
  Word path = gc::kFalse;  // of the word's text
  Position call;
  bool is_last = false;  // a tail call: nothing of the caller is left
};

// How a unit depends on a word; redefinition recompiles accordingly.
// kFolded: its result depends on whatever the word calls.
enum class Dependency : int { kEffect = 1, kDefinition = 2, kClass = 3, kFolded = 5 };

// That `method` is what `generic` runs for objects of `class_word` is built into the code.
struct ChosenMethod {
  Word generic, class_word, method;
};

struct Unit;

// An inline recursive word that is being followed.
struct Frame {
  Word word = gc::kFalse;
  class Builder* builder = nullptr;  // whose procedure it belongs to
  bool active = true;

  // A loop: calls of itself in tail position jump to `header`.
  int header = -1;
  bool others_ran = false;  // see State; at the header
  int strict_splices = 0;   // Unit::strict_splices at the header
  int level = 0;            // in the builder's nesting (see Builder, tail levels)
  Vector<ValueId> header_data;
  size_t header_retained = 0;
  absl::flat_hash_set<int> forced;     // positions that must be plain registers
  absl::flat_hash_set<int> shapeless;  // header registers (by number) whose shape changes

  // A subroutine: calls of itself anywhere.
  bool is_subroutine = false;
  int procedure = -1;
  Vector<ValueId> arguments;  // of the word inside the subroutine; callables are known
  bool effect_known = false;
  int below = 0;    // items below its arguments that it takes
  int outputs = 0;  // what it leaves in place of these and its arguments
  bool recursed = false;
};

enum class Stop : uint8_t {
  kNone,
  kError,    // `error` says why
  kRequest,  // `request_macro` needs an expansion
  kRestart,  // `restart_frame` must be followed again, in another way
};

struct Error {
  std::string kind;
  Word word = gc::kFalse;
  Word data = gc::kFalse;  // the declared effect, or another heap word the kind has
  std::vector<EffectCount> effects;
  Vector<Position> branch_positions;
  Position position;
  Vector<Word> site;  // of "unbalanced-recursion": Unit::Site
};

// The innermost call that the text being compiled makes itself of an inline word, and of each of
// its arguments the pieces (Builder::AddPieces) and an f: what a message about the word's inside
// should name.
struct Site {
  using Pieces = absl::InlinedVector<Word, 4>;
  Word word = gc::kFalse;
  Pieces pieces;
};

struct Unit {
  explicit Unit(Vm& vm_in) : vm(vm_in) {}

  Vm& vm;
  Word answers = gc::kFalse;
  Word path = gc::kFalse;     // of the source that positions refer to
  Word subject = gc::kFalse;  // the word or quotation that is compiled
  Vector<Value> values;
  Vector<Scope> scopes;
  Vector<std::unique_ptr<Frame>> frames;
  Vector<std::unique_ptr<Procedure>> procedures;  // [0] is the entry
  Vector<std::pair<Word, Dependency>> dependencies;
  Vector<ChosenMethod> chosen_methods;
  absl::flat_hash_set<uint64_t> seen_dependencies;
  absl::flat_hash_set<uint64_t> subroutine_words;  // must not become loops

  Vector<Splice> splices;
  int strict_splices = 0;                // of words that may be redefined while others run
  absl::flat_hash_set<uint64_t> called;  // words whose splicing failed

  // Callables that were given to an inline word which declares by how much each must raise the
  // stack.
  struct Declared {
    int height;
    Word word;
    int site;  // of the call, as `site` below
    Position position;
  };
  absl::flat_hash_map<ValueId, Declared> declared_heights;
  Vector<Site> sites;
  int site = -1;  // the one that is being followed
  Stop stop = Stop::kNone;
  Error error;
  Word request_macro = gc::kFalse;
  Vector<Word> request_literals;
  int restart_frame = -1;

  Vector<Word> active;  // quotations being followed, outermost first
  int depth = 0;        // nesting of quotations being followed
  int restarts = 0;
  size_t steps = 0;  // elements followed
  static constexpr int kMaxDepth = 600;
  static constexpr int kMaxVirtualDepth = 100;  // deeper callables become objects
  static constexpr int kMaxRestarts = 200;
  static constexpr size_t kMaxSteps = 400'000;
  static constexpr size_t kMaxRegisters = 30'000;

  [[nodiscard]] int32_t SpliceOf(ScopeId scope) const {
    return scope == kNoScope ? 0 : scopes[static_cast<size_t>(scope)].splice;
  }
  [[nodiscard]] Word PathOf(int32_t splice) const {
    return splice == 0 ? path : splices[static_cast<size_t>(splice - 1)].path;
  }
  ValueId Add(const Value& value) {
    values.push_back(value);
    return static_cast<ValueId>(values.size() - 1);
  }
  ValueId Literal(Word word, ScopeId scope = kNoScope) {
    Value value;
    value.literal = word;
    value.scope = scope;
    return Add(value);
  }
  ValueId Register(VReg reg, uint32_t shape = kNoShape) {
    Value value;
    value.kind = Value::kReg;
    value.reg = reg;
    value.shape = shape;
    return Add(value);
  }
  ValueId Virtual(Value::Kind kind, ValueId first, ValueId second) {
    Value value;
    value.kind = kind;
    value.first = first;
    value.second = second;
    value.depth = 1 + std::max(values[static_cast<size_t>(first)].depth,
                               values[static_cast<size_t>(second)].depth);
    return Add(value);
  }
  void DependOn(Word word, Dependency how) {
    if (seen_dependencies.insert(word.bits << 3 | static_cast<uint64_t>(how)).second) {
      dependencies.emplace_back(word, how);
    }
  }
  void DependOnMethod(Word generic, Word class_word, Word method) {
    DependOn(class_word, Dependency::kClass);
    for (const ChosenMethod& known : chosen_methods) {
      if (known.generic == generic && known.class_word == class_word) return;
    }
    chosen_methods.push_back({generic, class_word, method});
  }
  // Records the first error; false, for `return unit.Fail(...)`.
  bool Fail(const char* kind, Word word, Position position);
};

// Is it part of the library that the VM was started with?
inline bool IsInImage(Word word) {
  return word.bits >= gc::kImageBase && word.bits < gc::kImageBase + gc::kImageSpan;
}
// The layout a class word stands for; f if it is no tuple class.
Word LayoutOfClass(Word class_word) WEFT_NO_ALLOC;
// The layout that a special object names; null if there is none yet.
const Layout* SpecialLayout(const Vm& vm, Special special) WEFT_NO_ALLOC;

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_UNIT_H_
