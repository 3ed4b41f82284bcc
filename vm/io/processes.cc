#include "vm/io/processes.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

#include "vm/context.h"
#include "vm/io/io.h"
#include "vm/scheduler.h"
#include "vm/vm.h"

extern char** environ;

namespace weft::io {
namespace {

// Statuses that nobody asked for are kept for so many processes.
constexpr size_t kMaxPast = 4096;

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What the child tells the parent, in the memory they share.
struct Failure {
  volatile int error = 0;
  volatile int step = 0;
};
constexpr const char* kSteps[] = {"", "setsid", "setpgid", "setpriority", "dup2", "chdir", "exec"};

// Runs in the vforked child: system calls only.
[[noreturn]] void RunChild(const ProcessRequest& request, char** arguments, char** environment,
                           const char* path, int* fds, int high, Failure* failure) {
  const auto fail = [failure](int step) {
    failure->error = errno;
    failure->step = step;
    _exit(127);
  };
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &action, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (request.group == ProcessRequest::Group::kSession && setsid() < 0) fail(1);
  if (request.group == ProcessRequest::Group::kNew && setpgid(0, 0) != 0) fail(2);
  if (request.has_priority && setpriority(PRIO_PROCESS, 0, request.priority) != 0) fail(3);
  const int count = static_cast<int>(request.fds.size());
  // First out of the way of the numbers they are to have.
  for (int i = 0; i < count; ++i) {
    if (fds[i] < 0) continue;
    fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, high);
    if (fds[i] < 0) fail(4);
  }
  for (int i = 0; i < count; ++i) {
    if (fds[i] < 0) {
      close(i);
    } else if (dup2(fds[i], i) < 0) {
      fail(4);
    }
  }
  syscall(SYS_close_range, static_cast<unsigned>(count), UINT_MAX, 4u /* CLOSE_RANGE_CLOEXEC */);
  if (!request.directory.empty() && chdir(request.directory.c_str()) != 0) fail(5);
  execvpe(path, arguments, environment);
  fail(6);
  _exit(127);
}

}  // namespace

struct Processes::ChildWaiter final : WaitOperation {
  Child* child = nullptr;
  Context* context = nullptr;
  uint32_t ticket = 0;
  void Abandon() override;
};

struct Processes::Child final : Watcher {
  Processes* owner = nullptr;
  pid_t pid = 0;
  int pidfd = -1;
  std::vector<std::unique_ptr<ChildWaiter>> waiters;
  void OnReady(uint32_t events) override;
};

void Processes::Child::OnReady(uint32_t) WEFT_NO_ANALYSIS { owner->Ended(this); }

void Processes::ChildWaiter::Abandon() {
  auto& waiters = child->waiters;
  waiters.erase(std::remove_if(waiters.begin(), waiters.end(),
                               [this](const auto& entry) { return entry.get() == this; }),
                waiters.end());
}

Processes::Processes(Io& io) : io_(io) {}

Processes::~Processes() {
  for (const std::unique_ptr<Child>& child : children_) {
    io_.events().Unwatch(child->pidfd, child.get());
    close(child->pidfd);
  }
}

int Processes::Start(const ProcessRequest& request, pid_t* pid, std::string* operation) {
  std::vector<char*> arguments = Pointers(request.arguments);
  std::vector<char*> own_environment = Pointers(request.environment);
  char** environment = request.has_environment ? own_environment.data() : environ;
  std::vector<int> fds = request.fds;
  const int high = std::max<int>(static_cast<int>(fds.size()), 3);
  Failure failure;
  // No handler may run in the child while it shares our memory.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = vfork();
  if (child == 0) {
    RunChild(request, arguments.data(), environment, arguments[0], fds.data(), high, &failure);
  }
  const int error = child < 0 ? errno : failure.error;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) {
    *operation = "vfork";
    return error;
  }
  if (failure.error != 0) {
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    *operation = kSteps[failure.step];
    return failure.error;
  }
  auto entry = std::make_unique<Child>();
  entry->owner = this;
  entry->pid = child;
  entry->pidfd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  const int pidfd_error = errno;
  if (entry->pidfd < 0 || io_.events().Watch(entry->pidfd, EPOLLIN, entry.get()) != 0) {
    if (entry->pidfd >= 0) close(entry->pidfd);
    kill(child, SIGKILL);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    *operation = "pidfd_open";
    return entry->pidfd < 0 ? pidfd_error : ENOSPC;
  }
  children_.push_back(std::move(entry));
  *pid = child;
  return 0;
}

Processes::Child* Processes::Find(pid_t pid) const {
  for (const std::unique_ptr<Child>& child : children_) {
    if (child->pid == pid) return child.get();
  }
  return nullptr;
}

bool Processes::IsRunning(pid_t pid) const { return Find(pid) != nullptr; }

bool Processes::TakeStatus(pid_t pid, int* status) {
  // The newest first: a process id may come again.
  for (size_t i = past_.size(); i-- > 0;) {
    if (past_[i].pid != pid) continue;
    *status = past_[i].status;
    return true;
  }
  return false;
}

void Processes::Park(pid_t pid, gc::Word object, int64_t timeout_ns) {
  Child* child = Find(pid);
  auto waiter = std::make_unique<ChildWaiter>();
  waiter->child = child;
  waiter->context = io_.vm().current();
  waiter->ticket =
      io_.scheduler().BeginWait(WaitReason::kProcess, object, timeout_ns, waiter.get());
  child->waiters.push_back(std::move(waiter));
}

void Processes::Ended(Child* child) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(child->pid), &info, WEXITED | WNOHANG) != 0) {
    info.si_code = CLD_EXITED;  // somebody else reaped it: what it answered is not known
    info.si_status = 255;
  } else if (info.si_pid == 0) {
    return;  // not yet
  }
  const int status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  io_.events().Unwatch(child->pidfd, child);
  close(child->pidfd);
  if (past_.size() >= kMaxPast) past_.erase(past_.begin(), past_.begin() + kMaxPast / 2);
  past_.erase(std::remove_if(past_.begin(), past_.end(),
                             [child](const Past& past) { return past.pid == child->pid; }),
              past_.end());
  past_.push_back({child->pid, status});
  const auto at = std::find_if(children_.begin(), children_.end(),
                               [child](const auto& entry) { return entry.get() == child; });
  const std::unique_ptr<Child> ended = std::move(*at);
  children_.erase(at);
  for (const std::unique_ptr<ChildWaiter>& waiter : ended->waiters) {
    (void)io_.scheduler().EndWait(waiter->context, waiter->ticket, gc::Word::Fixnum(status));
  }
}

int Processes::Kill(pid_t pid, int signal) {
  const Child* child = Find(pid);
  if (child == nullptr) return ESRCH;
  return syscall(SYS_pidfd_send_signal, child->pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
}

void Processes::StartAgainAfterFork() {
  for (const std::unique_ptr<Child>& child : children_) close(child->pidfd);
  // Their waiters belong to threads that exist in the parent only.
  children_.clear();
  past_.clear();
}

}  // namespace weft::io
