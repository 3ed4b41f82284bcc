// Scalar replacement: tuples and short arrays that never leave the procedure become registers, one
// a field. The box of a local that changes, a virtual sequence, a pair that is taken apart again
// cost no allocation then.
//
// An object may stay unmade if it is only read and written at known fields, if no instruction gets
// hold of it, and if nobody looks at a stack that holds it. (A callable on the data stack may have
// captured it: traces show a callable's first part only, so there the first field stands for it.)
//
// A continuation that is entered twice brings back registers, but not what was written to an object
// meanwhile. So an object that is written to must not be needed behind a call of a word or
// callable. (Instructions that only call a word for unusual operands are not counted.)
//
// Fields change over time, registers do not: blocks are walked in layout order with the operand
// that each field holds; where several ways meet, a field that differs gets a register of its own,
// moved to at the end of each way (ir.h). A loop header gives one to every field that is needed
// later; those that never change are found and dropped by the passes that follow.
#include <algorithm>

#include "compiler/passes.h"
#include "vm/primitives.h"

namespace weft::compiler {
namespace {

constexpr int kMaxObjects = 64;  // a bit each
constexpr int kMaxFields = 16;
constexpr int kMaxArray = 8;

struct Rows {
  int array = FindPrimitive("arrays", "<array>");
  int slot = FindPrimitive("slots.private", "slot");
  int set_slot = FindPrimitive("slots.private", "set-slot");
};
const Rows& PrimitiveRows() {
  static const Rows rows;
  return rows;
}

bool IsPrimitiveCall(const Inst& inst, int row) {
  return inst.kind == InstKind::kCall && inst.op == Op::kCallPrimitive && inst.imm == row;
}

struct LocalObject {
  VReg reg = kNoReg;
  int fields = 0;
  bool is_array = false;  // field 0 is its length, which never changes
  bool escapes = false;
  bool is_written = false;
  int handler = -1;  // of the block it is made in
};

class ObjectReplacer {
 public:
  ObjectReplacer(Unit& unit, Procedure& procedure, Replacements& replacements)
      : unit_(unit), procedure_(procedure), replacements_(replacements) {}

  bool Run() {
    FindObjects();
    if (objects_.empty()) return false;
    do {
      FindEscapes();
      if (!DropEscaped()) return false;
      FindNeeds();
    } while (FindKept());
    Walk();
    for (const int block : procedure_.order) {
      for (Inst& inst : BlockAt(block).insts) {
        for (Operand& operand : inst.srcs) operand = replacements_.Resolve(operand);
      }
    }
    return true;
  }

 private:
  using Fields = absl::InlinedVector<Operand, 2>;

  // False: none is left.
  bool DropEscaped() {
    std::erase_if(objects_, [](const LocalObject& object) { return object.escapes; });
    number_of_.clear();
    for (size_t i = 0; i < objects_.size(); ++i) number_of_[objects_[i].reg] = static_cast<int>(i);
    return !objects_.empty();
  }

  // What an instruction does with an object.
  struct Access {
    int object = -1;
    int field = 0;
    bool writes = false;
  };

  Block& BlockAt(int block) { return procedure_.blocks[static_cast<size_t>(block)]; }
  [[nodiscard]] int NumberOf(const Operand& operand) const {
    if (!operand.is_reg()) return -1;
    const auto found = number_of_.find(operand.reg);
    return found == number_of_.end() ? -1 : found->second;
  }
  [[nodiscard]] LocalObject& ObjectAt(int number) { return objects_[static_cast<size_t>(number)]; }
  [[nodiscard]] const LocalObject& ObjectAt(int number) const {
    return objects_[static_cast<size_t>(number)];
  }

  void FindObjects() {
    for (const int block : procedure_.order) {
      for (const Inst& inst : BlockAt(block).insts) {
        if (objects_.size() == kMaxObjects) return;
        LocalObject object;
        if (inst.kind == InstKind::kCall && inst.op == Op::kNewTuple) {
          object.fields = static_cast<int>(inst.srcs.size());
          if (object.fields == 0 || object.fields > kMaxFields) continue;
        } else if (IsPrimitiveCall(inst, PrimitiveRows().array)) {
          const Operand& size = inst.srcs[0];
          if (!size.is_constant() || !size.constant.IsFixnum() || size.constant.AsFixnum() < 1 ||
              size.constant.AsFixnum() > kMaxArray) {
            continue;
          }
          object.is_array = true;
          object.fields = static_cast<int>(size.constant.AsFixnum()) + 1;
        } else {
          continue;
        }
        object.reg = inst.dsts[0];
        object.handler = BlockAt(block).handler;
        number_of_[object.reg] = static_cast<int>(objects_.size());
        objects_.push_back(object);
      }
    }
  }

