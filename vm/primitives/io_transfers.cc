// Primitives of the I/O proxy: transfers on descriptors.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "vm/primitives.h"
#include "vm/primitives/io_operands.h"
#include "vm/scheduler.h"

namespace weft {

using io::Descriptor;
using io::Io;
using io::IoClass;
using io::Step;
using io::Transfer;
using io::TransferKind;

io::Descriptor* FdOperand(Vm& vm, Args args, size_t i, Outcome* outcome) {
  bool is_fd = false;
  Descriptor* descriptor = nullptr;
  {
    const gc::NoAlloc scope;
    const Word word = args.get(i);
    if (word.IsPointer() && gc::ObjectAt(word)->shape() == io::ShapeOfClass(vm, IoClass::kFd)) {
      is_fd = true;
      const Word handle = *gc::ObjectAt(word)->field(kFdHandleSlot);
      if (handle.IsFixnum() && handle.AsFixnum() >= 0) {
        descriptor = vm.io().Find(static_cast<uint64_t>(handle.AsFixnum()));
      }
    }
  }
  if (descriptor != nullptr) return descriptor;
  if (!is_fd) {
    *outcome = BadArgument(vm, args, i);
    return nullptr;
  }
  gc::Root fd(vm.heap());
  {
    const gc::NoAlloc scope;
    fd.set(args.get(i));
  }
  vm.pending_error.set(io::MakeError(vm, IoClass::kAlreadyDisposed, fd));
  *outcome = Outcome::kThrow;
  return nullptr;
}

namespace {

Outcome AlreadyWaiting(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  gc::Root fd(vm.heap());
  {
    const gc::NoAlloc scope;
    fd.set(args.get(i));
  }
  vm.pending_error.set(io::MakeError(vm, IoClass::kAlreadyWaiting, fd));
  return Outcome::kThrow;
}

// The thread's turn to read comes when those before it are done.
Outcome WaitForTurn(Args args, Descriptor& descriptor, size_t fd,
                    int64_t timeout_ns) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  descriptor.ParkTurn(/*writes=*/false, WaitReason::kRead, args.get(fd), timeout_ns, 0);
  return Outcome::kBlock;
}

enum ReadMode : int64_t { kModeSome, kModeAll, kModeFill, kModeQueue = 16 };

// Sends what is in the buffer, and waits until it has gone if there is too much of it.
// `must`: however little there is.
Outcome SendOut(Vm& vm, Args args, Descriptor& descriptor, size_t fd, int64_t timeout_ns,
                bool must) WEFT_ALLOCATES {
  if (!must && descriptor.out().size() < Descriptor::kFlushBytes) return Outcome::kNext;
  if (descriptor.out().empty()) return Outcome::kNext;
  if (descriptor.writer().kind == TransferKind::kNone) {
    gc::Root value(vm.heap());
    const Step step = descriptor.ProgressOut(value);
    if (step == Step::kDone) return Outcome::kNext;
    if (step == Step::kFailed) {
      descriptor.out().Clear();
      {
        const gc::NoAlloc scope;
        vm.pending_error.set(value.get());
      }
      return Outcome::kThrow;
    }
    if (step == Step::kTurn) descriptor.ScheduleTurn();
  }
  const gc::NoAlloc scope;
  descriptor.ParkTurn(/*writes=*/true, WaitReason::kWrite, args.get(fd), timeout_ns,
                      descriptor.out().end_position());
  return Outcome::kBlock;
}

}  // namespace

Outcome RunTransfer(Vm& vm, Args args, Transfer& transfer, WaitReason reason, size_t object,
                    int64_t timeout_ns) {
  Descriptor& descriptor = *transfer.owner;
  gc::Root value(vm.heap());
  const Step step =
      transfer.writes ? descriptor.ProgressWrite(value) : descriptor.ProgressRead(value);
  if (step == Step::kWait || step == Step::kTurn) {
    const gc::NoAlloc scope;
    descriptor.Park(transfer, reason, args.get(object), timeout_ns, step);
    return Outcome::kBlock;
  }
  descriptor.Release(transfer);
  if (!transfer.writes) descriptor.WakeNextReader();
  const gc::NoAlloc scope;
  if (step == Step::kFailed) {
    vm.pending_error.set(value.get());
    return Outcome::kThrow;
  }
  args.set(0, value.get());
  return Outcome::kNext;
}

