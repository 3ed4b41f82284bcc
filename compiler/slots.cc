// Slot allocation: a linear scan over live ranges with holes.
//
// Constraints: the inputs stand in slots 0..n-1; everything live across a call lies below its
// window, since the callee owns all above; a call's results stand at its window. Registers are
// taken in layout order, where each is defined before anything it is live in, so a call's window
// can be put just above what is live across it.
//
// Wishes (to avoid moves): an argument wants its place in the window of its call, a result of the
// procedure its result slot, the two sides of a move the same slot. The window of a call still to
// come is guessed from what will be live across it.
#include <algorithm>

#include "compiler/passes.h"

namespace weft::compiler {
namespace {

constexpr int kMaxSlots = 240;

struct Wish {
  enum Kind : uint8_t { kSlot, kArgument, kSameAs } kind;
  int where;  // slot, call number, register
  int index;  // of the argument
};

class SlotAllocator {
 public:
  SlotAllocator(const Procedure& procedure, const Liveness& liveness, SlotAssignment* result)
      : procedure_(procedure), liveness_(liveness), result_(*result) {}

  bool Run() {
    const size_t registers = static_cast<size_t>(procedure_.register_count);
    const int inst_count = liveness_.block_first.back();
    result_.slots.assign(registers, -1);
    result_.call_windows.assign(static_cast<size_t>(inst_count), -1);
    wishes_.resize(registers);
    users_.resize(kMaxSlots);
    CollectWishes();
    CollectAcross(inst_count);
    for (int i = 0; i < procedure_.inputs; ++i) {
      if (i >= kMaxSlots) return false;
      Assign(i, i);
    }
    int number = 0;
    for (const int block : procedure_.order) {
      for (const Inst& inst : procedure_.blocks[static_cast<size_t>(block)].insts) {
        if (inst.kind == InstKind::kCall) {
          if (!PlaceCall(inst, number)) return false;
        } else {
          for (const VReg reg : inst.dsts) {
            if (!PlaceRegister(reg, number)) return false;
          }
          if (inst.kind == InstKind::kReturn || inst.kind == InstKind::kTailCall) {
            Grow(static_cast<int>(inst.srcs.size()));
          }
        }
        ++number;
      }
    }
    return result_.frame_size < kMaxSlots;
  }

 private:
  [[nodiscard]] const LiveRange& RangeOf(VReg reg) const {
    return liveness_.ranges[static_cast<size_t>(reg)];
  }
  [[nodiscard]] int SlotOf(VReg reg) const { return result_.slots[static_cast<size_t>(reg)]; }
  void Grow(int size) { result_.frame_size = std::max(result_.frame_size, size); }

  void Assign(VReg reg, int slot) {
    result_.slots[static_cast<size_t>(reg)] = slot;
    users_[static_cast<size_t>(slot)].push_back(reg);
    Grow(slot + 1);
  }

  void CollectWishes() {
    int number = 0;
    for (const int block : procedure_.order) {
      for (const Inst& inst : procedure_.blocks[static_cast<size_t>(block)].insts) {
        for (size_t i = 0; i < inst.srcs.size(); ++i) {
          if (!inst.srcs[i].is_reg()) continue;
          const VReg reg = inst.srcs[i].reg;
          Vector<Wish>& wishes = wishes_[static_cast<size_t>(reg)];
          const int index = static_cast<int>(i);
          switch (inst.kind) {
            case InstKind::kReturn:
            case InstKind::kTailCall:
              wishes.push_back({Wish::kSlot, index, 0});
              break;
            case InstKind::kCall:
              wishes.push_back({Wish::kArgument, number, index});
              break;
            case InstKind::kMoves:
              wishes.push_back({Wish::kSameAs, inst.dsts[i], 0});
              wishes_[static_cast<size_t>(inst.dsts[i])].push_back({Wish::kSameAs, reg, 0});
              break;
            default:
              break;
          }
        }
        ++number;
      }
    }
  }

  // Which registers are live across each call.
  void CollectAcross(int inst_count) {
    across_.resize(static_cast<size_t>(inst_count));
    Vector<int> calls;
    int number = 0;
    for (const int block : procedure_.order) {
      for (const Inst& inst : procedure_.blocks[static_cast<size_t>(block)].insts) {
        if (inst.kind == InstKind::kCall) calls.push_back(number);
        ++number;
      }
    }
    for (VReg reg = 0; reg < procedure_.register_count; ++reg) {
      for (const auto& [from, to] : RangeOf(reg).pieces) {
        // Points 2n + 1 inside the piece; a piece that begins there is the call's own result.
        auto call = std::lower_bound(calls.begin(), calls.end(), from / 2);
        for (; call != calls.end() && 2 * *call + 1 < to; ++call) {
          if (2 * *call + 1 > from) across_[static_cast<size_t>(*call)].push_back(reg);
        }
      }
    }
  }

