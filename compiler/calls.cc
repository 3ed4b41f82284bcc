// Words that are called: how, and what may stand in place of the call (a tuple made in line, the
// expansion of a macro, the definition of a small word).
#include <algorithm>

#include "compiler/infer.h"
#include "vm/generic.h"

namespace weft::compiler {
namespace {

// The layout of the tuples that a constructor word of the VM makes (MakeConstructor); f if the word
// is none.
Word ConstructedLayout(const WordObject* word) WEFT_NO_ALLOC {
  if (word->effect.IsPointer() || !IsType(word->code, TypeId::kCode)) return gc::kFalse;
  const Code* code = As<Code>(word->code);
  if (code->instruction_count.AsFixnum() != 3) return gc::kFalse;
  const uint32_t* at = code->instructions() + 1;
  if (DecodeOp(*at) != Op::kNewTuple) return gc::kFalse;
  const Word layout = Word::FromBits(*LiteralAddress(at, DecodeD(*at)));
  return IsType(layout, TypeId::kLayout) ? layout : gc::kFalse;
}

// Does its static code call other words? Then it is not made of primitives alone, and its
// definition need not be read: in the image, definitions lie apart.
bool CallsWords(const WordObject* word) WEFT_NO_ALLOC {
  if (!IsType(word->code, TypeId::kCode)) return false;
  const Code* code = As<Code>(word->code);
  if ((code->mode_and_counts.AsFixnum() & 0xFF) != static_cast<int64_t>(CodeMode::kStatic)) {
    return false;
  }
  const uint32_t* at = code->instructions();
  const uint32_t* end = at + code->instruction_count.AsFixnum();
  for (; at < end; at += InfoOf(DecodeOp(*at)).words()) {
    const Op op = DecodeOp(*at);
    if (op == Op::kCall || op == Op::kTailCall || op == Op::kCallGeneric ||
        op == Op::kTailCallGeneric) {
      return true;
    }
  }
  return false;
}

// Words of a few literals, shuffles and simple primitives are spliced: predicates, constants. Their
// effect must be exactly what they declare, so that splicing cannot hide an error. A trace does not
// name them: where the word is the program's own, nothing in it may throw.
bool IsSmall(const WordObject* word, const EffectCount& declared) WEFT_NO_ALLOC {
  constexpr int64_t kMaxElements = 5;
  constexpr int64_t kKeepsOwnFrame = kFlagMacro | kFlagParsing | kFlagDeferred | kFlagUncompiled;
  if (CallsWords(word) || word->generic_info.IsPointer() ||
      !IsType(word->def, TypeId::kQuotation) || (word->flags.AsFixnum() & kKeepsOwnFrame) != 0 ||
      declared.terminated || declared.has_rows) {
    return false;
  }
  const Word elements = As<Quotation>(word->def)->array;
  if (!IsType(elements, TypeId::kArray) || As<Array>(elements)->size() > kMaxElements) return false;
  const bool in_image = IsInImage(Word::Pointer(word));
  int height = declared.inputs;
  for (int64_t i = 0; i < As<Array>(elements)->size(); ++i) {
    const Word element = As<Array>(elements)->elements[i];
    if (!IsType(element, TypeId::kWordObject)) {
      if (IsType(element, TypeId::kQuotation)) return false;
      ++height;
      continue;
    }
    const int64_t row = (As<WordObject>(element)->flags.AsFixnum() & kFlagPrimitiveMask) - 1;
    if (row < 0 || row >= static_cast<int64_t>(kPrimitiveCount)) return false;
    const Primitive& primitive = kPrimitives[row];
    if (primitive.kind == PrimitiveKind::kBody || primitive.counts.terminates ||
        primitive.Has(kPrimNeedsMap) || primitive.Has(kPrimBlocks) ||
        (primitive.Has(kPrimThrows) && !in_image) || height < primitive.counts.inputs) {
      return false;
    }
    height += primitive.counts.outputs - primitive.counts.inputs;
  }
  return height == declared.outputs;
}

// How a generic word is called best: one whose methods are slot accessors reads the slot in line.
Op AccessorOp(const Array* info, const EffectCount& effect) WEFT_NO_ALLOC {
  const Word methods = info->elements[kGenericMethods];
  if (!IsType(methods, TypeId::kArray)) return Op::kCallGeneric;
  const bool reads = effect.inputs == 1 && effect.outputs == 1;
  const bool writes = effect.inputs == 2 && effect.outputs == 0;
  for (int64_t i = 1; i < As<Array>(methods)->size(); i += 2) {
    const Word method = As<Array>(methods)->elements[i];
    if (!IsType(method, TypeId::kWordObject)) continue;
    const int64_t flags = As<WordObject>(method)->flags.AsFixnum();
    if (reads && (flags & kFlagReadsSlot) != 0) return Op::kSlotOf;
    if (writes && (flags & kFlagWritesSlot) != 0) return Op::kSetSlotOf;
  }
  return Op::kCallGeneric;
}

}  // namespace

bool Builder::ApplyByEffect(Word word, int tail) {
  const WordObject* object = As<WordObject>(word);
  const Word layout = ConstructedLayout(object);
  if (layout.IsPointer()) {
    const int slots = static_cast<int>(As<Layout>(layout)->slot_count.AsFixnum());
    if (!Need(slots, word)) return false;
    unit_.DependOn(As<Layout>(layout)->class_word, Dependency::kClass);
    EmitCall(Op::kNewTuple, slots, 1, layout, 0);
    MarkTop(static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum()));
    return true;
  }
  EffectCount effect;
  if (!ReadEffect(unit_.vm, object->effect, &effect)) return Fail("missing-effect", word);
  if (!Need(effect.inputs, word)) return false;
  const auto known = static_cast<int>(object->flags.AsFixnum() >> kFlagTransformShift & 0xFF);
  if (known != 0) {
    bool done = false;
    if (!ApplyKnownArguments(word, known - 1, tail, &done)) return false;
    if (done) return true;
  }
  bool chosen = false;
  if (!ApplyChosenMethod(word, tail, &chosen)) return false;
  if (!chosen && !ApplyLikelyMethod(word, tail, &chosen)) return false;
  if (chosen) return true;
  if (IsSmall(object, effect)) {
    unit_.DependOn(word, Dependency::kDefinition);
    return ApplyInline(word, tail);
  }
  if (CanSplice(word, effect)) {
    bool done = false;
    if (!ApplySplice(word, effect, tail, &done)) return false;
    if (done) return true;
  }
  unit_.DependOn(word, Dependency::kEffect);
  if (word == unit_.vm.special(Special::kSqrt) && effect.inputs == 1 && effect.outputs == 1) {
    const Operand operand = OperandOf(Peek(0));
    Pop();
    const int snapshot = TakeSnapshot();
    Inst& inst = Emit(InstKind::kCompute, Op::kSqrt);
    inst.srcs.push_back(operand);
    inst.snapshot = snapshot;
    inst.dsts.push_back(NewRegister());
    Push(unit_.Register(inst.dsts[0]));
    return true;
  }

