#include "compiler/static_compiler.h"

#include <cstddef>
#include <memory>
#include <memory_resource>

#include "compiler/emit.h"
#include "compiler/infer.h"
#include "vm/code_builder.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

using compiler::Builder;
using compiler::ChosenMethod;
using compiler::EffectCount;
using compiler::End;
using compiler::Error;
using compiler::Position;
using compiler::Procedure;
using compiler::Stop;
using compiler::Unit;

// For a value that goes straight into another root: no allocation lies in between.
Word Raw(const gc::Root& root) WEFT_NO_ANALYSIS { return root.get(); }
Word Raw(Args args, size_t i) WEFT_NO_ANALYSIS { return args.get(i); }

// In a report: three such words in a row are a generic, a class and the method that was chosen.
constexpr int64_t kChosenMethod = 4;

// How far below its visible stack a quotation of unknown effect may reach.
constexpr int kInferReach = 64;

// The memory of what one unit makes (values.h, Vector), all given back at once. The compiler runs
// on one thread and never within itself.
class Scratch {
 public:
  Scratch() : before_(std::pmr::set_default_resource(&memory_)) {}
  ~Scratch() { std::pmr::set_default_resource(before_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  static constexpr size_t kFirstBytes = size_t{1} << 16;
  static char* FirstBytes() {
    alignas(std::max_align_t) static char bytes[kFirstBytes];
    return bytes;
  }
  std::pmr::monotonic_buffer_resource memory_{FirstBytes(), kFirstBytes,
                                              std::pmr::new_delete_resource()};
  std::pmr::memory_resource* before_;
};

// What is compiled, read once.
struct Subject {
  Word callable = gc::kFalse;
  Word quotation = gc::kFalse;
  Word path = gc::kFalse;
  Word location = gc::kFalse;
  Word declared_word = gc::kFalse;
  bool has_declared = false;
  EffectCount declared;
};

bool ReadSubject(Vm& vm, Word callable, Word declared, Subject* subject) WEFT_NO_ALLOC {
  subject->callable = callable;
  subject->quotation = callable;
  if (IsType(callable, TypeId::kWordObject)) {
    const WordObject* word = As<WordObject>(callable);
    subject->quotation = word->def;
    subject->location = word->location;
    if (declared.IsFalse()) declared = word->effect;
  }
  if (!IsType(subject->quotation, TypeId::kQuotation)) return false;
  const Word source = As<Quotation>(subject->quotation)->source;
  if (IsType(source, TypeId::kArray) && As<Array>(source)->size() == 2) {
    subject->path = As<Array>(source)->elements[0];
  }
  subject->declared_word = declared;
  subject->has_declared = compiler::ReadEffect(vm, declared, &subject->declared);
  return true;
}

// Follows the quotation without building code for keeps. False: unit.stop says why.
bool InferSubject(Unit& unit, const Subject& subject, EffectCount* effect) WEFT_NO_ALLOC {
  unit.procedures.push_back(std::make_unique<Procedure>());
  Builder builder(unit, *unit.procedures[0], kInferReach, /*infer_only=*/true);
  for (int i = 0; i < kInferReach; ++i) builder.state().data.push_back(unit.Register(i));
  if (!builder.Run(subject.quotation, compiler::kNoScope, 0)) return false;
  effect->inputs = kInferReach - builder.state().low;
  effect->outputs = static_cast<int>(builder.state().data.size()) - builder.state().low;
  effect->terminated = builder.state().end == End::kTerminated;
  return true;
}

// Builds the unit's first procedure for the declared effect.
bool BuildSubject(Unit& unit, const Subject& subject, bool* mismatch) WEFT_NO_ALLOC {
  unit.procedures.push_back(std::make_unique<Procedure>());
  Procedure& procedure = *unit.procedures[0];
  procedure.inputs = subject.declared.inputs;
  procedure.outputs = subject.declared.outputs;
  if (procedure.inputs > 200 || procedure.outputs > 200) {
    return unit.Fail("too-big", subject.callable, Position());
  }
  Builder builder(unit, procedure, procedure.inputs, /*infer_only=*/false);
  for (int i = 0; i < procedure.inputs; ++i) builder.state().data.push_back(unit.Register(i));
  if (!builder.Run(subject.quotation, compiler::kNoScope, procedure.outputs)) {
    *mismatch = unit.stop == Stop::kError && unit.error.kind == "stack-underflow";
    return false;
  }
  // Only code that never returns may be declared so.
  *mismatch = builder.wrong_outputs() ||
              (subject.declared.terminated && builder.state().end != End::kTerminated);
  if (builder.state().end == End::kLooped) *mismatch = false;
  return !*mismatch;
}

Word MakeArray(Vm& vm, const gc::RootVector& items) WEFT_ALLOCATES {
  const Word word =
      vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + items.size() * sizeof(Word));
  gc::NoAlloc scope;
  Array* array = As<Array>(word);
  array->length = Word::Fixnum(static_cast<int64_t>(items.size()));
  for (size_t i = 0; i < items.size(); ++i) {
    vm.heap().Write(array, &array->elements[i], items.get(i));
  }
  return word;
}

// What the analysis found, with its heap words in roots.
struct Verdict {
  explicit Verdict(Vm& vm)
      : words(vm.heap()),
        declared(vm.heap()),
        path(vm.heap()),
        location(vm.heap()),
        word(vm.heap()) {}
  Stop stop = Stop::kNone;
  std::string kind;
  gc::RootVector words;  // request literals, or dependencies with their kinds
  gc::Root declared, path, location, word;
  std::vector<EffectCount> effects;
  Position position;
};

void Keep(const Unit& unit, const Subject& subject, Verdict* verdict) WEFT_NO_ALLOC {
  verdict->stop = unit.stop;
  verdict->path.set(subject.path);
  verdict->location.set(subject.location);
  verdict->declared.set(subject.declared_word);
  switch (unit.stop) {
    case Stop::kRequest:
      verdict->word.set(unit.request_macro);
      for (const Word word : unit.request_literals) verdict->words.push_back(word);
      break;
    case Stop::kError:
      verdict->kind = unit.error.kind;
      verdict->word.set(unit.error.word);
      verdict->effects = unit.error.effects;
      for (const Word word : unit.error.site) verdict->words.push_back(word);
      verdict->position = unit.error.position;
      break;
    default:
      for (const auto& [word, how] : unit.dependencies) {
        verdict->words.push_back(word);
        verdict->words.push_back(Word::Fixnum(static_cast<int64_t>(how)));
      }
      for (const ChosenMethod& chosen : unit.chosen_methods) {
        for (const Word word : {chosen.generic, chosen.class_word, chosen.method}) {
          verdict->words.push_back(word);
          verdict->words.push_back(Word::Fixnum(kChosenMethod));
        }
      }
  }
}

Word MakeReport(Vm& vm, const Verdict& verdict) WEFT_ALLOCATES {
  gc::RootVector items(vm.heap());
  if (verdict.stop == Stop::kNone) return MakeArray(vm, verdict.words);
  if (verdict.stop == Stop::kRequest) {
    items.push_back(MakeString(vm.heap(), "expand"));
    items.push_back(Raw(verdict.word));
    items.push_back(MakeArray(vm, verdict.words));
    return MakeArray(vm, items);
  }
  gc::Root data(vm.heap());
  const bool is_mismatch = verdict.kind == "effect-mismatch";
  if (!verdict.effects.empty() || is_mismatch) {
    gc::RootVector effects(vm.heap());
    if (is_mismatch) effects.push_back(Raw(verdict.declared));
    for (const EffectCount& effect : verdict.effects) {
      effects.push_back(compiler::MakeEffect(vm, effect));
    }
    data.set(MakeArray(vm, effects));
  } else if (verdict.words.size() > 0) {
    data.set(MakeArray(vm, verdict.words));
  }
  gc::Root position(vm.heap(), Raw(verdict.location));
  if (verdict.position.line != 0) {
    gc::RootVector place(vm.heap());
    place.push_back(Raw(verdict.path));
    place.push_back(Word::Fixnum(verdict.position.line));
    place.push_back(Word::Fixnum(verdict.position.column));
    position.set(MakeArray(vm, place));
  }
  items.push_back(MakeString(vm.heap(), verdict.kind));
  items.push_back(Raw(verdict.word));
  items.push_back(Raw(data));
  items.push_back(Raw(position));
  return MakeArray(vm, items);
}

// Code that runs the definition in dynamic mode behind the declared effect, for what is too large
// or needs the whole stack.
void EmitWrapper(const Subject& subject, CodeBuilder& builder) WEFT_NO_ALLOC {
  const auto inputs = static_cast<uint32_t>(subject.declared.inputs);
  const auto outputs = static_cast<uint32_t>(subject.declared.outputs);
  builder.EmitAD(Op::kEnter, std::max(inputs + 1, outputs) + 1, 0);
  builder.AddPlainMap(inputs);
  builder.EmitLiteral(Op::kLoadLiteral, inputs, builder.Literal(subject.quotation));
  builder.EmitABC(Op::kCallDynamic, 0, inputs, outputs);
  builder.AddMap({}, {}, {});
  builder.EmitABC(Op::kReturn);
}

bool IsFallbackKind(const std::string& kind) { return kind == "too-big"; }

// Throws a type error unless args[0] can be compiled.
Outcome CheckCallable(Vm& vm, Args args, bool* ok) WEFT_ALLOCATES {
  {
    gc::NoAlloc scope;
    const Word callable = args.get(0);
    const Word quotation =
        IsType(callable, TypeId::kWordObject) ? As<WordObject>(callable)->def : callable;
    *ok = IsType(quotation, TypeId::kQuotation);
  }
  return *ok ? Outcome::kNext : vm.ThrowType(TypeId::kQuotation, Raw(args, 0));
}

}  // namespace

