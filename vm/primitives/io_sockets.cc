// Primitives of the I/O proxy: sockets, pipes, addresses.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>

#include "vm/io/address.h"
#include "vm/primitives.h"
#include "vm/primitives/io_operands.h"
#include "vm/scheduler.h"

namespace weft {

using io::Descriptor;
using io::FaultPoint;
using io::FdKind;
using io::Transfer;
using io::TransferKind;

namespace {

constexpr int kSocketFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

const sockaddr* SockaddrOf(const std::string& bytes) {
  return reinterpret_cast<const sockaddr*>(bytes.data());
}

int FamilyOf(const std::string& bytes) { return io::PartsOfAddress(bytes).family; }

FdKind StreamKind(int family) { return family == AF_UNIX ? FdKind::kUnix : FdKind::kTcp; }

Word HandleOf(const Descriptor* descriptor) {
  return Word::Fixnum(static_cast<int64_t>(descriptor->handle()));
}

// A socket, or -1 and errno.
int NewSocket(Vm& vm, int family, int type) {
  size_t unused = 1;
  const int fault = vm.io().faults().Next(FaultPoint::kOpen, &unused);
  if (fault != 0 && fault != EINTR) {
    errno = fault;
    return -1;
  }
  return socket(family, type | kSocketFlags, 0);
}

void SetOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

// Small messages go at once: the proxy gathers what belongs together itself.
void PrepareConnection(int fd, int family) {
  if (family == AF_INET || family == AF_INET6) SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

}  // namespace

Outcome PrimMakeAddress(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (!Is(args, 1, TypeId::kString)) return BadType(vm, TypeId::kString, args, 1);
  if (!args.is_fixnum(2)) return BadType(vm, TypeId::kFixnum, args, 2);
  const std::string host = StringAt(args, 1);
  std::string address;
  bool good = false;
  if (args.fixnum(0) == 0) {
    good = io::MakeLocalAddress(host, &address);
  } else if (args.fixnum(2) >= 0 && args.fixnum(2) <= 65535) {
    good = io::MakeInternetAddress(args.fixnum(0) == 6 ? AF_INET6 : AF_INET, host,
                                   static_cast<int>(args.fixnum(2)), &address);
  }
  if (!good) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  bool ok;
  args.set(0, io::MakeBytes(vm, address.data(), address.size(), &ok));
  return Outcome::kNext;
}

Outcome PrimAddressParts(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  const io::AddressParts parts = io::PartsOfAddress(BytesAt(args, 0));
  gc::RootVector words(vm.heap());
  words.push_back(Word::Fixnum(parts.family == AF_INET ? 4 : parts.family == AF_INET6 ? 6 : 0));
  words.push_back(MakeString(vm.heap(), parts.host));
  words.push_back(Word::Fixnum(parts.port));
  args.set(0, io::MakeArray(vm, words));
  return Outcome::kNext;
}

Outcome PrimFdListen(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const std::string address = BytesAt(args, 0);
  const int family = FamilyOf(address);
  const std::string name = io::FormatAddress(address);
  const int fd = NewSocket(vm, family, SOCK_STREAM);
  if (fd < 0) return io::ThrowSystemError(vm, errno, "socket", name);
  if (family != AF_UNIX) SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  const char* operation = "bind";
  int result = bind(fd, SockaddrOf(address), static_cast<socklen_t>(address.size()));
  if (result == 0) {
    operation = "listen";
    result = listen(fd, static_cast<int>(std::clamp<int64_t>(args.fixnum(1), 0, INT_MAX)));
  }
  if (result != 0) {
    const int error = errno;
    close(fd);
    return io::ThrowSystemError(vm, error, operation, name);
  }
  Descriptor* descriptor = vm.io().Add(fd, FdKind::kListener);
  descriptor->set_name(name);
  if (family == AF_UNIX) descriptor->set_local();
  args.set(0, HandleOf(descriptor));
  return Outcome::kNext;
}

Outcome PrimFdConnect(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (args.is_true(1) && !Is(args, 1, TypeId::kByteArray)) {
    return BadType(vm, TypeId::kByteArray, args, 1);
  }
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  const std::string address = BytesAt(args, 0);
  const int family = FamilyOf(address);
  const std::string name = io::FormatAddress(address);
  const int fd = NewSocket(vm, family, SOCK_STREAM);
  if (fd < 0) return io::ThrowSystemError(vm, errno, "socket", name);
  PrepareConnection(fd, family);
  if (args.is_true(1)) {
    const std::string local = BytesAt(args, 1);
    if (bind(fd, SockaddrOf(local), static_cast<socklen_t>(local.size())) != 0) {
      const int error = errno;
      close(fd);
      return io::ThrowSystemError(vm, error, "bind", io::FormatAddress(local));
    }
  }
  size_t unused = 1;
  const int fault = vm.io().faults().Next(FaultPoint::kConnect, &unused);
  int result;
  if (fault != 0 && fault != EINTR) {
    result = -1;
    errno = fault;
  } else {
    while ((result = connect(fd, SockaddrOf(address), static_cast<socklen_t>(address.size()))) !=
               0 &&
           errno == EINTR) {
    }
  }
  if (result != 0 && errno != EINPROGRESS) {
    const int error = errno;
    close(fd);
    return io::ThrowSystemError(vm, error, "connect", name);
  }
  Descriptor* descriptor = vm.io().Add(fd, StreamKind(family));
  descriptor->set_name(name);
  if (result == 0) {
    args.set(0, HandleOf(descriptor));
    return Outcome::kNext;
  }
  // Given up or failed, the descriptor goes: nobody else has its handle.
  Transfer& transfer = descriptor->writer();
  transfer.kind = TransferKind::kConnect;
  descriptor->BeginConnect();
  const gc::NoAlloc scope;
  descriptor->Park(transfer, WaitReason::kConnect, args.get(2), timeout, io::Step::kWait);
  return Outcome::kBlock;
}

Outcome PrimFdAccept(Vm& vm, Args args) {
  int64_t timeout;
  if (!ReadTimeout(args, 1, &timeout)) return BadType(vm, TypeId::kFixnum, args, 1);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  if (descriptor->kind() != FdKind::kListener) return BadArgument(vm, args, 0);
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) {
    // Several threads may accept: the connections are theirs in turn.
    const gc::NoAlloc scope;
    descriptor->ParkTurn(/*writes=*/false, WaitReason::kAccept, args.get(0), timeout, 0);
    return Outcome::kBlock;
  }
  transfer.kind = TransferKind::kAccept;
  return RunTransfer(vm, args, transfer, WaitReason::kAccept, 0, timeout);
}

Outcome PrimFdDatagram(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  const std::string address = BytesAt(args, 0);
  const int family = FamilyOf(address);
  const std::string name = io::FormatAddress(address);
  const int fd = NewSocket(vm, family, SOCK_DGRAM);
  if (fd < 0) return io::ThrowSystemError(vm, errno, "socket", name);
  if (args.is_true(1)) SetOption(fd, SOL_SOCKET, SO_BROADCAST, 1);
  if (bind(fd, SockaddrOf(address), static_cast<socklen_t>(address.size())) != 0) {
    const int error = errno;
    close(fd);
    return io::ThrowSystemError(vm, error, "bind", name);
  }
  Descriptor* descriptor = vm.io().Add(fd, FdKind::kDatagram);
  descriptor->set_name(name);
  args.set(0, HandleOf(descriptor));
  return Outcome::kNext;
}

Outcome PrimFdSendTo(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (!Is(args, 1, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 1);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  Transfer& transfer = descriptor->writer();
  if (transfer.kind != TransferKind::kNone || descriptor->kind() != FdKind::kDatagram) {
    return BadArgument(vm, args, 2);
  }
  transfer.kind = TransferKind::kSendTo;
  transfer.text = BytesAt(args, 1);
  transfer.head_end = 0;
  {
    const gc::NoAlloc scope;
    transfer.root = vm.io().NewRoot(args.get(0));
  }
  return RunTransfer(vm, args, transfer, WaitReason::kWrite, 2, timeout);
}

Outcome PrimFdReceive(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  if (descriptor->kind() != FdKind::kDatagram) return BadArgument(vm, args, 1);
  Transfer& transfer = descriptor->reader();
  if (transfer.kind != TransferKind::kNone) {
    const gc::NoAlloc scope;
    descriptor->ParkTurn(/*writes=*/false, WaitReason::kRead, args.get(1), timeout, 0);
    return Outcome::kBlock;
  }
  transfer.kind = TransferKind::kReceive;
  transfer.wanted = static_cast<size_t>(args.fixnum(0));
  return RunTransfer(vm, args, transfer, WaitReason::kRead, 1, timeout);
}

Outcome PrimFdPair(Vm& vm, Args args) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | kSocketFlags, 0, pair) != 0) {
    return io::ThrowSystemError(vm, errno, "socketpair", "a pair of sockets");
  }
  args.set(0, HandleOf(vm.io().Add(pair[0], FdKind::kUnix)));
  args.set(1, HandleOf(vm.io().Add(pair[1], FdKind::kUnix)));
  return Outcome::kNext;
}

