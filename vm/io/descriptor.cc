#include "vm/io/descriptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gc/check.h"
#include "vm/context.h"
#include "vm/io/address.h"
#include "vm/io/io.h"
#include "vm/io/values.h"
#include "vm/scheduler.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft::io {

void Transfer::Abandon() { owner->Drop(*this); }
void Waiter::Abandon() { owner->DropWaiter(this); }

Descriptor::Descriptor(Io& io, int fd, FdKind kind) : io_(io), fd_(fd), kind_(kind) {
  reader_.owner = writer_.owner = this;
  writer_.writes = true;
  is_socket_ = kind == FdKind::kTcp || kind == FdKind::kUnix || kind == FdKind::kDatagram ||
               kind == FdKind::kListener;
}

Descriptor::~Descriptor() {
  Unwatch();
  for (const Carried& carried : carried_) {
    for (const int fd : carried.fds) close(fd);
  }
  for (const Accepted& accepted : accepted_) close(accepted.fd);
  for (const int fd : writer_.fds) close(fd);
  if (fd_ >= 0 && standard_ < 0) close(fd_);
}

int Descriptor::EnsureWatched() {
  if (watched_ || kind_ == FdKind::kHelped || kind_ == FdKind::kDevice) return 0;
  // A listener may be shared by siblings: only one of them is to wake for a connection.
  const uint32_t events = kind_ == FdKind::kListener ? EPOLLIN | EPOLLEXCLUSIVE
                                                     : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI;
  const int error = io_.events().Watch(fd_, events, this);
  if (error == EPERM) {
    kind_ = FdKind::kDevice;  // always ready
    readable_ = writable_ = true;
    return 0;
  }
  watched_ = error == 0;
  return error;
}

void Descriptor::Unwatch() {
  if (!watched_) return;
  io_.events().Unwatch(fd_, this);
  watched_ = false;
}

void Descriptor::Park(Transfer& transfer, WaitReason reason, Word object, int64_t timeout_ns,
                      Step step) {
  transfer.context = io_.vm().current();
  transfer.ticket = io_.scheduler().BeginWait(reason, object, timeout_ns, &transfer);
  if (step == Step::kTurn || EnsureWatched() != 0) ScheduleTurn();
}

void Descriptor::ParkTurn(bool writes, WaitReason reason, Word object, int64_t timeout_ns,
                          uint64_t position) {
  auto waiter = std::make_unique<Waiter>();
  waiter->owner = this;
  waiter->writes = writes;
  waiter->position = position;
  waiter->context = io_.vm().current();
  waiter->ticket = io_.scheduler().BeginWait(reason, object, timeout_ns, waiter.get());
  (writes ? flushes_ : turns_).push_back(std::move(waiter));
  if (writes && EnsureWatched() != 0) ScheduleTurn();
}

void Descriptor::ScheduleTurn() {
  if (turn_pending_) return;
  turn_pending_ = true;
  io_.events().Open();
  io_.events().Post([io = &io_, handle = handle_, standard = standard_]() WEFT_NO_ANALYSIS {
    Descriptor* descriptor = standard >= 0 ? io->standard_[standard].get() : io->Find(handle);
    if (descriptor == nullptr) return;
    descriptor->turn_pending_ = false;
    descriptor->RunTurn();
  });
}

void Descriptor::OnReady(uint32_t events) WEFT_NO_ANALYSIS {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) hung_up_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable_ = true;
  RunTurn();
}

void Descriptor::RunTurn() {
  if (reader_.kind != TransferKind::kNone) {
    gc::Root value(io_.vm().heap());
    const Step step = ProgressRead(value);
    if (step == Step::kTurn) {
      ScheduleTurn();
    } else if (step != Step::kWait) {
      Finish(reader_, step, value);
    }
  }
  if (writer_.kind != TransferKind::kNone) {
    gc::Root value(io_.vm().heap());
    const Step step = ProgressWrite(value);
    if (step == Step::kTurn) {
      ScheduleTurn();
    } else if (step != Step::kWait) {
      Finish(writer_, step, value);
    }
  }
  if (!flushes_.empty() && writer_.kind == TransferKind::kNone) {
    gc::Root value(io_.vm().heap());
    const Step step = ProgressOut(value);
    if (step == Step::kTurn) ScheduleTurn();
    if (step == Step::kFailed) {
      // What could not be sent is lost for all that waited for it. Standard error that nobody reads
      // is dropped: there is nowhere left to complain.
      out_.Clear();
      if (standard_ != 2) {
        std::vector<std::unique_ptr<Waiter>> failed;
        failed.swap(flushes_);
        for (const std::unique_ptr<Waiter>& waiter : failed) {
          const gc::NoAlloc scope;
          (void)io_.scheduler().FailWait(waiter->context, waiter->ticket, value.get());
        }
      }
    }
  }
  WakeFlushed();
  if (reader_.kind == TransferKind::kNone) WakeNextReader();
}

