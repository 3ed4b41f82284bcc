#include "compiler/emit.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "compiler/passes.h"
#include "gc/check.h"

namespace weft::compiler {
namespace {

// A move between slots of one window.
struct SlotMove {
  int dst;
  int src;
};
using Moves = absl::InlinedVector<SlotMove, 8>;

// The conditional jump that jumps when `op` does not.
Op Inverted(Op op) {
  switch (op) {
    case Op::kJumpIfTrue:
      return Op::kJumpIfFalse;
    case Op::kJumpIfFalse:
      return Op::kJumpIfTrue;
    case Op::kJumpIfLess:
      return Op::kJumpIfNotLess;
    case Op::kJumpIfNotLess:
      return Op::kJumpIfLess;
    case Op::kJumpIfLessEq:
      return Op::kJumpIfNotLessEq;
    case Op::kJumpIfNotLessEq:
      return Op::kJumpIfLessEq;
    case Op::kJumpIfLessImm:
      return Op::kJumpIfNotLessImm;
    case Op::kJumpIfNotLessImm:
      return Op::kJumpIfLessImm;
    case Op::kJumpIfGreaterImm:
      return Op::kJumpIfNotGreaterImm;
    case Op::kJumpIfNotGreaterImm:
      return Op::kJumpIfGreaterImm;
    case Op::kJumpIfNumEq:
      return Op::kJumpIfNotNumEq;
    case Op::kJumpIfNotNumEq:
      return Op::kJumpIfNumEq;
    case Op::kJumpIfEqImm:
      return Op::kJumpIfNotEqImm;
    case Op::kJumpIfNotEqImm:
      return Op::kJumpIfEqImm;
    case Op::kJumpIfEq:
      return Op::kJumpIfNotEq;
    case Op::kJumpIfNotEq:
      return Op::kJumpIfEq;
    case Op::kJumpIfShape:
      return Op::kJumpIfNotShape;
    case Op::kJumpIfNotShape:
      return Op::kJumpIfShape;
    default:
      WEFT_CHECK(false && "not a conditional jump");
      return op;
  }
}

class Emitter {
 public:
  Emitter(const Unit& unit, const Procedure& procedure, const Replacements& replacements,
          const Vector<CodeBuilder::Label>& entries, CodeBuilder& builder, Vector<uint32_t>& calls)
      : unit_(unit),
        procedure_(procedure),
        replacements_(replacements),
        entries_(entries),
        builder_(builder),
        calls_(calls) {}

  bool Run() WEFT_NO_ALLOC {
    const Liveness liveness = ComputeLiveness(unit_, replacements_, procedure_);
    if (!AssignSlots(procedure_, liveness, &slots_)) return false;
    CollectLive(liveness);
    for (size_t i = 0; i < procedure_.blocks.size(); ++i) labels_.push_back(builder_.NewLabel());
    int number = 0;
    for (size_t i = 0; i < procedure_.order.size(); ++i) {
      const int block = procedure_.order[i];
      next_block_ = i + 1 < procedure_.order.size() ? procedure_.order[i + 1] : -1;
      builder_.Bind(labels_[static_cast<size_t>(block)]);
      for (const Inst& inst : procedure_.blocks[static_cast<size_t>(block)].insts) {
        number_ = number++;
        const Position& position = inst.position;
        if (position.line != 0 || position.splice != last_splice_) {
          builder_.SetPosition(position.line, position.column, CallNumber(position.splice));
          last_splice_ = position.splice;
        }
        if (!EmitInst(inst)) return false;
      }
    }
    return true;
  }

 private:
  [[nodiscard]] uint32_t Slot(VReg reg) const {
    const int slot = slots_.slots[static_cast<size_t>(reg)];
    WEFT_CHECK(slot >= 0);
    return static_cast<uint32_t>(slot);
  }
  [[nodiscard]] uint32_t Slot(const Operand& operand) const { return Slot(operand.reg); }

