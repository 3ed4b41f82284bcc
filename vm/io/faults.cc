#include "vm/io/faults.h"

#include <cerrno>

namespace weft::io {

int Faults::Draw(FaultPoint point, size_t* size) {
  // xorshift64*: small, and the same everywhere.
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  const uint64_t drawn = state_ * 0x2545F4914F6CDD1DULL >> 32;
  const bool moves_bytes = point == FaultPoint::kReceive || point == FaultPoint::kSend;
  switch (drawn % 8) {
    case 0:
      if (moves_bytes || point == FaultPoint::kAccept) return EAGAIN;
      break;
    case 1:
      return EINTR;
    case 2:
    case 3:
      if (*size > 1) *size = 1 + (drawn >> 8) % (*size - 1);
      return 0;
    default:
      break;
  }
  if ((drawn >> 8) % 256 != 0) return 0;
  switch (point) {
    case FaultPoint::kReceive:
    case FaultPoint::kConnect:
      return ECONNRESET;
    case FaultPoint::kSend:
      return EPIPE;
    case FaultPoint::kAccept:
    case FaultPoint::kOpen:
      return EMFILE;
    case FaultPoint::kFileWrite:
      return ENOSPC;
  }
  return 0;
}

}  // namespace weft::io
