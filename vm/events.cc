#include "vm/events.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "gc/check.h"
#include "vm/kernel_calls.h"
#include "vm/scheduler.h"

namespace weft {
namespace {

constexpr int kBatch = 64;
constexpr uint64_t kWakeTag = UINT64_MAX;

// The signal handler knows nothing but these two.
std::atomic<std::atomic<uint64_t>*> signal_bits{nullptr};
std::atomic<int> signal_wake_fd{-1};

void Ring(int fd) {
  const uint64_t one = 1;
  // A full counter means that it rings already.
  while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void OnSignal(int number) {
  const int saved = errno;
  std::atomic<uint64_t>* bits = signal_bits.load();
  if (bits != nullptr) bits->fetch_or(uint64_t{1} << number);
  const int fd = signal_wake_fd.load();
  if (fd >= 0) Ring(fd);
  errno = saved;
}

int64_t ReadClock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

}  // namespace

EventLoop::EventLoop(Scheduler& scheduler) : scheduler_(scheduler) {
  signal_bits.store(&pending_signals_);
}

EventLoop::~EventLoop() {
  signal_bits.store(nullptr);
  signal_wake_fd.store(-1);
  if (epoll_ >= 0) close(epoll_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

int64_t EventLoop::Now() { return ReadClock(CLOCK_MONOTONIC); }
int64_t EventLoop::CoarseNow() { return ReadClock(CLOCK_MONOTONIC_COARSE); }

// At first use only: most scripts never wait for anything outside.
void EventLoop::Open() {
  if (epoll_ >= 0) return;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wake_fd_ < 0) {
    // Without them nothing can be waited for at all: two descriptors short at the very start.
    std::abort();
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeTag;
  WEFT_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd_, &event) == 0);
  signal_wake_fd.store(wake_fd_);
  // A signal, or a completion, may have come before there was a bell to ring.
  if (signals_pending()) Ring(wake_fd_);
}

int EventLoop::Watch(int fd, uint32_t events, Watcher* watcher) {
  WEFT_CHECK(watcher->slot_ == Watcher::kNotWatched);
  Open();
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_slots_.back();
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.u64 = uint64_t{slots_[index].generation} << 32 | index;
  ++kernel_calls.watches;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) return errno;
  free_slots_.pop_back();
  slots_[index].watcher = watcher;
  watcher->slot_ = index;
  return 0;
}

void EventLoop::Unwatch(int fd, Watcher* watcher) {
  if (watcher->slot_ == Watcher::kNotWatched) return;
  ++kernel_calls.watches;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  Slot& slot = slots_[watcher->slot_];
  slot.watcher = nullptr;
  ++slot.generation;  // an event that was fetched already finds another generation
  free_slots_.push_back(watcher->slot_);
  watcher->slot_ = Watcher::kNotWatched;
}

void EventLoop::Post(std::function<void()> completion) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  {
    const absl::MutexLock lock(&mutex_);
    completions_.push_back(std::move(completion));
  }
  Ring(wake_fd_);
}

void EventLoop::RunCompletions() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  std::vector<std::function<void()>> batch;
  {
    const absl::MutexLock lock(&mutex_);
    batch.swap(completions_);
  }
  for (const std::function<void()>& completion : batch) completion();
}

int EventLoop::CatchSignal(int number) {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(number, &action, nullptr) == 0 ? 0 : errno;
}

int EventLoop::ReleaseSignal(int number) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  pending_signals_.fetch_and(~(uint64_t{1} << number));
  return sigaction(number, &action, nullptr) == 0 ? 0 : errno;
}

int EventLoop::TakeSignal() {
  uint64_t bits = pending_signals_.load();
  if (bits == 0) return 0;
  const int number = __builtin_ctzll(bits);
  pending_signals_.fetch_and(~(uint64_t{1} << number));
  return number;
}

void EventLoop::FireTimers() {
  if (timers_.empty()) return;
  const int64_t now = Now();
  while (!timers_.empty() && timers_.NextDeadline() <= now) {
    scheduler_.FireTimer(timers_.Take());
  }
}

void EventLoop::Poll() {
  if (epoll_ >= 0) Dispatch(0, 0);
  FireTimers();
}

bool EventLoop::ExpectsAnything() const { return operations_ > 0 || !timers_.empty(); }

void EventLoop::Sleep(int64_t until_ns) {
  Open();
  int64_t until = until_ns;
  if (!timers_.empty() && timers_.NextDeadline() < until) until = timers_.NextDeadline();
  Dispatch(1, until);
  FireTimers();
}

// timeout_kind 0: do not wait.
void EventLoop::Dispatch(int timeout_kind, int64_t until_ns) {
  epoll_event events[kBatch];
  timespec timeout{};
  const timespec* limit = &timeout;
  if (timeout_kind != 0) {
    if (until_ns == INT64_MAX) {
      limit = nullptr;
    } else {
      const int64_t left = until_ns - Now();
      if (left > 0) {
        timeout.tv_sec = left / 1000000000;
        timeout.tv_nsec = left % 1000000000;
      }
    }
  }
  ++kernel_calls.waits;
  int count = epoll_pwait2(epoll_, events, kBatch, limit, nullptr);
  if (count < 0 && errno == ENOSYS) {  // kernels before 5.11
    int milliseconds = -1;
    if (limit != nullptr) {
      const int64_t wanted = int64_t{timeout.tv_sec} * 1000 + (timeout.tv_nsec + 999999) / 1000000;
      milliseconds = static_cast<int>(wanted < 86400000 ? wanted : 86400000);
    }
    count = epoll_wait(epoll_, events, kBatch, milliseconds);
  }
  for (int i = 0; i < count; ++i) {
    const uint64_t tag = events[i].data.u64;
    if (tag == kWakeTag) {
      uint64_t rung;
      while (read(wake_fd_, &rung, sizeof(rung)) < 0 && errno == EINTR) {
      }
      continue;
    }
    const auto index = static_cast<uint32_t>(tag);
    Slot& slot = slots_[index];
    if (slot.watcher != nullptr && slot.generation == static_cast<uint32_t>(tag >> 32)) {
      slot.watcher->OnReady(events[i].events);
    }
  }
  RunCompletions();
}

void EventLoop::StartAgainAfterFork() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  // The set is shared with the parent: closing this copy is all that may be done to it.
  if (epoll_ >= 0) close(epoll_);
  if (wake_fd_ >= 0) close(wake_fd_);
  epoll_ = wake_fd_ = -1;
  signal_wake_fd.store(-1);
  for (Slot& slot : slots_) {
    if (slot.watcher != nullptr) slot.watcher->slot_ = Watcher::kNotWatched;
  }
  slots_.clear();
  free_slots_.clear();
  timers_.Clear();
  operations_ = 0;
  pending_signals_.store(0);
  {
    const absl::MutexLock lock(&mutex_);
    completions_.clear();
  }
}

std::vector<int> EventLoop::OwnDescriptors() const {
  if (epoll_ < 0) return {};
  return {epoll_, wake_fd_};
}

}  // namespace weft
