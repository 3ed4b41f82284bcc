// Primitives of forked children (vm/ipc/fork.h).
#include "vm/ipc/fork.h"

#include <cstring>
#include <string>

#include "vm/ipc/link.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

Word Get(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return args.get(i);
}

}  // namespace

// ( callable -- link )
Outcome PrimFork(Vm& vm, Args args) {
  const gc::Root callable(vm.heap(), Get(args, 0));
  ipc::Link* link = nullptr;
  const char* failed = nullptr;
  const int error = ipc::Fork(vm, callable, &link, &failed);
  if (error != 0) {
    const std::string text = std::string(failed) + ": " + std::strerror(error);
    return vm.Throw(ErrorKind::kIo, Word::Fixnum(error), MakeString(vm.heap(), text));
  }
  // In the child another context is current, and this window is not its.
  if (link == nullptr) return Outcome::kReload;
  args.set(0, Word::Fixnum(link->id()));
  return Outcome::kNext;
}

// ( -- link/f )
Outcome PrimLinkToParent(Vm&, Args args) {
  args.set(0, ipc::InForkedChild() ? Word::Fixnum(ipc::LinkToParent()) : gc::kFalse);
  return Outcome::kNext;
}

// ( link -- string ): empty if it is not known
Outcome PrimForkPlace(Vm& vm, Args args) {
  std::string place;
  if (args.is_fixnum(0) && args.fixnum(0) >= 0 && args.fixnum(0) <= UINT32_MAX) {
    place = ipc::PlaceOf(static_cast<uint32_t>(args.fixnum(0)));
  }
  args.set(0, MakeString(vm.heap(), place));
  return Outcome::kNext;
}

// ( link -- )
Outcome PrimEndFork(Vm& vm, Args args) {
  if (!args.is_fixnum(0) || args.fixnum(0) < 0 || args.fixnum(0) > UINT32_MAX) {
    return vm.Throw(ErrorKind::kBadArgument, Get(args, 0));
  }
  ipc::EndFork(vm, static_cast<uint32_t>(args.fixnum(0)));
  return Outcome::kNext;
}

}  // namespace weft
