#include <algorithm>

#include "compiler/passes.h"
#include "gc/check.h"

namespace weft::compiler {
namespace {

bool FitsImm8(Operand operand) {
  if (!operand.is_constant() || !operand.constant.IsFixnum()) return false;
  const int64_t n = operand.constant.AsFixnum();
  return n >= -128 && n <= 127;
}
int Imm(Operand operand) { return static_cast<int>(operand.constant.AsFixnum()); }

class Simplifier {
 public:
  Simplifier(Unit& unit, Procedure& procedure)
      : unit_(unit), procedure_(procedure), replacements_(procedure.register_count) {}

  Replacements Run() {
    DropUnreachable();
    for (int round = 0; round < 12; ++round) {
      const bool copies = PropagateCopies();
      const bool folded = FoldBranches();
      if (folded) DropUnreachable();
      const bool threaded = ThreadJumps(unit_, procedure_, replacements_);
      if (threaded) DropUnreachable();
      if (!copies && !folded && !threaded && !ReplaceObjects(unit_, procedure_, replacements_)) {
        break;
      }
    }
    SkipJumps();
    Fuse();
    RemoveUnused();
    CountLoops();
    LegaliseOperands(unit_, replacements_, procedure_);
    return std::move(replacements_);
  }

 private:
  Block& BlockAt(int block) { return procedure_.blocks[static_cast<size_t>(block)]; }

  void DropUnreachable() {
    Vector<bool> seen(procedure_.blocks.size());
    Vector<int> work = {procedure_.order[0]};
    seen[static_cast<size_t>(work[0])] = true;
    while (!work.empty()) {
      const int block = work.back();
      work.pop_back();
      for (const Inst& inst : BlockAt(block).insts) {
        for (const int target : inst.targets) {
          if (seen[static_cast<size_t>(target)]) continue;
          seen[static_cast<size_t>(target)] = true;
          work.push_back(target);
        }
      }
    }
    std::erase_if(procedure_.order, [&](int block) { return !seen[static_cast<size_t>(block)]; });
    for (size_t i = 0; i < procedure_.blocks.size(); ++i) {
      if (!seen[i]) procedure_.blocks[i].insts.clear();
    }
  }

  // What jumps to a block that only jumps on goes there itself.
  void SkipJumps() {
    for (const int block : procedure_.order) {
      Vector<Inst>& insts = BlockAt(block).insts;
      if (insts.empty()) continue;
      Inst& last = insts.back();
      // An empty block between a loop and what enters it is where constants can be loaded.
      if (last.kind != InstKind::kBranch) continue;
      for (int& target : last.targets) {
        for (int hops = 0; hops < 16; ++hops) {
          const Vector<Inst>& next = BlockAt(target).insts;
          if (next.size() != 1 || next[0].kind != InstKind::kJump) break;
          target = next[0].targets[0];
        }
      }
    }
    DropUnreachable();
  }

  // A register that is moved to from one source only (besides itself) is that source.
  bool PropagateCopies() {
    bool any = false;
    for (bool changed = true; changed;) {
      changed = false;
      struct Seen {
        bool several = false;
        bool has_source = false;
        Operand source;
      };
      Vector<Seen> seen(static_cast<size_t>(procedure_.register_count));
      for (const int block : procedure_.order) {
        for (const Inst& inst : BlockAt(block).insts) {
          if (inst.kind != InstKind::kMoves) continue;
          for (size_t i = 0; i < inst.dsts.size(); ++i) {
            const Operand source = replacements_.Resolve(inst.srcs[i]);
            if (source == Operand::Reg(inst.dsts[i])) continue;
            Seen& entry = seen[static_cast<size_t>(inst.dsts[i])];
            if (!entry.has_source) {
              entry.has_source = true;
              entry.source = source;
            } else if (entry.source != source) {
              entry.several = true;
            }
          }
        }
      }
      for (size_t reg = 0; reg < seen.size(); ++reg) {
        if (!seen[reg].has_source || seen[reg].several) continue;
        // Sources may have been replaced in this very round.
        const Operand source = replacements_.Resolve(seen[reg].source);
        if (source == Operand::Reg(static_cast<VReg>(reg))) continue;
        replacements_.Replace(static_cast<VReg>(reg), source);
        changed = true;
        any = true;
      }
      for (const int block : procedure_.order) {
        for (Inst& inst : BlockAt(block).insts) {
          for (Operand& operand : inst.srcs) operand = replacements_.Resolve(operand);
          if (inst.kind != InstKind::kMoves) continue;
          size_t kept = 0;
          for (size_t i = 0; i < inst.dsts.size(); ++i) {
            const Operand dst = Operand::Reg(inst.dsts[i]);
            if (replacements_.Resolve(dst) != dst || inst.srcs[i] == dst) continue;
            inst.dsts[kept] = inst.dsts[i];
            inst.srcs[kept] = inst.srcs[i];
            ++kept;
          }
          inst.dsts.resize(kept);
          inst.srcs.resize(kept);
        }
      }
    }
    return any;
  }

