// Faults of the system, injected by seed (--io-faults SEED): interrupted calls, calls that would
// block, short transfers, and now and then a connection reset, a full descriptor table, a broken
// pipe or a full disk. Programs must give the result they give without, or a named error.
//
// Every system call of the I/O proxy that can fail asks here first. Without a seed this is one test
// of a flag. VM thread only (helper threads inject nothing: their order is not repeatable).
#ifndef WEFT_VM_IO_FAULTS_H_
#define WEFT_VM_IO_FAULTS_H_

#include <cstddef>
#include <cstdint>

namespace weft::io {

enum class FaultPoint : uint8_t { kReceive, kSend, kAccept, kConnect, kOpen, kFileWrite };

class Faults {
 public:
  void Seed(uint64_t seed) { state_ = seed; }
  [[nodiscard]] bool on() const { return state_ != 0; }
  // 0: make the call, perhaps with a smaller *size; else the errno it shall have failed with.
  int Next(FaultPoint point, size_t* size) { return on() ? Draw(point, size) : 0; }

 private:
  int Draw(FaultPoint point, size_t* size);
  uint64_t state_ = 0;
};

}  // namespace weft::io

#endif  // WEFT_VM_IO_FAULTS_H_
