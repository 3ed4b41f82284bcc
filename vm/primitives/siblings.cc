// Primitives of sibling VMs: links, their frames and ends, starting a sibling (vm/ipc/link.h).
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "vm/ipc/link.h"
#include "vm/ipc/spawn.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/primitives/stack_views.h"
#include "vm/strings.h"

namespace weft {
namespace {

using ipc::Link;
using ipc::LinkTable;

Word Get(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return args.get(i);
}

// { "kernel-error" 1 errno message }
Outcome ThrowErrno(Vm& vm, int error, const char* call) WEFT_ALLOCATES {
  std::string text = std::strerror(error);
  if (call != nullptr) text = std::string(call) + ": " + text;
  return vm.Throw(ErrorKind::kIo, Word::Fixnum(error), MakeString(vm.heap(), text));
}

// The link that args[i] is the number of; null: none.
Link* LinkAt(Vm& vm, Args args, size_t i) {
  return args.is_fixnum(i) ? LinkTable::Of(vm).Find(args.fixnum(i)) : nullptr;
}
Outcome NoLink(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  return vm.Throw(ErrorKind::kBadArgument, Get(args, i));
}

bool TakeTimeout(Args args, size_t i, int64_t* timeout_ns) WEFT_ALLOCATES {
  *timeout_ns = -1;
  if (args.is_fixnum(i)) {
    *timeout_ns = args.fixnum(i) < 0 ? 0 : args.fixnum(i);
    return true;
  }
  return !args.is_true(i);
}

bool IsDescriptor(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) >= 0 && args.fixnum(i) <= INT32_MAX;
}

// An array of strings; false: it is none, or one holds a zero.
bool TakeStrings(Word word, std::vector<std::string>* strings) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kArray)) return false;
  const auto* array = As<Array>(word);
  for (int64_t i = 0; i < array->size(); ++i) {
    if (!IsType(array->elements[i], TypeId::kString)) return false;
    strings->push_back(ToUtf8(array->elements[i]));
    if (strings->back().find('\0') != std::string::npos) return false;
  }
  return true;
}

// Copies of the descriptors in an array, close-on-exec. 0, or errno with nothing left open; -1: no
// array of descriptors.
int CopyDescriptors(Word word, std::vector<int>* copies) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kArray)) return -1;
  const auto* array = As<Array>(word);
  if (array->size() > ipc::kMaxDescriptors) return EMSGSIZE;
  int error = 0;
  for (int64_t i = 0; i < array->size() && error == 0; ++i) {
    const Word element = array->elements[i];
    if (!element.IsFixnum() || element.AsFixnum() < 0 || element.AsFixnum() > INT32_MAX) {
      error = -1;
      break;
    }
    const int copy = fcntl(static_cast<int>(element.AsFixnum()), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
      error = errno;
    } else {
      copies->push_back(copy);
    }
  }
  if (error != 0) {
    for (const int fd : *copies) close(fd);
    copies->clear();
  }
  return error;
}

// Registers a link and begins to watch it.
Outcome AddLink(Vm& vm, Args args, size_t result, int data, int control, int pid,
                int pidfd) WEFT_ALLOCATES {
  Link* link = LinkTable::Of(vm).Add(vm, data, control);
  if (pid != 0) link->SetProcess(pid, pidfd);
  const int error = link->Open();
  if (error != 0) {
    link->Kill(9);
    LinkTable::Of(vm).Remove(link->id());
    return ThrowErrno(vm, error, "epoll_ctl");
  }
  args.set(result, Word::Fixnum(link->id()));
  return Outcome::kNext;
}

}  // namespace

// ( arguments environment/f directory/f -- link )
Outcome PrimSpawnSibling(Vm& vm, Args args) {
  ipc::SiblingStart start;
  bool good = false;
  {
    const gc::NoAlloc scope;
    good = TakeStrings(args.get(0), &start.arguments) && !start.arguments.empty();
    start.has_environment = args.is_true(1);
    if (start.has_environment) good = good && TakeStrings(args.get(1), &start.environment);
    if (args.is_true(2)) {
      good = good && IsType(args.get(2), TypeId::kString);
      if (good) start.directory = ToUtf8(args.get(2));
    }
  }
  if (!good) return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
  ipc::SiblingProcess process;
  const char* failed = nullptr;
  const int error = ipc::StartSibling(start, &process, &failed);
  if (error != 0) return ThrowErrno(vm, error, failed);
  return AddLink(vm, args, 0, process.data, process.control, process.pid, process.pidfd);
}

