// Primitives of the system around the VM: special objects, clock, environment, plain files and
// console, memory. File access here is synchronous: it serves the start-up and the image build.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "vm/image_io.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

extern char** environ;

namespace weft {
namespace {

std::string TextAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return ToUtf8(args.get(i));
}

// The path in args[i]; false if it is no string or holds a NUL.
bool ReadPath(Args args, size_t i, std::string* path) WEFT_ALLOCATES {
  if (!Is(args, i, TypeId::kString)) return false;
  *path = TextAt(args, i);
  return path->find('\0') == std::string::npos;
}

// { "kernel-error" 1 errno message }, where the message names what failed on what.
Outcome IoError(Vm& vm, int error, const std::string& what) WEFT_ALLOCATES {
  const gc::Root message(vm.heap(), MakeString(vm.heap(), what + ": " + std::strerror(error)));
  Word text;
  {
    const gc::NoAlloc scope;
    text = message.get();
  }
  return vm.Throw(ErrorKind::kIo, Word::Fixnum(error), text);
}

Outcome BadPath(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  return BadType(vm, TypeId::kString, args, i);
}

Word MakeBytes(Vm& vm, const void* bytes, size_t size) WEFT_ALLOCATES {
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + size);
  const gc::NoAlloc scope;
  As<ByteArray>(word)->length = Word::Fixnum(static_cast<int64_t>(size));
  std::memcpy(As<ByteArray>(word)->bytes, bytes, size);
  return word;
}

