// What comes whole: connections, datagrams, descriptors.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vm/io/address.h"
#include "vm/io/descriptor.h"
#include "vm/io/io.h"
#include "vm/io/values.h"
#include "vm/kernel_calls.h"
#include "vm/objects.h"
#include "vm/scheduler.h"

namespace weft::io {
namespace {

// Connections taken ahead of the threads that want them.
constexpr size_t kMaxAccepted = 1024;

}  // namespace

// Takes every connection there is: siblings that share the listener are not all woken, so none may
// be left behind.
Step Descriptor::Accept(gc::Root& value) {
  while (accepted_.size() < kMaxAccepted) {
    if (!readable_ && !io_.faults().on()) break;
    size_t unused = 1;
    const int fault = io_.faults().Next(FaultPoint::kAccept, &unused);
    sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    int fd = -1;
    if (fault == 0) {
      ++kernel_calls.accepts;
      fd = accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } else {
      errno = fault;
    }
    if (fd >= 0) {
      accepted_.push_back({fd, AddressBytes(peer, size)});
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    if (errno == EAGAIN) {
      NoteAgain(/*reading=*/true);
      break;
    }
    const int error = errno;
    if (error == EMFILE || error == ENFILE) io_.NoteEmfile();
    // With some accepted, the error can wait for the next call.
    if (!accepted_.empty()) break;
    return Fail(error, "accept", value);
  }
  if (accepted_.empty()) return Step::kWait;
  Accepted accepted = std::move(accepted_.front());
  accepted_.pop_front();
  const FdKind kind =
      PartsOfAddress(accepted.peer).family == AF_UNIX || is_local_ ? FdKind::kUnix : FdKind::kTcp;
  Descriptor* connection = io_.Add(accepted.fd, kind);
  connection->set_nonblocking(true);
  gc::RootVector pair(io_.vm().heap());
  pair.push_back(Word::Fixnum(static_cast<int64_t>(connection->handle())));
  bool ok;
  pair.push_back(MakeBytes(io_.vm(), accepted.peer.data(), accepted.peer.size(), &ok));
  connection->set_peer(std::move(accepted.peer));
  value.set(MakeArray(io_.vm(), pair));
  return Step::kDone;
}

Step Descriptor::Receive(gc::Root& value) {
  while (true) {
    if (!readable_ && !io_.faults().on()) return Step::kWait;
    sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    size_t unused = 1;
    const int fault = io_.faults().Next(FaultPoint::kReceive, &unused);
    ssize_t n = -1;
    if (fault == 0) {
      ++kernel_calls.reads;
      n = recvfrom(fd_, io_.block(), std::min(reader_.wanted, kTurnBytes), MSG_DONTWAIT,
                   reinterpret_cast<sockaddr*>(&peer), &size);
    } else {
      errno = fault;
    }
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        NoteAgain(/*reading=*/true);
        return Step::kWait;
      }
      return Fail(errno, "recvfrom", value);
    }
    gc::RootVector pair(io_.vm().heap());
    bool ok;
    pair.push_back(MakeBytes(io_.vm(), io_.block(), static_cast<size_t>(n), &ok));
    if (!ok) {
      value.set(MakeOutOfMemory(io_.vm(), static_cast<size_t>(n)));
      return Step::kFailed;
    }
    const std::string bytes = AddressBytes(peer, size);
    pair.push_back(MakeBytes(io_.vm(), bytes.data(), bytes.size(), &ok));
    value.set(MakeArray(io_.vm(), pair));
    return Step::kDone;
  }
}

// Bytes and the descriptors that came with the first of them: not beyond the next ones.
Step Descriptor::ReceiveFds(gc::Root& value) {
  size_t got = 0;
  bool at_end = false;
  if (in_.empty()) {
    switch (Fill(reader_.wanted, &got)) {
      case Got::kBytes:
        break;
      case Got::kEnd:
        at_end = true;
        break;
      case Got::kAgain:
        return Step::kWait;
      case Got::kError:
        return Fail(read_error_, "recvmsg", value);
    }
  }
  if (carried_cut_) {
    carried_cut_ = false;
    return Fail(EMFILE, "recvmsg: descriptors were lost", value);
  }
  std::vector<int> fds;
  size_t size = std::min(reader_.wanted, in_.size());
  if (!carried_.empty() && carried_.front().position == in_.position()) {
    fds = std::move(carried_.front().fds);
    carried_.pop_front();
  }
  if (!carried_.empty() && !at_end) {
    size = std::min(size, static_cast<size_t>(carried_.front().position - in_.position()));
  }
  gc::RootVector pair(io_.vm().heap());
  const Step step = TakeBytes(size, value);
  if (step != Step::kDone) {
    for (const int fd : fds) close(fd);
    return step;
  }
  {
    const gc::NoAlloc scope;
    pair.push_back(value.get());
  }
  gc::RootVector handles(io_.vm().heap());
  for (const int fd : fds) {
    handles.push_back(Word::Fixnum(static_cast<int64_t>(io_.Adopt(fd)->handle())));
  }
  pair.push_back(MakeArray(io_.vm(), handles));
  value.set(MakeArray(io_.vm(), pair));
  return Step::kDone;
}

}  // namespace weft::io