// --- reading
// ---------------------------------------------------------------------------------------

Outcome PrimFdRead(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) {
    if ((args.fixnum(1) & kModeQueue) != 0) return WaitForTurn(args, *descriptor, 2, timeout);
    return AlreadyWaiting(vm, args, 2);
  }
  switch (args.fixnum(1) & ~kModeQueue) {
    case kModeSome:
      transfer.kind = TransferKind::kSome;
      break;
    case kModeAll:
      transfer.kind = TransferKind::kAll;
      break;
    default:
      transfer.kind = TransferKind::kFill;
  }
  transfer.wanted = static_cast<size_t>(args.fixnum(0));
  if (transfer.wanted == 0) transfer.kind = TransferKind::kFill;
  return RunTransfer(vm, args, transfer, WaitReason::kRead, 2, timeout);
}

Outcome PrimFdReadUntil(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (!IsSize(args, 1)) return BadSize(vm, args, 1);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) return AlreadyWaiting(vm, args, 2);
  std::string separator = BytesAt(args, 0);
  if (separator.empty()) return BadArgument(vm, args, 0);
  transfer.kind = TransferKind::kUntil;
  transfer.text = std::move(separator);
  transfer.wanted = static_cast<size_t>(args.fixnum(1));
  return RunTransfer(vm, args, transfer, WaitReason::kRead, 2, timeout);
}

Outcome PrimFdReadDelimited(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) return WaitForTurn(args, *descriptor, 1, timeout);
  transfer.kind = TransferKind::kDelimited;
  transfer.set = std::make_unique<std::bitset<256>>();
  {
    const gc::NoAlloc scope;
    const StringView seps(As<String>(args.get(0)));
    for (int64_t i = 0; i < seps.size(); ++i) {
      if (seps.at(i) < 256) transfer.set->set(seps.at(i));
    }
  }
  return RunTransfer(vm, args, transfer, WaitReason::kRead, 1, timeout);
}

Outcome PrimFdTakeLine(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  gc::Root line(vm.heap());
  const int end = descriptor->TakeLine(line);
  const gc::NoAlloc scope;
  args.set(0, line.get());
  args.set(1, end < 0 ? gc::kFalse : Word::Fixnum(end));
  return Outcome::kNext;
}

Outcome PrimFdReadByte(Vm& vm, Args args) {
  int64_t timeout;
  if (!ReadTimeout(args, 1, &timeout)) return BadType(vm, TypeId::kFixnum, args, 1);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) return WaitForTurn(args, *descriptor, 0, timeout);
  if (!descriptor->in().empty()) {
    args.set(0, Word::Fixnum(descriptor->TakeByte()));
    descriptor->WakeNextReader();
    return Outcome::kNext;
  }
  transfer.kind = TransferKind::kByte;
  return RunTransfer(vm, args, transfer, WaitReason::kRead, 0, timeout);
}

Outcome PrimFdSkipNewline(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor != nullptr) descriptor->SkipNewline();
  return outcome;
}

Outcome PrimFdBuffer(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  bool ok;
  const Word bytes = io::MakeBytes(vm, descriptor->in().data(), descriptor->in().size(), &ok);
  if (!ok) return NoRoom(vm, descriptor->in().size());
  args.set(0, bytes);
  return Outcome::kNext;
}

Outcome PrimFdUnread(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  const gc::NoAlloc scope;
  const auto* bytes = As<ByteArray>(args.get(0));
  descriptor->in().Prepend(bytes->bytes, static_cast<size_t>(bytes->size()));
  return Outcome::kNext;
}