  EmitWordCall(word, effect, tail);
  return true;
}

bool Builder::IsTailCall(const EffectCount& effect, int tail) const {
  return tail == 0 && handler_ < 0 && !infer_only_ && !effect.terminated &&
         static_cast<int>(s_.data.size()) == effect.inputs && effect.outputs == expected_outputs_;
}

void Builder::EmitWordCall(Word word, const EffectCount& effect, int tail) {
  const Word info = As<WordObject>(word)->generic_info;
  Op call = Op::kCall;
  Op tail_call = Op::kTailCall;
  if (IsType(info, TypeId::kArray) &&
      As<Array>(info)->elements[kGenericKind] ==
          Word::Fixnum(static_cast<int64_t>(GenericKind::kSingle))) {
    call = AccessorOp(As<Array>(info), effect);
    tail_call = Op::kTailCallGeneric;
  }
  // A word that never returns is called, so that a trace shows who called it.
  const bool is_accessor = call == Op::kSlotOf || call == Op::kSetSlotOf;
  const bool in_tail = !is_accessor && IsTailCall(effect, tail);
  EmitCall(in_tail ? tail_call : call, effect.inputs, effect.outputs, word, 0);
  if (in_tail) {
    Inst& inst = procedure_.blocks[static_cast<size_t>(s_.block)].insts.back();
    inst.kind = InstKind::kTailCall;
    inst.dsts.clear();
    s_.end = End::kReturned;
  } else if (effect.terminated) {
    Emit(InstKind::kStop, Op::kNop);
    s_.end = End::kTerminated;
  }
}

