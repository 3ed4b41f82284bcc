// The passes between building and emitting, in order. All work on one procedure and run in linear
// time but for the fixpoints, which are bounded.
#ifndef WEFT_COMPILER_PASSES_H_
#define WEFT_COMPILER_PASSES_H_

#include <utility>

#include "absl/container/inlined_vector.h"
#include "compiler/unit.h"

namespace weft::compiler {

// What became of registers that were found to be copies: registers or constants.
class Replacements {
 public:
  explicit Replacements(int registers) : map_(static_cast<size_t>(registers)) {
    for (size_t i = 0; i < map_.size(); ++i) map_[i] = Operand::Reg(static_cast<VReg>(i));
  }
  [[nodiscard]] Operand Resolve(Operand operand) const {
    while (operand.is_reg() && static_cast<size_t>(operand.reg) < map_.size() &&
           map_[static_cast<size_t>(operand.reg)] != operand) {
      operand = map_[static_cast<size_t>(operand.reg)];
    }
    return operand;
  }
  void Replace(VReg reg, Operand by) {
    for (auto next = static_cast<VReg>(map_.size()); next <= reg; ++next) {
      map_.push_back(Operand::Reg(next));
    }
    map_[static_cast<size_t>(reg)] = by;
  }

 private:
  Vector<Operand> map_;
};

// Drops what cannot run, copies and constants through joins, folds branches, picks immediate and
// fused forms, removes what nobody reads. Afterwards kCompute, kBranch and kTable have register
// operands only.
Replacements Simplify(Unit& unit, Procedure& procedure);

// Part of Simplify: passes by blocks whose branch is decided before them (threading.cc). False:
// none.
bool ThreadJumps(const Unit& unit, Procedure& procedure, const Replacements& replacements);
// Objects that never leave the procedure become registers (objects.cc). False: there were none.
bool ReplaceObjects(Unit& unit, Procedure& procedure, Replacements& replacements);

// The last part of Simplify (legalise.cc).
void LegaliseOperands(const Unit& unit, const Replacements& replacements, Procedure& procedure);
// Puts a constant in a register where the loop is entered. False unless one jump enters it.
bool LoadBefore(Procedure& procedure, int header, Operand* constant);
// By register: how many operands and snapshots read it.
void CountUses(const Unit& unit, const Replacements& replacements, const Procedure& procedure,
               Vector<int>* uses);

// Calls `visit` with each register that a value of a snapshot consists of.
template <class Visit>
void ForEachRegister(const Unit& unit, const Replacements& replacements, ValueId id, Visit visit) {
  absl::InlinedVector<ValueId, 8> parts;
  while (true) {
    const Value& value = unit.values[static_cast<size_t>(id)];
    if (value.is_virtual()) {
      parts.push_back(value.first);
      id = value.second;
      continue;
    }
    if (value.is_reg()) {
      const Operand operand = replacements.Resolve(Operand::Reg(value.reg));
      if (operand.is_reg()) visit(operand.reg);
    }
    if (parts.empty()) return;
    id = parts.back();
    parts.pop_back();
  }
}

// The same for all that a snapshot keeps, but for its lowest `skipped` items.
template <class Visit>
void ForEachRegister(const Unit& unit, const Replacements& replacements, const Snapshot& snapshot,
                     int skipped, Visit visit) {
  for (size_t i = static_cast<size_t>(skipped); i < snapshot.data.size(); ++i) {
    ForEachRegister(unit, replacements, snapshot.data[i], visit);
  }
  if (!snapshot.keep_all) return;
  for (const ValueId id : snapshot.retained) ForEachRegister(unit, replacements, id, visit);
}

// One register's life: half-open ranges of program points, ascending. The instruction with number
// n in layout order reads at 2n and writes at 2n + 1.
struct LiveRange {
  absl::InlinedVector<std::pair<int, int>, 2> pieces;
  [[nodiscard]] bool empty() const { return pieces.empty(); }
  [[nodiscard]] bool Overlaps(const LiveRange& other) const;
  [[nodiscard]] bool Covers(int point) const;
};

struct Liveness {
  Vector<LiveRange> ranges;  // by register
  Vector<int> block_first;   // number of the first instruction, by position in order
};
Liveness ComputeLiveness(const Unit& unit, const Replacements& replacements,
                         const Procedure& procedure);

// Where everything is in the window.
struct SlotAssignment {
  Vector<int> slots;         // by register; -1: never live
  Vector<int> call_windows;  // by instruction number: A of a kCall, else -1
  int frame_size = 0;        // slots below this may be used; the next one is scratch
};
// False if the window would be too large.
bool AssignSlots(const Procedure& procedure, const Liveness& liveness, SlotAssignment* result);

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_PASSES_H_
