// The terminal's mode and size: vm/terminal.h.
#include "vm/terminal.h"

#include "vm/primitives.h"
#include "vm/primitives/io_operands.h"

namespace weft {

namespace {

bool IsStandard(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) >= 0 && args.fixnum(i) <= 2;
}

}  // namespace

Outcome PrimTerminalRaw(Vm& vm, Args args) {
  if (!IsStandard(args, 0)) return BadArgument(vm, args, 0);
  args.set(0, Word::Fixnum(terminal::EnterRaw(static_cast<int>(args.fixnum(0)))));
  return Outcome::kNext;
}

Outcome PrimTerminalBack(Vm& /*vm*/, Args args) {
  args.set(0, Word::Fixnum(terminal::LeaveRaw()));
  return Outcome::kNext;
}

Outcome PrimTerminalSize(Vm& vm, Args args) {
  if (!IsStandard(args, 0)) return BadArgument(vm, args, 0);
  int rows = 0;
  int columns = 0;
  terminal::Size(static_cast<int>(args.fixnum(0)), &rows, &columns);
  args.set(0, Word::Fixnum(rows));
  args.set(1, Word::Fixnum(columns));
  return Outcome::kNext;
}

Outcome PrimTerminalSuspend(Vm& /*vm*/, Args /*args*/) {
  terminal::Suspend();
  return Outcome::kNext;
}

}  // namespace weft
