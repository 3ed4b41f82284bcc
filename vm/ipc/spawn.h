// Starting a sibling: a process that runs this executable, with the two sockets of its link as
// descriptors 3 and 4 and nothing else of ours but standard output and error.
//
// The child has a process group of its own (the terminal's signals are not for it), default signal
// dispositions, an empty signal mask, and dies with the thread that made it, hence with the VM.
#ifndef WEFT_VM_IPC_SPAWN_H_
#define WEFT_VM_IPC_SPAWN_H_

#include <string>
#include <vector>

namespace weft::ipc {

inline constexpr int kSiblingDataFd = 3;
inline constexpr int kSiblingControlFd = 4;

struct SiblingStart {
  std::vector<std::string> arguments;    // from argv[0] on
  std::vector<std::string> environment;  // KEY=value
  bool has_environment = false;          // else the VM's own
  std::string directory;                 // empty: the VM's own
};

struct SiblingProcess {
  int pid = 0;
  int pidfd = -1;
  int data = -1;
  int control = -1;
};

// Two connected pairs: data[0] with data[1], control[0] with control[1]. 0 or errno.
int MakeSockets(int data[2], int control[2]);

// Waits until the new program has begun. 0 or errno; *failed names the call.
int StartSibling(const SiblingStart& start, SiblingProcess* process, const char** failed);

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_SPAWN_H_