// An array of strings into args[i].
Outcome StoreStrings(Vm& vm, const std::vector<std::string>& texts, Args args,
                     size_t i) WEFT_ALLOCATES {
  gc::RootVector words(vm.heap());
  for (const std::string& text : texts) words.push_back(MakeString(vm.heap(), text));
  const size_t bytes = sizeof(Array) + words.size() * sizeof(Word);
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(static_cast<int64_t>(words.size()));
  for (size_t n = 0; n < words.size(); ++n) {
    vm.heap().Write(array, &array->elements[n], words.get(n));
  }
  args.set(i, word);
  return Outcome::kNext;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// Everything to a descriptor, waiting where it is not ready. 0 or errno.
int WriteAll(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, bytes, size);
    if (written >= 0) {
      bytes += written;
      size -= static_cast<size_t>(written);
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

Outcome PrimSpecialObject(Vm& vm, Args args) {
  if (!args.is_fixnum(0) || args.fixnum(0) < 0 ||
      args.fixnum(0) >= static_cast<int64_t>(Special::kCount)) {
    return BadType(vm, TypeId::kFixnum, args, 0);
  }
  const gc::NoAlloc scope;
  args.set(0, vm.special(static_cast<Special>(args.fixnum(0))));
  return Outcome::kNext;
}

Outcome PrimSetSpecialObject(Vm& vm, Args args) {
  if (!args.is_fixnum(1) || args.fixnum(1) < 0 ||
      args.fixnum(1) >= static_cast<int64_t>(Special::kCount)) {
    return BadType(vm, TypeId::kFixnum, args, 1);
  }
  // The VM trusts the form of its own structures: a program may only put in what fits.
  const auto special = static_cast<Special>(args.fixnum(1));
  bool fits = true;
  {
    const gc::NoAlloc scope;
    const Word old = vm.special(special);
    const Word fresh = args.get(0);
    switch (special) {
      case Special::kGlobals:
      case Special::kBootVocabularies:
      case Special::kClassHooks:
        break;
      case Special::kStartup:
      case Special::kThrowHandler:
      case Special::kThreadEnded:
      case Special::kCallEffectSlow:
      case Special::kNoMethod:
      case Special::kNoMathMethod:
      case Special::kCompileQuotation:
      case Special::kDeadlock:
      case Special::kTimedOut:
      case Special::kSignalHandler:
      case Special::kSignalInWait:
      case Special::kStepHook:
      case Special::kSqrt:
      case Special::kWrongValues:
      case Special::kTupleClass:
      case Special::kObjectClass:
        fits = IsType(fresh, TypeId::kWordObject);
        break;
      case Special::kIoLayouts:
        fits = IsType(fresh, TypeId::kArray);
        for (int64_t i = 0; fits && i < As<Array>(fresh)->size(); ++i) {
          fits = IsType(As<Array>(fresh)->elements[i], TypeId::kLayout);
        }
        break;
      case Special::kThreadFailed:
        fits = IsType(fresh, TypeId::kQuotation);
        break;
      case Special::kSharedErrors:
        fits = IsType(fresh, TypeId::kArray);
        break;
      default:
        fits = old == gc::kFalse && IsType(fresh, TypeId::kLayout);
        break;
    }
    if (fits) {
      vm.set_special(special, fresh);
      vm.SpecialsChanged();
    }
  }
  if (!fits) return BadType(vm, TypeId::kWordObject, args, 0);
  return Outcome::kNext;
}

Outcome PrimSpecialObjectNumber(Vm& vm, Args args) {
  static constexpr const char* kNames[] = {
#define SPECIAL(name, meaning) #name,
#include "vm/special_objects.def"
#undef SPECIAL
  };
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  const std::string name = TextAt(args, 0);
  for (size_t i = 0; i < static_cast<size_t>(Special::kCount); ++i) {
    if (name == kNames[i]) {
      args.set(0, Word::Fixnum(static_cast<int64_t>(i)));
      return Outcome::kNext;
    }
  }
  return BadType(vm, TypeId::kString, args, 0);
}

Outcome PrimDie(Vm& vm, Args) {
  vm.exit_status = 1;
  return Outcome::kExit;
}

Outcome PrimExit(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  vm.exit_status = static_cast<int>(args.fixnum(0) & 0xFF);
  return Outcome::kExit;
}

Outcome PrimNanoCount(Vm& vm, Args args) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  args.set(0, MakeInteger(vm, int64_t{now.tv_sec} * 1000000000 + now.tv_nsec));
  return Outcome::kNext;
}

Outcome PrimSystemMicros(Vm& vm, Args args) {
  args.set(0, MakeInteger(vm, absl::ToUnixMicros(absl::Now())));
  return Outcome::kNext;
}

Outcome PrimGmtOffset(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!args.is_fixnum(0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  const time_t seconds = args.fixnum(0);
  tm local = {};
  // A time whose year does not fit has no time zone.
  const bool known = localtime_r(&seconds, &local) != nullptr;
  args.set(0, Word::Fixnum(known ? int64_t{local.tm_gmtoff} : 0));
  return Outcome::kNext;
}

Outcome PrimCommandLine(Vm& vm, Args args) {
  return StoreStrings(vm, vm.options().arguments, args, 0);
}

namespace {

Word OptionWord(Vm& vm, bool flag) WEFT_ALLOCATES {
  (void)vm;
  return Word::Bool(flag);
}
Word OptionWord(Vm& vm, uint64_t count) WEFT_ALLOCATES { return MakeUnsigned(vm, count); }
Word OptionWord(Vm& vm, const std::string& text) WEFT_ALLOCATES {
  return MakeString(vm.heap(), text);
}

}  // namespace

Outcome PrimVmOption(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  const std::string option = TextAt(args, 0);
#define OPTION(name, flag, type, default_value, help) \
  if (option == #name || option == flag) {            \
    args.set(0, OptionWord(vm, vm.options().name));   \
    return Outcome::kNext;                            \
  }
#include "vm/options.def"
#undef OPTION
  args.set(0, gc::kFalse);
  return Outcome::kNext;
}

Outcome PrimVmVersion(Vm& vm, Args args) {
  args.set(0, MakeString(vm.heap(), WEFT_VERSION));
  return Outcome::kNext;
}

Outcome PrimVmPath(Vm& vm, Args args) {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  args.set(
      0, MakeString(vm.heap(), absl::string_view(path, size > 0 ? static_cast<size_t>(size) : 0)));
  return Outcome::kNext;
}

Outcome PrimOsEnv(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  const char* value = std::getenv(TextAt(args, 0).c_str());
  args.set(0, value == nullptr ? gc::kFalse : MakeString(vm.heap(), value));
  return Outcome::kNext;
}

Outcome PrimSetOsEnv(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kString)) return BadType(vm, TypeId::kString, args, 1);
  if (args.is_true(0) && !Is(args, 0, TypeId::kString)) {
    return BadType(vm, TypeId::kString, args, 0);
  }
  const std::string key = TextAt(args, 1);
  const int result =
      args.is_true(0) ? setenv(key.c_str(), TextAt(args, 0).c_str(), 1) : unsetenv(key.c_str());
  if (result != 0) return IoError(vm, errno, "environment variable " + key);
  return Outcome::kNext;
}

Outcome PrimOsEnvs(Vm& vm, Args args) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) entries.emplace_back(*entry);
  return StoreStrings(vm, entries, args, 0);
}

