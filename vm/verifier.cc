#include "vm/verifier.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "vm/bytecode.h"
#include "vm/cells.h"
#include "vm/primitives.h"
#include "vm/vm.h"

namespace weft {
namespace {

uint32_t ReadU32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// After these control does not go on with the next word.
bool NeverFallsThrough(Op op) {
  switch (op) {
    case Op::kReturn:
    case Op::kReturnFrom:
    case Op::kJump:
    case Op::kLoop:
    case Op::kTailCall:
    case Op::kTailCallGeneric:
    case Op::kDispatch:
    case Op::kDispatchMath:
    case Op::kUndefined:
    case Op::kEnterDynamic:
    case Op::kHalt:
      return true;
    default:
      return InfoOf(op).Has(kOpDynamic) && InfoOf(op).Has(kOpEndsBlock);
  }
}

class Verifier {
 public:
  Verifier(Vm& vm, const Code* code)
      : vm_(vm),
        code_(code),
        words_(code->instructions()),
        count_(code->instruction_count.AsFixnum()),
        literal_count_(code->literal_count.AsFixnum()) {}

  std::string Run() WEFT_NO_ALLOC {
    const uint64_t facts = static_cast<uint64_t>(code_->mode_and_counts.AsFixnum());
    is_static_ = (facts & 0xFF) == static_cast<uint64_t>(CodeMode::kStatic);
    frame_ = static_cast<int64_t>(std::max(facts >> 8 & 0xFF, facts >> 16 & 0xFF)) + 4;
    if (count_ <= 0) return "no instructions";
    if (!FindStarts()) return error_;
    for (int64_t i = 0; i < count_; i = NextOf(i)) {
      if (!CheckInstruction(i)) return error_;
    }
    if (is_static_ && !CheckMaps()) return error_;
    return "";
  }

 private:
  bool Fail(int64_t at, const char* what) {
    error_ = absl::StrCat("instruction ", at, ": ", what);
    return false;
  }
  [[nodiscard]] int64_t NextOf(int64_t i) const {
    return i + static_cast<int64_t>(InfoOf(DecodeOp(words_[i])).words());
  }
  [[nodiscard]] bool IsStart(int64_t i) const {
    return i >= 0 && i < count_ && starts_[static_cast<size_t>(i)];
  }

  bool FindStarts() {
    starts_.resize(static_cast<size_t>(count_));
    int64_t last = 0;
    for (int64_t i = 0; i < count_; i = NextOf(i)) {
      if (DecodeOp(words_[i]) >= Op::kCount) return Fail(i, "not an instruction");
      if (InfoOf(DecodeOp(words_[i])).Has(kOpStub)) return Fail(i, "a stub");
      if (NextOf(i) > count_) return Fail(i, "cut off");
      starts_[static_cast<size_t>(i)] = true;
      last = i;
    }
    if (!NeverFallsThrough(DecodeOp(words_[last]))) return Fail(last, "runs off the end");
    return true;
  }

  // The instruction that must stand behind one that only names its operands.
  static Op FollowerOf(Op op) {
    switch (op) {
      case Op::kMulThenAdd:
      case Op::kMulThenAddTo:
        return Op::kAdd;
      case Op::kMulThenSub:
      case Op::kMulThenSubFrom:
        return Op::kSub;
      case Op::kNthFrom:
        return Op::kNth;
      case Op::kSetNthFrom:
        return Op::kSetNth;
      case Op::kLengthFrom:
        return Op::kLength;
      case Op::kSlotFrom:
        return Op::kSlotOf;
      case Op::kSetSlotFrom:
        return Op::kSetSlotOf;
      default:
        return Op::kNop;
    }
  }

  bool CheckInstruction(int64_t i) WEFT_NO_ALLOC {
    const Op op = DecodeOp(words_[i]);
    const OpInfo& info = InfoOf(op);
    if (is_static_ && info.Has(kOpDynamic)) return Fail(i, "dynamic mode in static code");
    if (op == Op::kEnter) frame_ = DecodeA(words_[i]);
    for (int operand = 0; operand < 4; ++operand) {
      const Role role = info.roles[operand];
      if (role == Role::kNone) continue;
      const int64_t value = OperandAt(words_ + i, operand);
      switch (role) {
        case Role::kDst:
        case Role::kSrc:
        case Role::kMod:
          if (value >= frame_) return Fail(i, "a slot outside the frame");
          break;
        case Role::kWin:
          if (value > frame_) return Fail(i, "a window outside the frame");
          break;
        case Role::kPrim:
          if (value >= static_cast<int64_t>(kPrimitiveCount) ||
              kPrimitives[value].kind != PrimitiveKind::kFunction) {
            return Fail(i, "no such primitive");
          }
          break;
        case Role::kJmp: {
          const int64_t target = NextOf(i) + value;
          if (!IsStart(target)) return Fail(i, "a jump that lands nowhere");
          if (target <= i && !info.Has(kOpLoops) && op != Op::kCallLocal) {
            return Fail(i, "a jump backwards");
          }
          if (op == Op::kCallLocal && DecodeOp(words_[target]) != Op::kEnter) {
            return Fail(i, "a subroutine without an entry");
          }
          break;
        }
        case Role::kLit:
          if (!CheckLiteral(i, op, value)) return false;
          break;
        default:
          break;
      }
    }
    if (const Op follower = FollowerOf(op); follower != Op::kNop) {
      if (!IsStart(i + 1) || DecodeOp(words_[i + 1]) != follower) {
        return Fail(i, "operands without their instruction");
      }
    }
    if (op == Op::kTableJump) {
      for (int64_t k = 1; k <= static_cast<int64_t>(DecodeB(words_[i])); ++k) {
        if (!IsStart(i + k) || DecodeOp(words_[i + k]) != Op::kJump) {
          return Fail(i, "a table without its jumps");
        }
      }
    }
    return true;
  }

