// The I/O proxy of a VM: the table of descriptors and what they share.
//
// A handle is a generation and an index: a stale one finds nothing. Handles 0, 1 and 2 are the
// descriptors the process was born with; they are never set non-blocking (the flag belongs to the
// open file description, which others share): a pipe or terminal is opened anew through /proc.
// Owned by the VM; VM thread only, but for what Helpers says. Errors: errno values.
#ifndef WEFT_VM_IO_IO_H_
#define WEFT_VM_IO_IO_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "gc/handle.h"
#include "vm/io/descriptor.h"
#include "vm/io/faults.h"
#include "vm/io/helpers.h"

namespace weft {
class Vm;
class Scheduler;
}  // namespace weft

namespace weft::io {

class Processes;

class Io {
 public:
  // Of a descriptor that is closed but for a helper thread that still works on it.
  static constexpr uint64_t kClosedHandle = UINT64_MAX;

  explicit Io(Vm& vm);
  ~Io();
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;

  Vm& vm() { return vm_; }
  Scheduler& scheduler();
  EventLoop& events();
  Faults& faults() { return faults_; }
  Helpers& helpers() { return helpers_; }
  Processes& processes() { return *processes_; }
  // Room for one read, so that idle connections hold none: kTurnBytes.
  char* block() { return block_.get(); }

  // --- the table. Takes ownership of `fd`, which must be non-blocking, a socket, or kHelped.
  Descriptor* Add(int fd, FdKind kind);
  // Finds out what `fd` is. It may be shared with others: it is not set non-blocking.
  Descriptor* Adopt(int fd);
  // Null if that handle is stale.
  Descriptor* Find(uint64_t handle);
  // 0, 1, 2: made at first use.
  Descriptor* Standard(int number);
  // Wakes its waiters with `error`; the descriptor goes, its handle is stale from now on.
  void Close(Descriptor* descriptor, const gc::Root& error) WEFT_ALLOCATES;
  [[nodiscard]] size_t open_count() const { return open_; }

  // --- heap objects that transfers work on, by number; 0 is none
  uint32_t NewRoot(Word word);
  void FreeRoot(uint32_t root);
  Word root(uint32_t root) const WEFT_NO_ALLOC { return roots_.get(root); }

  // Before the process ends: all that was written to standard output and error goes out, however
  // slow the reader.
  void FlushStandard();
  // Standard output goes out before standard input is waited for, as far as it can at once.
  void ShowPrompt();
  // The reader of standard output has gone: the program ends as any other would.
  [[noreturn]] void EndQuietly();

  // In a forked child: nothing of the parent's is watched, waited for or sent; user descriptors
  // stay open. After EventLoop::StartAgainAfterFork.
  void StartAgainAfterFork();
  // No descriptor was left for a connection; said once.
  void NoteEmfile();

 private:
  Vm& vm_;
  Helpers helpers_;
  Faults faults_;
  std::unique_ptr<char[]> block_;
  struct Slot {
    std::unique_ptr<Descriptor> descriptor;
    uint64_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<std::unique_ptr<Descriptor>> closing_;  // closed while a helper works on it
  std::unique_ptr<Descriptor> standard_[3];
  size_t open_ = 0;
  gc::RootVector roots_;
  std::vector<uint32_t> free_roots_;
  std::unique_ptr<Processes> processes_;
  bool noted_emfile_ = false;
  friend class Descriptor;
  // The last helper has left a closed descriptor.
  void Reap(Descriptor* descriptor);
  // Closes it after what is being done with it: nobody has its handle.
  void Discard(Descriptor* descriptor);
};

}  // namespace weft::io

#endif  // WEFT_VM_IO_IO_H_
