// Transfers that write.
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vm/io/descriptor.h"
#include "vm/io/io.h"
#include "vm/io/values.h"
#include "vm/kernel_calls.h"
#include "vm/objects.h"
#include "vm/scheduler.h"

namespace weft::io {

Descriptor::Got Descriptor::Write(const char* from, size_t size, size_t* sent) {
  if (kind_ == FdKind::kHelped) return WriteHelped(from, size, sent);
  if (!writable_ && !io_.faults().on()) return Got::kAgain;
  while (true) {
    size_t asked = std::min(size, kTurnBytes);
    const int fault = io_.faults().Next(FaultPoint::kSend, &asked);
    ssize_t n;
    if (fault != 0) {
      n = -1;
      errno = fault;
    } else if (is_socket_) {
      ++kernel_calls.writes;
      n = send(fd_, from, asked, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      ++kernel_calls.writes;
      n = write(fd_, from, asked);
    }
    if (n >= 0) {
      *sent = static_cast<size_t>(n);
      return Got::kBytes;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      NoteAgain(/*reading=*/false);
      return Got::kAgain;
    }
    if (errno == EPIPE && standard_ == 1) io_.EndQuietly();
    read_error_ = errno;
    return Got::kError;
  }
}

// A helper thread writes one block; it counts as sent once it is on its way, and the next write
// waits for it and gets its error.
Descriptor::Got Descriptor::WriteHelped(const char* from, size_t size, size_t* sent) {
  if (writing_job_) return Got::kAgain;
  if (helped_write_error_ != 0) {
    read_error_ = helped_write_error_;
    helped_write_error_ = 0;
    return Got::kError;
  }
  if (helped_written_ > 0) {
    *sent = helped_written_;
    helped_written_ = 0;
    return Got::kBytes;
  }
  struct Job {
    std::string bytes;
    int error = 0;
  };
  auto job = std::make_shared<Job>();
  size_t unused = size;
  job->error = io_.faults().Next(FaultPoint::kFileWrite, &unused);
  if (job->error == EINTR) job->error = 0;
  job->bytes.assign(from, std::min(size, kTurnBytes));
  writing_job_ = true;
  BeginJob();
  io_.helpers().Submit(
      io_.events(),
      [job, fd = fd_] {
        size_t done = 0;
        while (job->error == 0 && done < job->bytes.size()) {
          const Helpers::BlockingCall call;
          const ssize_t n = write(fd, job->bytes.data() + done, job->bytes.size() - done);
          if (n >= 0) {
            done += static_cast<size_t>(n);
          } else if (errno != EINTR) {
            job->error = errno;
          }
        }
      },
      [this, job, generation = write_generation_]() WEFT_NO_ANALYSIS {
        writing_job_ = false;
        EndJob();
        if (handle_ == Io::kClosedHandle) {
          io_.Reap(this);
          return;
        }
        if (job->error == EPIPE && standard_ == 1) io_.EndQuietly();
        if (generation != write_generation_) {
          // For a transfer that was given up.
        } else if (job->error != 0) {
          helped_write_error_ = job->error;
        } else {
          helped_written_ = job->bytes.size();
        }
        RunTurn();
      });
  return Got::kAgain;
}

Step Descriptor::ProgressOut(gc::Root& value) {
  size_t turn = 0;
  while (!out_.empty()) {
    if (turn >= kTurnBytes) return Step::kTurn;
    size_t sent = 0;
    switch (Write(out_.data(), out_.size(), &sent)) {
      case Got::kBytes:
        out_.Consume(sent);
        turn += sent;
        break;
      case Got::kAgain:
        return Step::kWait;
      default:
        return Fail(read_error_, "write", value);
    }
  }
  return Step::kDone;
}

Step Descriptor::ProgressWrite(gc::Root& value) {
  if (writer_.kind == TransferKind::kConnect) return Connect(value);
  // What streams wrote before goes first.
  while (out_.position() < writer_.head_end) {
    size_t sent = 0;
    const size_t head = writer_.head_end - out_.position();
    switch (Write(out_.data(), head, &sent)) {
      case Got::kBytes:
        out_.Consume(sent);
        break;
      case Got::kAgain:
        return Step::kWait;
      default:
        out_.Clear();
        return Fail(read_error_, "write", value, 0);
    }
  }
  switch (writer_.kind) {
    case TransferKind::kSend:
    case TransferKind::kSendSome:
      return Send(value);
    case TransferKind::kSendTo:
      return SendTo(value);
    case TransferKind::kSendFds:
      return SendFds(value);
    case TransferKind::kSendFile:
      return SendFile(value);
    case TransferKind::kWritable:
      value.set(gc::kTrue);
      return writable_ || kind_ == FdKind::kHelped ? Step::kDone : Step::kWait;
    default:
      return Step::kWait;
  }
}

Step Descriptor::Send(gc::Root& value) {
  size_t turn = 0;
  while (writer_.done < writer_.wanted) {
    if (turn >= kTurnBytes) return Step::kTurn;
    const char* from;
    {
      // Nothing allocates before the system has read it.
      const gc::NoAlloc scope;
      const auto* array = As<ByteArray>(io_.root(writer_.root));
      from = reinterpret_cast<const char*>(array->bytes) + writer_.done;
    }
    size_t sent = 0;
    switch (Write(from, writer_.wanted - writer_.done, &sent)) {
      case Got::kBytes:
        writer_.done += sent;
        turn += sent;
        break;
      case Got::kAgain:
        if (writer_.kind == TransferKind::kSendSome && writer_.done > 0) goto out;
        return Step::kWait;
      default:
        return Fail(read_error_, "write", value, static_cast<int64_t>(writer_.done));
    }
    if (writer_.kind == TransferKind::kSendSome) break;
  }
out:
  value.set(Word::Fixnum(static_cast<int64_t>(writer_.done)));
  return Step::kDone;
}

Step Descriptor::SendTo(gc::Root& value) {
  while (true) {
    if (!writable_ && !io_.faults().on()) return Step::kWait;
    size_t unused = 1;
    const int fault = io_.faults().Next(FaultPoint::kAccept, &unused);
    ssize_t n = -1;
    if (fault == 0) {
      const gc::NoAlloc scope;
      const auto* array = As<ByteArray>(io_.root(writer_.root));
      ++kernel_calls.writes;
      n = sendto(
          fd_, array->bytes, static_cast<size_t>(array->size()), MSG_DONTWAIT | MSG_NOSIGNAL,
          writer_.text.empty() ? nullptr : reinterpret_cast<const sockaddr*>(writer_.text.data()),
          static_cast<socklen_t>(writer_.text.size()));
    } else {
      errno = fault == EMFILE ? EAGAIN : fault;
    }
    if (n >= 0) {
      value.set(Word::Fixnum(n));
      return Step::kDone;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      NoteAgain(/*reading=*/false);
      return Step::kWait;
    }
    return Fail(errno, "sendto", value);
  }
}

// The descriptors go with the first byte; then the rest of the bytes.
Step Descriptor::SendFds(gc::Root& value) {
  while (!writer_.fds.empty()) {
    if (!writable_ && !io_.faults().on()) return Step::kWait;
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFdsPerFrame * sizeof(int))] = {};
    const size_t count = writer_.fds.size();
    ssize_t n;
    {
      const gc::NoAlloc scope;
      auto* array = As<ByteArray>(io_.root(writer_.root));
      iovec piece = {array->bytes, std::min(static_cast<size_t>(array->size()), kTurnBytes)};
      msghdr message{};
      message.msg_iov = &piece;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(count * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(count * sizeof(int));
      std::memcpy(CMSG_DATA(header), writer_.fds.data(), count * sizeof(int));
      ++kernel_calls.writes;
      n = sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        NoteAgain(/*reading=*/false);
        return Step::kWait;
      }
      return Fail(errno, "sendmsg", value, 0);
    }
    for (const int fd : writer_.fds) close(fd);
    writer_.fds.clear();
    writer_.done = static_cast<size_t>(n);
  }
  return Send(value);
}