  bool CheckLiteral(int64_t i, Op op, int64_t distance) WEFT_NO_ALLOC {
    const int64_t index = i / 2 + literal_count_ - distance;
    if (index < 0 || index >= literal_count_) return Fail(i, "a literal outside the pool");
    const Word literal = code_->literals[index];
    switch (op) {
      case Op::kCall:
      case Op::kTailCall:
      case Op::kDynCall:
      case Op::kDynTailCall:
        if (!vm_.cells().IsWordCell(literal.bits)) return Fail(i, "not a word's cell");
        break;
      case Op::kCallGeneric:
      case Op::kTailCallGeneric:
      case Op::kSlotOf:
      case Op::kSetSlotOf:
      case Op::kNth:
      case Op::kSetNth:
      case Op::kLength:
        if (!vm_.cells().IsInlineCache(literal.bits)) return Fail(i, "not an inline cache");
        break;
      case Op::kNewTuple:
      case Op::kIsInstance:
        if (!IsType(literal, TypeId::kLayout)) return Fail(i, "not a layout");
        break;
      case Op::kDispatch:
      case Op::kDispatchMath:
      case Op::kUndefined:
      case Op::kEnterDynamic:
        if (!IsType(literal, TypeId::kWordObject)) return Fail(i, "not a word");
        break;
      default:
        break;
    }
    return true;
  }

  bool CheckMaps() WEFT_NO_ALLOC {
    if (!IsType(code_->maps, TypeId::kByteArray)) return Fail(0, "no stack maps");
    const ByteArray* maps = As<ByteArray>(code_->maps);
    const uint8_t* bytes = maps->bytes;
    const int64_t size = maps->size();
    if (size < 4) return Fail(0, "stack maps cut off");
    const int64_t rows = ReadU32(bytes);
    if (rows * 8 + 4 > size) return Fail(0, "stack maps cut off");
    std::vector<bool> mapped(static_cast<size_t>(count_) + 1);
    int64_t previous = -1;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t pc = ReadU32(bytes + 4 + row * 8);
      const int64_t offset = ReadU32(bytes + 8 + row * 8);
      if (pc <= previous || pc > count_) return Fail(pc, "stack maps out of order");
      previous = pc;
      mapped[static_cast<size_t>(pc)] = true;
      if (!CheckDescriptor(bytes, offset, size)) return Fail(pc, "a malformed stack map");
    }
    for (int64_t i = 0; i < count_; i = NextOf(i)) {
      const OpInfo& info = InfoOf(DecodeOp(words_[i]));
      // Tail calls leave the frame: who runs next has its own maps.
      if (info.NeedsMap() && !mapped[static_cast<size_t>(NextOf(i))]) {
        return Fail(i, "a safepoint without a stack map");
      }
    }
    return true;
  }

  bool CheckDescriptor(const uint8_t* bytes, int64_t at, int64_t size) const {
    if (at >= size) return false;
    const int64_t live_bytes = bytes[at++];
    at += live_bytes;
    for (int list = 0; list < 2; ++list) {
      if (at >= size) return false;
      int64_t left = bytes[at++];
      while (left > 0) {
        --left;
        if (at >= size) return false;
        switch (static_cast<char>(bytes[at++])) {
          case 'S':
            if (at >= size || bytes[at] >= live_bytes * 8) return false;
            ++at;
            break;
          case 'O':
            ++at;
            break;
          case 'L':
            if (at + 2 > size || (bytes[at] | bytes[at + 1] << 8) >= literal_count_) return false;
            at += 2;
            break;
          case 'I':
            at += 2;
            break;
          case 'C':
          case 'K':
            left += 2;
            break;
          case 'X':
            break;
          default:
            return false;
        }
      }
    }
    return at <= size;
  }

  Vm& vm_;
  const Code* code_;
  const uint32_t* words_;
  int64_t count_;
  int64_t literal_count_;
  bool is_static_ = true;
  int64_t frame_ = 0;
  std::vector<bool> starts_;
  std::string error_;
};

}  // namespace

std::string VerifyCode(Vm& vm, const Code* code) { return Verifier(vm, code).Run(); }

}  // namespace weft