// ( data control -- link ): takes the descriptors over
Outcome PrimOpenLink(Vm& vm, Args args) {
  if (!IsDescriptor(args, 0) || !IsDescriptor(args, 1)) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 0), Get(args, 1));
  }
  const auto data = static_cast<int>(args.fixnum(0));
  const auto control = static_cast<int>(args.fixnum(1));
  fcntl(data, F_SETFD, FD_CLOEXEC);
  fcntl(control, F_SETFD, FD_CLOEXEC);
  return AddLink(vm, args, 0, data, control, 0, -1);
}

// ( -- link1 link2 )
Outcome PrimLinkPair(Vm& vm, Args args) {
  int data[2];
  int control[2];
  const int error = ipc::MakeSockets(data, control);
  if (error != 0) return ThrowErrno(vm, error, "socketpair");
  const Outcome first = AddLink(vm, args, 0, data[0], control[0], 0, -1);
  if (first != Outcome::kNext) {
    close(data[1]);
    close(control[1]);
    return first;
  }
  return AddLink(vm, args, 1, data[1], control[1], 0, -1);
}

// ( object bytes descriptors beside kind link -- errno )
Outcome PrimSendLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 5);
  if (link == nullptr) return NoLink(vm, args, 5);
  if (!Is(args, 1, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 1);
  if (!args.is_fixnum(3) || args.fixnum(3) < 0 || args.fixnum(3) / 1024 > UINT32_MAX) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 3));
  }
  if (!args.is_fixnum(4) || args.fixnum(4) < 0 ||
      args.fixnum(4) > static_cast<int64_t>(ipc::FrameKind::kStart)) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 4));
  }
  ipc::Frame frame;
  frame.beside_kib = static_cast<uint32_t>(args.fixnum(3) / 1024);
  frame.kind = static_cast<ipc::FrameKind>(args.fixnum(4));
  int error = 0;
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(1));
    if (static_cast<uint64_t>(bytes->size()) > ipc::kMaxFrameBytes) {
      error = EMSGSIZE;
    } else {
      frame.bytes.assign(bytes->bytes, bytes->bytes + bytes->size());
      error = CopyDescriptors(args.get(2), &frame.descriptors);
    }
  }
  if (error < 0) return vm.Throw(ErrorKind::kBadArgument, Get(args, 2));
  if (error != 0) return ThrowErrno(vm, error, nullptr);
  int result = 0;
  if (!link->Send(std::move(frame), Get(args, 0), &result)) return Outcome::kBlock;
  args.set(0, Word::Fixnum(result));
  return Outcome::kNext;
}

// ( object timeout/f system? link -- frame/f )
Outcome PrimReceiveLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 3);
  if (link == nullptr) return NoLink(vm, args, 3);
  int64_t timeout = -1;
  if (!TakeTimeout(args, 1, &timeout)) return BadType(vm, TypeId::kFixnum, args, 1);
  Word value = gc::kFalse;
  if (!link->Receive(args.is_true(2), Get(args, 0), timeout, &value)) return Outcome::kBlock;
  args.set(0, value);
  return Outcome::kNext;
}

// ( object timeout/f link -- ended? )
Outcome PrimWaitLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 2);
  if (link == nullptr) return NoLink(vm, args, 2);
  int64_t timeout = -1;
  if (!TakeTimeout(args, 1, &timeout)) return BadType(vm, TypeId::kFixnum, args, 1);
  if (!link->WaitForEnd(Get(args, 0), timeout)) return Outcome::kBlock;
  args.set(0, gc::kTrue);
  return Outcome::kNext;
}

// ( link -- array ): { pid ended? status/f fault/f peer-joins? closed? has-frame? other-build? }
Outcome PrimLinkState(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 0);
  if (link == nullptr) return NoLink(vm, args, 0);
  link->ReadControl();
  gc::Root fault(vm.heap());
  if (link->fault() != nullptr) fault.set(MakeString(vm.heap(), link->fault()));
  gc::RootVector state(vm.heap());
  state.push_back(Word::Fixnum(link->pid()));
  state.push_back(Word::Bool(link->ended()));
  state.push_back(link->reaped() ? Word::Fixnum(link->status()) : gc::kFalse);
  {
    const gc::NoAlloc scope;
    state.push_back(fault.get());
  }
  state.push_back(Word::Bool(link->peer_joins()));
  state.push_back(Word::Bool(link->closed()));
  state.push_back(Word::Bool(link->HasFrame()));
  state.push_back(Word::Bool(link->is_other_build()));
  return ArrayOf(vm, state, args, 0);
}

