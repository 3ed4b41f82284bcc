#include "vm/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace weft::terminal {
namespace {

// Signals that end the process. For those of a fault whoever handled them before goes on after us.
constexpr int kDeadly[] = {SIGTERM, SIGHUP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr int kDeadlyCount = sizeof(kDeadly) / sizeof(kDeadly[0]);

// Pasted text comes as it is again, and the cursor is seen.
constexpr char kFarewell[] = "\x1b[?2004l\x1b[?25h\r\n";

struct State {
  volatile sig_atomic_t raw = 0;
  int fd = -1;
  pid_t pid = 0;
  termios kept = {};
  struct sigaction handlers[kDeadlyCount] = {};
  bool chained[kDeadlyCount] = {};
  bool registered = false;
};
State state;

// Also called from signal handlers. A forked child leaves its parent's terminal alone.
int SetBack() {
  if (!state.raw || state.pid != getpid()) return 0;
  state.raw = 0;
  // In the background the change of mode would stop us.
  sigset_t block, before;
  sigemptyset(&block);
  sigaddset(&block, SIGTTOU);
  sigprocmask(SIG_BLOCK, &block, &before);
  const int error = tcsetattr(state.fd, TCSADRAIN, &state.kept) == 0 ? 0 : errno;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return error;
}

void OnDeadlySignal(int number) {
  const int saved_errno = errno;
  if (state.raw && state.pid == getpid()) {
    SetBack();
    const ssize_t ignored = write(state.fd, kFarewell, sizeof(kFarewell) - 1);
    (void)ignored;
  }
  for (int i = 0; i < kDeadlyCount; ++i) {
    if (kDeadly[i] == number) sigaction(number, &state.handlers[i], nullptr);
  }
  errno = saved_errno;
  // A fault strikes again when its instruction is repeated; what was sent must be sent again.
  raise(number);
}

void OnExit() {
  if (!state.raw || state.pid != getpid()) return;
  SetBack();
  const ssize_t ignored = write(state.fd, kFarewell, sizeof(kFarewell) - 1);
  (void)ignored;
}

void ChainHandlers() {
  for (int i = 0; i < kDeadlyCount; ++i) {
    struct sigaction found = {};
    sigaction(kDeadly[i], nullptr, &found);
    const bool handled = found.sa_handler != SIG_DFL;
    // Those that a program handles or ignores do not end it.
    state.chained[i] = !handled || (kDeadly[i] != SIGTERM && kDeadly[i] != SIGHUP);
    if (!state.chained[i]) continue;
    state.handlers[i] = found;
    struct sigaction action = {};
    action.sa_handler = OnDeadlySignal;
    action.sa_flags = SA_ONSTACK;
    sigfillset(&action.sa_mask);
    sigdelset(&action.sa_mask, kDeadly[i]);
    sigaction(kDeadly[i], &action, nullptr);
  }
}

void UnchainHandlers() {
  for (int i = 0; i < kDeadlyCount; ++i) {
    if (!state.chained[i]) continue;
    struct sigaction found = {};
    sigaction(kDeadly[i], nullptr, &found);
    // The program may have begun to handle it meanwhile.
    if (found.sa_handler == OnDeadlySignal) sigaction(kDeadly[i], &state.handlers[i], nullptr);
    state.chained[i] = false;
  }
}

}  // namespace

int EnterRaw(int fd) {
  if (IsRaw()) return 0;
  termios found = {};
  if (tcgetattr(fd, &found) != 0) return errno;
  termios raw = found;
  raw.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
  raw.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB);
  raw.c_cflag |= CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  if (tcsetattr(fd, TCSADRAIN, &raw) != 0) return errno;
  state.fd = fd;
  state.kept = found;
  state.pid = getpid();
  state.raw = 1;
  if (!state.registered) {
    state.registered = true;
    std::atexit(OnExit);
  }
  ChainHandlers();
  return 0;
}

int LeaveRaw() {
  if (!IsRaw()) return 0;
  UnchainHandlers();
  return SetBack();
}

bool IsRaw() { return state.raw && state.pid == getpid(); }

void Size(int fd, int* rows, int* columns) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) size = {};
  *rows = size.ws_row;
  *columns = size.ws_col;
}

void Suspend() {
  LeaveRaw();
  kill(0, SIGTSTP);
}

}  // namespace weft::terminal