  // False: the instruction reads or writes no known field of a known object.
  bool ReadAccess(const Inst& inst, Access* access) const {
    Operand object;
    Operand index;
    if (inst.kind == InstKind::kCall && inst.op == Op::kSlotOf && inst.imm > 0) {
      object = inst.srcs[0];
      index = Operand::Constant(Word::Fixnum(inst.imm - 1));
    } else if (inst.kind == InstKind::kCall && inst.op == Op::kSetSlotOf && inst.imm > 0) {
      object = inst.srcs[1];
      index = Operand::Constant(Word::Fixnum(inst.imm - 1));
      access->writes = true;
    } else if (IsPrimitiveCall(inst, PrimitiveRows().slot)) {
      object = inst.srcs[0];
      index = inst.srcs[1];
    } else if (IsPrimitiveCall(inst, PrimitiveRows().set_slot)) {
      object = inst.srcs[1];
      index = inst.srcs[2];
      access->writes = true;
    } else {
      return false;
    }
    access->object = NumberOf(object);
    if (access->object < 0 || !index.is_constant() || !index.constant.IsFixnum()) return false;
    const LocalObject& local = ObjectAt(access->object);
    const int64_t field = index.constant.AsFixnum();
    if (field < 0 || field >= local.fields) return false;
    if (local.is_array && access->writes && field == 0) return false;
    access->field = static_cast<int>(field);
    return true;
  }

  void Escape(const Operand& operand) {
    const int number = NumberOf(operand);
    if (number >= 0) ObjectAt(number).escapes = true;
  }
  void Escape(VReg reg) { Escape(Operand::Reg(reg)); }

  // An object that escapes leaves the instructions that access it, which then show the stack.
  void FindEscapes() {
    const auto escaped = [&] {
      return std::count_if(objects_.begin(), objects_.end(),
                           [](const LocalObject& object) { return object.escapes; });
    };
    for (auto before = escaped();; before = escaped()) {
      FindMoreEscapes();
      if (escaped() == before) break;
    }
  }

  void FindMoreEscapes() {
    for (const int block : procedure_.order) {
      for (const Inst& inst : BlockAt(block).insts) {
        Access access;
        const bool is_access = ReadAccess(inst, &access);
        if (is_access) {
          // The value that is written may be an object that leaves this way.
          if (access.writes) Escape(inst.srcs[0]);
          ObjectAt(access.object).is_written |= access.writes;
          if (access.writes && BlockAt(block).handler >= 0 &&
              BlockAt(block).handler != ObjectAt(access.object).handler) {
            ObjectAt(access.object).escapes = true;
          }
        } else {
          for (const Operand& operand : inst.srcs) Escape(operand);
        }
        if (inst.snapshot < 0 || (is_access && !ObjectAt(access.object).escapes)) continue;
        const Snapshot& snapshot = procedure_.snapshots[static_cast<size_t>(inst.snapshot)];
        for (const ValueId id : snapshot.data) {
          const Value& value = unit_.values[static_cast<size_t>(id)];
          if (value.is_reg()) Escape(replacements_.Resolve(Operand::Reg(value.reg)));
        }
        if (!snapshot.keep_all) continue;
        ForEachRegister(unit_, replacements_, snapshot, 0, [&](VReg reg) { Escape(reg); });
      }
    }
  }

  // The objects that an instruction reads or shows.
  uint64_t UsesOf(const Inst& inst) {
    uint64_t used = 0;
    const auto add = [&](const Operand& operand) {
      const int number = NumberOf(operand);
      if (number >= 0) used |= uint64_t{1} << number;
    };
    for (const Operand& operand : inst.srcs) add(operand);
    if (inst.snapshot < 0) return used;
    const Snapshot& snapshot = procedure_.snapshots[static_cast<size_t>(inst.snapshot)];
    for (const ValueId id : snapshot.data) {
      ForEachRegister(unit_, replacements_, id, [&](VReg reg) { add(Operand::Reg(reg)); });
    }
    return used;
  }
  [[nodiscard]] uint64_t MadeBy(const Inst& inst) const {
    uint64_t made = 0;
    for (const VReg reg : inst.dsts) {
      const int number = NumberOf(Operand::Reg(reg));
      if (number >= 0) made |= uint64_t{1} << number;
    }
    return made;
  }

  static bool MayCapture(const Inst& inst) {
    return inst.kind == InstKind::kCall && MayRunOthers(inst.op, inst.imm);
  }

