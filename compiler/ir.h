// The intermediate form: basic blocks of three-address instructions over virtual registers.
//
// A register has one definition, or several parallel moves (the values that meet at a join or loop
// header: the join's blocks end with a move each). So a register of several definitions behaves
// like a phi, and replacing one whose sources are all the same by that source is sound.
//
// Blocks stand in `order` as they were begun: a definition comes before its uses, loops are
// contiguous, and only a kLoop goes backwards.
#ifndef WEFT_COMPILER_IR_H_
#define WEFT_COMPILER_IR_H_

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "compiler/values.h"
#include "vm/bytecode.h"
#include "vm/primitives.h"

namespace weft::compiler {

enum class InstKind : uint8_t {
  kCompute,  // dsts[0] := op of srcs (kMove, arithmetic, slots; kSetSlot has no dst)
  kCall,     // op in a window: srcs are its arguments, dsts its results
  kMoves,    // dsts[i] := srcs[i], all at once
  kBranch,   // op on srcs: targets[0] if it jumps, else targets[1]
  kTable,    // kTableJump on srcs[0]: one target a case
  kJump,     // targets[0]
  kLoop,     // targets[0], a back edge
  // dsts[0] += 1; while it is below srcs[1]: targets[0], else targets[1]. targets[2], the header,
  // if they are no fixnums.
  kCountedLoop,
  kReturn,    // srcs are the results
  kTailCall,  // op; srcs are the arguments
  kTry,       // targets[0]: body, targets[1]: handler
  kEndTry,
  kCatch,  // first in a handler: dsts[0] is the error
  kEnter,
  kStop,  // control does not get here (after a word that never returns)
};

// May another thread run while the call does, or the stacks be captured? Instructions that run code
// of the language for unusual operands only do not count. `imm`: the row of a primitive.
inline bool MayRunOthers(Op op, int32_t imm) {
  if (op != Op::kCallPrimitive) return !InfoOf(op).Has(kOpRarelyCalls);
  return kPrimitives[imm].Has(kPrimNeedsMap) || kPrimitives[imm].Has(kPrimBlocks);
}

struct Position {
  uint32_t line = 0;
  uint32_t column = 0;
  int32_t splice = 0;  // in which call that is followed in place (Unit::splices, from 1); 0: none
};

struct Inst {
  InstKind kind = InstKind::kStop;
  Op op = Op::kNop;
  int32_t imm = 0;            // field number, primitive row, procedure, or the immediate operand
  Word literal = gc::kFalse;  // word of a cell or cache, layout
  absl::InlinedVector<VReg, 2> dsts;
  absl::InlinedVector<Operand, 3> srcs;
  absl::InlinedVector<int, 2> targets;
  int snapshot = -1;  // in Procedure::snapshots: what the stacks hold below the operands
  Position position;

  [[nodiscard]] bool EndsBlock() const {
    switch (kind) {
      case InstKind::kBranch:
      case InstKind::kTable:
      case InstKind::kJump:
      case InstKind::kLoop:
      case InstKind::kCountedLoop:
      case InstKind::kReturn:
      case InstKind::kTailCall:
      case InstKind::kTry:
      case InstKind::kStop:
        return true;
      default:
        return false;
    }
  }
};

struct Block {
  Vector<Inst> insts;
  // The handlers that a throw inside this block may go to (innermost only: it covers the outer
  // ones' values, as its own block is covered by them).
  int handler = -1;
};

// Items of the two stacks at a safepoint, bottom first.
struct Snapshot {
  Vector<ValueId> data;
  Vector<ValueId> retained;
  bool keep_all = false;  // the callee reads the stacks: retained items must not be dropped
};

// One entry with its own frame: the word itself, or a subroutine (an inline recursive word that
// calls itself other than last).
struct Procedure {
  int inputs = 0;
  int outputs = 0;
  Vector<Block> blocks;
  Vector<int> order;
  int register_count = 0;  // registers 0..inputs-1 are the inputs
  Vector<Snapshot> snapshots;
  int skipped_items = 0;  // how many items at the bottom of every snapshot are not of this frame
};

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_IR_H_