  // The builder's number of a call that is followed in place; those it stands in come before it.
  uint32_t CallNumber(int32_t splice) WEFT_NO_ALLOC {
    if (splice == 0) return 0;
    uint32_t& number = calls_[static_cast<size_t>(splice)];
    if (number != 0) return number;
    const Splice& call = unit_.splices[static_cast<size_t>(splice - 1)];
    // Splices nest a few deep only (splice.cc).
    const auto parent = call.is_last ? -1 : static_cast<int32_t>(CallNumber(call.call.splice));
    number = builder_.AddCall(call.word, call.path, parent, call.call.line, call.call.column);
    return number;
  }

  // Registers whose slots hold something when the instruction may collect: before it writes its
  // result; for a call, what outlasts it.
  void CollectLive(const Liveness& liveness) {
    Vector<std::pair<int, bool>> points;  // instruction number, is a call
    int number = 0;
    for (const int block : procedure_.order) {
      for (const Inst& inst : procedure_.blocks[static_cast<size_t>(block)].insts) {
        if (inst.snapshot >= 0) points.emplace_back(number, inst.kind == InstKind::kCall);
        ++number;
      }
    }
    live_.resize(static_cast<size_t>(number));
    for (VReg reg = 0; reg < procedure_.register_count; ++reg) {
      if (slots_.slots[static_cast<size_t>(reg)] < 0) continue;
      for (const auto& [from, to] : liveness.ranges[static_cast<size_t>(reg)].pieces) {
        auto point =
            std::lower_bound(points.begin(), points.end(), std::pair<int, bool>(from / 2, false));
        for (; point != points.end() && 2 * point->first < to; ++point) {
          const int at = 2 * point->first + (point->second ? 1 : 0);
          const bool covers = point->second ? from < at && at < to : from <= at && at < to;
          if (covers) live_[static_cast<size_t>(point->first)].push_back(reg);
        }
      }
    }
  }

  // --- moves and constants

  void LoadConstant(uint32_t slot, Word word) WEFT_NO_ALLOC {
    if (word.IsFixnum() && word.AsFixnum() >= INT16_MIN && word.AsFixnum() <= INT16_MAX) {
      builder_.Emit(EncodeADSigned(Op::kLoadInt, slot, static_cast<int32_t>(word.AsFixnum())));
    } else if (word.IsOther() && word.bits <= 0xFFFF) {
      builder_.EmitAD(Op::kLoadOther, slot, static_cast<uint32_t>(word.bits));
    } else {
      builder_.EmitLiteral(Op::kLoadLiteral, slot, builder_.Literal(word));
    }
  }

  void Move(int dst, int src) {
    builder_.EmitABC(Op::kMove, static_cast<uint32_t>(dst), static_cast<uint32_t>(src));
  }

  // All moves at once: one is made as soon as its target is nobody's source; a ring is opened
  // through the scratch slot.
  void EmitMoves(Moves moves) {
    moves.erase(std::remove_if(moves.begin(), moves.end(),
                               [](const SlotMove& move) { return move.dst == move.src; }),
                moves.end());
    while (!moves.empty()) {
      bool made = false;
      for (size_t i = 0; i < moves.size(); ++i) {
        const bool is_source = std::any_of(moves.begin(), moves.end(), [&](const SlotMove& other) {
          return other.src == moves[i].dst;
        });
        if (is_source) continue;
        Move(moves[i].dst, moves[i].src);
        moves.erase(moves.begin() + static_cast<int64_t>(i));
        made = true;
        break;
      }
      if (made) continue;
      const int saved = moves[0].src;
      const int scratch = slots_.frame_size;
      Move(scratch, saved);
      for (SlotMove& move : moves) {
        if (move.src == saved) move.src = scratch;
      }
    }
  }

