#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "compiler/passes.h"

namespace weft::compiler {
namespace {

class BitSet {
 public:
  explicit BitSet(size_t bits = 0) : words_((bits + 63) / 64) {}
  void Add(int bit) { words_[static_cast<size_t>(bit) / 64] |= uint64_t{1} << (bit & 63); }
  void Remove(int bit) { words_[static_cast<size_t>(bit) / 64] &= ~(uint64_t{1} << (bit & 63)); }
  [[nodiscard]] bool Has(int bit) const {
    return (words_[static_cast<size_t>(bit) / 64] >> (bit & 63) & 1) != 0;
  }
  // True if this grew.
  bool Join(const BitSet& other) {
    bool grew = false;
    for (size_t i = 0; i < words_.size(); ++i) {
      const uint64_t joined = words_[i] | other.words_[i];
      grew = grew || joined != words_[i];
      words_[i] = joined;
    }
    return grew;
  }
  template <class Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < words_.size(); ++i) {
      for (uint64_t left = words_[i]; left != 0; left &= left - 1) {
        visit(static_cast<int>(i * 64) + __builtin_ctzll(left));
      }
    }
  }

 private:
  absl::InlinedVector<uint64_t, 4> words_;
};

// Of the data stack's items at a safepoint, which stay as long as they are on the stack so that
// get-datastack and errors show them.
template <class Visit>
void ForEachKept(const Unit& unit, const Replacements& replacements, const Procedure& procedure,
                 const Inst& inst, Visit visit) {
  if (inst.snapshot < 0) return;
  ForEachRegister(unit, replacements, procedure.snapshots[static_cast<size_t>(inst.snapshot)],
                  procedure.skipped_items, visit);
}

// What an instruction reads: its operands, and what is kept.
template <class Visit>
void ForEachUse(const Unit& unit, const Replacements& replacements, const Procedure& procedure,
                const Inst& inst, Visit visit) {
  for (const Operand& operand : inst.srcs) {
    if (operand.is_reg()) visit(operand.reg);
  }
  ForEachKept(unit, replacements, procedure, inst, visit);
}

}  // namespace

bool LiveRange::Overlaps(const LiveRange& other) const {
  auto a = pieces.begin();
  auto b = other.pieces.begin();
  while (a != pieces.end() && b != other.pieces.end()) {
    if (a->second <= b->first) {
      ++a;
    } else if (b->second <= a->first) {
      ++b;
    } else {
      return true;
    }
  }
  return false;
}

bool LiveRange::Covers(int point) const {
  auto after = std::upper_bound(pieces.begin(), pieces.end(), point,
                                [](int p, const auto& piece) { return p < piece.first; });
  return after != pieces.begin() && (after - 1)->second > point;
}

Liveness ComputeLiveness(const Unit& unit, const Replacements& replacements,
                         const Procedure& procedure) {
  const size_t registers = static_cast<size_t>(procedure.register_count);
  const size_t count = procedure.order.size();
  Liveness result;
  result.ranges.resize(registers);
  Vector<int> place(procedure.blocks.size(), -1);  // of a block in the order
  int number = 0;
  for (size_t i = 0; i < count; ++i) {
    const int block = procedure.order[i];
    place[static_cast<size_t>(block)] = static_cast<int>(i);
    result.block_first.push_back(number);
    number += static_cast<int>(procedure.blocks[static_cast<size_t>(block)].insts.size());
  }
  result.block_first.push_back(number);

  // Backward data flow: what is live at the start of each block.
  Vector<BitSet> live_in(count, BitSet(registers));
  const auto block_of = [&](size_t i) -> const Block& {
    return procedure.blocks[static_cast<size_t>(procedure.order[i])];
  };
  const auto live_out = [&](size_t i) {
    BitSet live(registers);
    const Block& block = block_of(i);
    if (!block.insts.empty()) {
      for (const int target : block.insts.back().targets) {
        live.Join(live_in[static_cast<size_t>(place[static_cast<size_t>(target)])]);
      }
    }
    if (block.handler >= 0 && place[static_cast<size_t>(block.handler)] >= 0) {
      live.Join(live_in[static_cast<size_t>(place[static_cast<size_t>(block.handler)])]);
    }
    return live;
  };
  const auto defines = [](const Inst& inst, auto&& visit) {
    for (const VReg reg : inst.dsts) visit(reg);
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = count; i-- > 0;) {
      BitSet live = live_out(i);
      const Vector<Inst>& insts = block_of(i).insts;
      for (auto inst = insts.rbegin(); inst != insts.rend(); ++inst) {
        defines(*inst, [&](VReg reg) { live.Remove(reg); });
        ForEachUse(unit, replacements, procedure, *inst, [&](VReg reg) { live.Add(reg); });
      }
      if (live_in[i].Join(live)) changed = true;
    }
  }

  // Ranges, built backwards; pieces are collected in reverse and turned round at the end.
  const auto add_piece = [&](VReg reg, int from, int to) {
    auto& pieces = result.ranges[static_cast<size_t>(reg)].pieces;
    if (!pieces.empty() && pieces.back().first <= to) {
      pieces.back().first = std::min(pieces.back().first, from);
    } else {
      pieces.emplace_back(from, to);
    }
  };
  Vector<int> open_end(registers, -1);  // end of the piece that is open at this point
  for (size_t i = count; i-- > 0;) {
    const Vector<Inst>& insts = block_of(i).insts;
    const int first = result.block_first[i] * 2;
    const int end = result.block_first[i + 1] * 2;
    Vector<VReg> opened;
    live_out(i).ForEach([&](int reg) {
      open_end[static_cast<size_t>(reg)] = end;
      opened.push_back(reg);
    });
    int n = result.block_first[i + 1];
    for (auto inst = insts.rbegin(); inst != insts.rend(); ++inst) {
      --n;
      defines(*inst, [&](VReg reg) {
        int& at = open_end[static_cast<size_t>(reg)];
        add_piece(reg, 2 * n + 1, at < 0 ? 2 * n + 2 : at);
        at = -1;
      });
      ForEachUse(unit, replacements, procedure, *inst, [&](VReg reg) {
        int& at = open_end[static_cast<size_t>(reg)];
        if (at >= 0) return;
        // Items of a safepoint's map must last through the instruction; operands are read at 2n.
        at = 2 * n + 1;
        opened.push_back(reg);
      });
      ForEachKept(unit, replacements, procedure, *inst, [&](VReg reg) {
        int& at = open_end[static_cast<size_t>(reg)];
        at = std::max(at, 2 * n + 2);
      });
    }
    for (const VReg reg : opened) {
      int& at = open_end[static_cast<size_t>(reg)];
      if (at >= 0) add_piece(reg, first, at);
      at = -1;
    }
  }
  for (LiveRange& range : result.ranges) std::reverse(range.pieces.begin(), range.pieces.end());
  return result;
}

}  // namespace weft::compiler
