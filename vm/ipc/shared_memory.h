// Memory that several VMs map: anonymous (a memfd, sealed against shrinking) or a file, read-only.
//
// A region lies outside the heap; the program holds a handle to it, a pinned Wrapper of the
// region's number. When the handle is dead the region is unmapped and its descriptor closed.
//
// Another process may cut a mapped file short. The first touch of a page that is gone raises
// SIGBUS: the handler maps zeros from there to the region's end and notes where that begins.
// Whoever reads the memory asks LostBelow afterwards and throws; so a lost page is never taken for
// data. The kernel does not raise the signal for memory that it reads itself: write() and send()
// give EFAULT, and Probe tells whether that was the cause.
//
// Threads: regions are made and dropped by the VM thread; helper threads may read a pinned region,
// and the signal handler runs wherever a page is touched. Errors: errno values.
#ifndef WEFT_VM_IPC_SHARED_MEMORY_H_
#define WEFT_VM_IPC_SHARED_MEMORY_H_

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gc/heap.h"
#include "vm/objects.h"

namespace weft {
class Vm;
}

namespace weft::ipc {

class SharedRegion {
 public:
  [[nodiscard]] uint8_t* data() const { return begin_.load(std::memory_order_relaxed); }
  [[nodiscard]] size_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool writable() const { return writable_; }
  [[nodiscard]] bool is_file() const { return is_file_; }

  // Whether any byte before `end` was lost to another process that cut the file short.
  [[nodiscard]] bool LostBelow(size_t end) const {
    return lost_from_.load(std::memory_order_relaxed) < end;
  }
  // Touches every page of a part: whether one is lost.
  [[nodiscard]] bool Probe(size_t from, size_t count) const;

  // While pinned (a transfer reads or writes it), the region stays where it is.
  void Pin() { ++pins_; }
  void Unpin();
  [[nodiscard]] bool pinned() const { return pins_ > 0; }

 private:
  friend class SharedMemory;
  static constexpr size_t kNothingLost = SIZE_MAX;

  // Read by the signal handler.
  std::atomic<uint8_t*> begin_{nullptr};
  std::atomic<size_t> size_{0};
  std::atomic<size_t> lost_from_{kNothingLost};
  std::atomic<bool> may_write_{false};
  SharedRegion* next_ = nullptr;  // all regions there ever were; set before it is published

  uint32_t id_ = 0;
  uint64_t handle_ = 0;  // bits of the handle's word; 0: the region is free
  int fd_ = -1;
  bool writable_ = false;
  bool is_file_ = false;
  bool dropped_ = false;  // to be unmapped when no transfer uses it any more
  int pins_ = 0;
  class SharedMemory* owner_ = nullptr;
};

class SharedMemory : public gc::RootSource {
 public:
  static SharedMemory& Of(Vm& vm);

  // The region of a handle; null: it is none, or was disposed of.
  [[nodiscard]] SharedRegion* Find(Word handle) WEFT_NO_ALLOC;

  // Each makes a region and its handle, or answers with the errno.
  int Create(size_t size, Word* handle) WEFT_ALLOCATES;
  // `*problem`: what is wrong where errno says nothing of use.
  int MapFile(const std::string& path, bool writable, Word* handle,
              const char** problem) WEFT_ALLOCATES;
  // Takes the descriptor over. `is_file`: what another VM mapped from a file; else the memory must
  // be sealed against shrinking.
  int Adopt(int fd, bool is_file, Word* handle, const char** problem) WEFT_ALLOCATES;

  // No process can write to it from now on. EBUSY: somebody has it mapped for writing.
  int Freeze(SharedRegion* region);
  // Processes that have the memory mapped for writing, as far as their maps can be read.
  std::vector<int> WritersOf(const SharedRegion* region);
  // Unmaps it, now or when the last transfer is done.
  void Drop(SharedRegion* region);

  // In a forked child: no transfer of the parent's is under way.
  void StartAgainAfterFork();
  // Regions that are mapped.
  [[nodiscard]] size_t count() const { return live_; }

  [[nodiscard]] const char* name() const override { return "other"; }
  void VisitRoots(gc::SlotVisitor&, bool) override {}
  void SweepDead(const gc::Heap& heap) override;

 private:
  friend class SharedRegion;
  explicit SharedMemory(Vm& vm);
  static void OnBusError(int number, siginfo_t* info, void* context);
  // Takes `fd` over, also when it fails.
  int Map(int fd, size_t size, bool writable, bool is_file, Word* handle) WEFT_ALLOCATES;
  void Release(SharedRegion* region);

  Vm& vm_;
  std::vector<SharedRegion*> regions_;  // by id
  std::vector<uint32_t> free_;
  size_t live_ = 0;
};

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_SHARED_MEMORY_H_