  bool FoldBranches() {
    bool any = false;
    for (const int block : procedure_.order) {
      Vector<Inst>& insts = BlockAt(block).insts;
      if (insts.empty()) continue;
      Inst& last = insts.back();
      if (last.kind != InstKind::kBranch || last.op != Op::kJumpIfFalse ||
          !last.srcs[0].is_constant()) {
        continue;
      }
      const int target = last.targets[last.srcs[0].constant.IsFalse() ? 0 : 1];
      last.kind = InstKind::kJump;
      last.op = Op::kJump;
      last.srcs.clear();
      last.targets = {target};
      any = true;
    }
    return any;
  }

  // The back edge of a loop that only counts i up to n: increment, compare and jump in one.
  void CountLoops() {
    const bool has_loop =
        std::any_of(procedure_.order.begin(), procedure_.order.end(), [this](int block) {
          const Vector<Inst>& insts = BlockAt(block).insts;
          return !insts.empty() && insts.back().kind == InstKind::kLoop;
        });
    if (!has_loop) return;
    CountUses();
    for (const int block : procedure_.order) CountLoop(block);
  }

  void CountLoop(int tail) {
    Vector<Inst>& insts = BlockAt(tail).insts;
    if (insts.size() < 3 || insts.back().kind != InstKind::kLoop) return;
    const int header = insts.back().targets[0];
    Inst& moves = insts[insts.size() - 2];
    if (moves.kind != InstKind::kMoves || BlockAt(header).insts.size() != 1) return;
    const Inst& test = BlockAt(header).insts[0];
    if (test.kind != InstKind::kBranch ||
        (test.op != Op::kJumpIfNotLess && test.op != Op::kJumpIfNotLessImm) ||
        !test.srcs[0].is_reg()) {
      return;
    }
    const VReg counter = test.srcs[0].reg;
    const auto place = std::find(moves.dsts.begin(), moves.dsts.end(), counter);
    if (place == moves.dsts.end()) return;
    const auto index = place - moves.dsts.begin();
    const Operand stepped = moves.srcs[static_cast<size_t>(index)];
    const Inst& add = insts[insts.size() - 3];
    if (add.kind != InstKind::kCompute || add.op != Op::kAddImm || add.imm != 1 ||
        add.srcs[0] != Operand::Reg(counter) || stepped != Operand::Reg(add.dsts[0]) ||
        uses_[static_cast<size_t>(add.dsts[0])] != 1) {
      return;
    }
    Operand limit;
    if (test.op == Op::kJumpIfNotLess) {
      limit = test.srcs[1];
      if (limit.is_reg() &&
          std::find(moves.dsts.begin(), moves.dsts.end(), limit.reg) != moves.dsts.end()) {
        return;
      }
    } else {
      limit = Operand::Constant(Word::Fixnum(test.imm));
    }
    if (limit.is_constant() && !LoadBefore(procedure_, header, &limit)) return;
    Inst loop;
    loop.kind = InstKind::kCountedLoop;
    loop.op = Op::kLoopIfLess;
    loop.dsts.push_back(counter);
    loop.srcs = {Operand::Reg(counter), limit};
    loop.targets = {test.targets[1], test.targets[0], header};
    loop.snapshot = insts.back().snapshot;
    loop.position = insts.back().position;
    moves.dsts.erase(place);
    moves.srcs.erase(moves.srcs.begin() + index);
    Inst rest = std::move(moves);
    insts.resize(insts.size() - 3);
    if (!rest.dsts.empty()) insts.push_back(std::move(rest));
    insts.push_back(std::move(loop));
  }

