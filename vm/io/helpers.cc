#include "vm/io/helpers.h"

#include <pthread.h>

#include <csignal>
#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "vm/events.h"

namespace weft::io {

struct Helpers::Shared {
  struct Job {
    EventLoop* events;
    std::function<void()> run, done;
  };
  absl::Mutex mutex;
  absl::CondVar changed;
  std::deque<Job> jobs ABSL_GUARDED_BY(mutex);
  int threads ABSL_GUARDED_BY(mutex) = 0;
  int idle ABSL_GUARDED_BY(mutex) = 0;
  int running ABSL_GUARDED_BY(mutex) = 0;    // run code of this process, or are in the kernel
  int in_kernel ABSL_GUARDED_BY(mutex) = 0;  // of those, in one system call or at the gate
  bool gate_closed ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;  // the VM has gone: nobody is told

  void Work();
  // A new thread. False: the system gives none.
  static bool Start(const std::shared_ptr<Shared>& shared);
};

namespace {

constexpr absl::Duration kIdleTime = absl::Seconds(10);

thread_local Helpers::Shared* current = nullptr;

void* RunThread(void* data) {
  const std::unique_ptr<std::shared_ptr<Helpers::Shared>> shared(
      static_cast<std::shared_ptr<Helpers::Shared>*>(data));
  current = shared->get();
  (*shared)->Work();
  return nullptr;
}

}  // namespace

void Helpers::Shared::Work() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const absl::MutexLock lock(&mutex);
  while (!ended) {
    if (jobs.empty() || gate_closed) {
      ++idle;
      const bool timed_out = changed.WaitWithTimeout(&mutex, kIdleTime);
      --idle;
      if (timed_out && jobs.empty() && !gate_closed) break;
      continue;
    }
    Job job = std::move(jobs.front());
    jobs.pop_front();
    ++running;
    mutex.Unlock();
    job.run();
    mutex.Lock();
    if (!ended) job.events->Post(std::move(job.done));
    job = Job();
    --running;
    if (gate_closed) changed.SignalAll();
  }
  --threads;
}

bool Helpers::Shared::Start(const std::shared_ptr<Shared>& shared) {
  // Signals are the VM thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto data = std::make_unique<std::shared_ptr<Shared>>(shared);
  pthread_t thread;
  const bool started = pthread_create(&thread, nullptr, RunThread, data.get()) == 0;
  if (started) {
    (void)data.release();
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

Helpers::Helpers() = default;

Helpers::~Helpers() {
  if (shared_ == nullptr) return;
  const absl::MutexLock lock(&shared_->mutex);
  shared_->ended = true;
  shared_->jobs.clear();
  shared_->changed.SignalAll();
}

void Helpers::Submit(EventLoop& events, std::function<void()> run, std::function<void()> done) {
  events.Open();
  if (shared_ == nullptr) shared_ = std::make_shared<Shared>();
  {
    const absl::MutexLock lock(&shared_->mutex);
    const bool enough = shared_->idle > static_cast<int>(shared_->jobs.size());
    if (!enough && shared_->threads < kMaxThreads && Shared::Start(shared_)) ++shared_->threads;
    if (shared_->threads > 0) {
      shared_->jobs.push_back({&events, std::move(run), std::move(done)});
      shared_->changed.Signal();
      return;
    }
  }
  // No thread to be had: better late than never.
  run();
  events.Post(std::move(done));
}

Helpers::BlockingCall::BlockingCall() {
  if (current == nullptr) return;
  const absl::MutexLock lock(&current->mutex);
  ++current->in_kernel;
  if (current->gate_closed) current->changed.SignalAll();
}

Helpers::BlockingCall::~BlockingCall() {
  if (current == nullptr) return;
  const absl::MutexLock lock(&current->mutex);
  while (current->gate_closed) current->changed.Wait(&current->mutex);
  --current->in_kernel;
}

void Helpers::ParkAll() {
  if (shared_ == nullptr) return;
  const absl::MutexLock lock(&shared_->mutex);
  shared_->gate_closed = true;
  while (shared_->running > shared_->in_kernel) shared_->changed.Wait(&shared_->mutex);
}

void Helpers::ReleaseAll() {
  if (shared_ == nullptr) return;
  const absl::MutexLock lock(&shared_->mutex);
  shared_->gate_closed = false;
  shared_->changed.SignalAll();
}

void Helpers::StartAgainAfterFork() {
  // Never destroyed: its mutex may be held by a thread that exists in the parent only.
  if (shared_ != nullptr) (void)new std::shared_ptr<Shared>(std::move(shared_));
  shared_.reset();
}

}  // namespace weft::io
