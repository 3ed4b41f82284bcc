// Inline words: spliced into their callers. An `inline recursive` word becomes a loop in the same
// procedure if it calls itself in tail position only, else a subroutine of the same code, called
// with the registers that its quotations captured as further inputs.
//
// Which of the two is found by trying: a loop that meets a call of itself outside tail position
// stops, everything built since the loop's entry is dropped, and the word is made a subroutine.
// A loop header starts with a register for every item of the stack except callables, which are
// expected to stay as they are; one that changes is given a register in a second try. Registers
// that never change are found and dropped afterwards (simplify.cc).
#include <algorithm>

#include "compiler/infer.h"
#include "compiler/undo.h"

namespace weft::compiler {

int Builder::FindFrame(Word word, bool* plain_inline) const {
  *plain_inline = false;
  for (ScopeId id = scope_; id != kNoScope;) {
    const Scope& scope = unit_.scopes[static_cast<size_t>(id)];
    if (scope.word == word) {
      *plain_inline = scope.frame < 0;
      return scope.frame;
    }
    id = scope.parent;
  }
  return -1;
}

bool Builder::ApplyInline(Word word, int tail) {
  bool plain_inline = false;
  FindFrame(word, &plain_inline);
  if (plain_inline) return Fail("undeclared-recursion", word);
  NoteDeclaredHeights(As<WordObject>(word));
  unit_.scopes.push_back({scope_, word, -1});
  const ScopeId scope = static_cast<ScopeId>(unit_.scopes.size() - 1);
  return RunQuotation(As<WordObject>(word)->def, scope, tail);
}

bool Builder::ApplyInlineRecursive(Word word, int tail) {
  bool plain_inline = false;
  const int frame_id = FindFrame(word, &plain_inline);
  EffectCount effect;
  if (!ReadEffect(unit_.vm, As<WordObject>(word)->effect, &effect)) {
    return Fail("missing-effect", word);
  }
  if (!Need(effect.inputs, word)) return false;
  if (frame_id >= 0) {
    Frame& frame = *unit_.frames[static_cast<size_t>(frame_id)];
    if (frame.is_subroutine) {
      Vector<ValueId> now;
      for (int i = effect.inputs - 1; i >= 0; --i) now.push_back(Peek(i));
      return CallSubroutine(frame, effect.inputs, now);
    }
    if (frame.builder == this && tail <= frame.level) return JumpToHeader(frame_id);
    unit_.subroutine_words.insert(word.bits);
    unit_.stop = Stop::kRestart;
    unit_.restart_frame = frame_id;
    return false;
  }
  if (unit_.subroutine_words.contains(word.bits)) return ApplySubroutine(word);
  bool restart = false;
  if (!ApplyLoop(word, tail, &restart)) return false;
  if (!restart) return true;
  return ApplySubroutine(word);
}

// --- loops
// -----------------------------------------------------------------------------------------

// A shape that a loop may be expected to keep: numbers change theirs, and f is often a beginning.
static bool IsLastingShape(uint32_t shape) {
  return shape != kNoShape &&
         (shape >= gc::kFirstTupleShape || shape == ShapeOf(TypeId::kArray) ||
          shape == ShapeOf(TypeId::kString) || shape == ShapeOf(TypeId::kByteArray));
}

ValueId Builder::HeaderValue(ValueId id, bool forced, const Frame& frame, Vector<VReg>* phis,
                             Vector<Operand>* entries) {
  const Value value = At(id);
  if (!forced) {
    if (value.is_virtual()) {
      const ValueId first = HeaderValue(value.first, false, frame, phis, entries);
      const ValueId second = HeaderValue(value.second, false, frame, phis, entries);
      return unit_.Virtual(value.kind, first, second);
    }
    if (value.is_literal() && IsCallable(id)) return id;
  }
  uint32_t shape = ShapeOfValue(id);
  if (!IsLastingShape(shape) || frame.shapeless.contains(static_cast<int>(phis->size()))) {
    shape = kNoShape;
  }
  entries->push_back(OperandOf(id));
  const VReg reg = NewRegister();
  phis->push_back(reg);
  return unit_.Register(reg, shape);
}

bool Builder::MatchHeader(ValueId header, ValueId now, Frame& frame, Vector<VReg>* phis,
                          Vector<Operand>* operands) {
  const Value expected = At(header);
  const Value value = At(now);
  switch (expected.kind) {
    case Value::kReg:
      if (expected.shape != kNoShape && expected.shape != ShapeOfValue(now)) {
        frame.shapeless.insert(static_cast<int>(phis->size()));
      }
      operands->push_back(OperandOf(now));
      phis->push_back(expected.reg);
      return true;
    case Value::kLiteral:
      return value.is_literal() && value.literal == expected.literal;
    default:
      return value.kind == expected.kind &&
             MatchHeader(expected.first, value.first, frame, phis, operands) &&
             MatchHeader(expected.second, value.second, frame, phis, operands);
  }
}

bool Builder::ApplyLoop(Word word, int tail, bool* restart) {
  const Undo undo(*this);
  absl::flat_hash_set<int> forced;
  absl::flat_hash_set<int> shapeless;
  bool others_ran = s_.others_ran;
  while (true) {
    const int frame_id = static_cast<int>(unit_.frames.size());
    unit_.frames.push_back(std::make_unique<Frame>());
    Frame& frame = *unit_.frames.back();
    frame.word = word;
    frame.builder = this;
    frame.level = ++level_;
    frame.forced = forced;
    frame.shapeless = shapeless;
    frame.others_ran = s_.others_ran = others_ran;
    frame.strict_splices = unit_.strict_splices;

    Vector<VReg> phis;
    Vector<Operand> entries;
    for (size_t i = 0; i < s_.data.size(); ++i) {
      const bool is_forced = forced.contains(static_cast<int>(i));
      const ValueId value = HeaderValue(s_.data[i], is_forced, frame, &phis, &entries);
      frame.header_data.push_back(value);
    }
    s_.data = frame.header_data;
    frame.header_retained = s_.retained.size();
    if (!phis.empty()) {
      Inst& moves = Emit(InstKind::kMoves, Op::kMove);
      moves.dsts.assign(phis.begin(), phis.end());
      moves.srcs.assign(entries.begin(), entries.end());
    }
    frame.header = NewBlock();
    EmitJump(frame.header);
    StartBlock(frame.header);

    unit_.scopes.push_back({scope_, word, frame_id});
    const ScopeId scope = static_cast<ScopeId>(unit_.scopes.size() - 1);
    const bool ok = RunQuotation(As<WordObject>(word)->def, scope, std::min(tail, frame.level));
    frame.active = false;
    if (ok) {
      level_ = undo.level;
      return true;
    }
    if (unit_.stop != Stop::kRestart || unit_.restart_frame != frame_id) return false;
    if (++unit_.restarts > Unit::kMaxRestarts) {
      undo.Apply(*this);
      return Fail("too-big", word);
    }
    forced = frame.forced;
    shapeless = frame.shapeless;
    others_ran = frame.others_ran;
    undo.Apply(*this);
    if (unit_.subroutine_words.contains(word.bits)) {
      *restart = true;
      return true;
    }
  }
}

bool Builder::JumpToHeader(int frame_id) {
  Frame& frame = *unit_.frames[static_cast<size_t>(frame_id)];
  if (s_.data.size() != frame.header_data.size()) {
    return Fail("unbalanced-recursion", frame.word);
  }
  Vector<VReg> phis;
  Vector<Operand> operands;
  const size_t shapeless = frame.shapeless.size();
  for (size_t i = 0; i < s_.data.size(); ++i) {
    if (MatchHeader(frame.header_data[i], s_.data[i], frame, &phis, &operands)) continue;
    if (!frame.forced.insert(static_cast<int>(i)).second) {
      return Fail("inconsistent-recursive-call", frame.word);
    }
    // Other registers than before: what is known about their shapes no longer fits.
    frame.shapeless.clear();
    unit_.stop = Stop::kRestart;
    unit_.restart_frame = frame_id;
    return false;
  }
  const bool ran_meanwhile = s_.others_ran && !frame.others_ran;
  if (ran_meanwhile) frame.others_ran = true;
  if (frame.shapeless.size() != shapeless ||
      (ran_meanwhile && unit_.strict_splices != frame.strict_splices)) {
    unit_.stop = Stop::kRestart;
    unit_.restart_frame = frame_id;
    return false;
  }
  Inst moves;
  moves.kind = InstKind::kMoves;
  moves.op = Op::kMove;
  moves.position = position_;
  for (size_t i = 0; i < phis.size(); ++i) {
    if (operands[i] == Operand::Reg(phis[i])) continue;
    moves.dsts.push_back(phis[i]);
    moves.srcs.push_back(operands[i]);
  }
  if (!moves.dsts.empty()) {
    procedure_.blocks[static_cast<size_t>(s_.block)].insts.push_back(std::move(moves));
  }
  s_.data = frame.header_data;
  s_.retained.resize(frame.header_retained);
  const int snapshot = TakeSnapshot();
  Inst& loop = Emit(InstKind::kLoop, Op::kLoop);
  loop.targets.push_back(frame.header);
  loop.snapshot = snapshot;

  // For the balance of what encloses it, the call has its declared effect.
  EffectCount effect;
  ReadEffect(unit_.vm, As<WordObject>(frame.word)->effect, &effect);
  s_.data.resize(s_.data.size() - static_cast<size_t>(effect.inputs));
  for (int i = 0; i < effect.outputs; ++i) Push(unit_.Literal(gc::kFalse));
  s_.end = End::kLooped;
  return true;
}

// --- subroutines
// -------------------------------------------------------------------------------------

ValueId Builder::CloneInto(Builder& inner, ValueId id, Vector<Operand>* captures) {
  const Value value = At(id);
  if (value.is_literal() && IsCallable(id)) return id;
  if (value.is_virtual()) {
    const ValueId first = CloneInto(inner, value.first, captures);
    const ValueId second = CloneInto(inner, value.second, captures);
    return unit_.Virtual(value.kind, first, second);
  }
  captures->push_back(OperandOf(id));
  return unit_.Register(static_cast<VReg>(captures->size() - 1));
}

// (known-effect) of a callable that is known: how many values it takes and leaves, as literals. It
// is followed on the side; the code that makes goes nowhere.
bool Builder::ApplyKnownEffect(Word word) {
  EffectCount effect;
  if (!FollowAside(Peek(0), word, &effect)) return false;
  Pop();
  Push(unit_.Literal(Word::Fixnum(effect.inputs)));
  Push(unit_.Literal(Word::Fixnum(effect.outputs)));
  Push(unit_.Literal(gc::kTrue));
  return true;
}

bool Builder::FollowAside(ValueId followed, Word word, EffectCount* effect) {
  constexpr int kReach = 64;
  Procedure aside;
  Builder inner(unit_, aside, 0, /*infer_only=*/true);
  inner.position_ = position_;
  inner.scope_ = scope_;
  Vector<Operand> captures;
  const ValueId callable = CloneInto(inner, followed, &captures);
  int next = static_cast<int>(captures.size());
  for (int i = 0; i < kReach; ++i) inner.s_.data.push_back(unit_.Register(next++));
  aside.inputs = next;
  aside.register_count = next;
  inner.s_.low = kReach;
  aside.blocks[0].insts[0].snapshot = inner.TakeSnapshot();
  if (!inner.RunCallable(callable, kNotTail, word)) return false;
  const int low = std::min(inner.s_.low, kReach);
  const int height = static_cast<int>(inner.s_.data.size());
  effect->inputs = kReach - low;
  effect->outputs = height - low;
  effect->terminated = inner.s_.end == End::kTerminated;
  return true;
}

bool Builder::CollectCaptures(ValueId pattern, ValueId now, Vector<Operand>* captures) {
  const Value expected = At(pattern);
  const Value value = At(now);
  switch (expected.kind) {
    case Value::kReg:
      captures->push_back(OperandOf(now));
      return true;
    case Value::kLiteral:
      return value.is_literal() && value.literal == expected.literal;
    default:
      return value.kind == expected.kind &&
             CollectCaptures(expected.first, value.first, captures) &&
             CollectCaptures(expected.second, value.second, captures);
  }
}

// A subroutine's inputs: what its callables captured, the items below its arguments that it
// reaches, its other arguments.
bool Builder::CallSubroutine(Frame& frame, int arity, const Vector<ValueId>& arguments) {
  Vector<Operand> captures;
  Vector<Operand> plain;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool is_static = !At(frame.arguments[i]).is_reg();
    if (!is_static) {
      plain.push_back(OperandOf(arguments[i]));
    } else if (!CollectCaptures(frame.arguments[i], arguments[i], &captures)) {
      return Fail("inconsistent-recursive-call", frame.word);
    }
  }
  frame.recursed = true;
  s_.others_ran = true;
  if (!frame.effect_known) {
    // First pass: this path tells nothing about the effect.
    s_.end = End::kTerminated;
    return true;
  }
  const int taken = arity + frame.below;
  if (!Need(taken, frame.word)) return false;
  Inst call;
  call.kind = InstKind::kCall;
  call.op = Op::kCallLocal;
  call.imm = frame.procedure;
  call.position = position_;
  for (const Operand& operand : captures) call.srcs.push_back(operand);
  for (int i = taken - 1; i >= arity; --i) call.srcs.push_back(OperandOf(Peek(i)));
  for (const Operand& operand : plain) call.srcs.push_back(operand);
  for (int i = 0; i < taken; ++i) Pop();
  call.snapshot = TakeSnapshot();
  for (int i = 0; i < frame.outputs; ++i) {
    const VReg reg = NewRegister();
    call.dsts.push_back(reg);
    Push(unit_.Register(reg));
  }
  procedure_.blocks[static_cast<size_t>(s_.block)].insts.push_back(std::move(call));
  return true;
}

