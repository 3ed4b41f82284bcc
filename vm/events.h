// What comes from outside: ready descriptors, completions of helper threads, signals, deadlines.
//
// The VM thread looks at them every few slices (counted in instructions, never in time) and sleeps
// here, in one kernel wait until the next deadline, when no context can run. Descriptors are
// watched edge-triggered; a watcher keeps its own readiness flags.
//
// Owned by the VM, used by its thread only; Post and the signal handler may run anywhere.
// Errors: errno values. Times: nanoseconds of CLOCK_MONOTONIC.
#ifndef WEFT_VM_EVENTS_H_
#define WEFT_VM_EVENTS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "vm/timers.h"

namespace weft {

class Scheduler;

// Someone who is told of one descriptor's readiness. Must be unwatched before it goes.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // `events`: of epoll_wait. Runs on the VM thread between two slices; may allocate in the heap.
  virtual void OnReady(uint32_t events) = 0;

 private:
  friend class EventLoop;
  static constexpr uint32_t kNotWatched = UINT32_MAX;
  uint32_t slot_ = kNotWatched;
};

class EventLoop {
 public:
  explicit EventLoop(Scheduler& scheduler);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  static int64_t Now();
  // Cheaper, some milliseconds behind: for "since when".
  static int64_t CoarseNow();

  // --- descriptors. 0 or the errno of epoll_ctl (EPERM: a regular file, always ready).
  // `events` of epoll; EPOLLET is added.
  int Watch(int fd, uint32_t events, Watcher* watcher);
  // Before the descriptor is closed or handed over: a registration outlives a descriptor of which
  // another process holds a copy. Events already fetched for it are dropped.
  void Unwatch(int fd, Watcher* watcher);

  // --- what is under way. While an operation that the outside will end is counted here, waiting
  // threads are no deadlock.
  void BeginOperation() { ++operations_; }
  void EndOperation() { --operations_; }
  [[nodiscard]] int operations() const { return operations_; }

  // --- helper threads
  // Must have run before another OS thread may Post.
  void Open();
  // Runs `completion` on the VM thread, soon.
  void Post(std::function<void()> completion) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- signals
  // From now on the signal is recorded instead of doing what the system would. 0 or errno.
  int CatchSignal(int number);
  int ReleaseSignal(int number);  // the system's default again
  [[nodiscard]] bool signals_pending() const {
    return pending_signals_.load(std::memory_order_relaxed) != 0;
  }
  // Takes the lowest pending signal; 0: none.
  int TakeSignal();

  TimerQueue& timers() { return timers_; }

  // Looks without waiting, and wakes who is concerned.
  void Poll();
  // Whether anything could still wake a thread: a deadline, an operation, a completion on its way.
  [[nodiscard]] bool ExpectsAnything() const;
  // Sleeps until something happens, until_ns at the latest (INT64_MAX: no limit).
  void Sleep(int64_t until_ns);

  // In a forked child: own epoll set; nothing of the parent's is watched or posted any more.
  void StartAgainAfterFork();

  // Descriptors of the loop's own, which nobody else may close: for the fork protocol.
  [[nodiscard]] std::vector<int> OwnDescriptors() const;

 private:
  void FireTimers();
  void Dispatch(int timeout_kind, int64_t until_ns);
  void RunCompletions() ABSL_LOCKS_EXCLUDED(mutex_);

  Scheduler& scheduler_;
  TimerQueue timers_;
  int epoll_ = -1;
  int wake_fd_ = -1;  // eventfd: completions and signals end the kernel wait
  int operations_ = 0;
  std::atomic<uint64_t> pending_signals_{0};
  struct Slot {
    Watcher* watcher = nullptr;
    uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  absl::Mutex mutex_;
  std::vector<std::function<void()>> completions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace weft

#endif  // WEFT_VM_EVENTS_H_
