// Helper OS threads for calls that may block: regular files, opening, name look-up.
//
// A job is plain C++ data: `run` on a helper thread, then `done` on the VM thread. At most
// kMaxThreads; more jobs wait in line. Threads are started at first need and end when idle.
//
// The fork gate: ParkAll() returns when no helper runs code of this process (each is idle, at the
// gate, or inside one system call after which it meets the gate before anything else); until
// ReleaseAll() none goes on. A job says with BlockingCall that only the kernel works for it.
//
// Owned by Io; Submit, ParkAll, ReleaseAll and StartAgainAfterFork on the VM thread.
#ifndef WEFT_VM_IO_HELPERS_H_
#define WEFT_VM_IO_HELPERS_H_

#include <functional>
#include <memory>

namespace weft {
class EventLoop;
}  // namespace weft

namespace weft::io {

class Helpers {
 public:
  static constexpr int kMaxThreads = 32;
  struct Shared;  // outlives the VM where a helper is stuck in the kernel

  Helpers();
  ~Helpers();
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  // `done` runs on the VM thread, unless the VM has ended meanwhile.
  void Submit(EventLoop& events, std::function<void()> run, std::function<void()> done);
  // Around one system call inside `run`.
  class BlockingCall {
   public:
    BlockingCall();
    ~BlockingCall();
    BlockingCall(const BlockingCall&) = delete;
    BlockingCall& operator=(const BlockingCall&) = delete;
  };

  void ParkAll();
  void ReleaseAll();
  // In a forked child: the threads are not there; jobs in line are dropped.
  void StartAgainAfterFork();

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace weft::io

#endif  // WEFT_VM_IO_HELPERS_H_