  // Puts operands in consecutive slots.
  template <class Operands>
  void PutInRow(const Operands& operands, int first) WEFT_NO_ALLOC {
    Moves moves;
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i].is_reg()) {
        moves.push_back({first + static_cast<int>(i), static_cast<int>(Slot(operands[i]))});
      }
    }
    EmitMoves(std::move(moves));
    for (size_t i = 0; i < operands.size(); ++i) {
      if (operands[i].is_constant()) {
        LoadConstant(static_cast<uint32_t>(first) + static_cast<uint32_t>(i), operands[i].constant);
      }
    }
  }

  // --- stack maps

  MapItem ConstantItem(Word word) WEFT_NO_ALLOC {
    if (word.IsFixnum() && word.AsFixnum() >= INT16_MIN && word.AsFixnum() <= INT16_MAX) {
      return {MapItem::kInt, static_cast<int32_t>(word.AsFixnum())};
    }
    if (word.IsOther() && word.bits <= 0xFF) {
      return {MapItem::kOther, static_cast<int32_t>(word.bits)};
    }
    const uint32_t number = builder_.Literal(word);
    if (number > 0xFFFF) return {MapItem::kDropped, 0};
    return {MapItem::kLiteral, static_cast<int32_t>(number)};
  }

  void AppendItem(ValueId id, std::vector<MapItem>* items) WEFT_NO_ALLOC {
    absl::InlinedVector<ValueId, 8> work = {id};
    while (!work.empty()) {
      const Value& value = unit_.values[static_cast<size_t>(work.back())];
      work.pop_back();
      if (value.is_virtual()) {
        const bool curried = value.kind == Value::kCurried;
        items->push_back({curried ? MapItem::kCurried : MapItem::kComposed, 0});
        work.push_back(value.second);
        work.push_back(value.first);
        continue;
      }
      const Operand operand = value.is_reg() ? replacements_.Resolve(Operand::Reg(value.reg))
                                             : Operand::Constant(value.literal);
      if (operand.is_constant()) {
        items->push_back(ConstantItem(operand.constant));
        continue;
      }
      const int slot = slots_.slots[static_cast<size_t>(operand.reg)];
      const bool is_live = slot >= 0 && live_registers_[static_cast<size_t>(operand.reg)] &&
                           live_slots_[static_cast<size_t>(slot)];
      if (is_live) {
        items->push_back({MapItem::kSlot, slot});
      } else {
        items->push_back({MapItem::kDropped, 0});
      }
    }
  }

  void AddMap(const Inst& inst) WEFT_NO_ALLOC {
    if (inst.snapshot < 0) return;
    const Vector<VReg>& registers = live_[static_cast<size_t>(number_)];
    int slots = 0;
    for (const VReg reg : registers) slots = std::max(slots, static_cast<int>(Slot(reg)) + 1);
    live_slots_.assign(static_cast<size_t>(slots), false);
    live_registers_.resize(static_cast<size_t>(procedure_.register_count));
    for (const VReg reg : registers) {
      live_slots_[Slot(reg)] = true;
      live_registers_[static_cast<size_t>(reg)] = true;
    }
    const Snapshot& snapshot = procedure_.snapshots[static_cast<size_t>(inst.snapshot)];
    data_items_.clear();
    retained_items_.clear();
    for (const ValueId id : snapshot.data) AppendItem(id, &data_items_);
    for (const ValueId id : snapshot.retained) AppendItem(id, &retained_items_);
    if (snapshot.data.size() > 255 || snapshot.retained.size() > 255) too_big_ = true;
    if (!too_big_) builder_.AddMap(live_slots_, data_items_, retained_items_);
    for (const VReg reg : registers) live_registers_[static_cast<size_t>(reg)] = false;
  }

  // --- control

  // Where a jump to `block` really leads: empty blocks that jump on are skipped.
  [[nodiscard]] int FinalTarget(int block) const {
    for (int hops = 0; hops < 16; ++hops) {
      const Vector<Inst>& insts = procedure_.blocks[static_cast<size_t>(block)].insts;
      if (insts.empty() || insts[0].kind != InstKind::kJump) break;
      block = insts[0].targets[0];
    }
    return block;
  }
  [[nodiscard]] CodeBuilder::Label LabelOf(int block) const {
    return labels_[static_cast<size_t>(FinalTarget(block))];
  }
  [[nodiscard]] bool IsNext(int block) const {
    return block == next_block_ || FinalTarget(block) == next_block_;
  }

  void Jump(int block) {
    if (!IsNext(block)) builder_.EmitJump(Op::kJump, 0, 0, LabelOf(block));
  }

  bool EmitInst(const Inst& inst) WEFT_NO_ALLOC {
    switch (inst.kind) {
      case InstKind::kEnter:
        builder_.EmitAD(Op::kEnter, static_cast<uint32_t>(slots_.frame_size) + 1, 0);
        AddMap(inst);
        break;
      case InstKind::kMoves: {
        Moves moves;
        for (size_t i = 0; i < inst.dsts.size(); ++i) {
          if (inst.srcs[i].is_reg()) {
            moves.push_back(
                {static_cast<int>(Slot(inst.dsts[i])), static_cast<int>(Slot(inst.srcs[i]))});
          }
        }
        EmitMoves(std::move(moves));
        for (size_t i = 0; i < inst.dsts.size(); ++i) {
          if (inst.srcs[i].is_constant()) LoadConstant(Slot(inst.dsts[i]), inst.srcs[i].constant);
        }
        break;
      }
      case InstKind::kCompute:
        EmitCompute(inst);
        break;
      case InstKind::kCall:
        EmitCall(inst);
        break;
      case InstKind::kBranch:
        EmitBranch(inst);
        break;
      case InstKind::kTable:
        builder_.EmitABC(inst.op, Slot(inst.srcs[0]), static_cast<uint32_t>(inst.targets.size()));
        AddMap(inst);
        for (const int target : inst.targets) {
          builder_.EmitJump(Op::kJump, 0, 0, LabelOf(target));
        }
        break;
      case InstKind::kJump:
        Jump(inst.targets[0]);
        break;
      case InstKind::kLoop:
        builder_.EmitJump(Op::kLoop, 0, 0, labels_[static_cast<size_t>(inst.targets[0])]);
        AddMap(inst);
        break;
      case InstKind::kCountedLoop: {
        // Always four parts: the instruction skips exactly the jump out if it cannot count.
        const uint32_t counter = Slot(inst.dsts[0]);
        builder_.EmitJump(inst.op, counter, Slot(inst.srcs[1]), LabelOf(inst.targets[0]));
        AddMap(inst);
        builder_.EmitJump(Op::kJump, 0, 0, LabelOf(inst.targets[1]));
        builder_.EmitABC(Op::kAddImm, counter, counter, 1);
        AddMap(inst);
        builder_.EmitJump(Op::kLoop, 0, 0, labels_[static_cast<size_t>(inst.targets[2])]);
        AddMap(inst);
        break;
      }
      case InstKind::kReturn:
        if (inst.srcs.size() == 1 && inst.srcs[0].is_reg() && Slot(inst.srcs[0]) != 0) {
          builder_.EmitABC(Op::kReturnFrom, 0, Slot(inst.srcs[0]));
          break;
        }
        PutInRow(inst.srcs, 0);
        builder_.EmitABC(Op::kReturn);
        break;
      case InstKind::kTailCall:
        PutInRow(inst.srcs, 0);
        if (inst.op == Op::kTailCallGeneric) {
          builder_.EmitLiteral(inst.op, 0, builder_.CacheLiteral(inst.literal));
        } else {
          builder_.EmitLiteral(inst.op, 0, builder_.CellLiteral(inst.literal));
        }
        AddTailMap(inst);
        break;
      case InstKind::kTry: {
        const Block& handler = procedure_.blocks[static_cast<size_t>(inst.targets[1])];
        const VReg error = handler.insts[0].dsts[0];
        builder_.EmitJump(inst.op, Slot(error), 0, labels_[static_cast<size_t>(inst.targets[1])]);
        AddMap(inst);
        Jump(inst.targets[0]);
        break;
      }
      case InstKind::kEndTry:
        builder_.EmitABC(Op::kEndTry);
        break;
      case InstKind::kCatch:
        break;
      case InstKind::kStop:
        // The return address of the call before it must lie inside the code.
        builder_.EmitABC(Op::kReturn);
        break;
    }
    return !too_big_;
  }

  // The arguments of a tail call stand in slots 0..n-1 and are all there is.
  void AddTailMap(const Inst& inst) {
    builder_.AddPlainMap(static_cast<uint32_t>(inst.srcs.size()));
  }

  void EmitCompute(const Inst& inst) WEFT_NO_ALLOC {
    const OpInfo& info = InfoOf(inst.op);
    uint32_t fields[3] = {0, 0, 0};
    size_t next_src = 0;
    for (int i = 0; i < 3; ++i) {
      switch (info.roles[i]) {
        case Role::kDst:
          fields[i] = Slot(inst.dsts[0]);
          break;
        case Role::kSrc:
          fields[i] = Slot(inst.srcs[next_src++]);
          break;
        case Role::kImm:
        case Role::kCnt:
          fields[i] = static_cast<uint32_t>(inst.imm);
          break;
        default:
          break;
      }
    }
    if (info.roles[3] == Role::kLit) {
      builder_.EmitExtLiteral(inst.op, fields[0], fields[1], builder_.Literal(inst.literal));
    } else {
      builder_.EmitABC(inst.op, fields[0], fields[1], fields[2]);
      if (info.roles[3] == Role::kCnt) builder_.Emit(static_cast<uint32_t>(inst.imm));
    }
    AddMap(inst);
  }

  // Operands of an instruction that has a form which takes them from where they are. False: nothing
  // was emitted.
  bool EmitFrom(const Inst& inst, int window) WEFT_NO_ALLOC {
    Op from = Op::kNop;
    switch (inst.op) {
      case Op::kNth:
        from = Op::kNthFrom;
        break;
      case Op::kSetNth:
        from = Op::kSetNthFrom;
        break;
      case Op::kLength:
        from = Op::kLengthFrom;
        break;
      case Op::kSlotOf:
        from = Op::kSlotFrom;
        break;
      case Op::kSetSlotOf:
        from = Op::kSetSlotFrom;
        break;
      default:
        return false;
    }
    uint32_t slots[3] = {0, 0, 0};
    bool in_place = true;
    for (size_t i = 0; i < inst.srcs.size(); ++i) {
      const auto place = static_cast<uint32_t>(window) + static_cast<uint32_t>(i);
      slots[i] = inst.srcs[i].is_reg() ? Slot(inst.srcs[i]) : place;
      in_place = in_place && slots[i] == place;
      if (inst.srcs[i].is_reg()) continue;
      // A constant goes to its place, if no other operand stands there.
      for (const Operand& other : inst.srcs) {
        if (other.is_reg() && Slot(other) == place) return false;
      }
    }
    if (in_place) return false;
    for (size_t i = 0; i < inst.srcs.size(); ++i) {
      if (inst.srcs[i].is_constant()) LoadConstant(slots[i], inst.srcs[i].constant);
    }
    if (inst.srcs.size() == 3) {
      builder_.EmitABC(from, slots[0], slots[1], slots[2]);
    } else {
      builder_.EmitABC(from, 0, slots[0], slots[1]);
    }
    return true;
  }

  void EmitCall(const Inst& inst) WEFT_NO_ALLOC {
    const int window = slots_.call_windows[static_cast<size_t>(number_)];
    if (!EmitFrom(inst, window)) PutInRow(inst.srcs, window);
    const auto a = static_cast<uint32_t>(window);
    switch (inst.op) {
      case Op::kCall:
        builder_.EmitLiteral(inst.op, a, builder_.CellLiteral(inst.literal));
        break;
      case Op::kCallGeneric:
      case Op::kSlotOf:
      case Op::kSetSlotOf:
      case Op::kNth:
      case Op::kSetNth:
      case Op::kLength:
        builder_.EmitLiteral(inst.op, a, builder_.CacheLiteral(inst.literal));
        break;
      case Op::kCallPrimitive:
        builder_.EmitAD(inst.op, a, static_cast<uint32_t>(inst.imm));
        break;
      case Op::kCallLocal:
        builder_.EmitJump(inst.op, a, 0, entries_[static_cast<size_t>(inst.imm)]);
        break;
      case Op::kNewTuple:
        builder_.EmitLiteral(inst.op, a, builder_.Literal(inst.literal));
        break;
      case Op::kCallQuotation:
      case Op::kExecuteWord:
      case Op::kCallDynamic:
        // The callable is the last operand, above the arguments.
        builder_.EmitABC(inst.op, a, static_cast<uint32_t>(inst.srcs.size() - 1),
                         static_cast<uint32_t>(inst.dsts.size()));
        break;
      default:
        WEFT_CHECK(false && "not a call");
    }
    AddMap(inst);
  }

  void EmitBranch(const Inst& inst) WEFT_NO_ALLOC {
    Op op = inst.op;
    int jump = inst.targets[0];
    int fall = inst.targets[1];
    if (IsNext(jump) && !IsNext(fall)) {
      op = Inverted(op);
      std::swap(jump, fall);
    }
    const OpInfo& info = InfoOf(op);
    uint32_t b = 0;
    if (info.roles[1] == Role::kSrc) b = Slot(inst.srcs[1]);
    if (info.roles[1] == Role::kImm) b = static_cast<uint32_t>(inst.imm);
    if (info.roles[2] == Role::kCnt) {
      builder_.EmitJumpD(op, Slot(inst.srcs[0]), static_cast<uint32_t>(inst.imm), LabelOf(jump));
    } else {
      builder_.EmitJump(op, Slot(inst.srcs[0]), b, LabelOf(jump));
    }
    AddMap(inst);
    Jump(fall);
  }

  const Unit& unit_;
  const Procedure& procedure_;
  const Replacements& replacements_;
  const Vector<CodeBuilder::Label>& entries_;
  CodeBuilder& builder_;
  Vector<uint32_t>& calls_;  // by splice: the builder's number, 0: none yet
  int32_t last_splice_ = 0;
  SlotAssignment slots_;
  Vector<Vector<VReg>> live_;  // by instruction number
  // While a map is made:
  Vector<bool> live_registers_;
  std::vector<bool> live_slots_;
  std::vector<MapItem> data_items_;
  std::vector<MapItem> retained_items_;
  Vector<CodeBuilder::Label> labels_;
  int next_block_ = -1;
  int number_ = 0;
  bool too_big_ = false;
};

}  // namespace

bool EmitUnit(Unit& unit, CodeBuilder& builder) {
  Vector<uint32_t> calls(unit.splices.size() + 1);
  // Simplifying first shows which subroutines are still called.
  Vector<CodeBuilder::Label> entries;
  for (size_t i = 0; i < unit.procedures.size(); ++i) entries.push_back(builder.NewLabel());
  Vector<bool> queued(unit.procedures.size());
  Vector<size_t> queue = {0};
  queued[0] = true;
  for (size_t next = 0; next < queue.size(); ++next) {
    Procedure& procedure = *unit.procedures[queue[next]];
    const Replacements replacements = Simplify(unit, procedure);
    for (const int block : procedure.order) {
      for (const Inst& inst : procedure.blocks[static_cast<size_t>(block)].insts) {
        if (inst.op != Op::kCallLocal || queued[static_cast<size_t>(inst.imm)]) continue;
        queued[static_cast<size_t>(inst.imm)] = true;
        queue.push_back(static_cast<size_t>(inst.imm));
      }
    }
    builder.Bind(entries[queue[next]]);
    if (!Emitter(unit, procedure, replacements, entries, builder, calls).Run()) return false;
  }
  return true;
}

}  // namespace weft::compiler
