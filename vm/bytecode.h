// Encoding and decoding of instructions, and nothing else. Made from vm/opcodes.def.
//
//     31      24 23      16 15       8 7        0
//    |    C     |    B     |    A     |    op    |    form kABC
//    |          D          |    A     |    op    |    form kAD
//    |                    Ext                    |    second word, if the row has one
//
// Ext of an instruction that calls (role Win) must keep A where Return finds it, in the word before
// the return address: it is again |  D  | A | op |, its literal distance in the upper 16 bits
// (EncodeExtLiteral, ExtLiteral). All other Ext operands are plain 32-bit values.
//
// Charges. Enter takes the cost of the dearest path from it to an end, each loop body counted once
// (ChargeOf). A back edge takes the number of words it jumps (LoopCharge): no field needed, and
// every tier sees the same.
#ifndef WEFT_VM_BYTECODE_H_
#define WEFT_VM_BYTECODE_H_

#include <cstddef>
#include <cstdint>

namespace weft {

enum class Op : uint8_t {
#define OP(name, charge, flags, a, b, c, ext, meaning) k##name,
#include "vm/opcodes.def"
#undef OP
  kCount,
};
inline constexpr size_t kOpCount = static_cast<size_t>(Op::kCount);

enum class Role : uint8_t { kNone, kDst, kSrc, kMod, kWin, kImm, kCnt, kRaw, kLit, kPrim, kJmp };

enum OpFlag : uint16_t {
  kOpThrows = 1,
  kOpAllocates = 2,
  kOpCalls = 4,
  kOpEndsBlock = 8,
  kOpLoops = 16,
  kOpDynamic = 32,
  kOpStub = 64,
  kOpRarelyCalls = 128,
};

enum class Form : uint8_t { kABC, kAD };

struct OpInfo {
  const char* name;
  uint8_t charge;
  uint16_t flags;
  Role roles[4];  // A, B, C or D, Ext
  const char* meaning;

  // B stands for itself only if its role is set; a third operand without it is the wide D.
  [[nodiscard]] constexpr Form form() const {
    return roles[1] == Role::kNone && roles[2] != Role::kNone ? Form::kAD : Form::kABC;
  }
  [[nodiscard]] constexpr bool has_ext() const { return roles[3] != Role::kNone; }
  [[nodiscard]] constexpr size_t words() const { return has_ext() ? 2 : 1; }
  [[nodiscard]] constexpr bool Has(OpFlag flag) const { return (flags & flag) != 0; }
  // Static-mode instructions after which a stack map is looked up.
  [[nodiscard]] constexpr bool NeedsMap() const {
    return !Has(kOpDynamic) && !Has(kOpStub) && (Has(kOpCalls) || Has(kOpAllocates));
  }
};

extern const OpInfo kOps[kOpCount];

inline const OpInfo& InfoOf(Op op) { return kOps[static_cast<size_t>(op)]; }

// --- encoding: operands are truncated to their fields; callers check ranges ----------------------

constexpr uint32_t EncodeABC(Op op, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0) {
  return static_cast<uint32_t>(op) | (a & 0xFF) << 8 | (b & 0xFF) << 16 | (c & 0xFF) << 24;
}
constexpr uint32_t EncodeAD(Op op, uint32_t a, uint32_t d) {
  return static_cast<uint32_t>(op) | (a & 0xFF) << 8 | (d & 0xFFFF) << 16;
}
constexpr uint32_t EncodeADSigned(Op op, uint32_t a, int32_t d) {
  return EncodeAD(op, a, static_cast<uint32_t>(d));
}
// The Ext word of a calling instruction: literal distance, with A and op where Return looks.
constexpr uint32_t EncodeExtLiteral(Op op, uint32_t a, uint32_t distance) {
  return EncodeAD(op, a, distance);
}

// --- decoding ------------------------------------------------------------------------------------

constexpr Op DecodeOp(uint32_t word) { return static_cast<Op>(word & 0xFF); }
constexpr uint32_t DecodeA(uint32_t word) { return word >> 8 & 0xFF; }
constexpr uint32_t DecodeB(uint32_t word) { return word >> 16 & 0xFF; }
constexpr uint32_t DecodeC(uint32_t word) { return word >> 24; }
constexpr uint32_t DecodeD(uint32_t word) { return word >> 16; }
constexpr int32_t DecodeSignedB(uint32_t word) { return static_cast<int8_t>(word >> 16 & 0xFF); }
constexpr int32_t DecodeSignedC(uint32_t word) { return static_cast<int8_t>(word >> 24); }
constexpr int32_t DecodeSignedD(uint32_t word) { return static_cast<int16_t>(word >> 16); }
constexpr uint32_t DecodeExtLiteral(uint32_t ext) { return ext >> 16; }

// The operand with index 0..3 of the instruction at `at`, sign-extended where its role is signed;
// literal distances in words down from the instruction.
int64_t OperandAt(const uint32_t* at, int index);

// The literal `distance` words below the instruction at `at` (its address rounded down to 8).
inline const uint64_t* LiteralAddress(const uint32_t* at, uint32_t distance) {
  return reinterpret_cast<const uint64_t*>(reinterpret_cast<uint64_t>(at) & ~uint64_t{7}) -
         distance;
}

// What Enter at index `from` charges: the dearest path from there, back edges not followed. At
// least 1, at most 0xFFFF. REQUIRES: well-formed instructions [0, count).
uint32_t ChargeOf(const uint32_t* instructions, size_t count, size_t from);
// What a back edge over `distance` < 0 words charges.
constexpr uint32_t LoopCharge(int32_t distance) { return static_cast<uint32_t>(-distance); }

}  // namespace weft

#endif  // WEFT_VM_BYTECODE_H_
