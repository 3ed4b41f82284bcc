#include "vm/ipc/frame.h"

namespace weft::ipc {

size_t MarksFor(size_t descriptors) {
  return (descriptors + kDescriptorsPerMark - 1) / kDescriptorsPerMark;
}

std::vector<uint8_t> HeaderOf(const Frame& frame) {
  std::vector<uint8_t> bytes;
  bytes.reserve(kFrameHeaderBytes);
  AppendLittle(bytes, kFrameMagic);
  AppendLittle(bytes, kFrameVersion);
  bytes.push_back(static_cast<uint8_t>(frame.kind));
  bytes.push_back(0);
  AppendLittle(bytes, static_cast<uint32_t>(frame.descriptors.size()));
  AppendLittle(bytes, frame.beside_kib);
  AppendLittle(bytes, uint64_t{frame.bytes.size()});
  return bytes;
}

const char* FaultOfHeader(const uint8_t* header) {
  if (LoadLittle<uint32_t>(header) != kFrameMagic) return "bytes that are no frame of a message";
  if (LoadLittle<uint16_t>(header + 4) != kFrameVersion) return "a frame of another version";
  if (header[6] > static_cast<uint8_t>(FrameKind::kStart) || header[7] != 0) {
    return "a frame of a kind that is not known";
  }
  if (LoadLittle<uint32_t>(header + 8) > kMaxDescriptors)
    return "a frame with too many descriptors";
  if (LoadLittle<uint64_t>(header + 16) > kMaxFrameBytes) return "a frame that is too large";
  return nullptr;
}

size_t Frame::WireBytes() const {
  return kFrameHeaderBytes + MarksFor(descriptors.size()) + bytes.size();
}

size_t Frame::CreditBytes() const { return WireBytes() + size_t{beside_kib} * 1024; }

}  // namespace weft::ipc
