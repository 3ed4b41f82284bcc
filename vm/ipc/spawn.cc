#include "vm/ipc/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace weft::ipc {
namespace {

constexpr char kSelf[] = "/proc/self/exe";
constexpr int kFirstSpareFd = 10;

// What the child reads and writes: it runs on the parent's memory until execve.
struct ChildPlan {
  char* const* arguments;
  char* const* environment;
  const char* directory;
  int data;
  int control;
  pid_t parent;
  volatile int error;
  const char* volatile failed;
};

// In the child, between vfork and execve: system calls only. Does not return.
[[noreturn]] __attribute__((no_sanitize("address", "undefined"))) void BecomeSibling(
    ChildPlan* plan) {
  const auto fail = [plan](const char* call) {
    plan->error = errno;
    plan->failed = call;
    _exit(127);
  };
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
  if (setpgid(0, 0) != 0) fail("setpgid");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("prctl");
  // The parent may have died before that was set.
  if (getppid() != plan->parent) _exit(127);
  if (plan->directory != nullptr && chdir(plan->directory) != 0) fail("chdir");
  const int data = fcntl(plan->data, F_DUPFD, kFirstSpareFd);
  const int control = fcntl(plan->control, F_DUPFD, kFirstSpareFd);
  const int null = open("/dev/null", O_RDONLY);
  if (data < 0 || control < 0 || null < 0) fail("open");
  if (dup2(null, 0) < 0 || dup2(data, kSiblingDataFd) < 0 || dup2(control, kSiblingControlFd) < 0) {
    fail("dup2");
  }
  // Ours are close-on-exec; what was inherited from elsewhere may not be.
  if (syscall(SYS_close_range, kSiblingControlFd + 1, ~0U, 0) != 0) {
    for (int fd = kSiblingControlFd + 1; fd < 1024; ++fd) close(fd);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(kSelf, plan->arguments, plan->environment);
  fail("execve");
  _exit(127);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

// vfork returns twice; nothing but this happens in the frame that does.
__attribute__((noinline, no_sanitize("address", "undefined"))) pid_t Fork(ChildPlan* plan) {
  const pid_t pid = vfork();
  if (pid == 0) BecomeSibling(plan);
  return pid;
}

}  // namespace

int MakeSockets(int data[2], int control[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) != 0) return errno;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
    const int error = errno;
    close(data[0]);
    close(data[1]);
    return error;
  }
  return 0;
}

int StartSibling(const SiblingStart& start, SiblingProcess* process, const char** failed) {
  int data[2];
  int control[2];
  *failed = "socketpair";
  int error = MakeSockets(data, control);
  if (error != 0) return error;
  const std::vector<char*> arguments = Pointers(start.arguments);
  const std::vector<char*> environment = Pointers(start.environment);
  ChildPlan plan = {};
  plan.arguments = arguments.data();
  plan.environment = start.has_environment ? environment.data() : environ;
  plan.directory = start.directory.empty() ? nullptr : start.directory.c_str();
  plan.data = data[1];
  plan.control = control[1];
  plan.parent = getpid();
  // No handler of ours may run in the child.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = Fork(&plan);
  error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  close(data[1]);
  close(control[1]);
  int pidfd = -1;
  if (pid < 0) {
    *failed = "vfork";
  } else {
    error = plan.error;
    *failed = plan.failed;
    if (error == 0) {
      pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
      if (pidfd < 0) {
        error = errno;
        *failed = "pidfd_open";
        kill(pid, SIGKILL);
      }
    }
    if (error != 0) {
      while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
  if (error != 0) {
    close(data[0]);
    close(control[0]);
    return error;
  }
  *process = {pid, pidfd, data[0], control[0]};
  return 0;
}

}  // namespace weft::ipc