bool Builder::ApplyMacro(Word word, int tail) {
  const int64_t literals = As<WordObject>(word)->flags.AsFixnum() >> kFlagTransformShift & 0xFF;
  if (literals != 0) return Expand(word, static_cast<int>(literals - 1), tail);
  EffectCount effect;
  if (!ReadEffect(unit_.vm, As<WordObject>(word)->effect, &effect)) {
    return Fail("missing-effect", word);
  }
  return Expand(word, effect.inputs, tail);
}

// What the language made of a macro and its literals; null: it has not been asked.
const Word* Builder::FindAnswer(Word word, const Vector<Word>& literals) const {
  if (!IsType(unit_.answers, TypeId::kArray)) return nullptr;
  // Answers are triples { macro literals expansion }.
  const Array* answers = As<Array>(unit_.answers);
  for (int64_t i = 0; i < answers->size(); ++i) {
    const Word entry = answers->elements[i];
    if (!IsType(entry, TypeId::kArray) || As<Array>(entry)->size() != 3) continue;
    const Array* answer = As<Array>(entry);
    if (answer->elements[0] != word || !IsType(answer->elements[1], TypeId::kArray)) continue;
    const Array* known = As<Array>(answer->elements[1]);
    if (known->size() == static_cast<int64_t>(literals.size()) &&
        std::equal(literals.begin(), literals.end(), known->elements)) {
      return &answer->elements[2];
    }
  }
  return nullptr;
}

// An ordinary word that may be something simpler for arguments that are known.
bool Builder::ApplyKnownArguments(Word word, int count, int tail, bool* done) {
  *done = false;
  if (static_cast<size_t>(count) > s_.data.size()) return true;
  Vector<Word> literals;
  for (int i = count - 1; i >= 0; --i) {
    const Value& value = At(Peek(i));
    if (!value.is_literal()) return true;
    literals.push_back(value.literal);
  }
  unit_.DependOn(word, Dependency::kDefinition);
  const Word* answer = FindAnswer(word, literals);
  if (answer == nullptr) {
    unit_.stop = Stop::kRequest;
    unit_.request_macro = word;
    unit_.request_literals = std::move(literals);
    return false;
  }
  if (answer->IsFalse()) return true;
  *done = true;
  Touch(count);
  for (int i = 0; i < count; ++i) Pop();
  return RunCallable(unit_.Literal(*answer, scope_), tail, word);
}

bool Builder::Expand(Word word, int literal_count, int tail) {
  if (!Need(literal_count, word)) return false;
  Vector<Word> literals;
  for (int i = literal_count - 1; i >= 0; --i) {
    const Value& value = At(Peek(i));
    if (!value.is_literal()) return FailInput(Peek(i), word);
    literals.push_back(value.literal);
  }
  unit_.DependOn(word, Dependency::kDefinition);
  if (const Word* answer = FindAnswer(word, literals)) {
    // What the expansion is made of was written where the literals were: an inline word that hands
    // its caller's literals to a macro is not called by itself if they call it.
    ScopeId written = kNoScope;
    bool has_objects = false;
    for (int i = 0; i < literal_count; ++i) {
      const Value& value = At(Pop());
      if (!value.literal.IsPointer()) continue;
      has_objects = true;
      written = std::max(written, value.scope);
    }
    return RunCallable(unit_.Literal(*answer, has_objects ? written : scope_), tail, word);
  }
  unit_.stop = Stop::kRequest;
  unit_.request_macro = word;
  unit_.request_literals = std::move(literals);
  return false;
}

}  // namespace weft::compiler