Outcome PrimFdWait(Vm& vm, Args args) {
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  const bool writes = args.is_true(0);
  Transfer& transfer = writes ? descriptor->writer() : descriptor->reader();
  if (transfer.kind != TransferKind::kNone) return AlreadyWaiting(vm, args, 1);
  transfer.kind = writes ? TransferKind::kWritable : TransferKind::kReadable;
  transfer.head_end = 0;
  return RunTransfer(vm, args, transfer, writes ? WaitReason::kWrite : WaitReason::kRead, 1,
                     timeout);
}

// --- writing
// ---------------------------------------------------------------------------------------

Outcome PrimFdSend(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->writer();
  if (transfer.kind != TransferKind::kNone) return AlreadyWaiting(vm, args, 2);
  transfer.kind = args.is_true(1) ? TransferKind::kSendSome : TransferKind::kSend;
  {
    const gc::NoAlloc scope;
    transfer.wanted = static_cast<size_t>(As<ByteArray>(args.get(0))->size());
    transfer.root = vm.io().NewRoot(args.get(0));
  }
  transfer.head_end = descriptor->out().end_position();
  return RunTransfer(vm, args, transfer, WaitReason::kWrite, 2, timeout);
}

Outcome PrimFdWrite(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(0));
    descriptor->out().Append(bytes->bytes, static_cast<size_t>(bytes->size()));
    args.set(0, gc::kFalse);
  }
  return SendOut(vm, args, *descriptor, 1, timeout, /*must=*/false);
}

Outcome PrimFdWriteByte(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  const auto byte = static_cast<uint8_t>(args.fixnum(0));
  descriptor->out().Append(&byte, 1);
  args.set(0, gc::kFalse);
  return SendOut(vm, args, *descriptor, 1, timeout, /*must=*/false);
}

Outcome PrimFdWriteText(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  {
    const gc::NoAlloc scope;
    std::string& out = descriptor->out().tail();
    AppendText(As<String>(args.get(0)), out);
    if (args.is_true(1)) out.push_back('\n');
    args.set(0, gc::kFalse);
  }
  return SendOut(vm, args, *descriptor, 2, timeout, /*must=*/false);
}

Outcome PrimFdFlush(Vm& vm, Args args) {
  int64_t timeout;
  if (!ReadTimeout(args, 1, &timeout)) return BadType(vm, TypeId::kFixnum, args, 1);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  outcome = SendOut(vm, args, *descriptor, 0, timeout, /*must=*/true);
  if (outcome == Outcome::kNext) args.set(0, gc::kFalse);
  return outcome;
}

Outcome PrimFdUnsent(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  args.set(0, Word::Fixnum(static_cast<int64_t>(descriptor->out().size())));
  return Outcome::kNext;
}

Outcome PrimFdSendFile(Vm& vm, Args args) {
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* file = FdOperand(vm, args, 0, &outcome);
  if (file == nullptr) return outcome;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->writer();
  if (transfer.kind != TransferKind::kNone) return AlreadyWaiting(vm, args, 1);
  transfer.kind = TransferKind::kSendFile;
  transfer.file = file->handle();
  transfer.head_end = descriptor->out().end_position();
  return RunTransfer(vm, args, transfer, WaitReason::kWrite, 1, timeout);
}

// --- descriptors that travel
// -----------------------------------------------------------------------

