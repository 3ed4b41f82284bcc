// Transfers that read.
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/string_view.h"
#include "vm/io/descriptor.h"
#include "vm/io/io.h"
#include "vm/io/values.h"
#include "vm/kernel_calls.h"
#include "vm/objects.h"
#include "vm/primitives/operands.h"
#include "vm/scheduler.h"
#include "vm/strings.h"

namespace weft::io {
namespace {

// One read gathers so much when the length of what comes is not known.
constexpr size_t kBlockBytes = 64 << 10;
// From here on a transfer goes straight into the byte array that is its result.
constexpr size_t kInPlaceBytes = 64 << 10;
// More is never held outside the heap, whatever limit the heap has.
constexpr size_t kMaxHeld = size_t{1} << 32;

}  // namespace

Descriptor::Got Descriptor::Read(char* to, size_t size, size_t* got) {
  size_t asked = size;
  // Whoever is to type sees the question first.
  if (standard_ == 0) io_.ShowPrompt();
  while (true) {
    ssize_t n;
    const int fault = io_.faults().Next(FaultPoint::kReceive, &asked);
    if (fault != 0) {
      n = -1;
      errno = fault;
    } else if (kind_ == FdKind::kUnix) {
      return ReadWithFds(to, asked, got);
    } else if (is_socket_) {
      ++kernel_calls.reads;
      n = recv(fd_, to, asked, MSG_DONTWAIT);
    } else {
      ++kernel_calls.reads;
      n = read(fd_, to, asked);
    }
    if (n > 0) {
      *got = static_cast<size_t>(n);
      // Drained: what comes later brings an event (see the header). An injected short read is none.
      if (kind_ == FdKind::kTcp && *got < size && !hung_up_ && watched_ && !io_.faults().on()) {
        readable_ = false;
      }
      return Got::kBytes;
    }
    if (n == 0) return Got::kEnd;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      NoteAgain(/*reading=*/true);
      return Got::kAgain;
    }
    // A terminal that hung up, or the other side of a pseudo terminal that closed, is at its end.
    if (errno == EIO && !is_socket_) return Got::kEnd;
    read_error_ = errno;
    return Got::kError;
  }
}