Outcome CompileStatic(Vm& vm, Args args) {
  bool ok = false;
  const Outcome checked = CheckCallable(vm, args, &ok);
  if (!ok) return checked;

  Verdict verdict(vm);
  const Scratch scratch;
  CodeBuilder builder(vm);
  auto fresh_builder = std::make_unique<CodeBuilder>(vm);
  Subject subject;
  bool made = false;
  {
    gc::NoAlloc scope;
    ReadSubject(vm, args.get(0), args.get(1), &subject);
    const auto new_unit = [&] {
      auto unit = std::make_unique<Unit>(vm);
      unit->answers = Raw(args, 2);
      unit->path = subject.path;
      unit->subject = subject.callable;
      return unit;
    };
    auto unit = new_unit();
    bool known = subject.has_declared;
    if (!known) {
      known = InferSubject(*unit, subject, &subject.declared);
      if (known) unit = new_unit();
    }
    if (known) {
      bool mismatch = false;
      made = BuildSubject(*unit, subject, &mismatch);
      if (mismatch) {
        // What it really does, for the message.
        auto second = new_unit();
        EffectCount inferred;
        if (InferSubject(*second, subject, &inferred)) {
          unit->stop = Stop::kNone;
          unit->Fail("effect-mismatch", subject.callable, Position());
          unit->error.effects = {inferred};
        } else {
          unit = std::move(second);
        }
      }
      if (made && !compiler::EmitUnit(*unit, builder)) {
        made = false;
        unit->Fail("too-big", subject.callable, Position());
      }
      if (!made && unit->stop == Stop::kError && IsFallbackKind(unit->error.kind)) {
        unit->stop = Stop::kNone;
        EmitWrapper(subject, *fresh_builder);
        made = true;
      } else if (made) {
        fresh_builder.reset();
      }
    }
    Keep(*unit, subject, &verdict);
  }

  gc::Root code(vm.heap());
  if (made) {
    gc::Root owner(vm.heap(), Raw(args, 0));
    CodeBuilder& chosen = fresh_builder != nullptr ? *fresh_builder : builder;
    code.set(chosen.Finish(CodeMode::kStatic, static_cast<uint32_t>(subject.declared.inputs),
                           static_cast<uint32_t>(subject.declared.outputs), owner, verdict.path));
    if (code.is_false() && fresh_builder == nullptr) {
      // Some distance did not fit its field.
      CodeBuilder wrapper(vm);
      {
        gc::NoAlloc scope;
        ReadSubject(vm, args.get(0), args.get(1), &subject);
        EmitWrapper(subject, wrapper);
      }
      code.set(wrapper.Finish(CodeMode::kStatic, static_cast<uint32_t>(subject.declared.inputs),
                              static_cast<uint32_t>(subject.declared.outputs), owner,
                              verdict.path));
    }
  }
  const Word report = MakeReport(vm, verdict);
  args.set(0, Raw(code));
  args.set(1, report);
  return Outcome::kNext;
}

Outcome InferEffect(Vm& vm, Args args) {
  bool ok = false;
  const Outcome checked = CheckCallable(vm, args, &ok);
  if (!ok) return checked;
  Verdict verdict(vm);
  EffectCount effect;
  bool known = false;
  {
    const Scratch scratch;
    gc::NoAlloc scope;
    Subject subject;
    ReadSubject(vm, args.get(0), gc::kFalse, &subject);
    Unit unit(vm);
    unit.answers = args.get(1);
    unit.path = subject.path;
    known = InferSubject(unit, subject, &effect);
    Keep(unit, subject, &verdict);
  }
  gc::Root result(vm.heap());
  if (known) result.set(compiler::MakeEffect(vm, effect));
  const Word report = MakeReport(vm, verdict);
  args.set(0, Raw(result));
  args.set(1, report);
  return Outcome::kNext;
}

}  // namespace weft