Outcome PrimReadFile(Vm& vm, Args args) {
  std::string path;
  if (!ReadPath(args, 0, &path)) return BadPath(vm, args, 0);
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return IoError(vm, errno, path);
  std::string contents;
  char buffer[65536];
  while (true) {
    const ssize_t size = read(file.get(), buffer, sizeof(buffer));
    if (size < 0) {
      if (errno == EINTR) continue;
      return IoError(vm, errno, path);
    }
    if (size == 0) break;
    contents.append(buffer, static_cast<size_t>(size));
    if (contents.size() > vm.heap().limit_bytes()) return NoRoom(vm, contents.size());
  }
  if (!HasRoom(vm, contents.size() + sizeof(ByteArray))) return NoRoom(vm, contents.size());
  args.set(0, MakeBytes(vm, contents.data(), contents.size()));
  return Outcome::kNext;
}

Outcome PrimWriteFile(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  std::string path;
  if (!ReadPath(args, 1, &path)) return BadPath(vm, args, 1);
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (args.is_true(2) ? O_APPEND : O_TRUNC);
  const FileDescriptor file(open(path.c_str(), flags, 0666));
  if (file.get() < 0) return IoError(vm, errno, path);
  int error;
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(0));
    error = WriteAll(file.get(), reinterpret_cast<const char*>(bytes->bytes),
                     static_cast<size_t>(bytes->size()));
  }
  if (error != 0) return IoError(vm, error, path);
  return Outcome::kNext;
}

Outcome PrimFileExists(Vm& vm, Args args) {
  std::string path;
  if (!ReadPath(args, 0, &path)) return BadPath(vm, args, 0);
  args.set(0, Word::Bool(access(path.c_str(), F_OK) == 0));
  return Outcome::kNext;
}

Outcome PrimFileInfo(Vm& vm, Args args) {
  std::string path;
  if (!ReadPath(args, 0, &path)) return BadPath(vm, args, 0);
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      args.set(0, gc::kFalse);
      return Outcome::kNext;
    }
    return IoError(vm, errno, path);
  }
  const char* type = S_ISREG(info.st_mode) ? "file" : S_ISDIR(info.st_mode) ? "directory" : "other";
  gc::RootVector fields(vm.heap());
  fields.push_back(MakeString(vm.heap(), type));
  fields.push_back(MakeInteger(vm, info.st_size));
  fields.push_back(
      MakeInteger(vm, int64_t{info.st_mtim.tv_sec} * 1000000 + info.st_mtim.tv_nsec / 1000));
  fields.push_back(Word::Fixnum(info.st_mode & 07777));
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + 4 * sizeof(Word));
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(4);
  for (size_t i = 0; i < 4; ++i) vm.heap().Write(array, &array->elements[i], fields.get(i));
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimDirectoryList(Vm& vm, Args args) {
  std::string path;
  if (!ReadPath(args, 0, &path)) return BadPath(vm, args, 0);
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return IoError(vm, errno, path);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory)) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return StoreStrings(vm, names, args, 0);
}

namespace {

// A system call on the path in args[0].
Outcome OnPath(Vm& vm, Args args, int (*call)(const char* path)) WEFT_ALLOCATES {
  std::string path;
  if (!ReadPath(args, 0, &path)) return BadPath(vm, args, 0);
  if (call(path.c_str()) != 0) return IoError(vm, errno, path);
  return Outcome::kNext;
}

}  // namespace

Outcome PrimMakeDirectory(Vm& vm, Args args) {
  return OnPath(vm, args, [](const char* path) { return mkdir(path, 0777); });
}
Outcome PrimDeleteFile(Vm& vm, Args args) { return OnPath(vm, args, unlink); }
Outcome PrimDeleteDirectory(Vm& vm, Args args) { return OnPath(vm, args, rmdir); }
Outcome PrimSetCurrentDirectory(Vm& vm, Args args) { return OnPath(vm, args, chdir); }

Outcome PrimMoveFile(Vm& vm, Args args) {
  std::string from;
  std::string to;
  if (!ReadPath(args, 0, &from)) return BadPath(vm, args, 0);
  if (!ReadPath(args, 1, &to)) return BadPath(vm, args, 1);
  if (rename(from.c_str(), to.c_str()) != 0) return IoError(vm, errno, from + " to " + to);
  return Outcome::kNext;
}