  // Written objects that are needed behind a call stay objects. False: there are none.
  bool FindKept() {
    bool any = false;
    for (const int block : procedure_.order) {
      const Vector<Inst>& insts = BlockAt(block).insts;
      if (insts.empty()) continue;
      uint64_t live = 0;
      for (const int target : insts.back().targets) live |= needs_[static_cast<size_t>(target)];
      if (BlockAt(block).handler >= 0) live |= needs_[static_cast<size_t>(BlockAt(block).handler)];
      for (auto inst = insts.rbegin(); inst != insts.rend(); ++inst) {
        const uint64_t made = MadeBy(*inst);
        if (MayCapture(*inst)) {
          for (size_t i = 0; i < objects_.size(); ++i) {
            if ((live >> i & 1) == 0 || !objects_[i].is_written) continue;
            objects_[i].escapes = true;
            any = true;
          }
        }
        live = (live & ~made) | UsesOf(*inst);
      }
    }
    return any;
  }

  // Which objects are looked at in each block or after it, before they are made anew.
  void FindNeeds() {
    needs_.assign(procedure_.blocks.size(), 0);
    Vector<uint64_t> uses(procedure_.blocks.size());
    Vector<uint64_t> makes(procedure_.blocks.size());
    for (const int block : procedure_.order) {
      for (const Inst& inst : BlockAt(block).insts) {
        uses[static_cast<size_t>(block)] |= UsesOf(inst);
        makes[static_cast<size_t>(block)] |= MadeBy(inst);
      }
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = procedure_.order.size(); i-- > 0;) {
        const auto block = static_cast<size_t>(procedure_.order[i]);
        uint64_t needed = 0;
        if (!procedure_.blocks[block].insts.empty()) {
          for (const int target : procedure_.blocks[block].insts.back().targets) {
            needed |= needs_[static_cast<size_t>(target)];
          }
        }
        const int handler = procedure_.blocks[block].handler;
        if (handler >= 0) needed |= needs_[static_cast<size_t>(handler)];
        // An object is made before it is used in the block that makes it.
        needed = (needed | uses[block]) & ~makes[block];
        if (needed == needs_[block]) continue;
        needs_[block] = needed;
        changed = true;
      }
    }
  }

  // A move to be added at the end of a block.
  void MoveAtEnd(int block, VReg reg, Operand source) {
    Vector<Inst>& insts = BlockAt(block).insts;
    if (insts.size() < 2 || insts[insts.size() - 2].kind != InstKind::kMoves) {
      Inst last(std::move(insts.back()));
      insts.pop_back();
      insts.emplace_back();
      insts.back().kind = InstKind::kMoves;
      insts.back().op = Op::kMove;
      insts.back().position = last.position;
      insts.push_back(std::move(last));
    }
    // All moves of a block's end happen at once.
    Inst& moves = insts[insts.size() - 2];
    moves.dsts.push_back(reg);
    moves.srcs.push_back(source);
  }

  void Walk() {
    const size_t blocks = procedure_.blocks.size();
    Vector<Vector<int>> sources(blocks);
    Vector<bool> is_header(blocks);
    for (const int block : procedure_.order) {
      if (BlockAt(block).insts.empty()) continue;
      for (const int target : BlockAt(block).insts.back().targets) {
        Vector<int>& from = sources[static_cast<size_t>(target)];
        if (std::find(from.begin(), from.end(), block) == from.end()) from.push_back(block);
        if (BlockAt(block).insts.back().kind == InstKind::kLoop) {
          is_header[static_cast<size_t>(target)] = true;
        }
      }
    }
    ends_.assign(blocks, {});
    Vector<Join> loops;
    for (const int block : procedure_.order) {
      Vector<Fields> now(objects_.size());
      const Vector<int>& from = sources[static_cast<size_t>(block)];
      for (size_t i = 0; i < objects_.size(); ++i) {
        if ((needs_[static_cast<size_t>(block)] >> i & 1) == 0 || from.empty()) continue;
        Enter(i, from, is_header[static_cast<size_t>(block)], &now[i], &loops);
      }
      if (is_header[static_cast<size_t>(block)]) header_fields_[block] = now;
      WalkBlock(block, now);
      ends_[static_cast<size_t>(block)] = std::move(now);
    }
    for (const Join& join : loops) {
      for (const int block : join.from) {
        const Fields& fields = ends_[static_cast<size_t>(block)][join.object];
        // Not made on this way: nobody will look.
        const Operand source = fields.empty() ? Operand::Constant(gc::kFalse) : fields[join.field];
        MoveAtEnd(block, join.reg, source);
      }
    }
  }

  struct Join {
    size_t object;
    size_t field;
    VReg reg;
    Vector<int> from;
  };