// On a Unix socket descriptors may come along with any byte; they wait for kFds, and are closed if
// their bytes are read without it, as the system itself would.
Descriptor::Got Descriptor::ReadWithFds(char* to, size_t size, size_t* got) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFdsPerFrame * sizeof(int))];
  iovec piece = {to, size};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t n;
  ++kernel_calls.reads;
  while ((n = recvmsg(fd_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  if (n < 0) {
    if (errno == EAGAIN) {
      NoteAgain(/*reading=*/true);
      return Got::kAgain;
    }
    read_error_ = errno;
    return Got::kError;
  }
  Carried carried{in_.end_position(), {}};
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
      carried.fds.push_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0 || carried_.size() > 64) {
    // Some were lost: none is kept.
    for (const int fd : carried.fds) close(fd);
    carried.fds.clear();
    carried_cut_ = true;
  }
  if (!carried.fds.empty()) carried_.push_back(std::move(carried));
  if (n == 0) return Got::kEnd;
  *got = static_cast<size_t>(n);
  return Got::kBytes;
}

Descriptor::Got Descriptor::Fill(size_t size, size_t* got) {
  if (sticky_end_ && end_seen_) return Got::kEnd;
  if (kind_ == FdKind::kHelped) return FillHelped(size, got);
  if (!readable_ && !io_.faults().on()) return Got::kAgain;
  size = std::min(std::max(size, kBlockBytes), kTurnBytes);
  const Got result = Read(io_.block(), size, got);
  if (result == Got::kBytes) Arrived(io_.block(), *got);
  if (result == Got::kEnd) end_seen_ = true;
  return result;
}

// After a line that ended with a carriage return, a newline is part of that end.
void Descriptor::Arrived(const char* bytes, size_t size) {
  if (skip_newline_ && in_.empty()) {
    skip_newline_ = false;
    if (*bytes == '\n') {
      ++bytes;
      --size;
    }
  }
  in_.Append(bytes, size);
}

// A helper thread reads one block; until it comes back, the answer is "again".
Descriptor::Got Descriptor::FillHelped(size_t size, size_t* got) {
  if (reading_job_) return Got::kAgain;
  if (helped_error_ != 0) {
    read_error_ = helped_error_;
    helped_error_ = 0;
    return Got::kError;
  }
  if (helped_end_) {
    helped_end_ = false;
    end_seen_ = true;
    return Got::kEnd;
  }
  size = std::min(std::max(size, kBlockBytes), kTurnBytes);
  if (is_regular_ && !no_nowait_) {
    // What is in the page cache is there at once.
    const iovec piece = {io_.block(), size};
    ++kernel_calls.reads;
    const ssize_t n = preadv2(fd_, &piece, 1, -1, RWF_NOWAIT);
    if (n > 0) {
      *got = static_cast<size_t>(n);
      Arrived(io_.block(), *got);
      return Got::kBytes;
    }
    if (n == 0) return Got::kEnd;
    if (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS) no_nowait_ = true;
  }
  struct Job {
    std::string bytes;
    ssize_t got = 0;
    int error = 0;
  };
  auto job = std::make_shared<Job>();
  job->bytes.resize(size);
  reading_job_ = true;
  BeginJob();
  io_.helpers().Submit(
      io_.events(),
      [job, fd = fd_] {
        const Helpers::BlockingCall call;
        while ((job->got = read(fd, job->bytes.data(), job->bytes.size())) < 0 && errno == EINTR) {
        }
        job->error = job->got < 0 ? errno : 0;
      },
      [this, job]() WEFT_NO_ANALYSIS {
        reading_job_ = false;
        EndJob();
        if (handle_ == Io::kClosedHandle) {
          io_.Reap(this);
          return;
        }
        if (job->got > 0) {
          Arrived(job->bytes.data(), static_cast<size_t>(job->got));
        } else if (job->got == 0) {
          helped_end_ = true;
        } else {
          helped_error_ = job->error;
        }
        RunTurn();
      });
  return Got::kAgain;
}

Step Descriptor::ProgressRead(gc::Root& value) {
  switch (reader_.kind) {
    case TransferKind::kSome:
      return ReadSome(value);
    case TransferKind::kAll:
      return ReadAll(value);
    case TransferKind::kFill:
      return ReadFill(value);
    case TransferKind::kByte:
      return ReadByte(value);
    case TransferKind::kUntil:
      return ReadUntil(value);
    case TransferKind::kDelimited:
      return ReadDelimited(value);
    case TransferKind::kReadable:
      return ReadReadable(value);
    case TransferKind::kAccept:
      return Accept(value);
    case TransferKind::kReceive:
      return Receive(value);
    case TransferKind::kFds:
      return ReceiveFds(value);
    default:
      return Step::kWait;
  }
}

void Descriptor::DropFdsBefore(uint64_t position) {
  while (!carried_.empty() && carried_.front().position < position) {
    for (const int fd : carried_.front().fds) close(fd);
    carried_.pop_front();
  }
}

Step Descriptor::TakeBytes(size_t size, gc::Root& value) {
  bool ok;
  value.set(MakeBytes(io_.vm(), in_.data(), size, &ok));
  if (!ok) {
    value.set(MakeOutOfMemory(io_.vm(), size));
    return Step::kFailed;
  }
  in_.Consume(size);
  DropFdsBefore(in_.position());
  return Step::kDone;
}

Step Descriptor::ShortRead(gc::Root& value) {
  const Step step = TakeBytes(in_.size(), value);
  if (step == Step::kFailed) return step;
  value.set(MakeError(io_.vm(), IoClass::kShortRead, value));
  return Step::kFailed;
}

Step Descriptor::ReadSome(gc::Root& value) {
  const size_t wanted = reader_.wanted;
  if (!in_.empty()) return TakeBytes(std::min(wanted, in_.size()), value);
  size_t got = 0;
  if (kind_ == FdKind::kHelped || (sticky_end_ && end_seen_) || skip_newline_) {
    switch (Fill(wanted, &got)) {
      case Got::kBytes:
        if (in_.empty()) return ReadSome(value);  // it was only the rest of a line's end
        return TakeBytes(std::min(wanted, in_.size()), value);
      case Got::kEnd:
        return TakeBytes(0, value);
      case Got::kAgain:
        return Step::kWait;
      case Got::kError:
        return Fail(read_error_, "read", value);
    }
  }
  if (!readable_ && !io_.faults().on()) return Step::kWait;
  // Straight from the system into the result: nothing is left over.
  switch (Read(io_.block(), std::min(wanted, kTurnBytes), &got)) {
    case Got::kBytes: {
      bool ok;
      value.set(MakeBytes(io_.vm(), io_.block(), got, &ok));
      if (ok) {
        DropFdsBefore(in_.position() + got);
        return Step::kDone;
      }
      in_.Append(io_.block(), got);
      value.set(MakeOutOfMemory(io_.vm(), got));
      return Step::kFailed;
    }
    case Got::kEnd:
      end_seen_ = true;
      return TakeBytes(0, value);
    case Got::kAgain:
      return Step::kWait;
    case Got::kError:
      break;
  }
  return Fail(read_error_, "read", value);
}

Step Descriptor::ReadAll(gc::Root& value) {
  if (reader_.root != 0) return ReadInPlace(value);
  const size_t wanted = reader_.wanted;
  size_t turn = 0;
  while (in_.size() < wanted) {
    if (wanted - in_.size() >= kInPlaceBytes && kind_ != FdKind::kHelped && !skip_newline_) {
      if (!HasRoom(io_.vm(), wanted + sizeof(ByteArray))) {
        value.set(MakeOutOfMemory(io_.vm(), wanted));
        return Step::kFailed;
      }
      const Word word =
          io_.vm().heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + wanted);
      const gc::NoAlloc scope;
      auto* array = As<ByteArray>(word);
      array->length = Word::Fixnum(static_cast<int64_t>(wanted));
      reader_.done = in_.size();
      std::memcpy(array->bytes, in_.data(), in_.size());
      in_.Clear();
      DropFdsBefore(in_.position());
      reader_.root = io_.NewRoot(word);
      break;
    }
    if (turn >= kTurnBytes) return Step::kTurn;
    size_t got = 0;
    switch (Fill(wanted - in_.size(), &got)) {
      case Got::kBytes:
        turn += got;
        break;
      case Got::kEnd:
        return ShortRead(value);
      case Got::kAgain:
        return Step::kWait;
      case Got::kError:
        return Fail(read_error_, "read", value);
    }
  }
  return reader_.root != 0 ? ReadInPlace(value) : TakeBytes(wanted, value);
}

