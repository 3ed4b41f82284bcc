// Jump threading: a block whose branch a predecessor can decide, or take itself, is passed by.
//
// Conditions made of conditions dissolve this way, and so do comparisons with what an earlier
// branch chose: `a b <=> +gt+ eq?` is a comparison of a and b and no more.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/types/span.h"
#include "compiler/passes.h"

namespace weft::compiler {
namespace {

class JumpThreader {
 public:
  JumpThreader(const Unit& unit, Procedure& procedure, const Replacements& replacements)
      : unit_(unit), procedure_(procedure), replacements_(replacements) {}

  bool Run() {
    const bool may_thread =
        std::any_of(procedure_.order.begin(), procedure_.order.end(),
                    [this](int block) { return MeetsShortBlock(BlockAt(block).insts); });
    if (!may_thread) return false;
    CountUses(unit_, replacements_, procedure_, &uses_);
    FindHeaders();
    bool any = false;
    for (const int from : procedure_.order) {
      while (TakeBranch(from) || PassKnown(from)) any = true;
    }
    return any;
  }

 private:
  // What a register is known to hold at some place.
  struct Known {
    VReg reg;
    Operand value;
  };
  using Facts = absl::InlinedVector<Known, 8>;
  // Of the blocks that are passed by at once, and of the instructions of each.
  static constexpr int kMostBlocks = 3;
  static constexpr size_t kMostInsts = 4;

  Block& BlockAt(int block) { return procedure_.blocks[static_cast<size_t>(block)]; }
  int& UsesOf(VReg reg) { return uses_[static_cast<size_t>(reg)]; }

  void FindHeaders() {
    is_header_.assign(procedure_.blocks.size(), false);
    for (const int block : procedure_.order) {
      const Vector<Inst>& insts = BlockAt(block).insts;
      if (insts.empty() || insts.back().kind != InstKind::kLoop) continue;
      is_header_[static_cast<size_t>(insts.back().targets[0])] = true;
    }
  }

  // Do these instructions end with moves and a jump to a block that does little?
  bool MeetsShortBlock(const Vector<Inst>& insts) {
    if (insts.size() < 2 || insts.back().kind != InstKind::kJump ||
        insts[insts.size() - 2].kind != InstKind::kMoves) {
      return false;
    }
    const Vector<Inst>& join = BlockAt(insts.back().targets[0]).insts;
    return !join.empty() && join.size() <= kMostInsts &&
           (IsCondition(join.back()) || join.back().kind == InstKind::kJump);
  }
  static bool IsCondition(const Inst& inst) {
    return inst.kind == InstKind::kBranch && inst.op == Op::kJumpIfFalse && inst.srcs[0].is_reg();
  }

  // A block that only branches on what its predecessors bring: each of them branches itself.
  bool TakeBranch(int from) {
    Vector<Inst>& insts = BlockAt(from).insts;
    if (!MeetsShortBlock(insts)) return false;
    const Block& join = BlockAt(insts.back().targets[0]);
    if (join.insts.size() != 1 || !IsCondition(join.insts[0])) return false;
    const Inst& branch = join.insts[0];
    if (UsesOf(branch.srcs[0].reg) != 1) return false;
    Inst& moves = insts[insts.size() - 2];
    const VReg condition = branch.srcs[0].reg;
    const auto place = std::find(moves.dsts.begin(), moves.dsts.end(), condition);
    if (place == moves.dsts.end()) return false;
    const auto index = place - moves.dsts.begin();
    const Operand source = moves.srcs[static_cast<size_t>(index)];
    // A branch on a register that another move of the same step overwrites would read too late.
    if (source.is_reg() &&
        std::find(moves.dsts.begin(), moves.dsts.end(), source.reg) != moves.dsts.end()) {
      return false;
    }
    Inst jump = branch;
    jump.position = insts.back().position;
    if (source.is_constant()) {
      jump.kind = InstKind::kJump;
      jump.op = Op::kJump;
      jump.srcs.clear();
      jump.targets = {branch.targets[source.constant.IsFalse() ? 0 : 1]};
    } else {
      jump.srcs[0] = source;
    }
    moves.dsts.erase(place);
    moves.srcs.erase(moves.srcs.begin() + index);
    insts.back() = std::move(jump);
    if (insts[insts.size() - 2].dsts.empty()) insts.erase(insts.end() - 2);
    return true;
  }

  static Operand Resolve(const Facts& facts, Operand operand) {
    if (!operand.is_reg()) return operand;
    for (auto fact = facts.rbegin(); fact != facts.rend(); ++fact) {
      if (fact->reg == operand.reg) return fact->value;
    }
    return operand;
  }