  // What the fields of an object hold where a block begins.
  void Enter(size_t object, const Vector<int>& from, bool is_header, Fields* now,
             Vector<Join>* loops) {
    // The first way in layout order comes from before.
    const Fields first = ends_[static_cast<size_t>(from[0])][object];
    if (first.empty()) return;
    for (size_t field = 0; field < first.size(); ++field) {
      bool same = !is_header;
      for (size_t i = 1; same && i < from.size(); ++i) {
        const Fields& other = ends_[static_cast<size_t>(from[i])][object];
        same = field < other.size() && other[field] == first[field];
      }
      if (same) {
        now->push_back(first[field]);
        continue;
      }
      Join join;
      join.object = object;
      join.field = field;
      join.reg = procedure_.register_count++;
      join.from = from;
      now->push_back(Operand::Reg(join.reg));
      // The ends of all ways are known only after the walk.
      loops->push_back(std::move(join));
    }
  }

  void WalkBlock(int block, Vector<Fields>& now) {
    Vector<Inst>& insts = BlockAt(block).insts;
    Vector<Inst> kept;
    kept.reserve(insts.size());
    for (Inst& inst : insts) {
      for (Operand& operand : inst.srcs) operand = replacements_.Resolve(operand);
      const int made = inst.kind == InstKind::kCall && inst.dsts.size() == 1
                           ? NumberOf(Operand::Reg(inst.dsts[0]))
                           : -1;
      if (made >= 0) {
        Fields& fields = now[static_cast<size_t>(made)];
        fields.clear();
        if (ObjectAt(made).is_array) {
          fields.assign(static_cast<size_t>(ObjectAt(made).fields), inst.srcs[1]);
          fields[0] = inst.srcs[0];
        } else {
          fields.assign(inst.srcs.begin(), inst.srcs.end());
        }
        continue;
      }
      Access access;
      if (ReadAccess(inst, &access)) {
        Fields& fields = now[static_cast<size_t>(access.object)];
        // A way on which the object was never made cannot be taken.
        if (fields.empty()) fields.resize(static_cast<size_t>(ObjectAt(access.object).fields));
        Operand& field = fields[static_cast<size_t>(access.field)];
        if (access.writes) {
          field = inst.srcs[0];
        } else {
          replacements_.Replace(inst.dsts[0], field);
        }
        continue;
      }
      if (inst.snapshot >= 0) {
        // A back edge comes after the moves to the header's registers.
        const bool is_loop = inst.kind == InstKind::kLoop;
        ShowFields(inst.snapshot, is_loop ? header_fields_[inst.targets[0]] : now);
      }
      kept.push_back(std::move(inst));
    }
    insts = std::move(kept);
  }

  // On the data stack the first field stands for an object inside a callable.
  void ShowFields(int number, const Vector<Fields>& now) {
    Snapshot& snapshot = procedure_.snapshots[static_cast<size_t>(number)];
    for (ValueId& id : snapshot.data) {
      if (unit_.values[static_cast<size_t>(id)].is_virtual()) id = Shown(id, now);
    }
  }

  ValueId Shown(ValueId id, const Vector<Fields>& now) {
    // Parts first: values only refer to others that were there before (kMaxVirtualDepth bounds it).
    const Value value = unit_.values[static_cast<size_t>(id)];
    if (value.is_reg()) {
      const int object = NumberOf(replacements_.Resolve(Operand::Reg(value.reg)));
      if (object < 0) return id;
      const Fields& fields = now[static_cast<size_t>(object)];
      if (fields.empty()) return unit_.Literal(gc::kFalse);
      const Operand& field = fields[ObjectAt(object).is_array ? 1 : 0];
      return field.is_reg() ? unit_.Register(field.reg) : unit_.Literal(field.constant);
    }
    if (!value.is_virtual()) return id;
    const ValueId first = Shown(value.first, now);
    const ValueId second = Shown(value.second, now);
    if (first == value.first && second == value.second) return id;
    return unit_.Virtual(value.kind, first, second);
  }

  Unit& unit_;
  Procedure& procedure_;
  Replacements& replacements_;
  Vector<LocalObject> objects_;
  absl::flat_hash_map<VReg, int> number_of_;
  Vector<uint64_t> needs_;       // by block
  Vector<Vector<Fields>> ends_;  // by block: what the fields hold at its end
  absl::flat_hash_map<int, Vector<Fields>> header_fields_;  // at the start of a loop
};

}  // namespace

bool ReplaceObjects(Unit& unit, Procedure& procedure, Replacements& replacements) {
  return ObjectReplacer(unit, procedure, replacements).Run();
}

}  // namespace weft::compiler
