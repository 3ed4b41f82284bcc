#include "vm/bytecode.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"

namespace weft {
namespace {

// The rows spell roles and flags as bare names; they are read from their text at compile time.
constexpr bool Same(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) ++a, ++b;
  return *a == *b;
}

void UnknownRoleInList() {}

consteval Role RoleOf(const char* text) {
  constexpr struct {
    const char* name;
    Role role;
  } kRoles[] = {{"-", Role::kNone},    {"Dst", Role::kDst}, {"Src", Role::kSrc},
                {"Mod", Role::kMod},   {"Win", Role::kWin}, {"Imm", Role::kImm},
                {"Cnt", Role::kCnt},   {"Raw", Role::kRaw}, {"Lit", Role::kLit},
                {"Prim", Role::kPrim}, {"Jmp", Role::kJmp}};
  for (const auto& row : kRoles) {
    if (Same(text, row.name)) return row.role;
  }
  UnknownRoleInList();  // not constexpr: reaching it fails the build
  return Role::kNone;
}

consteval uint16_t FlagsOf(const char* text) {
  uint16_t flags = 0;
  for (; *text != '\0'; ++text) {
    switch (*text) {
      case 'T':
        flags |= kOpThrows;
        break;
      case 'A':
        flags |= kOpAllocates;
        break;
      case 'C':
        flags |= kOpCalls;
        break;
      case 'E':
        flags |= kOpEndsBlock;
        break;
      case 'L':
        flags |= kOpLoops;
        break;
      case 'Y':
        flags |= kOpDynamic;
        break;
      case 'S':
        flags |= kOpStub;
        break;
      case 'R':
        flags |= kOpRarelyCalls;
        break;
      default:
        break;  // | and 0
    }
  }
  return flags;
}

}  // namespace

const OpInfo kOps[kOpCount] = {
#define OP(name, charge, flags, a, b, c, ext, meaning) \
  {#name, charge, FlagsOf(#flags), {RoleOf(#a), RoleOf(#b), RoleOf(#c), RoleOf(#ext)}, meaning},
#include "vm/opcodes.def"
#undef OP
};

int64_t OperandAt(const uint32_t* at, int index) {
  const OpInfo& info = InfoOf(DecodeOp(at[0]));
  const Role role = info.roles[index];
  const bool is_signed = role == Role::kImm || role == Role::kJmp;
  switch (index) {
    case 0:
      return DecodeA(at[0]);
    case 1:
      if (is_signed) return DecodeSignedB(at[0]);
      return DecodeB(at[0]);
    case 2:
      if (info.form() == Form::kAD) {
        if (is_signed) return DecodeSignedD(at[0]);
        return DecodeD(at[0]);
      }
      if (is_signed) return DecodeSignedC(at[0]);
      return DecodeC(at[0]);
    default:
      if (role == Role::kLit && info.roles[0] == Role::kWin) return DecodeExtLiteral(at[1]);
      if (is_signed) return static_cast<int32_t>(at[1]);
      return at[1];
  }
}

uint32_t ChargeOf(const uint32_t* instructions, size_t count, size_t from) {
  absl::InlinedVector<size_t, 64> starts;
  for (size_t i = from; i < count;) {
    starts.push_back(i);
    i += InfoOf(DecodeOp(instructions[i])).words();
  }
  // Forward jumps only lead to higher indices, so one pass from the end settles every start.
  absl::InlinedVector<uint32_t, 96> dearest(count + 1, 0);
  for (auto start = starts.rbegin(); start != starts.rend(); ++start) {
    const size_t i = *start;
    const Op op = DecodeOp(instructions[i]);
    const OpInfo& info = InfoOf(op);
    const size_t next = i + info.words();
    uint32_t rest = 0;
    // After a jump that is always taken, a return or a tail call nothing falls through. TableJump
    // reaches the jumps that follow it through each other: a jump's cost is its target's.
    const bool falls_through = op != Op::kReturn && op != Op::kReturnFrom && op != Op::kJump &&
                               op != Op::kLoop && op != Op::kTailCall && op != Op::kTailCallGeneric;
    if (falls_through) rest = dearest[std::min(next, count)];
    for (int operand = 2; operand < 4; ++operand) {
      if (info.roles[operand] != Role::kJmp) continue;
      const int64_t target = static_cast<int64_t>(next) + OperandAt(instructions + i, operand);
      if (target > static_cast<int64_t>(i) && target <= static_cast<int64_t>(count)) {
        rest = std::max(rest, dearest[static_cast<size_t>(target)]);
      }
    }
    if (op == Op::kTableJump) {
      const size_t table_end = std::min(count, next + DecodeB(instructions[i]));
      for (size_t entry = next; entry < table_end; ++entry) rest = std::max(rest, dearest[entry]);
    }
    dearest[i] = std::min<uint32_t>(0xFFFF, info.charge + rest);
  }
  return std::max<uint32_t>(1, from <= count ? dearest[from] : 1);
}

}  // namespace weft
