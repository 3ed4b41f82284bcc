// What the instruction set wants of operands: a product with the sum behind it in one, constants in
// registers, those of loops before the loop.
#include "compiler/passes.h"

namespace weft::compiler {
namespace {

class Legaliser {
 public:
  Legaliser(const Unit& unit, const Replacements& replacements, Procedure& procedure)
      : unit_(unit), replacements_(replacements), procedure_(procedure) {}

  void Run() {
    FuseProducts();
    Legalise();
  }

 private:
  Block& BlockAt(int block) { return procedure_.blocks[static_cast<size_t>(block)]; }

  // A product that only the addition or subtraction behind it reads.
  void FuseProducts() {
    Vector<int> uses;
    CountUses(unit_, replacements_, procedure_, &uses);
    for (const int block : procedure_.order) {
      Vector<Inst>& insts = BlockAt(block).insts;
      for (size_t i = 0; i + 1 < insts.size(); ++i) {
        Inst& product = insts[i];
        const Inst& sum = insts[i + 1];
        if (product.kind != InstKind::kCompute || product.op != Op::kMul ||
            sum.kind != InstKind::kCompute || (sum.op != Op::kAdd && sum.op != Op::kSub) ||
            uses[static_cast<size_t>(product.dsts[0])] != 1) {
          continue;
        }
        const Operand made = Operand::Reg(product.dsts[0]);
        if (sum.srcs[0] == made) {
          product.op = sum.op == Op::kAdd ? Op::kMulThenAdd : Op::kMulThenSub;
        } else if (sum.srcs[1] == made) {
          product.op = sum.op == Op::kAdd ? Op::kMulThenAddTo : Op::kMulThenSubFrom;
        }
      }
    }
  }

  static bool IsFusedProduct(const Inst& inst) {
    return inst.op == Op::kMulThenAdd || inst.op == Op::kMulThenAddTo ||
           inst.op == Op::kMulThenSub || inst.op == Op::kMulThenSubFrom;
  }

  // By position in the order: the header of the outermost loop that the block is in; -1: none.
  Vector<int> FindLoops() {
    Vector<int> header(procedure_.order.size(), -1);
    Vector<int> place(procedure_.blocks.size(), -1);
    for (size_t i = 0; i < procedure_.order.size(); ++i) {
      place[static_cast<size_t>(procedure_.order[i])] = static_cast<int>(i);
    }
    for (size_t i = 0; i < procedure_.order.size(); ++i) {
      const Vector<Inst>& insts = BlockAt(procedure_.order[i]).insts;
      if (insts.empty()) continue;
      const Inst& last = insts.back();
      int target = -1;
      if (last.kind == InstKind::kLoop) target = last.targets[0];
      if (last.kind == InstKind::kCountedLoop) target = last.targets[2];
      if (target < 0) continue;
      for (auto at = static_cast<size_t>(place[static_cast<size_t>(target)]); at <= i; ++at) {
        // Outer loops begin before inner ones and end after them.
        const int known = header[at];
        if (known < 0 || place[static_cast<size_t>(known)] > place[static_cast<size_t>(target)]) {
          header[at] = target;
        }
      }
    }
    return header;
  }

  // Constants that have no place in an instruction are loaded before it, or before the loop that it
  // is in.
  void Legalise() {
    constexpr size_t kMaxHoisted = 8;
    const Vector<int> loops = FindLoops();
    absl::flat_hash_map<std::pair<int, uint64_t>, VReg> hoisted;
    const auto hoist = [&](int header, Operand constant) -> VReg {
      if (header < 0) return kNoReg;
      const std::pair<int, uint64_t> key(header, constant.constant.bits);
      const auto found = hoisted.find(key);
      if (found != hoisted.end()) return found->second;
      if (hoisted.size() >= kMaxHoisted || !LoadBefore(procedure_, header, &constant)) {
        return kNoReg;
      }
      hoisted[key] = constant.reg;
      return constant.reg;
    };
    for (size_t i = 0; i < procedure_.order.size(); ++i) {
      for (Inst& inst : BlockAt(procedure_.order[i]).insts) {
        if (inst.kind != InstKind::kCompute && inst.kind != InstKind::kBranch) continue;
        for (Operand& operand : inst.srcs) {
          if (operand.is_reg()) continue;
          const VReg reg = hoist(loops[i], operand);
          if (reg != kNoReg) operand = Operand::Reg(reg);
        }
      }
    }
    for (const int block : procedure_.order) {
      Vector<Inst>& insts = BlockAt(block).insts;
      Vector<Inst> out;
      out.reserve(insts.size());
      const auto load_constants = [&](Inst& inst) {
        for (Operand& operand : inst.srcs) {
          if (operand.is_reg()) continue;
          Inst load;
          load.kind = InstKind::kMoves;
          load.op = Op::kMove;
          load.position = inst.position;
          load.dsts.push_back(procedure_.register_count++);
          load.srcs.push_back(operand);
          operand = Operand::Reg(load.dsts[0]);
          out.push_back(std::move(load));
        }
      };
      for (size_t i = 0; i < insts.size(); ++i) {
        Inst& inst = insts[i];
        if (inst.kind == InstKind::kCompute || inst.kind == InstKind::kBranch ||
            inst.kind == InstKind::kTable) {
          load_constants(inst);
          // Nothing may come between a product and its sum.
          if (IsFusedProduct(inst)) load_constants(insts[i + 1]);
        }
        out.push_back(std::move(inst));
      }
      insts = std::move(out);
    }
  }

  const Unit& unit_;
  const Replacements& replacements_;
  Procedure& procedure_;
};

}  // namespace

bool LoadBefore(Procedure& procedure, int header, Operand* constant) {
  int entry = -1;
  for (const int block : procedure.order) {
    if (procedure.blocks[static_cast<size_t>(block)].insts.empty()) continue;
    const Inst& last = procedure.blocks[static_cast<size_t>(block)].insts.back();
    for (const int target : last.targets) {
      if (target != header || last.kind == InstKind::kLoop || last.kind == InstKind::kCountedLoop) {
        continue;
      }
      if (entry >= 0 || last.kind != InstKind::kJump) return false;
      entry = block;
    }
  }
  if (entry < 0) return false;
  Inst load;
  load.kind = InstKind::kMoves;
  load.op = Op::kMove;
  load.dsts.push_back(procedure.register_count++);
  load.srcs.push_back(*constant);
  *constant = Operand::Reg(load.dsts[0]);
  Vector<Inst>& insts = procedure.blocks[static_cast<size_t>(entry)].insts;
  insts.insert(insts.end() - 1, std::move(load));
  return true;
}

void CountUses(const Unit& unit, const Replacements& replacements, const Procedure& procedure,
               Vector<int>* counts) {
  Vector<int>& uses = *counts;
  uses.assign(static_cast<size_t>(procedure.register_count), 0);
  for (const int block : procedure.order) {
    for (const Inst& inst : procedure.blocks[static_cast<size_t>(block)].insts) {
      for (const Operand& operand : inst.srcs) {
        if (operand.is_reg()) ++uses[static_cast<size_t>(operand.reg)];
      }
      if (inst.snapshot < 0) continue;
      ForEachRegister(unit, replacements, procedure.snapshots[static_cast<size_t>(inst.snapshot)],
                      0, [&](VReg reg) { ++uses[static_cast<size_t>(reg)]; });
    }
  }
}

void LegaliseOperands(const Unit& unit, const Replacements& replacements, Procedure& procedure) {
  Legaliser(unit, replacements, procedure).Run();
}

}  // namespace weft::compiler