// ( value type link -- )
Outcome PrimNoticeLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 2);
  if (link == nullptr) return NoLink(vm, args, 2);
  if (!args.is_fixnum(0) || !args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 0);
  link->Notice(static_cast<ipc::ControlType>(args.fixnum(1)),
               static_cast<uint64_t>(args.fixnum(0)));
  return Outcome::kNext;
}

// ( signal link -- errno )
Outcome PrimKillLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 1);
  if (link == nullptr) return NoLink(vm, args, 1);
  if (!args.is_fixnum(0) || args.fixnum(0) < 0 || args.fixnum(0) > 64) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 0));
  }
  args.set(0, Word::Fixnum(link->Kill(static_cast<int>(args.fixnum(0)))));
  return Outcome::kNext;
}

// ( link -- )
Outcome PrimCloseLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 0);
  if (link == nullptr) return NoLink(vm, args, 0);
  link->Close();
  return Outcome::kNext;
}

// ( link -- array/f ): { data control outstanding owed buffered-bytes descriptors }, and the link
// rests until it is closed or restored; f: it is in use
Outcome PrimSaveLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 0);
  if (link == nullptr) return NoLink(vm, args, 0);
  Link::State state = {};
  if (!link->IsIdle() || !link->Save(&state)) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  const size_t size = state.buffered.size();
  if (!HasRoom(vm, sizeof(ByteArray) + size)) return NoRoom(vm, size);
  gc::RootVector items(vm.heap());
  link->Detach();
  items.push_back(Word::Fixnum(link->data()));
  items.push_back(Word::Fixnum(link->control()));
  items.push_back(Word::Fixnum(static_cast<int64_t>(state.outstanding)));
  items.push_back(Word::Fixnum(static_cast<int64_t>(state.owed)));
  const Word bytes = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + size);
  {
    const gc::NoAlloc scope;
    As<ByteArray>(bytes)->length = Word::Fixnum(static_cast<int64_t>(size));
    if (size > 0) std::memcpy(As<ByteArray>(bytes)->bytes, state.buffered.data(), size);
    items.push_back(bytes);
  }
  gc::RootVector descriptors(vm.heap());
  for (const int fd : state.descriptors) descriptors.push_back(Word::Fixnum(fd));
  const Outcome stored = ArrayOf(vm, descriptors, args, 0);
  if (stored != Outcome::kNext) return stored;
  {
    const gc::NoAlloc scope;
    items.push_back(args.get(0));
  }
  return ArrayOf(vm, items, args, 0);
}

// ( outstanding owed bytes/f descriptors link -- ? ): f: a link that rested goes on. Takes the
// descriptors over.
Outcome PrimRestoreLink(Vm& vm, Args args) {
  Link* link = LinkAt(vm, args, 4);
  if (link == nullptr) return NoLink(vm, args, 4);
  if (!args.is_true(2)) {
    args.set(0, Word::Bool(link->Open() == 0));
    return Outcome::kNext;
  }
  if (!Is(args, 2, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 2);
  if (!Is(args, 3, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 3);
  if (!args.is_fixnum(0) || !args.is_fixnum(1) || args.fixnum(0) < 0 || args.fixnum(1) < 0) {
    return BadType(vm, TypeId::kFixnum, args, 0);
  }
  Link::State state = {};
  state.outstanding = static_cast<uint64_t>(args.fixnum(0));
  state.owed = static_cast<uint64_t>(args.fixnum(1));
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(2));
    state.buffered.assign(bytes->bytes, bytes->bytes + bytes->size());
    const auto* descriptors = As<Array>(args.get(3));
    for (int64_t i = 0; i < descriptors->size(); ++i) {
      const Word fd = descriptors->elements[i];
      if (fd.IsFixnum()) state.descriptors.push_back(static_cast<int>(fd.AsFixnum()));
    }
  }
  args.set(0, Word::Bool(link->Restore(state)));
  return Outcome::kNext;
}

// ( fds -- ): closes descriptors that came in a message nobody could read
Outcome PrimCloseDescriptors(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 0);
  const gc::NoAlloc scope;
  const auto* array = As<Array>(args.get(0));
  for (int64_t i = 0; i < array->size(); ++i) {
    if (array->elements[i].IsFixnum() && array->elements[i].AsFixnum() > 2) {
      close(static_cast<int>(array->elements[i].AsFixnum()));
    }
  }
  return Outcome::kNext;
}

}  // namespace weft