bool Builder::ApplySubroutine(Word word) {
  EffectCount effect;
  ReadEffect(unit_.vm, As<WordObject>(word)->effect, &effect);
  Vector<ValueId> arguments;
  for (int i = effect.inputs - 1; i >= 0; --i) arguments.push_back(Peek(i));

  constexpr int kReach = 24;  // items below the arguments that a first pass may use
  constexpr int kMaxPasses = 6;
  bool known = false;
  int below = 0;
  int outputs = 0;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    // The last pass builds the code, with exactly the items it takes.
    for (const bool final : {false, true}) {
      if (final && !known) break;
      const int frame_id = static_cast<int>(unit_.frames.size());
      unit_.frames.push_back(std::make_unique<Frame>());
      Frame& frame = *unit_.frames.back();
      frame.word = word;
      frame.is_subroutine = true;
      frame.effect_known = known;
      frame.below = below;
      frame.outputs = outputs;
      frame.procedure = static_cast<int>(unit_.procedures.size());
      unit_.procedures.push_back(std::make_unique<Procedure>());
      Procedure& procedure = *unit_.procedures.back();
      Builder inner(unit_, procedure, 0, !final);
      inner.position_ = position_;
      inner.s_.others_ran = true;
      frame.builder = &inner;

      Vector<Operand> captures;
      for (const ValueId id : arguments) {
        frame.arguments.push_back(IsCallable(id) ? CloneInto(inner, id, &captures) : -1);
      }
      const int captured = static_cast<int>(captures.size());
      const int reach = final ? below : kReach;
      int next = captured;
      for (int i = 0; i < reach; ++i) inner.s_.data.push_back(unit_.Register(next++));
      for (ValueId& id : frame.arguments) {
        if (id < 0) id = unit_.Register(next++);
        inner.s_.data.push_back(id);
      }
      procedure.inputs = next;
      procedure.register_count = next;

      unit_.scopes.push_back({scope_, word, frame_id});
      const ScopeId scope = static_cast<ScopeId>(unit_.scopes.size() - 1);
      const bool ok = inner.Run(As<WordObject>(word)->def, scope, outputs);
      frame.active = false;
      frame.builder = nullptr;
      if (!ok) return false;
      procedure.outputs = outputs;
      if (final) {
        if (inner.wrong_outputs()) return Fail("unbalanced-recursion", word);
        return CallSubroutine(frame, effect.inputs, arguments);
      }
      const int height = static_cast<int>(inner.s_.data.size());
      const int arity_height = kReach + effect.inputs;
      const int new_below = std::max(0, kReach - std::min(inner.s_.low, arity_height));
      const int new_outputs = inner.s_.end == End::kTerminated ? new_below + effect.outputs
                                                               : height - (kReach - new_below);
      if (new_outputs < 0) return Fail("unbalanced-recursion", word);
      const bool stable = known && new_below == below && new_outputs == outputs;
      known = true;
      below = std::max(below, new_below);
      if (below != new_below) {
        outputs = new_outputs + (below - new_below);
      } else {
        outputs = new_outputs;
      }
      if (!stable && frame.recursed) break;  // another pass with what was learnt
    }
  }
  return Fail("unbalanced-recursion", word);
}

}  // namespace weft::compiler