Outcome PrimCurrentDirectory(Vm& vm, Args args) {
  char path[PATH_MAX];
  if (getcwd(path, sizeof(path)) == nullptr) return IoError(vm, errno, "current directory");
  args.set(0, MakeString(vm.heap(), path));
  return Outcome::kNext;
}

Outcome PrimWriteFd(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  int error;
  {
    const gc::NoAlloc scope;
    const auto* bytes = As<ByteArray>(args.get(0));
    error = WriteAll(static_cast<int>(args.fixnum(1)), reinterpret_cast<const char*>(bytes->bytes),
                     static_cast<size_t>(bytes->size()));
  }
  if (error != 0) return IoError(vm, error, "write");
  return Outcome::kNext;
}

Outcome PrimReadFd(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  const int fd = static_cast<int>(args.fixnum(1));
  std::string buffer(static_cast<size_t>(std::min<int64_t>(args.fixnum(0), 1 << 20)), '\0');
  ssize_t size;
  while ((size = read(fd, buffer.data(), buffer.size())) < 0) {
    if (errno == EAGAIN) {
      pollfd ready{fd, POLLIN, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return IoError(vm, errno, "read");
    }
  }
  if (!HasRoom(vm, static_cast<size_t>(size) + sizeof(ByteArray))) {
    return NoRoom(vm, static_cast<size_t>(size));
  }
  args.set(0, MakeBytes(vm, buffer.data(), static_cast<size_t>(size)));
  return Outcome::kNext;
}

Outcome PrimIsATerminal(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  args.set(0, Word::Bool(isatty(static_cast<int>(args.fixnum(0))) == 1));
  return Outcome::kNext;
}

Outcome PrimGc(Vm& vm, Args) {
  vm.heap().CollectFull();
  return Outcome::kNext;
}

Outcome PrimMinorGc(Vm& vm, Args) {
  vm.heap().CollectMinor();
  return Outcome::kNext;
}

Outcome PrimSize(Vm& vm, Args args) {
  const gc::NoAlloc scope;
  const Word word = args.get(0);
  const size_t size =
      word.IsPointer() ? (vm.heap().SizeOf(gc::ObjectAt(word)) + 7) & ~size_t{7} : 0;
  args.set(0, Word::Fixnum(static_cast<int64_t>(size)));
  return Outcome::kNext;
}

Outcome PrimAllInstances(Vm& vm, Args args) {
  gc::RootVector found(vm.heap());
  vm.heap().CollectFull();
  vm.heap().ForEachObject(
      [](Object* object, void* data) {
        const uint32_t shape = object->shape();
        if (shape == ShapeOf(TypeId::kCode) || shape == ShapeOf(TypeId::kLayout)) return;
        static_cast<gc::RootVector*>(data)->push_back(Word::Pointer(object));
      },
      &found);
  const size_t bytes = sizeof(Array) + found.size() * sizeof(Word);
  if (!HasRoom(vm, bytes)) return NoRoom(vm, bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(static_cast<int64_t>(found.size()));
  for (size_t i = 0; i < found.size(); ++i) {
    vm.heap().Write(array, &array->elements[i], found.get(i));
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimGcStatistics(Vm& vm, Args args) {
  const gc::HeapStatistics& s = vm.heap().statistics();
  const uint64_t values[] = {s.minor_collections,    s.full_collections,      s.allocated_bytes,
                             s.promoted_bytes,       s.live_bytes_after_full, s.minor_ns_total,
                             s.minor_ns_max,         s.full_ns_total,         s.full_ns_max,
                             vm.heap().used_bytes(), vm.heap().limit_bytes()};
  constexpr size_t kCount = sizeof(values) / sizeof(values[0]);
  const Word word =
      vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + kCount * sizeof(Word));
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    array->elements[i] = Word::Fixnum(static_cast<int64_t>(values[i]));
  }
  args.set(0, word);
  return Outcome::kNext;
}

Outcome PrimSaveImage(Vm& vm, Args args) {
  std::string path;
  if (!ReadPath(args, 0, &path)) return BadPath(vm, args, 0);
  gc::Root first(vm.heap());
  {
    const gc::NoAlloc scope;
    first.set(args.get(1));
  }
  const absl::Status status = SaveVmImage(vm, path, first);
  if (!status.ok()) {
    const gc::Root message(vm.heap(), MakeString(vm.heap(), std::string(status.message())));
    Word text;
    {
      const gc::NoAlloc scope;
      text = message.get();
    }
    return vm.Throw(ErrorKind::kIo, Word::Fixnum(0), text);
  }
  return Outcome::kNext;
}

}  // namespace weft
