// Forked children: a child process goes on with a copy-on-write image of the whole heap, runs one
// callable in a fresh main context and ends.
//
// The fork point is between two instructions of the VM thread, with helper threads parked at their
// gate. In the child nothing of the parent's goes on: its epoll set, the links to its siblings,
// timers, waits, transfers, other contexts, output that was not written yet. What the program
// opened stays open.
//
// Parent and child are joined by a link (vm/ipc/link.h), over which the child sends its result.
// Used by the VM thread only. Errors: errno values.
#ifndef WEFT_VM_IPC_FORK_H_
#define WEFT_VM_IPC_FORK_H_

#include <cstdint>
#include <string>

#include "gc/handle.h"
#include "vm/objects.h"

namespace weft {
class Vm;
}

namespace weft::ipc {

class Link;

// In the parent: 0 and the link to the child, or the errno and the call that failed. In the child:
// 0 and null; the current context is the one that runs `callable` and is the main context.
int Fork(Vm& vm, const gc::Root& callable, Link** link, const char** failed) WEFT_ALLOCATES;

// The parent has no more use for the child: kills it if it still runs, and forgets the link once it
// is gone.
void EndFork(Vm& vm, uint32_t link);

// Whether this process is a forked child; then its link to the parent.
bool InForkedChild();
uint32_t LinkToParent();

// In a forked child: memory shared with the parent, for the place where the program is, in text.
// Two of them, as the child may die while it writes one.
struct ForkPlace {
  uint32_t current = 0;
  char text[2][512] = {};
};
extern ForkPlace* own_place;  // null in a process that was not forked
void WritePlace(Vm& vm);
// At the end of a slice or before a wait of a forked child.
inline void NotePlace(Vm& vm) {
  if (own_place != nullptr) WritePlace(vm);
}
// Where the child of that link was last: "path:line:column"; empty if it is not known.
std::string PlaceOf(uint32_t link);

// The end of a forked child: what it has written goes out, and nothing of the parent's is torn
// down.
[[noreturn]] void EndForkedChild(Vm& vm);

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_FORK_H_