Step Descriptor::ReadInPlace(gc::Root& value) WEFT_NO_ANALYSIS {
  size_t turn = 0;
  while (reader_.done < reader_.wanted) {
    if (turn >= kTurnBytes) return Step::kTurn;
    if (!readable_ && !io_.faults().on()) return Step::kWait;
    if (sticky_end_ && end_seen_) {
      ReturnBytes(reader_);
      return ShortRead(value);
    }
    char* to;
    {
      // Large: it does not move.
      const gc::NoAlloc scope;
      to = reinterpret_cast<char*>(As<ByteArray>(io_.root(reader_.root))->bytes) + reader_.done;
    }
    size_t got = 0;
    switch (Read(to, std::min(reader_.wanted - reader_.done, kTurnBytes), &got)) {
      case Got::kBytes:
        reader_.done += got;
        turn += got;
        // in_ is empty, but its position is the transfer's.
        DropFdsBefore(in_.position() + 1);
        break;
      case Got::kEnd:
        end_seen_ = true;
        ReturnBytes(reader_);
        return ShortRead(value);
      case Got::kAgain:
        return Step::kWait;
      case Got::kError: {
        const int error = read_error_;
        ReturnBytes(reader_);
        return Fail(error, "read", value);
      }
    }
  }
  const gc::NoAlloc scope;
  value.set(io_.root(reader_.root));
  return Step::kDone;
}

void Descriptor::ReturnBytes(Transfer& transfer) WEFT_NO_ANALYSIS {
  if (transfer.kind != TransferKind::kAll || transfer.root == 0) return;
  const gc::NoAlloc scope;
  const auto* array = As<ByteArray>(io_.root(transfer.root));
  in_.Prepend(array->bytes, transfer.done);
  transfer.done = 0;
}

Step Descriptor::ReadFill(gc::Root& value) {
  const size_t wanted = reader_.wanted;
  const size_t limit = std::min(io_.vm().heap().limit_bytes(), kMaxHeld);
  size_t turn = 0;
  while (in_.size() < wanted) {
    if (turn >= kTurnBytes && kind_ != FdKind::kDevice) return Step::kTurn;
    if (in_.size() > limit) {
      value.set(MakeOutOfMemory(io_.vm(), in_.size()));
      return Step::kFailed;
    }
    size_t got = 0;
    switch (Fill(wanted - in_.size(), &got)) {
      case Got::kBytes:
        turn += got;
        break;
      case Got::kEnd:
        return TakeBytes(in_.size(), value);
      case Got::kAgain:
        return Step::kWait;
      case Got::kError:
        return Fail(read_error_, "read", value);
    }
  }
  return TakeBytes(wanted, value);
}

Step Descriptor::ReadByte(gc::Root& value) {
  while (in_.empty()) {
    size_t got = 0;
    switch (Fill(kBlockBytes, &got)) {
      case Got::kBytes:
        break;
      case Got::kEnd:
        value.set(gc::kFalse);
        return Step::kDone;
      case Got::kAgain:
        return Step::kWait;
      case Got::kError:
        return Fail(read_error_, "read", value);
    }
  }
  value.set(Word::Fixnum(TakeByte()));
  return Step::kDone;
}