  bool IsFree(int slot, const LiveRange& range, int number) {
    Vector<VReg>& users = users_[static_cast<size_t>(slot)];
    // Ranges that ended before this instruction concern nobody any more.
    std::erase_if(users, [&](VReg user) {
      const LiveRange& other = RangeOf(user);
      return other.empty() || other.pieces.back().second <= 2 * number;
    });
    return std::none_of(users.begin(), users.end(),
                        [&](VReg user) { return RangeOf(user).Overlaps(range); });
  }

  [[nodiscard]] int LeastWindow(int call) const {
    int window = 0;
    for (const VReg reg : across_[static_cast<size_t>(call)]) {
      window = std::max(window, SlotOf(reg) + 1);
    }
    return window;
  }
  [[nodiscard]] int GuessWindow(int call) const {
    const int decided = result_.call_windows[static_cast<size_t>(call)];
    if (decided >= 0) return decided;
    return std::max(LeastWindow(call), static_cast<int>(across_[static_cast<size_t>(call)].size()));
  }
  [[nodiscard]] bool IsAcross(VReg reg, int call) const {
    const Vector<VReg>& across = across_[static_cast<size_t>(call)];
    return std::binary_search(across.begin(), across.end(), reg);
  }

  // The slot a wish names now; -1: none.
  [[nodiscard]] int WishedSlot(VReg reg, const Wish& wish) const {
    switch (wish.kind) {
      case Wish::kSlot:
        return wish.where;
      case Wish::kArgument:
        if (IsAcross(reg, wish.where)) return -1;
        return GuessWindow(wish.where) + wish.index;
      case Wish::kSameAs: {
        const int slot = SlotOf(wish.where);
        if (slot >= 0) return slot;
        // Not placed yet: what the other side wants for itself.
        for (const Wish& other : wishes_[static_cast<size_t>(wish.where)]) {
          if (other.kind == Wish::kSlot) return other.where;
          if (other.kind == Wish::kArgument && !IsAcross(wish.where, other.where)) {
            return GuessWindow(other.where) + other.index;
          }
        }
        return -1;
      }
    }
    return -1;
  }

  bool PlaceRegister(VReg reg, int number) {
    if (SlotOf(reg) >= 0) return true;
    const LiveRange& range = RangeOf(reg);
    const Vector<Wish>& wishes = wishes_[static_cast<size_t>(reg)];
    for (const bool same_as : {false, true}) {
      int tried = 0;
      for (const Wish& wish : wishes) {
        if ((wish.kind == Wish::kSameAs) != same_as) continue;
        if (++tried > 8) break;
        const int slot = WishedSlot(reg, wish);
        if (slot >= 0 && slot < kMaxSlots && IsFree(slot, range, number)) {
          Assign(reg, slot);
          return true;
        }
      }
    }
    for (int slot = 0; slot < kMaxSlots; ++slot) {
      if (IsFree(slot, range, number)) {
        Assign(reg, slot);
        return true;
      }
    }
    return false;
  }

  bool PlaceCall(const Inst& inst, int number) {
    const int least = LeastWindow(number);
    const int results = static_cast<int>(inst.dsts.size());
    const int size = std::max(static_cast<int>(inst.srcs.size()), results);
    int best = -1;
    int best_cost = 0;
    for (int window = least; window + size < kMaxSlots; ++window) {
      if (window > least + 6 && best >= 0) break;
      bool fits = true;
      int cost = 0;
      for (int i = 0; fits && i < results; ++i) {
        const VReg reg = inst.dsts[static_cast<size_t>(i)];
        fits = IsFree(window + i, RangeOf(reg), number);
        int wished = -1;
        for (const Wish& wish : wishes_[static_cast<size_t>(reg)]) {
          if (wish.kind == Wish::kArgument) continue;  // guessing on a guess
          wished = WishedSlot(reg, wish);
          if (wished >= 0) break;
        }
        if (wished >= 0 && wished != window + i) ++cost;
      }
      if (!fits) continue;
      for (size_t i = 0; i < inst.srcs.size(); ++i) {
        const Operand operand = inst.srcs[i];
        if (operand.is_reg() && SlotOf(operand.reg) != window + static_cast<int>(i)) ++cost;
      }
      if (best < 0 || cost < best_cost) {
        best = window;
        best_cost = cost;
      }
    }
    if (best < 0) return false;
    result_.call_windows[static_cast<size_t>(number)] = best;
    for (int i = 0; i < results; ++i) Assign(inst.dsts[static_cast<size_t>(i)], best + i);
    Grow(best + size);
    return true;
  }

  const Procedure& procedure_;
  const Liveness& liveness_;
  SlotAssignment& result_;
  Vector<Vector<Wish>> wishes_;
  Vector<Vector<VReg>> across_;  // by call number, registers ascending
  Vector<Vector<VReg>> users_;   // by slot
};

}  // namespace

bool AssignSlots(const Procedure& procedure, const Liveness& liveness, SlotAssignment* result) {
  return SlotAllocator(procedure, liveness, result).Run();
}

}  // namespace weft::compiler