Outcome PrimFdPipe(Vm& vm, Args args) {
  int pair[2];
  if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) != 0) {
    return io::ThrowSystemError(vm, errno, "pipe", "a pipe");
  }
  args.set(0, HandleOf(vm.io().Add(pair[0], FdKind::kStream)));
  args.set(1, HandleOf(vm.io().Add(pair[1], FdKind::kStream)));
  return Outcome::kNext;
}

Outcome PrimFdAddress(Vm& vm, Args args) {
  const bool peer = args.is_true(0);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  const int result = peer ? getpeername(descriptor->fd(), address, &size)
                          : getsockname(descriptor->fd(), address, &size);
  if (result != 0) {
    return io::ThrowSystemError(vm, errno, peer ? "getpeername" : "getsockname",
                                descriptor->Name());
  }
  const std::string bytes = io::AddressBytes(storage, size);
  bool ok;
  args.set(0, io::MakeBytes(vm, bytes.data(), bytes.size(), &ok));
  return Outcome::kNext;
}

Outcome PrimFdShutdown(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 1, &outcome);
  if (descriptor == nullptr) return outcome;
  const int how = static_cast<int>(std::clamp<int64_t>(args.fixnum(0), 0, 2));
  if (shutdown(descriptor->fd(), how) != 0) {
    return io::ThrowSystemError(vm, errno, "shutdown", descriptor->Name());
  }
  return Outcome::kNext;
}