Step Descriptor::ReadUntil(gc::Root& value) {
  const std::string& separator = reader_.text;
  const size_t max = reader_.wanted;
  size_t turn = 0;
  while (true) {
    const absl::string_view bytes(in_.data(), std::min(in_.size(), max));
    const size_t from = scanned_ < separator.size() ? 0 : scanned_ - separator.size() + 1;
    const size_t found = bytes.find(separator, std::min(from, bytes.size()));
    if (found != absl::string_view::npos) return TakeBytes(found + separator.size(), value);
    scanned_ = bytes.size();
    if (in_.size() >= max) {
      gc::RootVector slots(io_.vm().heap());
      slots.push_back(Word::Fixnum(static_cast<int64_t>(in_.size())));
      slots.push_back(Word::Fixnum(static_cast<int64_t>(max)));
      value.set(MakeTuple(io_.vm(), IoClass::kMessageTooLarge, slots));
      return Step::kFailed;
    }
    if (turn >= kTurnBytes) return Step::kTurn;
    size_t got = 0;
    switch (Fill(kBlockBytes, &got)) {
      case Got::kBytes:
        turn += got;
        break;
      case Got::kEnd:
        return ShortRead(value);
      case Got::kAgain:
        return Step::kWait;
      case Got::kError:
        return Fail(read_error_, "read", value);
    }
  }
}

int Descriptor::TakeLine(gc::Root& line) {
  if (skip_newline_ || reader_.kind != TransferKind::kNone) return -1;
  const char* bytes = in_.data();
  const void* newline = std::memchr(bytes, '\n', in_.size());
  if (newline == nullptr) return -1;
  auto size = static_cast<size_t>(static_cast<const char*>(newline) - bytes);
  const void* carriage_return = std::memchr(bytes, '\r', size);
  if (carriage_return != nullptr) {
    size = static_cast<size_t>(static_cast<const char*>(carriage_return) - bytes);
  }
  if (size >= kBlockBytes) return -1;  // the longer ones ask for room first
  const int end = static_cast<uint8_t>(bytes[size]);
  line.set(MakeString(io_.vm().heap(), absl::string_view(bytes, size)));
  in_.Consume(size + 1);
  DropFdsBefore(in_.position());
  return end;
}

Step Descriptor::ReadDelimited(gc::Root& value) {
  const std::bitset<256>& set = *reader_.set;
  const size_t limit = std::min(io_.vm().heap().limit_bytes(), kMaxHeld);
  size_t turn = 0;
  while (true) {
    const char* bytes = in_.data();
    const size_t size = in_.size();
    size_t at = scanned_;
    while (at < size && !set[static_cast<uint8_t>(bytes[at])]) ++at;
    scanned_ = at;
    bool at_end = false;
    if (at >= size) {
      if (turn >= kTurnBytes) return Step::kTurn;
      if (size > limit) {
        value.set(MakeOutOfMemory(io_.vm(), size));
        return Step::kFailed;
      }
      size_t got = 0;
      switch (Fill(kBlockBytes, &got)) {
        case Got::kBytes:
          turn += got;
          continue;
        case Got::kEnd:
          at_end = true;
          break;
        case Got::kAgain:
          return Step::kWait;
        case Got::kError:
          return Fail(read_error_, "read", value);
      }
    }
    if (at_end && size == 0) {
      value.set(gc::kFalse);
      return Step::kDone;
    }
    const Word separator = at_end ? gc::kFalse : Word::Fixnum(static_cast<uint8_t>(in_.data()[at]));
    const Step step = TakeBytes(at, value);
    if (step != Step::kDone) return step;
    if (!at_end) {
      in_.Consume(1);
      DropFdsBefore(in_.position());
    }
    gc::RootVector pair(io_.vm().heap());
    {
      const gc::NoAlloc scope;
      pair.push_back(value.get());
    }
    pair.push_back(separator);
    value.set(MakeArray(io_.vm(), pair));
    return Step::kDone;
  }
}

Step Descriptor::ReadReadable(gc::Root& value) {
  value.set(gc::kTrue);
  if (!in_.empty() || kind_ == FdKind::kHelped || kind_ == FdKind::kDevice) return Step::kDone;
  if (!readable_) return Step::kWait;
  pollfd state = {fd_, POLLIN, 0};
  if (poll(&state, 1, 0) != 0) return Step::kDone;
  readable_ = false;
  return Step::kWait;
}

}  // namespace weft::io
