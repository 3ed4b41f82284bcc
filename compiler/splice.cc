// Small words are followed in place of a call though nobody declared them inline. Nothing else may
// show it:
//
// - A trace names them: each instruction knows the call it belongs to (Position::splice), and the
//   code's line table tells which words these are (vm/line_table.h).
// - A new definition takes effect at once: callers are compiled anew, and an activation that began
//   before must not go on with what was spliced. It can meet a new definition only after other code
//   has run, so a word is spliced only where none can have run since the entry (State::others_ran).
//   Words of the image are exempt: they change with the library.
// - Errors in the stack effect stay the word's own: only what has been compiled for its declared
//   effect is spliced, and what does not work out is called after all.
#include "compiler/infer.h"
#include "compiler/undo.h"

namespace weft::compiler {
namespace {

constexpr int64_t kMaxCodeWords = 24;  // of the word's own code, in 32-bit words
constexpr int kMaxNesting = 5;
constexpr size_t kMaxSplices = 400;   // in one unit, tried or done
constexpr int kMaxRegisters = 2'000;  // beyond which a procedure is large enough

// Code without loops and subroutines that calls one other word at most.
bool IsSmallCode(const Code* code) WEFT_NO_ALLOC {
  const uint32_t* at = code->instructions();
  const uint32_t* end = at + code->instruction_count.AsFixnum();
  int calls = 0;
  for (; at < end; at += InfoOf(DecodeOp(*at)).words()) {
    switch (DecodeOp(*at)) {
      case Op::kLoop:
      case Op::kLoopIfLess:
      case Op::kCallLocal:
      case Op::kTry:
      case Op::kTableJump:
      case Op::kCallDynamic:
        return false;
      case Op::kCall:
      case Op::kTailCall:
      case Op::kCallGeneric:
      case Op::kTailCallGeneric:
      case Op::kCallQuotation:
      case Op::kExecuteWord:
        if (++calls > 1) return false;
        break;
      default:
        break;
    }
  }
  return true;
}

}  // namespace

bool Builder::CanSplice(Word word, const EffectCount& effect) const {
  constexpr int64_t kKeepsOwnFrame = kFlagMacro | kFlagParsing | kFlagDeferred | kFlagUncompiled;
  const WordObject* object = As<WordObject>(word);
  if (word == unit_.subject || !IsType(object->code, TypeId::kCode) ||
      object->generic_info.IsPointer() || (object->flags.AsFixnum() & kKeepsOwnFrame) != 0 ||
      effect.terminated || effect.has_rows || (s_.others_ran && !IsInImage(word)) ||
      procedure_.register_count > kMaxRegisters || unit_.splices.size() >= kMaxSplices ||
      unit_.depth > Unit::kMaxDepth / 2) {
    return false;
  }
  const Code* code = As<Code>(object->code);
  const auto packed = static_cast<int64_t>(CodeMode::kStatic) | int64_t{effect.inputs} << 8 |
                      int64_t{effect.outputs} << 16;
  if (code->mode_and_counts.AsFixnum() != packed || code->owner != word ||
      code->instruction_count.AsFixnum() > kMaxCodeWords ||
      !IsType(object->def, TypeId::kQuotation) || unit_.called.contains(word.bits) ||
      !IsSmallCode(code)) {
    return false;
  }
  bool plain_inline = false;
  if (FindFrame(word, &plain_inline) >= 0 || plain_inline) return false;
  int nesting = 0;
  for (int32_t splice = position_.splice; splice != 0; ++nesting) {
    const Splice& outer = unit_.splices[static_cast<size_t>(splice - 1)];
    if (outer.word == word) return false;
    splice = outer.call.splice;
  }
  return nesting < kMaxNesting;
}

bool Builder::ApplySplice(Word word, const EffectCount& effect, int tail, bool* done) {
  const Undo undo(*this);
  const Word source = As<Quotation>(As<WordObject>(word)->def)->source;
  Splice splice;
  splice.word = word;
  if (IsType(source, TypeId::kArray) && As<Array>(source)->size() == 2) {
    splice.path = As<Array>(source)->elements[0];
  }
  splice.call = position_;
  splice.is_last = IsTailCall(effect, tail);
  unit_.splices.push_back(splice);
  const auto number = static_cast<int32_t>(unit_.splices.size());
  // The word's text stands in none of the texts that are being followed.
  unit_.scopes.push_back({kNoScope, word, -1, number});
  const auto scope = static_cast<ScopeId>(unit_.scopes.size() - 1);
  if (!IsInImage(word)) ++unit_.strict_splices;
  position_ = {0, 0, number};
  const size_t height =
      s_.data.size() - static_cast<size_t>(effect.inputs) + static_cast<size_t>(effect.outputs);
  const bool ok = RunQuotation(As<WordObject>(word)->def, scope, tail);
  *done = ok && (s_.end != End::kOpen || s_.data.size() == height);
  position_ = undo.position;
  if (*done) {
    unit_.DependOn(word, Dependency::kDefinition);
    return true;
  }
  if (!ok && unit_.stop != Stop::kError) return false;
  unit_.called.insert(word.bits);
  unit_.error = Error();
  undo.Apply(*this);
  return true;
}

}  // namespace weft::compiler
