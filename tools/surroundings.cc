#include "tools/surroundings.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/status/status.h"

namespace weft {
namespace {

constexpr int kSignalStatus = 128;  // and the signal's number, as shells say it

absl::Status LastError(const char* what) { return absl::ErrnoToStatus(errno, what); }

// Output that nobody takes is dropped: the image is made all the same.
void PassOn(int descriptor, const char* bytes, ssize_t size) {
  while (size > 0) {
    const ssize_t written = write(descriptor, bytes, static_cast<size_t>(size));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes += written;
    size -= written;
  }
}

// Until both pipes are closed.
void Relay(int output, int errors) {
  pollfd sources[] = {{output, POLLIN, 0}, {errors, POLLIN, 0}};
  const int targets[] = {STDOUT_FILENO, STDERR_FILENO};
  char buffer[4096];
  while (sources[0].fd >= 0 || sources[1].fd >= 0) {
    if (poll(sources, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    for (int i = 0; i < 2; ++i) {
      if (sources[i].fd < 0 || sources[i].revents == 0) continue;
      const ssize_t size = read(sources[i].fd, buffer, sizeof(buffer));
      if (size > 0) {
        PassOn(targets[i], buffer, size);
      } else if (size == 0 || errno != EINTR) {
        sources[i].fd = -1;  // poll passes over it
      }
    }
  }
}

absl::StatusOr<Surroundings> Inside(const std::string& folder, int output, int errors) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (clearenv() != 0) return absl::InternalError("the environment cannot be cleared");
  if (chdir(folder.c_str()) != 0) return LastError(folder.c_str());
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) return LastError("/dev/null");
  if (dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(errors, STDERR_FILENO) < 0) {
    return LastError("the standard streams cannot be replaced");
  }
  return Surroundings{};
}

}  // namespace

absl::StatusOr<Surroundings> EnterOwnSurroundings(const std::string& folder) {
  int output[2];
  int errors[2];
  if (pipe2(output, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) return LastError("pipe");
  const pid_t child = fork();
  if (child < 0) return LastError("fork");
  if (child == 0) {
    for (const int end : {output[0], errors[0]}) close(end);
    absl::StatusOr<Surroundings> inside = Inside(folder, output[1], errors[1]);
    for (const int end : {output[1], errors[1]}) close(end);
    return inside;
  }
  for (const int end : {output[1], errors[1]}) close(end);
  Relay(output[0], errors[0]);
  for (const int end : {output[0], errors[0]}) close(end);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return LastError("waitpid");
  }
  return Surroundings{WIFEXITED(status) ? WEXITSTATUS(status) : kSignalStatus + WTERMSIG(status)};
}

}  // namespace weft
