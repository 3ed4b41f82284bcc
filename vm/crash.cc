#include "vm/crash.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "gc/check.h"
#include "vm/fatal.h"
#include "vm/stack_walker.h"
#include "vm/vm.h"

namespace weft {
namespace {

constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr int kMaxNativeFrames = 64;
// The report itself may hang on what the fault has left locked.
constexpr unsigned kReportSeconds = 5;

struct State {
  Vm* vm = nullptr;
  int argc = 0;
  char** argv = nullptr;
  volatile sig_atomic_t reporting = 0;
  char path[512] = {};
};
State state;

// The handlers run on a stack of their own: the fault may be that of a full one.
alignas(16) char handler_stack[256 * 1024];

void Put(int fd, const char* text) {
  const ssize_t ignored = write(fd, text, strlen(text));
  (void)ignored;
}

// The first of these folders that can be written to. -1: none.
int OpenCrashFile() {
  const char* temporary = getenv("TMPDIR");
  for (const char* folder : {".", temporary, "/tmp"}) {
    if (folder == nullptr || *folder == '\0') continue;
    snprintf(state.path, sizeof(state.path), "%s/weft-crash-%d.txt", folder, getpid());
    const int fd = open(state.path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) return fd;
  }
  return -1;
}

void DescribeFault(char* text, size_t size, int number, const siginfo_t* info) {
  if (fault_text[0] != '\0') {
    snprintf(text, size, "%s", fault_text);
  } else if (info->si_code > 0 && number != SIGABRT) {
    snprintf(text, size, "signal %d (SIG%s) at address %p", number, sigabbrev_np(number),
             info->si_addr);
  } else {
    snprintf(text, size, "signal %d (SIG%s)", number, sigabbrev_np(number));
  }
}

void WriteCrashFile(int fd, const char* fault) WEFT_NO_ANALYSIS {
  dprintf(fd, "weft %s: internal fault: %s\ncommand line:", WEFT_VERSION, fault);
  for (int i = 0; i < state.argc; ++i) dprintf(fd, " %s", state.argv[i]);
  dprintf(fd, "\n\ncalls of the VM, innermost first:\n");
  void* frames[kMaxNativeFrames];
  backtrace_symbols_fd(frames, backtrace(frames, kMaxNativeFrames), fd);
  // Helper threads run nothing of the program. Last, as the stacks may be what is broken.
  const bool vm_thread = syscall(SYS_gettid) == getpid();
  if (!vm_thread || state.vm->current() == nullptr) return;
  dprintf(fd, "\ncalls of the program, innermost first:\n");
  FILE* file = fdopen(fd, "w");
  if (file == nullptr) return;
  PrintFrames(file, StackState::Of(*state.vm->current()), *state.vm);
  fflush(file);
}

void OnAlarm(int) { _exit(kExitInternalFault); }

// Whatever goes wrong in here ends the process: what was written by then has to do.
void OnFault(int number, siginfo_t* info, void*) {
  if (state.reporting != 0) _exit(kExitInternalFault);
  state.reporting = 1;
  signal(SIGALRM, OnAlarm);
  alarm(kReportSeconds);
  char fault[512];
  DescribeFault(fault, sizeof(fault), number, info);
  char line[1100];
  if (fault_text[0] == '\0') {  // else said already
    snprintf(line, sizeof(line), "weft: internal fault: %s\n", fault);
    Put(STDERR_FILENO, line);
  }
  const int fd = OpenCrashFile();
  if (fd < 0) {
    Put(STDERR_FILENO, "weft: please report this line together with the program that caused it\n");
    _exit(kExitInternalFault);
  }
  snprintf(line, sizeof(line),
           "weft: this is an error of Weft; please report it with the file %s\n", state.path);
  Put(STDERR_FILENO, line);
  WriteCrashFile(fd, fault);
  _exit(kExitInternalFault);
}

}  // namespace

void InstallCrashHandlers(Vm& vm, int argc, char** argv) {
  state.vm = &vm;
  state.argc = argc;
  state.argv = argv;
  stack_t stack = {};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof(handler_stack);
  sigaltstack(&stack, nullptr);
  for (const int number : kFaults) {
    struct sigaction found = {};
    sigaction(number, nullptr, &found);
    if (found.sa_handler != SIG_DFL) continue;
    struct sigaction action = {};
    action.sa_sigaction = OnFault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(number, &action, nullptr);
  }
}

}  // namespace weft
