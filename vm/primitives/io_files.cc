// Primitives of the I/O proxy: files, names, processes. What may take long runs on helper threads.
#include <fcntl.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "vm/context.h"
#include "vm/io/files.h"
#include "vm/io/processes.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/primitives/io_operands.h"
#include "vm/scheduler.h"

namespace weft {

using io::Descriptor;
using io::FileJob;
using io::FileValue;

namespace {

// A thread that waits for a job. Deleted when the job comes back.
struct JobWait final : WaitOperation {
  Context* context = nullptr;  // null: nobody waits any more
  uint32_t ticket = 0;
  FileJob job;
  void Abandon() override { context = nullptr; }
};

Word ValueWord(Vm& vm, const FileValue& value, bool* ok) WEFT_ALLOCATES {
  *ok = true;
  switch (value.kind) {
    case FileValue::Kind::kFalse:
      return gc::kFalse;
    case FileValue::Kind::kTrue:
      return gc::kTrue;
    case FileValue::Kind::kNumber:
      return MakeInteger(vm, value.number);
    case FileValue::Kind::kText:
      return MakeString(vm.heap(), value.text);
    case FileValue::Kind::kBytes:
      return io::MakeBytes(vm, value.text.data(), value.text.size(), ok);
  }
  return gc::kFalse;
}

// The answer in `value`; false: it is an error.
bool TakeAnswer(Vm& vm, FileJob& job, gc::Root& value) WEFT_ALLOCATES {
  if (job.error < 0) {  // of getaddrinfo
    gc::RootVector parts(vm.heap());
    parts.push_back(Word::Fixnum(job.error));
    parts.push_back(MakeString(vm.heap(), job.values.empty() ? "" : job.values[0].text));
    value.set(io::MakeArray(vm, parts));
    return true;
  }
  if (job.error != 0) {
    const gc::Root subject(vm.heap(), MakeString(vm.heap(), job.path));
    value.set(io::MakeSystemError(vm, job.error, job.operation, subject));
    return false;
  }
  bool ok = true;
  if (job.operation == "open") {
    Descriptor* descriptor = vm.io().Adopt(static_cast<int>(job.values[0].number));
    descriptor->set_name(job.path);
    value.set(Word::Fixnum(static_cast<int64_t>(descriptor->handle())));
    return true;
  }
  if (!job.is_array) {
    value.set(job.values.empty() ? gc::kTrue : ValueWord(vm, job.values[0], &ok));
  } else {
    gc::RootVector words(vm.heap());
    for (const FileValue& entry : job.values) {
      words.push_back(ValueWord(vm, entry, &ok));
      if (!ok) break;
    }
    if (ok) value.set(io::MakeArray(vm, words));
  }
  if (!ok) value.set(io::MakeOutOfMemory(vm, job.values.empty() ? 0 : job.values[0].text.size()));
  return ok;
}

Outcome Submit(Vm& vm, Args args, FileJob job, WaitReason reason, size_t object,
               int64_t timeout_ns) WEFT_ALLOCATES {
  size_t unused = 1;
  if (job.operation == "open") {
    const int fault = vm.io().faults().Next(io::FaultPoint::kOpen, &unused);
    if (fault != 0 && fault != EINTR) return io::ThrowSystemError(vm, fault, "open", job.path);
  }
  job.most_bytes = vm.heap().limit_bytes();
  auto* wait = new JobWait;
  wait->job = std::move(job);
  wait->context = vm.current();
  {
    const gc::NoAlloc scope;
    wait->ticket = vm.scheduler().BeginWait(reason, args.get(object), timeout_ns, wait);
  }
  vm.io().helpers().Submit(
      vm.scheduler().events(), [wait] { io::RunFileJob(wait->job); },
      [&vm, wait]() WEFT_NO_ANALYSIS {
        const std::unique_ptr<JobWait> owner(wait);
        if (wait->context == nullptr) {
          if (wait->job.operation == "open" && wait->job.error == 0) {
            close(static_cast<int>(wait->job.values[0].number));
          }
          return;
        }
        gc::Root value(vm.heap());
        const bool good = TakeAnswer(vm, wait->job, value);
        const gc::NoAlloc scope;
        if (good) {
          (void)vm.scheduler().EndWait(wait->context, wait->ticket, value.get());
        } else {
          (void)vm.scheduler().FailWait(wait->context, wait->ticket, value.get());
        }
      });
  return Outcome::kBlock;
}

// A path, or bytes to write.
bool ReadText(Args args, size_t i, std::string* text) WEFT_ALLOCATES {
  if (!args.is_true(i)) return true;
  if (Is(args, i, TypeId::kByteArray)) {
    *text = BytesAt(args, i);
    return true;
  }
  if (!Is(args, i, TypeId::kString)) return false;
  *text = StringAt(args, i);
  return text->find('\0') == std::string::npos;
}

bool ReadStrings(Args args, size_t i, std::vector<std::string>* texts) WEFT_ALLOCATES {
  if (!Is(args, i, TypeId::kArray)) return false;
  const gc::NoAlloc scope;
  const auto* array = As<Array>(args.get(i));
  for (int64_t n = 0; n < array->size(); ++n) {
    if (!IsType(array->elements[n], TypeId::kString)) return false;
    texts->push_back(ToUtf8(array->elements[n]));
    if (texts->back().find('\0') != std::string::npos) return false;
  }
  return true;
}

}  // namespace

// ( path other number number2 operation -- result )
Outcome PrimFileCall(Vm& vm, Args args) {
  FileJob job;
  if (!ReadText(args, 0, &job.path)) return BadType(vm, TypeId::kString, args, 0);
  if (!ReadText(args, 1, &job.path2)) return BadType(vm, TypeId::kString, args, 1);
  for (size_t i = 2; i < 4; ++i) {
    if (args.is_true(i) && !args.is_fixnum(i)) return BadType(vm, TypeId::kFixnum, args, i);
  }
  job.number = args.is_fixnum(2) ? args.fixnum(2) : 0;
  job.number2 = args.is_fixnum(3) ? args.fixnum(3) : 0;
  if (!Is(args, 4, TypeId::kString)) return BadType(vm, TypeId::kString, args, 4);
  job.operation = StringAt(args, 4);
  if (!io::IsFileOperation(job.operation)) return BadArgument(vm, args, 4);
  return Submit(vm, args, std::move(job), WaitReason::kFile, 0, -1);
}

// ( host service family timeout -- addresses )
Outcome PrimLookUpHost(Vm& vm, Args args) {
  FileJob job;
  if (!ReadText(args, 0, &job.path)) return BadType(vm, TypeId::kString, args, 0);
  if (!ReadText(args, 1, &job.path2)) return BadType(vm, TypeId::kString, args, 1);
  if (!args.is_fixnum(2)) return BadType(vm, TypeId::kFixnum, args, 2);
  int64_t timeout;
  if (!ReadTimeout(args, 3, &timeout)) return BadType(vm, TypeId::kFixnum, args, 3);
  job.number = args.fixnum(2);
  job.operation = "look-up";
  return Submit(vm, args, std::move(job), WaitReason::kLookup, 0, timeout);
}

Outcome PrimFdSeek(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 2, &outcome);
  if (descriptor == nullptr) return outcome;
  // What was read ahead is not where the program is.
  const auto ahead = static_cast<int64_t>(descriptor->in().size());
  const auto behind = static_cast<int64_t>(descriptor->out().size());
  static constexpr int kWhence[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  const int whence = kWhence[args.fixnum(1) == 1 ? 1 : args.fixnum(1) == 2 ? 2 : 0];
  int64_t offset = args.fixnum(0);
  const bool only_tell = whence == SEEK_CUR && offset == 0;
  if (whence == SEEK_CUR && !only_tell) offset -= ahead;
  const off_t position = lseek(descriptor->fd(), offset, whence);
  if (position < 0) return io::ThrowSystemError(vm, errno, "lseek", descriptor->Name());
  if (only_tell) {
    args.set(0, MakeInteger(vm, position - ahead + behind));
  } else {
    descriptor->ForgetRead();
    args.set(0, MakeInteger(vm, position));
  }
  return Outcome::kNext;
}

Outcome PrimFdSize(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  struct stat info;
  const bool known = fstat(descriptor->fd(), &info) == 0 && S_ISREG(info.st_mode);
  args.set(0, known ? MakeInteger(vm, info.st_size) : gc::kFalse);
  return Outcome::kNext;
}

Outcome PrimFdIsTerminal(Vm& vm, Args args) {
  Outcome outcome = Outcome::kNext;
  Descriptor* descriptor = FdOperand(vm, args, 0, &outcome);
  if (descriptor == nullptr) return outcome;
  args.set(0, Word::Bool(isatty(descriptor->fd()) == 1));
  return Outcome::kNext;
}

// --- processes
// -------------------------------------------------------------------------------------

namespace {

struct OpenedFds {
  std::vector<int> fds;
  ~OpenedFds() {
    for (const int fd : fds) close(fd);
  }
};

// What a child is to have for a descriptor of ours: it does not expect O_NONBLOCK. A pipe is opened
// anew without the flag; a socket can do without it, since the proxy says MSG_DONTWAIT itself.
int FdForChild(const Descriptor& descriptor, std::vector<int>* opened) {
  // The process's own, not what was opened anew beside it.
  if (descriptor.standard() >= 0) return descriptor.standard();
  const int fd = descriptor.fd();
  const int flags = fcntl(fd, F_GETFL);
  if ((flags & O_NONBLOCK) == 0) return fd;
  if (descriptor.is_socket()) {
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    return fd;
  }
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  const int anew = open(path.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (anew < 0) return fd;
  fcntl(anew, F_SETFL, flags & ~O_NONBLOCK);
  opened->push_back(anew);
  return anew;
}

}  // namespace

// ( arguments environment/f directory/f fds group priority/f -- pid )
Outcome PrimStartProcess(Vm& vm, Args args) {
  io::ProcessRequest request;
  OpenedFds opened;
  if (!ReadStrings(args, 0, &request.arguments) || request.arguments.empty()) {
    return BadArgument(vm, args, 0);
  }
  request.has_environment = args.is_true(1);
  if (request.has_environment && !ReadStrings(args, 1, &request.environment)) {
    return BadArgument(vm, args, 1);
  }
  if (!ReadText(args, 2, &request.directory)) return BadArgument(vm, args, 2);
  if (!Is(args, 3, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 3);
  if (!args.is_fixnum(4)) return BadType(vm, TypeId::kFixnum, args, 4);
  request.group = args.fixnum(4) == 1   ? io::ProcessRequest::Group::kNew
                  : args.fixnum(4) == 2 ? io::ProcessRequest::Group::kSession
                                        : io::ProcessRequest::Group::kSame;
  request.has_priority = args.is_fixnum(5);
  if (request.has_priority) request.priority = static_cast<int>(args.fixnum(5));
  size_t count;
  {
    const gc::NoAlloc scope;
    count = static_cast<size_t>(As<Array>(args.get(3))->size());
  }
  for (size_t i = 0; i < count; ++i) {
    Word window[1];
    {
      const gc::NoAlloc scope;
      window[0] = As<Array>(args.get(3))->elements[i];
    }
    const Args one(window);
    if (!one.is_true(0)) {
      request.fds.push_back(-1);
      continue;
    }
    Outcome outcome = Outcome::kNext;
    Descriptor* descriptor = FdOperand(vm, one, 0, &outcome);
    if (descriptor == nullptr) return outcome;
    request.fds.push_back(FdForChild(*descriptor, &opened.fds));
  }
  pid_t pid = 0;
  std::string operation;
  const int error = vm.io().processes().Start(request, &pid, &operation);
  if (error != 0) {
    return io::ThrowSystemError(vm, error, operation,
                                operation == "chdir" ? request.directory : request.arguments[0]);
  }
  args.set(0, Word::Fixnum(pid));
  return Outcome::kNext;
}

// ( pid object timeout -- status )
Outcome PrimWaitProcess(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  int64_t timeout;
  if (!ReadTimeout(args, 2, &timeout)) return BadType(vm, TypeId::kFixnum, args, 2);
  const auto pid = static_cast<pid_t>(args.fixnum(0));
  int status;
  if (vm.io().processes().IsRunning(pid)) {
    const gc::NoAlloc scope;
    vm.io().processes().Park(pid, args.get(1), timeout);
    return Outcome::kBlock;
  }
  if (!vm.io().processes().TakeStatus(pid, &status)) {
    return io::ThrowSystemError(vm, ECHILD, "waitid", "process");
  }
  args.set(0, Word::Fixnum(status));
  return Outcome::kNext;
}

Outcome PrimProcessRunning(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  args.set(0, Word::Bool(vm.io().processes().IsRunning(static_cast<pid_t>(args.fixnum(0)))));
  return Outcome::kNext;
}

Outcome PrimSignalProcess(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const int error = vm.io().processes().Kill(static_cast<pid_t>(args.fixnum(1)),
                                             static_cast<int>(args.fixnum(0)));
  if (error != 0) return io::ThrowSystemError(vm, error, "kill", "process");
  return Outcome::kNext;
}

Outcome PrimCurrentProcess(Vm&, Args args) {
  args.set(0, Word::Fixnum(getpid()));
  return Outcome::kNext;
}

}  // namespace weft
