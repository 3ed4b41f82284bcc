// Calls of the kernel on the VM thread for input, output and waits, counted for --stats.
#ifndef WEFT_VM_KERNEL_CALLS_H_
#define WEFT_VM_KERNEL_CALLS_H_

#include <cstdint>

namespace weft {

struct KernelCalls {
  uint64_t reads = 0;    // read, recv, recvmsg, recvfrom
  uint64_t writes = 0;   // write, send, sendmsg, sendto
  uint64_t accepts = 0;  // accept4
  uint64_t watches = 0;  // epoll_ctl
  uint64_t waits = 0;    // epoll_pwait2
};

// Of the process: it has one VM, on one thread.
inline KernelCalls kernel_calls;

}  // namespace weft

#endif  // WEFT_VM_KERNEL_CALLS_H_
