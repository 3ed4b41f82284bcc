// Words the compiler knows itself: call, execute, if, dip, locals, recover, dispatch, call(.
#include <algorithm>

#include "compiler/infer.h"

namespace weft::compiler {

bool Builder::ApplyBody(Word word, Op body, const EffectCounts& counts, int tail) {
  switch (body) {
    case Op::kDynCallTop: {
      if (!Need(1, word)) return false;
      if (!IsCallable(Peek(0))) return FailInput(Peek(0), word);
      const ValueId callable = Pop();
      return RunCallable(callable, tail, word);
    }
    case Op::kDynExecute:
      return ApplyExecute(word, tail);
    case Op::kDynIf:
      return ApplyIf(word, tail);
    case Op::kDynDip:
      return ApplyDip(word);
    case Op::kDynLoadLocal:
    case Op::kDynGetLocal:
    case Op::kDynDropLocals:
      return ApplyLocals(body, word);
    case Op::kDynTry:
      return ApplyRecover(word, tail);
    case Op::kDynDispatchTable:
      return ApplyDispatch(word, tail);
    case Op::kDynCallEffect:
      return ApplyCallEffect(word, tail);
    case Op::kDynGetDatastack: {
      static const int row = FindPrimitive("kernel.private", "(get-datastack)");
      EmitCall(Op::kCallPrimitive, 0, 1, word, row, /*keep_all=*/true);
      return true;
    }
    case Op::kDynSetDatastack:
    case Op::kDynClear:
      // They change the stack as a whole, which only dynamic mode has.
      return Fail("needs-dynamic", word);
    default:
      break;
  }
  if (!Need(counts.inputs, word)) return false;
  EmitCall(Op::kCall, counts.inputs, counts.outputs, word, 0);
  unit_.DependOn(word, Dependency::kEffect);
  if (counts.terminates) {
    Emit(InstKind::kStop, Op::kNop);
    s_.end = End::kTerminated;
  }
  return true;
}

bool Builder::ApplyExecute(Word word, int tail) {
  if (!Need(1, word)) return false;
  const Value value = At(Peek(0));
  if (!value.is_literal() || !IsType(value.literal, TypeId::kWordObject)) {
    return FailInput(Peek(0), word);
  }
  Pop();
  return ApplyWord(value.literal, tail);
}

bool Builder::ApplyDip(Word word) {
  if (!Need(2, word)) return false;
  if (!IsCallable(Peek(0))) return FailInput(Peek(0), word);
  const ValueId callable = Pop();
  const ValueId held = Pop();
  s_.retained.push_back({held, false});
  const size_t height = s_.retained.size();
  if (!RunCallable(callable, kNotTail, word)) return false;
  if (s_.end != End::kOpen) return true;
  if (s_.retained.size() != height) return Fail("too-many-r>", word);
  // The held value may have been given an object meanwhile.
  Push(s_.retained.back().value);
  s_.retained.pop_back();
  return true;
}

bool Builder::ApplyLocals(Op op, Word word) {
  if (!Need(1, word)) return false;
  if (op == Op::kDynLoadLocal) {
    const ValueId value = Pop();
    s_.retained.push_back({value, true});
    return true;
  }
  const Value count = At(Peek(0));
  if (!count.is_literal() || !count.literal.IsFixnum()) return FailInput(Peek(0), word);
  Pop();
  const int64_t n = count.literal.AsFixnum();
  if (op == Op::kDynGetLocal) {
    int64_t left = -n;
    for (auto item = s_.retained.rbegin(); left >= 0 && item != s_.retained.rend(); ++item) {
      if (!item->is_local) continue;
      if (left == 0) {
        Push(item->value);
        return true;
      }
      --left;
    }
    return Fail("too-many-r>", word);
  }
  for (int64_t i = 0; i < n; ++i) {
    if (s_.retained.empty() || !s_.retained.back().is_local) return Fail("too-many-r>", word);
    s_.retained.pop_back();
  }
  return true;
}

// --- branches ------------------------------------------------------------------------------------

bool Builder::RunBranch(const State& start, int block, ValueId callable, int tail, Word who,
                        State* end) {
  s_ = start;
  s_.low = static_cast<int>(s_.data.size());
  if (block >= 0) StartBlock(block);
  if (!RunCallable(callable, tail, who)) return false;
  if (s_.end == End::kOpen && tail == 0 && !infer_only_) EmitReturn();
  *end = s_;
  return true;
}

bool Builder::Unbalanced(const State& start, const Vector<State>& ends, Word word) {
  Fail("unbalanced-branches", word);
  const int entry = static_cast<int>(start.data.size());
  for (const State& end : ends) {
    EffectCount effect;
    effect.inputs = entry - end.low;
    effect.outputs = static_cast<int>(end.data.size()) - end.low;
    effect.terminated = end.end == End::kTerminated;
    unit_.error.effects.push_back(effect);
  }
  return false;
}

bool Builder::Merge(const State& start, Vector<State>& ends, int taken, Word word) {
  int low = start.low;
  const bool others_ran = std::any_of(ends.begin(), ends.end(), [](const State& end) {
    return end.end == End::kOpen && end.others_ran;
  });
  for (State& end : ends) end.others_ran = others_ran;
  const State* balance = nullptr;
  Vector<size_t> open;
  for (size_t i = 0; i < ends.size(); ++i) {
    low = std::min(low, ends[i].low);
    if (ends[i].end != End::kOpen && ends[i].end != End::kReturned) continue;
    if (balance != nullptr && balance->data.size() != ends[i].data.size()) {
      return Unbalanced(start, ends, word);
    }
    balance = &ends[i];
    if (ends[i].end == End::kOpen) open.push_back(i);
  }
  for (size_t i = 1; i < open.size(); ++i) {
    if (ends[open[i]].retained.size() != ends[open[0]].retained.size()) {
      return Unbalanced(start, ends, word);
    }
  }

  if (taken >= 0) {
    const State& live = ends[static_cast<size_t>(taken)];
    if (live.end == End::kOpen || live.end == End::kReturned || open.empty()) {
      s_ = live;
      s_.low = low;
      return true;
    }
  }
  if (open.empty()) {
    // Nothing goes on. What still has a stack stands for all: it counts for the outer balance.
    size_t best = 0;
    for (size_t i = 1; i < ends.size(); ++i) {
      const auto rank = [](End end) {
        return end == End::kReturned ? 2 : end == End::kLooped ? 1 : 0;
      };
      if (rank(ends[i].end) > rank(ends[best].end)) best = i;
    }
    s_ = ends[best];
    s_.low = low;
    return true;
  }
  if (open.size() == 1) {
    s_ = ends[open[0]];
    s_.low = low;
    return true;
  }

  // A join: positions that differ become registers, moved to at the end of each branch.
  Vector<VReg> registers;
  Vector<Vector<Operand>> sources(open.size());
  const auto meet = [&](auto&& item_of) {
    const ValueId first = item_of(ends[open[0]]);
    bool same = true;
    for (size_t i = 1; same && i < open.size(); ++i) {
      const ValueId other = item_of(ends[open[i]]);
      const Value& a = At(first);
      const Value& b = At(other);
      same = other == first || (a.is_literal() && b.is_literal() && a.literal == b.literal) ||
             (a.is_reg() && b.is_reg() && a.reg == b.reg && a.shape == b.shape);
    }
    return same;
  };
  State joined = ends[open[0]];
  const size_t data_size = joined.data.size();
  const size_t retained_size = joined.retained.size();
  for (size_t position = 0; position < data_size + retained_size; ++position) {
    const auto item_of = [&](State& state) -> ValueId& {
      return position < data_size ? state.data[position]
                                  : state.retained[position - data_size].value;
    };
    if (meet(item_of)) {
      item_of(joined) = item_of(ends[open[0]]);
      continue;
    }
    const VReg reg = NewRegister();
    registers.push_back(reg);
    for (size_t i = 0; i < open.size(); ++i) {
      // Objects of virtual values are made at the end of their branch.
      std::swap(s_, ends[open[i]]);
      sources[i].push_back(OperandOf(item_of(s_)));
      std::swap(s_, ends[open[i]]);
    }
    uint32_t shape = ShapeOfValue(item_of(ends[open[0]]));
    for (size_t i = 1; i < open.size(); ++i) {
      if (ShapeOfValue(item_of(ends[open[i]])) != shape) shape = kNoShape;
    }
    item_of(joined) = unit_.Register(reg, shape);
  }
  const int join = NewBlock();
  for (size_t i = 0; i < open.size(); ++i) {
    s_ = ends[open[i]];
    if (!registers.empty()) {
      Inst& moves = Emit(InstKind::kMoves, Op::kMove);
      moves.dsts.assign(registers.begin(), registers.end());
      moves.srcs.assign(sources[i].begin(), sources[i].end());
    }
    EmitJump(join);
  }
  s_ = std::move(joined);
  s_.low = low;
  s_.end = End::kOpen;
  StartBlock(join);
  return true;
}

bool Builder::ApplyIf(Word word, int tail) {
  if (!Need(3, word)) return false;
  for (const int place : {1, 0}) {
    if (!IsCallable(Peek(place))) return FailInput(Peek(place), word);
  }
  const ValueId if_false = Pop();
  const ValueId if_true = Pop();
  const Value condition = At(Peek(0));
  Vector<State> ends(2);
  const uint32_t shape = ShapeOfValue(Peek(0));
  const bool is_object = condition.is_reg() && shape != kNoShape && shape >= gc::kFirstTupleShape;
  if (!condition.is_reg() || is_object) {
    // Known: both are followed, since both must balance, but only one can run.
    const bool is_true = !condition.is_literal() || condition.literal.IsTrue();
    Pop();
    const State start = s_;
    const int taken = is_true ? 0 : 1;
    if (!RunBranch(start, -1, is_true ? if_true : if_false, tail, word,
                   &ends[static_cast<size_t>(taken)])) {
      return false;
    }
    const int dead = NewBlock();
    if (!RunBranch(start, dead, is_true ? if_false : if_true, tail, word,
                   &ends[static_cast<size_t>(1 - taken)])) {
      return false;
    }
    return Merge(start, ends, taken, word);
  }
  Pop();
  const int true_block = NewBlock();
  const int false_block = NewBlock();
  Inst& branch = Emit(InstKind::kBranch, Op::kJumpIfFalse);
  branch.srcs.push_back(Operand::Reg(condition.reg));
  branch.targets = {false_block, true_block};
  const State start = s_;
  if (!RunBranch(start, true_block, if_true, tail, word, &ends[0])) return false;
  if (!RunBranch(start, false_block, if_false, tail, word, &ends[1])) return false;
  return Merge(start, ends, -1, word);
}

bool Builder::ApplyDispatch(Word word, int tail) {
  if (!Need(2, word)) return false;
  const Value table = At(Peek(0));
  if (!table.is_literal() || !IsType(table.literal, TypeId::kArray)) {
    return FailInput(Peek(0), word);
  }
  const Array* quotations = As<Array>(table.literal);
  const int64_t count = quotations->size();
  if (count == 0 || count > 255) return Fail("too-big", word);
  Vector<ValueId> branches;
  for (int64_t i = 0; i < count; ++i) {
    branches.push_back(unit_.Literal(quotations->elements[i], table.scope));
    if (!IsCallable(branches.back())) return FailInput(branches.back(), word);
  }
  const Operand index = OperandOf(Peek(1));
  Pop();
  Pop();
  Vector<int> blocks;
  for (int64_t i = 0; i < count; ++i) blocks.push_back(NewBlock());
  const int snapshot = TakeSnapshot();
  Inst& jump = Emit(InstKind::kTable, Op::kTableJump);
  jump.srcs.push_back(index);
  jump.targets.assign(blocks.begin(), blocks.end());
  jump.snapshot = snapshot;
  const State start = s_;
  Vector<State> ends(static_cast<size_t>(count));
  for (size_t i = 0; i < ends.size(); ++i) {
    if (!RunBranch(start, blocks[i], branches[i], tail, word, &ends[i])) return false;
  }
  return Merge(start, ends, -1, word);
}

// recover: a handler stands while the first quotation runs. Everything the second needs was there
// before, so its registers are simply live all the while.
bool Builder::ApplyRecover(Word word, int tail) {
  if (!Need(2, word)) return false;
  for (const int place : {1, 0}) {
    if (!IsCallable(Peek(place))) return FailInput(Peek(place), word);
  }
  const ValueId recovery = Pop();
  const ValueId attempt = Pop();
  const int outer_handler = handler_;
  const int handler = NewBlock();
  handler_ = handler;
  const int body = NewBlock();
  const int snapshot = TakeSnapshot();
  Inst& inst = Emit(InstKind::kTry, Op::kTry);
  inst.targets = {body, handler};
  inst.snapshot = snapshot;
  const State start = s_;
  Vector<State> ends(2);

  s_.low = static_cast<int>(s_.data.size());
  StartBlock(body);
  if (!RunCallable(attempt, kNotTail, word)) return false;
  handler_ = outer_handler;
  if (s_.end == End::kOpen) {
    Emit(InstKind::kEndTry, Op::kEndTry);
    const int after = NewBlock();
    EmitJump(after);
    StartBlock(after);
    if (tail == 0 && !infer_only_) EmitReturn();
  }
  ends[0] = s_;

  s_ = start;
  s_.low = static_cast<int>(s_.data.size());
  s_.others_ran = true;
  StartBlock(handler);
  const VReg error = NewRegister();
  Emit(InstKind::kCatch, Op::kNop).dsts.push_back(error);
  Push(unit_.Register(error));
  if (!RunCallable(recovery, tail, word)) return false;
  if (s_.end == End::kOpen && tail == 0 && !infer_only_) EmitReturn();
  ends[1] = s_;
  return Merge(start, ends, -1, word);
}

bool Builder::ApplyCallEffect(Word word, int tail) {
  if (!Need(2, word)) return false;
  const Value literal = At(Peek(0));
  EffectCount effect;
  if (!literal.is_literal() || !ReadEffect(unit_.vm, literal.literal, &effect)) {
    return FailInput(Peek(0), word);
  }
  if (effect.inputs > 200 || effect.outputs > 200) return Fail("too-big", word);
  Pop();
  if (!Need(effect.inputs + 1, word)) return false;
  if (IsCallable(Peek(0)) && unit_.depth < Unit::kMaxDepth / 2) {
    // What is known and does what the call declares is followed; anything else is found out when it
    // runs.
    EffectCount found;
    if (FollowAside(Peek(0), word, &found)) {
      if (!found.terminated && found.inputs <= effect.inputs &&
          found.outputs - found.inputs == effect.outputs - effect.inputs) {
        return RunCallable(Pop(), tail, word);
      }
    } else if (unit_.stop == Stop::kError) {
      unit_.stop = Stop::kNone;
      unit_.error = Error();
    } else {
      return false;
    }
  }
  EmitCall(Op::kCallQuotation, effect.inputs + 1, effect.outputs, gc::kFalse, 0);
  if (effect.terminated) {
    Emit(InstKind::kStop, Op::kNop);
    s_.end = End::kTerminated;
  }
  return true;
}

}  // namespace weft::compiler
