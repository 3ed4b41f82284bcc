// Standard output and error.
//
// What the program writes collects in one buffer for each descriptor. One write of the language is
// one append, so texts of two threads are never mixed. The buffers are emptied at every newline
// (for a regular file: from kFileBytes on), by flush, and when the process ends.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "vm/error_kind.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

constexpr size_t kFileBytes = 65536;

struct Console {
  std::string pending;
  bool is_known = false;
  bool is_file = false;
};

Console& ConsoleFor(int64_t fd) {
  static Console consoles[2];
  return consoles[fd - 1];
}

// 0, or the errno of the failure; what could not be written is dropped.
int Flush(int64_t fd) {
  Console& console = ConsoleFor(fd);
  std::string text;
  text.swap(console.pending);
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(static_cast<int>(fd), text.data() + done, text.size() - done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd wait = {static_cast<int>(fd), POLLOUT, 0};
      poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  text.clear();
  if (console.pending.empty()) console.pending.swap(text);  // keeps the memory
  return 0;
}

void FlushAtExit() {
  (void)Flush(1);
  (void)Flush(2);
}

// The reader of a pipe that has gone ends the program quietly, as it ends any other.
void EndQuietly() {
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
}

Outcome ThrowErrno(Vm& vm, int error) WEFT_ALLOCATES {
  if (error == EPIPE) EndQuietly();
  gc::Root message(vm.heap(), MakeString(vm.heap(), std::strerror(error)));
  Word text;
  {
    gc::NoAlloc no_alloc;
    text = message.get();
  }
  return vm.Throw(ErrorKind::kIo, Word::Fixnum(error), text);
}

bool IsConsole(Args args, size_t i) {
  return args.is_fixnum(i) && (args.fixnum(i) == 1 || args.fixnum(i) == 2);
}

Outcome BadOperand(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  Word word;
  {
    gc::NoAlloc no_alloc;
    word = args.get(i);
  }
  return vm.Throw(ErrorKind::kBadArgument, word, gc::kFalse);
}

// After an append: writes out what has to go.
Outcome Settle(Vm& vm, int64_t fd, bool has_newline) WEFT_ALLOCATES {
  Console& console = ConsoleFor(fd);
  if (!console.is_known) {
    console.is_known = true;
    struct stat info;
    console.is_file = fstat(static_cast<int>(fd), &info) == 0 && S_ISREG(info.st_mode);
    static const int registered = std::atexit(FlushAtExit);
    (void)registered;
  }
  if (!(has_newline && !console.is_file) && console.pending.size() < kFileBytes) {
    return Outcome::kNext;
  }
  const int error = Flush(fd);
  return error == 0 ? Outcome::kNext : ThrowErrno(vm, error);
}

}  // namespace

Outcome PrimConsoleWrite(Vm& vm, Args args) {
  bool good;
  bool has_newline = false;
  {
    gc::NoAlloc no_alloc;
    good = IsConsole(args, 1) && IsType(args.get(0), TypeId::kString);
    if (good) {
      const StringView text(As<String>(args.get(0)));
      std::string& pending = ConsoleFor(args.fixnum(1)).pending;
      for (int64_t i = 0; i < text.size(); ++i) {
        const uint32_t c = text.at(i);
        has_newline = has_newline || c == '\n';
        if (c < 0x80) {
          pending.push_back(static_cast<char>(c));
        } else {
          AppendUtf8(c, pending);
        }
      }
    }
  }
  if (!good) return BadOperand(vm, args, IsConsole(args, 1) ? 0 : 1);
  return Settle(vm, args.fixnum(1), has_newline);
}

Outcome PrimConsoleWriteBytes(Vm& vm, Args args) {
  bool good;
  bool has_newline = false;
  {
    gc::NoAlloc no_alloc;
    good = IsConsole(args, 1) && IsType(args.get(0), TypeId::kByteArray);
    if (good) {
      const ByteArray* bytes = As<ByteArray>(args.get(0));
      const auto size = static_cast<size_t>(bytes->size());
      has_newline = std::memchr(bytes->bytes, '\n', size) != nullptr;
      ConsoleFor(args.fixnum(1)).pending.append(reinterpret_cast<const char*>(bytes->bytes), size);
    }
  }
  if (!good) return BadOperand(vm, args, IsConsole(args, 1) ? 0 : 1);
  return Settle(vm, args.fixnum(1), has_newline);
}

Outcome PrimConsoleFlush(Vm& vm, Args args) {
  if (!IsConsole(args, 0)) return BadOperand(vm, args, 0);
  const int error = Flush(args.fixnum(0));
  return error == 0 ? Outcome::kNext : ThrowErrno(vm, error);
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
  return bad == 4 ? Outcome::kNext : BadOperand(vm, args, bad);
}

}  // namespace weft