  // Adds what the moves do, all at once.
  static void Follow(const Inst& moves, Facts* facts) {
    Facts added;
    for (size_t i = 0; i < moves.dsts.size(); ++i) {
      added.push_back({moves.dsts[i], Resolve(*facts, moves.srcs[i])});
    }
    facts->insert(facts->end(), added.begin(), added.end());
  }

  // The result of `eq?` or `not` of constants.
  static std::optional<bool> Decide(const Inst& inst, const Facts& facts) {
    absl::InlinedVector<Word, 2> operands;
    for (const Operand& src : inst.srcs) {
      const Operand operand = Resolve(facts, src);
      if (!operand.is_constant()) return std::nullopt;
      operands.push_back(operand.constant);
    }
    if (inst.op == Op::kEq) return operands[0] == operands[1];
    if (inst.op == Op::kNot) return operands[0].IsFalse();
    return std::nullopt;
  }

  // Follows one instruction of a block that may be passed by; false if it stands in the way.
  bool FollowPassed(const Inst& inst, Facts* facts) {
    if (inst.kind == InstKind::kMoves) {
      Follow(inst, facts);
      return true;
    }
    if (inst.kind != InstKind::kCompute || inst.dsts.size() != 1 || UsesOf(inst.dsts[0]) != 1) {
      return false;
    }
    const std::optional<bool> result = Decide(inst, *facts);
    if (!result.has_value()) return false;
    facts->push_back({inst.dsts[0], Operand::Constant(Word::Bool(*result))});
    return true;
  }

  // Blocks up to one whose branch is decided by the constants that one predecessor brings: that one
  // does their moves with its own and goes where the branch would.
  bool PassKnown(int from) {
    Vector<Inst>& insts = BlockAt(from).insts;
    if (!MeetsShortBlock(insts)) return false;
    Facts facts;
    Follow(insts[insts.size() - 2], &facts);
    absl::InlinedVector<int, kMostBlocks> passed;
    int target = insts.back().targets[0];
    for (bool decided = false; !decided;) {
      const Block& block = BlockAt(target);
      if (passed.size() == kMostBlocks || is_header_[static_cast<size_t>(target)] ||
          block.handler != BlockAt(from).handler || block.insts.empty() ||
          block.insts.size() > kMostInsts) {
        return false;
      }
      for (size_t i = 0; i + 1 < block.insts.size(); ++i) {
        if (!FollowPassed(block.insts[i], &facts)) return false;
      }
      passed.push_back(target);
      const Inst& last = block.insts.back();
      if (last.kind == InstKind::kJump) {
        target = last.targets[0];
        continue;
      }
      if (!IsCondition(last)) return false;
      const Operand condition = Resolve(facts, last.srcs[0]);
      if (!condition.is_constant()) return false;
      target = last.targets[condition.constant.IsFalse() ? 0 : 1];
      decided = true;
    }
    insts.back().targets = {target};
    MoveAtOnce(facts, passed, &insts[insts.size() - 2]);
    if (insts[insts.size() - 2].dsts.empty()) insts.erase(insts.end() - 2);
    return true;
  }

  // What the registers hold at the end, as one step; but for those that only the passed blocks
  // read.
  void MoveAtOnce(const Facts& facts, absl::Span<const int> passed, Inst* moves) {
    absl::InlinedVector<VReg, 16> read;
    for (const int block : passed) {
      for (const Inst& inst : BlockAt(block).insts) {
        for (const Operand& src : inst.srcs) {
          if (src.is_reg()) read.push_back(src.reg);
        }
      }
    }
    moves->dsts.clear();
    moves->srcs.clear();
    for (const Known& fact : facts) {
      const VReg dst = fact.reg;
      const bool is_read_later = UsesOf(dst) > std::count(read.begin(), read.end(), dst);
      const bool is_new =
          std::find(moves->dsts.begin(), moves->dsts.end(), dst) == moves->dsts.end();
      const Operand source = Resolve(facts, Operand::Reg(dst));
      if (!is_read_later || !is_new || source == Operand::Reg(dst)) continue;
      moves->dsts.push_back(dst);
      moves->srcs.push_back(source);
      if (source.is_reg()) ++UsesOf(source.reg);
    }
  }

  const Unit& unit_;
  Procedure& procedure_;
  const Replacements& replacements_;
  Vector<int> uses_;
  Vector<bool> is_header_;
};

}  // namespace

bool ThreadJumps(const Unit& unit, Procedure& procedure, const Replacements& replacements) {
  return JumpThreader(unit, procedure, replacements).Run();
}

}  // namespace weft::compiler