Outcome PrimFdSetOption(Vm& vm, Args args) {
  static constexpr struct {
    const char* name;
    int level;
    int option;
  } kOptions[] = {
      {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},  {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
      {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR}, {"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT},
      {"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST}, {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
      {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},       {"SO_LINGER", SOL_SOCKET, SO_LINGER}};
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (!Is(args, 1, TypeId::kString)) return BadType(vm, TypeId::kString, args, 1);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  const std::string name = StringAt(args, 1);
  const auto value = static_cast<int>(std::clamp<int64_t>(args.fixnum(0), INT_MIN, INT_MAX));
  for (const auto& option : kOptions) {
    if (name != option.name) continue;
    int result;
    if (option.option == SO_LINGER && option.level == SOL_SOCKET) {
      // Seconds; negative: off. 0 makes closing reset the connection.
      const linger setting = {value >= 0 ? 1 : 0, value >= 0 ? value : 0};
      result = setsockopt(descriptor->fd(), SOL_SOCKET, SO_LINGER, &setting, sizeof(setting));
    } else {
      result = setsockopt(descriptor->fd(), option.level, option.option, &value, sizeof(value));
    }
    if (result != 0) return io::ThrowSystemError(vm, errno, "setsockopt", descriptor->Name());
    return Outcome::kNext;
  }
  return BadArgument(vm, args, 1);
}

}  // namespace weft
