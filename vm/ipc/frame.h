// A frame: what a message travels in over the data socket (docs/wire-format.md).
#ifndef WEFT_VM_IPC_FRAME_H_
#define WEFT_VM_IPC_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace weft::ipc {

// A frame begins: magic, u16 version, u8 kind, u8 0, u32 descriptors, u32 beside, u64 length; then
// one byte kDescriptorMark for every kDescriptorsPerMark descriptors or part of them, with which
// they come; then `length` bytes.
inline constexpr uint32_t kFrameMagic = 0x4D544657;  // "WFTM"
inline constexpr uint16_t kFrameVersion = 1;
inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kDescriptorsPerMark = 253;
inline constexpr uint8_t kDescriptorMark = 0x46;
inline constexpr uint32_t kMaxDescriptors = 65536;
inline constexpr uint64_t kMaxFrameBytes = uint64_t{1} << 31;

enum class FrameKind : uint8_t {
  kMessage = 0,  // of the program; takes credit
  kResult = 1,   // the sibling is done
  kError = 2,    // the sibling dies of an error
  kStart = 3,    // what the sibling is to run
};

struct Frame {
  FrameKind kind = FrameKind::kMessage;
  std::vector<uint8_t> bytes;
  std::vector<int> descriptors;
  uint32_t beside_kib = 0;  // content of memory that goes by descriptor instead of in `bytes`
  [[nodiscard]] size_t WireBytes() const;
  // What the frame counts for against the credit: all that it makes the receiver hold.
  [[nodiscard]] size_t CreditBytes() const;
};

template <class T>
T LoadLittle(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
void AppendLittle(std::vector<uint8_t>& bytes, T value) {
  const size_t at = bytes.size();
  bytes.resize(at + sizeof value);
  std::memcpy(&bytes[at], &value, sizeof value);
}

size_t MarksFor(size_t descriptors);
std::vector<uint8_t> HeaderOf(const Frame& frame);
// What is wrong with a header; null: nothing. REQUIRES: kFrameHeaderBytes bytes.
const char* FaultOfHeader(const uint8_t* header);

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_FRAME_H_