  // Immediate operands, and comparisons that only steer the branch behind them.
  void Fuse() {
    for (const int block : procedure_.order) {
      for (Inst& inst : BlockAt(block).insts) {
        if (inst.kind == InstKind::kCompute) UseImmediate(inst);
      }
    }
    CountUses();
    for (const int block : procedure_.order) {
      Vector<Inst>& insts = BlockAt(block).insts;
      while (insts.size() >= 2 && FuseBranch(insts)) {
      }
    }
  }

  void UseImmediate(Inst& inst) {
    const bool commutes = inst.op == Op::kAdd || inst.op == Op::kMul || inst.op == Op::kBitAnd;
    if (commutes && FitsImm8(inst.srcs[0]) && inst.srcs[1].is_reg()) {
      std::swap(inst.srcs[0], inst.srcs[1]);
    }
    if (inst.srcs.size() != 2 || !FitsImm8(inst.srcs[1]) || !inst.srcs[0].is_reg()) return;
    const int imm = Imm(inst.srcs[1]);
    Op op = inst.op;
    switch (inst.op) {
      case Op::kAdd:
        op = Op::kAddImm;
        break;
      case Op::kSub:
        op = Op::kSubImm;
        break;
      case Op::kMul:
        op = Op::kMulImm;
        break;
      case Op::kBitAnd:
        op = Op::kAndImm;
        break;
      case Op::kShift:
        op = Op::kShiftImm;
        break;
      case Op::kMod:
        if (imm > 0) op = Op::kModImm;
        break;
      default:
        break;
    }
    if (op == inst.op) return;
    inst.op = op;
    inst.imm = imm;
    inst.srcs.resize(1);
  }

  bool FuseBranch(Vector<Inst>& insts) {
    Inst& branch = insts.back();
    if (branch.kind != InstKind::kBranch ||
        (branch.op != Op::kJumpIfFalse && branch.op != Op::kJumpIfTrue)) {
      return false;
    }
    const Inst& test = insts[insts.size() - 2];
    if (test.kind != InstKind::kCompute || test.dsts.size() != 1 || !branch.srcs[0].is_reg() ||
        test.dsts[0] != branch.srcs[0].reg || uses_[static_cast<size_t>(test.dsts[0])] != 1) {
      return false;
    }
    const bool if_true = branch.op == Op::kJumpIfTrue;
    Inst fused = branch;
    fused.srcs = test.srcs;
    fused.snapshot = test.snapshot;
    fused.position = test.position;
    switch (test.op) {
      case Op::kNot:
        fused.op = if_true ? Op::kJumpIfFalse : Op::kJumpIfTrue;
        fused.snapshot = -1;
        break;
      case Op::kLess:
        if (FitsImm8(test.srcs[1]) && test.srcs[0].is_reg()) {
          fused.op = if_true ? Op::kJumpIfLessImm : Op::kJumpIfNotLessImm;
          fused.imm = Imm(test.srcs[1]);
          fused.srcs.resize(1);
        } else if (FitsImm8(test.srcs[0]) && test.srcs[1].is_reg()) {
          fused.op = if_true ? Op::kJumpIfGreaterImm : Op::kJumpIfNotGreaterImm;
          fused.imm = Imm(test.srcs[0]);
          fused.srcs = {test.srcs[1]};
        } else {
          fused.op = if_true ? Op::kJumpIfLess : Op::kJumpIfNotLess;
        }
        break;
      case Op::kLessEq:
        fused.op = if_true ? Op::kJumpIfLessEq : Op::kJumpIfNotLessEq;
        break;
      case Op::kNumEq:
        fused.op = if_true ? Op::kJumpIfNumEq : Op::kJumpIfNotNumEq;
        break;
      case Op::kIsShape:
        fused.op = if_true ? Op::kJumpIfShape : Op::kJumpIfNotShape;
        fused.imm = test.imm;
        fused.snapshot = -1;
        break;
      case Op::kEq:
        if (FitsImm8(test.srcs[0]) && test.srcs[1].is_reg()) {
          std::swap(fused.srcs[0], fused.srcs[1]);
        }
        if (fused.srcs[0].is_reg() && fused.srcs[1].is_constant() &&
            fused.srcs[1].constant.IsFalse()) {
          fused.op = if_true ? Op::kJumpIfFalse : Op::kJumpIfTrue;
          fused.srcs.resize(1);
        } else if (fused.srcs[0].is_reg() && FitsImm8(fused.srcs[1])) {
          fused.op = if_true ? Op::kJumpIfEqImm : Op::kJumpIfNotEqImm;
          fused.imm = Imm(fused.srcs[1]);
          fused.srcs.resize(1);
        } else {
          fused.op = if_true ? Op::kJumpIfEq : Op::kJumpIfNotEq;
        }
        fused.snapshot = -1;
        break;
      default:
        return false;
    }
    insts.pop_back();
    insts.back() = std::move(fused);
    return true;
  }

