#include "vm/io/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "vm/io/processes.h"
#include "vm/scheduler.h"
#include "vm/vm.h"

namespace weft::io {
namespace {

constexpr int kIndexBits = 24;
constexpr uint64_t kIndexMask = (uint64_t{1} << kIndexBits) - 1;
constexpr int kStandardCount = 3;

// Everything, however long it takes.
void WriteBlocking(int fd, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd ready = {fd, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

Io::Io(Vm& vm)
    : vm_(vm),
      block_(new char[Descriptor::kTurnBytes]),
      roots_(vm.heap()),
      processes_(std::make_unique<Processes>(*this)) {
  roots_.push_back(gc::kFalse);
  faults_.Seed(vm.options().io_faults);
}

Io::~Io() { FlushStandard(); }

Scheduler& Io::scheduler() { return vm_.scheduler(); }
EventLoop& Io::events() { return vm_.scheduler().events(); }

Descriptor* Io::Add(int fd, FdKind kind) {
  // While there still are descriptors to be had for the loop's own.
  events().Open();
  if (free_.empty()) {
    // Handles 0, 1 and 2 are the standard ones.
    if (slots_.empty()) slots_.resize(kStandardCount);
    free_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.descriptor = std::make_unique<Descriptor>(*this, fd, kind);
  slot.descriptor->set_handle(slot.generation << kIndexBits | index);
  ++open_;
  return slot.descriptor.get();
}

Descriptor* Io::Adopt(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) {
    int family = 0;
    int listens = 0;
    size = sizeof(family);
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
    size = sizeof(listens);
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    const bool is_local = family == AF_UNIX;
    const FdKind kind = listens != 0                              ? FdKind::kListener
                        : type != SOCK_STREAM                     ? FdKind::kDatagram
                        : is_local                                ? FdKind::kUnix
                        : family == AF_INET || family == AF_INET6 ? FdKind::kTcp
                                                                  : FdKind::kStream;
    // accept(2) has no flag for one call: a shared listener is non-blocking for everybody who
    // shares it, which is what all of them want.
    if (kind == FdKind::kListener || kind == FdKind::kStream) {
      fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    Descriptor* descriptor = Add(fd, kind);
    if (is_local) descriptor->set_local();
    return descriptor;
  }
  struct stat info {};
  if (fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || (S_ISCHR(info.st_mode) && isatty(fd)))) {
    const int flags = fcntl(fd, F_GETFL);
    int anew = (flags & O_NONBLOCK) != 0 ? fd : -1;
    if (anew < 0) {
      const std::string path = absl::StrCat("/proc/self/fd/", fd);
      anew = open(path.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
      if (anew >= 0) close(fd);
    }
    if (anew >= 0) return Add(anew, FdKind::kStream);
  } else if (S_ISCHR(info.st_mode)) {
    return Add(fd, FdKind::kDevice);
  }
  Descriptor* descriptor = Add(fd, FdKind::kHelped);
  descriptor->set_regular(S_ISREG(info.st_mode));
  return descriptor;
}

Descriptor* Io::Find(uint64_t handle) {
  if (handle < kStandardCount) return Standard(static_cast<int>(handle));
  const uint64_t index = handle & kIndexMask;
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  if (slot.descriptor == nullptr || slot.descriptor->handle() != handle) return nullptr;
  return slot.descriptor.get();
}

void Io::Close(Descriptor* descriptor, const gc::Root& error) {
  if (descriptor->standard() >= 0) return;
  descriptor->Unwatch();
  descriptor->FailAll(error);
  const auto index = static_cast<uint32_t>(descriptor->handle() & kIndexMask);
  Slot& slot = slots_[index];
  ++slot.generation;
  free_.push_back(index);
  --open_;
  if (descriptor->jobs() > 0) {
    // The number must not be given to another file while a helper uses it.
    descriptor->set_handle(kClosedHandle);
    closing_.push_back(std::move(slot.descriptor));
  } else {
    slot.descriptor.reset();
  }
}

void Io::Reap(Descriptor* descriptor) {
  if (descriptor->jobs() > 0) return;
  closing_.erase(std::remove_if(closing_.begin(), closing_.end(),
                                [descriptor](const std::unique_ptr<Descriptor>& entry) {
                                  return entry.get() == descriptor;
                                }),
                 closing_.end());
}

void Io::Discard(Descriptor* descriptor) {
  descriptor->Unwatch();
  events().Open();
  events().Post([this, handle = descriptor->handle()]() WEFT_NO_ANALYSIS {
    Descriptor* unborn = Find(handle);
    const gc::Root nothing(vm_.heap());
    if (unborn != nullptr) Close(unborn, nothing);
  });
}

Descriptor* Io::Standard(int number) {
  std::unique_ptr<Descriptor>& place = standard_[number];
  if (place != nullptr) return place.get();
  struct stat info {};
  FdKind kind = FdKind::kDevice;
  bool is_socket = false;
  if (fstat(number, &info) == 0) {
    if (S_ISSOCK(info.st_mode)) {
      kind = FdKind::kStream;
      is_socket = true;
    } else if (S_ISFIFO(info.st_mode) || (S_ISCHR(info.st_mode) && isatty(number) == 1)) {
      kind = FdKind::kStream;
    }
  }
  int fd = number;
  if (kind == FdKind::kStream && !is_socket) {
    const int flags = number == 0 ? O_RDONLY : O_WRONLY;
    const std::string path = absl::StrCat("/proc/self/fd/", number);
    fd = open(path.c_str(), flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
      fd = number;
      kind = FdKind::kHelped;
    }
  }
  place = std::make_unique<Descriptor>(*this, fd, kind);
  place->set_handle(static_cast<uint64_t>(number));
  place->set_standard(number);
  place->set_is_socket(is_socket);
  place->set_regular(S_ISREG(info.st_mode));
  if (number == 0) place->set_sticky_end();
  return place.get();
}

uint32_t Io::NewRoot(Word word) {
  if (free_roots_.empty()) {
    roots_.push_back(word);
    return static_cast<uint32_t>(roots_.size() - 1);
  }
  const uint32_t root = free_roots_.back();
  free_roots_.pop_back();
  roots_.set(root, word);
  return root;
}

void Io::FreeRoot(uint32_t root) {
  if (root == 0) return;
  roots_.set(root, gc::kFalse);
  free_roots_.push_back(root);
}

void Io::FlushStandard() {
  for (int number = 1; number < kStandardCount; ++number) {
    Descriptor* descriptor = standard_[number].get();
    if (descriptor == nullptr) continue;
    // What a helper has begun comes first.
    while (descriptor->jobs() > 0) events().Sleep(INT64_MAX);
    descriptor->SettleHelped();
    if (!descriptor->out().empty()) WriteBlocking(number, descriptor->out().Take());
  }
}

void Io::ShowPrompt() WEFT_NO_ANALYSIS {
  Descriptor* output = standard_[1].get();
  if (output == nullptr || output->out().empty()) return;
  if (output->writer().kind != TransferKind::kNone) return;
  gc::Root value(vm_.heap());
  if (output->ProgressOut(value) == Step::kFailed) output->out().Clear();
}

void Io::EndQuietly() {
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
  _exit(141);
}

void Io::NoteEmfile() {
  if (noted_emfile_) return;
  noted_emfile_ = true;
  std::fprintf(stderr,
               "weft: note: no more descriptors; connections wait until others are closed\n");
}

void Io::StartAgainAfterFork() {
  helpers_.StartAgainAfterFork();
  processes_->StartAgainAfterFork();
  for (Slot& slot : slots_) {
    if (slot.descriptor != nullptr) slot.descriptor->StartAgainAfterFork();
  }
  for (const std::unique_ptr<Descriptor>& descriptor : standard_) {
    if (descriptor != nullptr) descriptor->StartAgainAfterFork();
  }
  for (const std::unique_ptr<Descriptor>& descriptor : closing_) descriptor->StartAgainAfterFork();
  closing_.clear();
}

}  // namespace weft::io