Outcome PrimFdSendFds(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (!Is(args, 1, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 1);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->writer();
  if (transfer.kind != TransferKind::kNone) return AlreadyWaiting(vm, args, 2);
  size_t count;
  size_t size;
  {
    const gc::NoAlloc scope;
    count = static_cast<size_t>(As<Array>(args.get(1))->size());
    size = static_cast<size_t>(As<ByteArray>(args.get(0))->size());
  }
  // They travel with a byte.
  if (count > Descriptor::kMaxFdsPerFrame || (size == 0 && count > 0)) {
    return BadArgument(vm, args, count > Descriptor::kMaxFdsPerFrame ? 1 : 0);
  }
  // Copies: the program may close its own while these wait to be sent.
  std::vector<int> fds;
  for (size_t i = 0; i < count && outcome == Outcome::kNext; ++i) {
    Word window[1];
    {
      const gc::NoAlloc scope;
      window[0] = As<Array>(args.get(1))->elements[i];
    }
    Descriptor* sent = FdOperand(vm, Args(window), 0, &outcome);
    if (sent == nullptr) break;
    const int copy = fcntl(sent->fd(), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
      outcome = io::ThrowSystemError(vm, errno, "dup", sent->Name());
      break;
    }
    fds.push_back(copy);
  }
  if (outcome != Outcome::kNext) {
    for (const int fd : fds) close(fd);
    return outcome;
  }
  transfer.kind = TransferKind::kSendFds;
  transfer.fds = std::move(fds);
  transfer.wanted = size;
  {
    const gc::NoAlloc scope;
    transfer.root = vm.io().NewRoot(args.get(0));
  }
  transfer.head_end = descriptor->out().end_position();
  return RunTransfer(vm, args, transfer, WaitReason::kWrite, 2, timeout);
}

Outcome PrimFdReceiveFds(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) return AlreadyWaiting(vm, args, 1);
  transfer.kind = TransferKind::kFds;
  transfer.wanted = static_cast<size_t>(args.fixnum(0));
  return RunTransfer(vm, args, transfer, WaitReason::kRead, 1, timeout);
}

// --- the descriptor itself
// -------------------------------------------------------------------------

Outcome PrimFdClose(Vm& vm, Args args) {
  gc::Root fd(vm.heap());
  {
    const gc::NoAlloc scope;
    fd.set(args.get(0));
  }
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  const gc::Root error(vm.heap(), io::MakeError(vm, IoClass::kAlreadyDisposed, fd));
  vm.io().Close(descriptor, error);
  return Outcome::kNext;
}

Outcome PrimFdNumber(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  args.set(0, Word::Fixnum(descriptor->fd()));
  return Outcome::kNext;
}

Outcome PrimFdIsOpen(Vm& vm, Args args) {
  bool open = false;
  if (args.is_fixnum(0) && args.fixnum(0) >= 0) {
    open = vm.io().Find(static_cast<uint64_t>(args.fixnum(0))) != nullptr;
  }
  args.set(0, Word::Bool(open));
  return Outcome::kNext;
}

Outcome PrimFdKindOf(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  args.set(0, Word::Fixnum(static_cast<int64_t>(descriptor->kind())));
  return Outcome::kNext;
}

Outcome PrimFdAdopt(Vm& vm, Args args) {
  if (!args.is_fixnum(0) || args.fixnum(0) < 3 || args.fixnum(0) > INT32_MAX) {
    return BadArgument(vm, args, 0);
  }
  const auto fd = static_cast<int>(args.fixnum(0));
  if (fcntl(fd, F_GETFD) < 0) return io::ThrowSystemError(vm, errno, "fcntl", "descriptor");
  args.set(0, Word::Fixnum(static_cast<int64_t>(vm.io().Adopt(fd)->handle())));
  return Outcome::kNext;
}

Outcome PrimFdDuplicate(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  const int copy = fcntl(descriptor->fd(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return io::ThrowSystemError(vm, errno, "dup", descriptor->Name());
  args.set(0, Word::Fixnum(static_cast<int64_t>(vm.io().Adopt(copy)->handle())));
  return Outcome::kNext;
}

Outcome PrimFdCount(Vm& vm, Args args) {
  args.set(0, Word::Fixnum(static_cast<int64_t>(vm.io().open_count())));
  return Outcome::kNext;
}

Outcome PrimFdSetName(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor != nullptr) descriptor->set_name(StringAt(args, 0));
  return outcome;
}

Outcome PrimFdName(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  args.set(0, MakeString(vm.heap(), descriptor->Name()));
  return Outcome::kNext;
}

Outcome PrimNoteEmfile(Vm& vm, Args) {
  vm.io().NoteEmfile();
  return Outcome::kNext;
}

}  // namespace weft