// In the kernel; a helper thread makes the calls, since the file may have to come from the disk.
Step Descriptor::SendFile(gc::Root& value) {
  if (writing_job_) return Step::kWait;
  if (helped_write_error_ == EAGAIN) {
    helped_write_error_ = 0;
    // Readiness that came while the helper worked was noted before it said so: look again.
    pollfd state = {fd_, POLLOUT, 0};
    writable_ = poll(&state, 1, 0) > 0;
    if (!writable_) return Step::kWait;
  }
  if (helped_write_error_ != 0) {
    const int error = helped_write_error_;
    helped_write_error_ = 0;
    return Fail(error, "sendfile", value, static_cast<int64_t>(writer_.done));
  }
  if (helped_end_write_) {
    helped_end_write_ = false;
    value.set(Word::Fixnum(static_cast<int64_t>(writer_.done)));
    return Step::kDone;
  }
  if (!writable_) return Step::kWait;
  struct Job {
    size_t sent = 0;
    int error = 0;
    bool end = false;
  };
  Descriptor* file = io_.Find(writer_.file);
  if (file == nullptr) return Fail(EBADF, "sendfile", value, static_cast<int64_t>(writer_.done));
  auto job = std::make_shared<Job>();
  writing_job_ = true;
  BeginJob();
  file->BeginJob();
  io_.helpers().Submit(
      io_.events(),
      [job, to = fd_, from = file->fd_] {
        const Helpers::BlockingCall call;
        ssize_t n;
        while ((n = ::sendfile(to, from, nullptr, kTurnBytes)) < 0 && errno == EINTR) {
        }
        job->error = n < 0 ? errno : 0;
        job->end = n == 0;
        job->sent = n > 0 ? static_cast<size_t>(n) : 0;
      },
      [this, job, file]() WEFT_NO_ANALYSIS {
        writing_job_ = false;
        EndJob();
        file->EndJob();
        if (file->handle_ == Io::kClosedHandle) io_.Reap(file);
        if (handle_ == Io::kClosedHandle) {
          io_.Reap(this);
          return;
        }
        if (writer_.kind != TransferKind::kSendFile) return;
        writer_.done += job->sent;
        helped_write_error_ = job->error;
        helped_end_write_ = job->end;
        RunTurn();
      });
  return Step::kWait;
}

Step Descriptor::Connect(gc::Root& value) {
  if (!writable_) return Step::kWait;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return Fail(error, "connect", value);
  value.set(Word::Fixnum(static_cast<int64_t>(handle_)));
  return Step::kDone;
}

}  // namespace weft::io
