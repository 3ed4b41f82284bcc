// Child processes: made on the VM thread, their end noticed by pidfd.
//
// A child is vforked: it shares the memory until it executes, so a large heap costs nothing, and an
// error of the execution is known at once. It gets the descriptors meant for it as 0, 1, 2, ... and
// no others, default signal dispositions and an empty mask.
// Owned by Io; VM thread only. Errors: errno values.
#ifndef WEFT_VM_IO_PROCESSES_H_
#define WEFT_VM_IO_PROCESSES_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gc/handle.h"
#include "vm/events.h"
#include "vm/wait.h"

namespace weft {
class Vm;
}  // namespace weft

namespace weft::io {

class Io;

struct ProcessRequest {
  std::vector<std::string> arguments;
  bool has_environment = false;
  std::vector<std::string> environment;  // "KEY=value"
  std::string directory;                 // empty: as the parent's
  std::vector<int> fds;                  // fds[n] becomes n; -1: closed
  enum class Group : uint8_t { kSame, kNew, kSession } group = Group::kSame;
  bool has_priority = false;
  int priority = 0;  // nice value
};

class Processes {
 public:
  explicit Processes(Io& io);
  ~Processes();

  // 0 and the process id; or errno, and in *operation the call that failed.
  int Start(const ProcessRequest& request, pid_t* pid, std::string* operation);
  // The wait of the current thread, begun with an operation that this returns, ends with the
  // status: the exit code, or minus the signal. False: there is no such child (any more).
  [[nodiscard]] bool IsRunning(pid_t pid) const;
  // The status of one that has ended is kept until it is taken, or until many others have ended.
  bool TakeStatus(pid_t pid, int* status);
  // Parks the current thread until the process ends. REQUIRES: IsRunning.
  void Park(pid_t pid, gc::Word object, int64_t timeout_ns);
  int Kill(pid_t pid, int signal);
  // The parent's children are none of the forked child's.
  void StartAgainAfterFork();

 private:
  struct Child;
  struct ChildWaiter;
  void Ended(Child* child) WEFT_ALLOCATES;
  Child* Find(pid_t pid) const;

  Io& io_;
  std::vector<std::unique_ptr<Child>> children_;
  struct Past {
    pid_t pid;
    int status;
  };
  std::vector<Past> past_;
};

}  // namespace weft::io

#endif  // WEFT_VM_IO_PROCESSES_H_