  // The registers that something but moves reads, directly or through moves: a value that only goes
  // round a loop is not needed.
  void FindNeeded() {
    needed_.assign(static_cast<size_t>(procedure_.register_count), false);
    work_.clear();
    const auto need = [&](VReg reg) {
      if (needed_[static_cast<size_t>(reg)]) return;
      needed_[static_cast<size_t>(reg)] = true;
      work_.push_back(reg);
    };
    for (auto& sources : feeds_) sources.clear();
    feeds_.resize(static_cast<size_t>(procedure_.register_count));
    for (const int block : procedure_.order) {
      for (const Inst& inst : BlockAt(block).insts) {
        if (inst.kind == InstKind::kMoves) {
          for (size_t i = 0; i < inst.dsts.size(); ++i) {
            if (inst.srcs[i].is_reg()) {
              feeds_[static_cast<size_t>(inst.dsts[i])].push_back(inst.srcs[i].reg);
            }
          }
        } else {
          for (const Operand& operand : inst.srcs) {
            if (operand.is_reg()) need(operand.reg);
          }
        }
        if (inst.snapshot < 0) continue;
        ForEachRegister(unit_, replacements_,
                        procedure_.snapshots[static_cast<size_t>(inst.snapshot)], 0, need);
      }
    }
    while (!work_.empty()) {
      const VReg reg = work_.back();
      work_.pop_back();
      for (const VReg source : feeds_[static_cast<size_t>(reg)]) need(source);
    }
  }

  // Moves and pure computations whose result nobody reads; in rounds, as one may feed another.
  void RemoveUnused() {
    for (bool changed = true; changed;) {
      changed = false;
      CountUses();
      FindNeeded();
      for (const int block : procedure_.order) {
        Vector<Inst>& insts = BlockAt(block).insts;
        for (Inst& inst : insts) {
          if (inst.kind != InstKind::kMoves) continue;
          size_t kept = 0;
          for (size_t i = 0; i < inst.dsts.size(); ++i) {
            if (!needed_[static_cast<size_t>(inst.dsts[i])]) continue;
            inst.dsts[kept] = inst.dsts[i];
            inst.srcs[kept] = inst.srcs[i];
            ++kept;
          }
          changed = changed || kept != inst.dsts.size();
          inst.dsts.resize(kept);
          inst.srcs.resize(kept);
        }
        const size_t removed = std::erase_if(insts, [&](const Inst& inst) {
          if (inst.kind == InstKind::kMoves) return inst.dsts.empty();
          if (inst.kind == InstKind::kCall) {
            return inst.op == Op::kNewTuple && uses_[static_cast<size_t>(inst.dsts[0])] == 0;
          }
          return inst.kind == InstKind::kCompute && inst.dsts.size() == 1 &&
                 !InfoOf(inst.op).Has(kOpThrows) && uses_[static_cast<size_t>(inst.dsts[0])] == 0;
        });
        changed = changed || removed != 0;
      }
    }
  }

  void CountUses() { compiler::CountUses(unit_, replacements_, procedure_, &uses_); }

  Unit& unit_;
  Procedure& procedure_;
  Replacements replacements_;
  Vector<int> uses_;
  // Of RemoveUnused:
  Vector<bool> needed_;
  Vector<VReg> work_;
  Vector<absl::InlinedVector<VReg, 2>> feeds_;  // by register: what is moved into it
};

}  // namespace

Replacements Simplify(Unit& unit, Procedure& procedure) {
  return Simplifier(unit, procedure).Run();
}

}  // namespace weft::compiler
