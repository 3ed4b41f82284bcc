// Primitives of inotify: a descriptor whose events the language reads and takes apart.
#include <sys/inotify.h>

#include <cerrno>
#include <string>

#include "vm/primitives.h"
#include "vm/primitives/io_operands.h"

namespace weft {

// ( -- handle )
Outcome PrimInotifyOpen(Vm& vm, Args args) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return io::ThrowSystemError(vm, errno, "inotify_init", "inotify");
  io::Descriptor* descriptor = vm.io().Add(fd, io::FdKind::kStream);
  descriptor->set_name("inotify");
  args.set(0, Word::Fixnum(static_cast<int64_t>(descriptor->handle())));
  return Outcome::kNext;
}

// ( path mask fd -- watch )
Outcome PrimInotifyAdd(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  if (!args.is_fixnum(1) || args.fixnum(1) < 0 || args.fixnum(1) > UINT32_MAX) {
    return BadArgument(vm, args, 1);
  }
  Outcome outcome = Outcome::kNext;
  const io::Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  const std::string path = StringAt(args, 0);
  if (path.find('\0') != std::string::npos) return BadArgument(vm, args, 0);
  const int watch =
      inotify_add_watch(descriptor->fd(), path.c_str(), static_cast<uint32_t>(args.fixnum(1)));
  if (watch < 0) return io::ThrowSystemError(vm, errno, "inotify_add_watch", path);
  args.set(0, Word::Fixnum(watch));
  return Outcome::kNext;
}

}  // namespace weft
