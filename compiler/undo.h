// Taking back what was built: loops and splices are found by trying.
#ifndef WEFT_COMPILER_UNDO_H_
#define WEFT_COMPILER_UNDO_H_

#include "compiler/infer.h"

namespace weft::compiler {

// What building can be taken back to.
struct Builder::Undo {
  explicit Undo(const Builder& b)
      : state(b.s_),
        scope(b.scope_),
        position(b.position_),
        level(b.level_),
        handler(b.handler_),
        depth(b.unit_.depth),
        blocks(b.procedure_.blocks.size()),
        insts(b.procedure_.blocks[static_cast<size_t>(b.s_.block)].insts.size()),
        order(b.procedure_.order.size()),
        registers(b.procedure_.register_count),
        snapshots(b.procedure_.snapshots.size()) {}

  void Apply(Builder& b) const {
    b.s_ = state;
    b.scope_ = scope;
    b.position_ = position;
    b.level_ = level;
    b.handler_ = handler;
    b.unit_.depth = depth;
    b.procedure_.blocks.resize(blocks);
    b.procedure_.blocks[static_cast<size_t>(state.block)].insts.resize(insts);
    b.procedure_.order.resize(order);
    b.procedure_.register_count = registers;
    b.procedure_.snapshots.resize(snapshots);
    b.unit_.stop = Stop::kNone;
    b.unit_.restart_frame = -1;
  }

  State state;
  ScopeId scope;
  Position position;
  int level;
  int handler;
  int depth;
  size_t blocks, insts, order;
  int registers;
  size_t snapshots;
};

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_UNDO_H_