void Descriptor::WakeFlushed() {
  for (size_t i = 0; i < flushes_.size();) {
    if (out_.position() < flushes_[i]->position) {
      ++i;
      continue;
    }
    const std::unique_ptr<Waiter> waiter = std::move(flushes_[i]);
    flushes_.erase(flushes_.begin() + static_cast<ptrdiff_t>(i));
    (void)io_.scheduler().EndWait(waiter->context, waiter->ticket, gc::kFalse);
  }
}

// The next thread in line tries again from its primitive.
void Descriptor::WakeNextReader() {
  if (turns_.empty()) return;
  const std::unique_ptr<Waiter> waiter = std::move(turns_.front());
  turns_.erase(turns_.begin());
  (void)io_.scheduler().EndWait(waiter->context, waiter->ticket, gc::kTrue);
  // It may be cancelled before it tries: then the turn is the next one's.
  if (!turns_.empty()) ScheduleTurn();
}

void Descriptor::Release(Transfer& transfer) {
  transfer.kind = TransferKind::kNone;
  io_.FreeRoot(transfer.root);
  transfer.root = 0;
  transfer.done = transfer.wanted = 0;
  transfer.text.clear();
  transfer.set.reset();
  transfer.file = 0;
  for (const int fd : transfer.fds) close(fd);
  transfer.fds.clear();
  if (!transfer.writes) scanned_ = 0;
  // Armed only while a thread accepts.
  if (kind_ == FdKind::kListener) Unwatch();
}

void Descriptor::Finish(Transfer& transfer, Step step, const gc::Root& value) {
  Context* context = transfer.context;
  const uint32_t ticket = transfer.ticket;
  const bool unborn = transfer.kind == TransferKind::kConnect && step != Step::kDone;
  Release(transfer);
  {
    const gc::NoAlloc scope;
    if (step == Step::kDone) {
      (void)io_.scheduler().EndWait(context, ticket, value.get());
    } else {
      (void)io_.scheduler().FailWait(context, ticket, value.get());
    }
  }
  if (!transfer.writes) WakeNextReader();
  if (unborn) io_.Discard(this);
}

void Descriptor::Drop(Transfer& transfer) WEFT_NO_ANALYSIS {
  if (transfer.kind == TransferKind::kNone) return;
  if (!transfer.writes) {
    ReturnBytes(transfer);
  } else {
    ++write_generation_;
    helped_written_ = 0;
    helped_write_error_ = 0;
    helped_end_write_ = false;
  }
  const bool unborn = transfer.kind == TransferKind::kConnect;
  Release(transfer);
  if (!transfer.writes) WakeNextReader();
  if (unborn) io_.Discard(this);
}

void Descriptor::DropWaiter(Waiter* waiter) {
  auto& list = waiter->writes ? flushes_ : turns_;
  list.erase(std::remove_if(list.begin(), list.end(),
                            [waiter](const auto& entry) { return entry.get() == waiter; }),
             list.end());
}

void Descriptor::FailAll(const gc::Root& error) {
  Transfer* const transfers[] = {&reader_, &writer_};
  std::vector<std::unique_ptr<Waiter>> waiters;
  waiters.swap(turns_);
  for (std::unique_ptr<Waiter>& waiter : flushes_) waiters.push_back(std::move(waiter));
  flushes_.clear();
  for (Transfer* transfer : transfers) {
    if (transfer->kind != TransferKind::kNone) Finish(*transfer, Step::kFailed, error);
  }
  for (const std::unique_ptr<Waiter>& waiter : waiters) {
    const gc::NoAlloc scope;
    (void)io_.scheduler().FailWait(waiter->context, waiter->ticket, error.get());
  }
}

void Descriptor::StartAgainAfterFork() {
  watched_ = turn_pending_ = reading_job_ = writing_job_ = false;
  readable_ = writable_ = true;
  jobs_ = 0;
  helped_written_ = 0;
  out_.Clear();
  reader_.context = writer_.context = nullptr;
  Release(reader_);
  Release(writer_);
  turns_.clear();
  flushes_.clear();
}

void Descriptor::NoteAgain(bool reading) {
  (reading ? readable_ : writable_) = false;
  // An injected fault brings no event.
  if (io_.faults().on()) {
    (reading ? readable_ : writable_) = true;
    ScheduleTurn();
  }
}

std::string Descriptor::Name() const {
  if (!name_.empty()) return name_;
  if (!peer_.empty()) return FormatAddress(peer_);
  if (standard_ >= 0) {
    static constexpr const char* kNames[] = {"standard input", "standard output", "standard error"};
    return kNames[standard_];
  }
  return "descriptor";
}

Step Descriptor::Fail(int error, absl::string_view operation, gc::Root& value, int64_t count) {
  const gc::Root subject(io_.vm().heap(), MakeString(io_.vm().heap(), Name()));
  value.set(MakeSystemError(io_.vm(), error, operation, subject, count));
  return Step::kFailed;
}

}  // namespace weft::io
