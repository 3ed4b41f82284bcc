// Standard output and error.
//
// What the program writes collects in the buffer of the descriptor. One write of the language is
// one append, so texts of two threads are never mixed. The buffers are sent at every newline (for a
// regular file: from kFlushBytes on), by flush, and when the process ends. A thread whose text the
// reader does not take waits; the others go on.
#include <sys/stat.h>

#include <cstring>

#include "vm/primitives.h"
#include "vm/primitives/io_operands.h"
#include "vm/scheduler.h"

namespace weft {

using io::Descriptor;
using io::Step;

namespace {

bool IsConsole(Args args, size_t i) {
  return args.is_fixnum(i) && (args.fixnum(i) == 1 || args.fixnum(i) == 2);
}

Descriptor& ConsoleAt(Vm& vm, Args args, size_t i) {
  return *vm.io().Standard(static_cast<int>(args.fixnum(i)));
}

// Sends the buffer, waiting if its reader is slow. Standard error that nobody reads is dropped.
Outcome Send(Vm& vm, Descriptor& console) WEFT_ALLOCATES {
  if (console.out().empty()) return Outcome::kNext;
  gc::Root value(vm.heap());
  const Step step = console.ProgressOut(value);
  if (step == Step::kDone) return Outcome::kNext;
  if (step == Step::kFailed) {
    console.out().Clear();
    if (console.standard() == 2) return Outcome::kNext;
    const gc::NoAlloc scope;
    vm.pending_error.set(value.get());
    return Outcome::kThrow;
  }
  if (step == Step::kTurn) console.ScheduleTurn();
  console.ParkTurn(/*writes=*/true, WaitReason::kWrite, Word::Fixnum(console.standard()), -1,
                   console.out().end_position());
  return Outcome::kBlock;
}

// After an append: sends what has to go.
Outcome Settle(Vm& vm, Descriptor& console, bool has_newline) WEFT_ALLOCATES {
  const bool at_newline = has_newline && console.sends_lines();
  if (!at_newline && console.out().size() < Descriptor::kFlushBytes) return Outcome::kNext;
  return Send(vm, console);
}

}  // namespace

Outcome PrimConsoleWrite(Vm& vm, Args args) {
  if (!IsConsole(args, 1)) return BadArgument(vm, args, 1);
  if (!Is(args, 0, TypeId::kString)) return BadArgument(vm, args, 0);
  Descriptor& console = ConsoleAt(vm, args, 1);
  bool has_newline;
  {
    const gc::NoAlloc scope;
    std::string& out = console.out().tail();
    const size_t before = out.size();
    AppendText(As<String>(args.get(0)), out);
    has_newline = std::memchr(out.data() + before, '\n', out.size() - before) != nullptr;
  }
  return Settle(vm, console, has_newline);
}

Outcome PrimConsoleWriteBytes(Vm& vm, Args args) {
  if (!IsConsole(args, 1)) return BadArgument(vm, args, 1);
  if (!Is(args, 0, TypeId::kByteArray)) return BadArgument(vm, args, 0);
  Descriptor& console = ConsoleAt(vm, args, 1);
  bool has_newline;
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(0));
    const auto size = static_cast<size_t>(bytes->size());
    has_newline = std::memchr(bytes->bytes, '\n', size) != nullptr;
    console.out().Append(bytes->bytes, size);
  }
  return Settle(vm, console, has_newline);
}

Outcome PrimConsoleFlush(Vm& vm, Args args) {
  if (!IsConsole(args, 0)) return BadArgument(vm, args, 0);
  return Send(vm, ConsoleAt(vm, args, 0));
}

Outcome PrimBytesFind(Vm& vm, Args args) {
  size_t bad = 4;
  {
    gc::NoAlloc no_alloc;
    if (!IsType(args.get(0), TypeId::kString)) bad = 0;
    if (!IsType(args.get(3), TypeId::kByteArray)) bad = 3;
    if (bad == 4) {
      const ByteArray* bytes = As<ByteArray>(args.get(3));
      if (!args.is_fixnum(1) || args.fixnum(1) < 0) bad = 1;
      if (!args.is_fixnum(2) || args.fixnum(2) > bytes->size()) bad = 2;
      if (bad == 4) {
        bool wanted[256] = {};
        const StringView seps(As<String>(args.get(0)));
        for (int64_t i = 0; i < seps.size(); ++i) {
          if (seps.at(i) < 256) wanted[seps.at(i)] = true;
        }
        Word found = gc::kFalse;
        for (int64_t i = args.fixnum(1); i < args.fixnum(2); ++i) {
          if (wanted[bytes->bytes[i]]) {
            found = Word::Fixnum(i);
            break;
          }
        }
        args.set(0, found);
      }
    }
  }
  return bad == 4 ? Outcome::kNext : BadArgument(vm, args, bad);
}

}  // namespace weft
