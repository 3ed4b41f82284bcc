#include "vm/io/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "absl/strings/string_view.h"
#include "vm/io/address.h"
#include "vm/io/helpers.h"

namespace weft::io {
namespace {

void SetError(FileJob& job, int result) {
  if (result != 0) job.error = errno;
}

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

int64_t TypeOf(mode_t mode) {
  // The order of io.files.types:
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 0;
    case S_IFDIR:
      return 1;
    case S_IFCHR:
      return 2;
    case S_IFBLK:
      return 3;
    case S_IFIFO:
      return 4;
    case S_IFLNK:
      return 5;
    case S_IFSOCK:
      return 6;
    default:
      return 7;
  }
}

int64_t TypeOfEntry(unsigned char type) { return TypeOf(static_cast<mode_t>(DTTOIF(type))); }

void Stat(FileJob& job) {
  struct stat info;
  const bool follow = job.operation == "stat";
  {
    const Helpers::BlockingCall call;
    SetError(job, follow ? stat(job.path.c_str(), &info) : lstat(job.path.c_str(), &info));
  }
  if (job.error != 0) return;
  job.is_array = true;
  for (const int64_t number :
       {TypeOf(info.st_mode), int64_t{info.st_size}, Nanoseconds(info.st_ctim),
        Nanoseconds(info.st_mtim), Nanoseconds(info.st_atim), int64_t{info.st_mode},
        int64_t{info.st_uid}, int64_t{info.st_gid}, static_cast<int64_t>(info.st_dev),
        static_cast<int64_t>(info.st_ino), static_cast<int64_t>(info.st_nlink),
        static_cast<int64_t>(info.st_rdev), int64_t{info.st_blocks}, int64_t{info.st_blksize}}) {
    job.values.push_back(FileValue::Number(number));
  }
}

void List(FileJob& job) {
  DIR* directory = opendir(job.path.c_str());
  if (directory == nullptr) {
    job.error = errno;
    return;
  }
  job.is_array = true;
  std::vector<std::pair<std::string, int64_t>> entries;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    int64_t type = TypeOfEntry(entry->d_type);
    if (entry->d_type == DT_UNKNOWN) {
      struct stat info;
      if (fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        type = TypeOf(info.st_mode);
      }
    }
    entries.emplace_back(std::string(name), type);
    errno = 0;
  }
  job.error = errno;
  closedir(directory);
  std::sort(entries.begin(), entries.end());
  for (auto& [name, type] : entries) {
    job.values.push_back(FileValue::Text(std::move(name)));
    job.values.push_back(FileValue::Number(type));
  }
}

// Everything, from a descriptor.
void ReadDescriptor(FileJob& job, int fd) {
  FileValue contents = {FileValue::Kind::kBytes, 0, {}};
  struct stat info;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    const auto size = static_cast<uint64_t>(info.st_size);
    if (size > job.most_bytes) {
      job.error = EFBIG;
      return;
    }
    contents.text.reserve(size + 1);
  }
  constexpr size_t kPiece = 256 << 10;
  const std::unique_ptr<char[]> piece(new char[kPiece]);
  while (true) {
    ssize_t n;
    {
      const Helpers::BlockingCall call;
      n = read(fd, piece.get(), kPiece);
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) job.error = errno;
    if (n <= 0) break;
    contents.text.append(piece.get(), static_cast<size_t>(n));
    if (contents.text.size() > job.most_bytes) {
      job.error = EFBIG;
      break;
    }
  }
  job.values.push_back(std::move(contents));
}

int OpenBlocking(const char* path, int flags, mode_t mode) {
  const Helpers::BlockingCall call;
  int fd;
  while ((fd = open(path, flags | O_CLOEXEC, mode)) < 0 && errno == EINTR) {
  }
  return fd;
}

void ReadFile(FileJob& job) {
  const int fd = OpenBlocking(job.path.c_str(), O_RDONLY, 0);
  if (fd < 0) {
    job.error = errno;
    return;
  }
  ReadDescriptor(job, fd);
  close(fd);
}

void WriteFile(FileJob& job) {
  const int flags = O_WRONLY | O_CREAT | (job.number != 0 ? O_APPEND : O_TRUNC);
  const int fd = OpenBlocking(job.path.c_str(), flags, 0666);
  if (fd < 0) {
    job.error = errno;
    return;
  }
  size_t done = 0;
  while (done < job.path2.size() && job.error == 0) {
    const Helpers::BlockingCall call;
    const ssize_t n = write(fd, job.path2.data() + done, job.path2.size() - done);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      job.error = errno;
    }
  }
  if (close(fd) != 0 && job.error == 0 && errno != EINTR) job.error = errno;
}

// In the kernel where that is possible.
void CopyFile(FileJob& job) {
  const int from = OpenBlocking(job.path.c_str(), O_RDONLY, 0);
  if (from < 0) {
    job.error = errno;
    return;
  }
  struct stat info;
  fstat(from, &info);
  const int to = OpenBlocking(job.path2.c_str(), O_WRONLY | O_CREAT | O_TRUNC, info.st_mode & 0777);
  if (to < 0) {
    job.error = errno;
    close(from);
    return;
  }
  bool in_kernel = true;
  char piece[65536];
  while (true) {
    const Helpers::BlockingCall call;
    ssize_t n;
    if (in_kernel) {
      n = copy_file_range(from, nullptr, to, nullptr, 16 << 20, 0);
      if (n < 0 && errno != EINTR) {
        in_kernel = false;
        continue;
      }
      // Files of /proc say that they are empty.
      if (n == 0 && info.st_size == 0) {
        in_kernel = false;
        continue;
      }
    } else {
      n = read(from, piece, sizeof(piece));
      if (n > 0) {
        ssize_t done = 0;
        while (done < n) {
          const ssize_t written = write(to, piece + done, static_cast<size_t>(n - done));
          if (written < 0 && errno == EINTR) continue;
          if (written < 0) break;
          done += written;
        }
        if (done < n) n = -1;
      }
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) job.error = errno;
    if (n <= 0) break;
  }
  close(from);
  if (close(to) != 0 && job.error == 0) job.error = errno;
}

void ReadLink(FileJob& job) {
  char target[PATH_MAX];
  const ssize_t size = readlink(job.path.c_str(), target, sizeof(target));
  if (size < 0) {
    job.error = errno;
    return;
  }
  job.values.push_back(FileValue::Text(std::string(target, static_cast<size_t>(size))));
}

void RealPath(FileJob& job) {
  char* path = realpath(job.path.c_str(), nullptr);
  if (path == nullptr) {
    job.error = errno;
    return;
  }
  job.values.push_back(FileValue::Text(path));
  std::free(path);
}

void StatFileSystem(FileJob& job) {
  struct statvfs info;
  SetError(job, statvfs(job.path.c_str(), &info));
  if (job.error != 0) return;
  job.is_array = true;
  for (const uint64_t number :
       {uint64_t{info.f_bsize}, uint64_t{info.f_frsize}, uint64_t{info.f_blocks},
        uint64_t{info.f_bfree}, uint64_t{info.f_bavail}, uint64_t{info.f_files},
        uint64_t{info.f_ffree}, uint64_t{info.f_namemax}, uint64_t{info.f_flag}}) {
    job.values.push_back(FileValue::Number(static_cast<int64_t>(number)));
  }
}

// Times of access and of modification in nanoseconds; negative: left alone.
void SetTimes(FileJob& job) {
  timespec times[2];
  const int64_t numbers[2] = {job.number, job.number2};
  for (int i = 0; i < 2; ++i) {
    times[i].tv_sec = numbers[i] < 0 ? 0 : numbers[i] / 1000000000;
    times[i].tv_nsec = numbers[i] < 0 ? UTIME_OMIT : numbers[i] % 1000000000;
  }
  SetError(job, utimensat(AT_FDCWD, job.path.c_str(), times, 0));
}

void Touch(FileJob& job) {
  const int fd = OpenBlocking(job.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0666);
  if (fd < 0) {
    job.error = errno;
    return;
  }
  SetError(job, futimens(fd, nullptr));
  close(fd);
}

// A file that was not there before, for its owner only if number is 0600.
void CreateNew(FileJob& job) {
  const int fd =
      OpenBlocking(job.path.c_str(), O_WRONLY | O_CREAT | O_EXCL, static_cast<mode_t>(job.number));
  if (fd < 0) {
    job.error = errno;
  } else {
    close(fd);
  }
}

void Open(FileJob& job) {
  const int fd = OpenBlocking(job.path.c_str(), static_cast<int>(job.number) | O_NOCTTY,
                              static_cast<mode_t>(job.number2));
  if (fd < 0) {
    job.error = errno;
    return;
  }
  struct stat info;
  if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    close(fd);
    job.error = EISDIR;
    return;
  }
  job.values.push_back(FileValue::Number(fd));
}

// Addresses of a host, as sockaddr bytes. number: 4, 6 or 0; path2: a service or a port.
void LookUp(FileJob& job) {
  addrinfo hints{};
  hints.ai_family = job.number == 4 ? AF_INET : job.number == 6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = job.path.empty() ? AI_PASSIVE : 0;
  addrinfo* found = nullptr;
  const int result = getaddrinfo(job.path.empty() ? nullptr : job.path.c_str(),
                                 job.path2.empty() ? "0" : job.path2.c_str(), &hints, &found);
  if (result != 0) {
    job.error = result == EAI_SYSTEM ? errno : result;
    job.values.push_back(FileValue::Text(gai_strerror(result)));
    return;
  }
  job.is_array = true;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    job.values.push_back({FileValue::Kind::kBytes, 0,
                          std::string(reinterpret_cast<const char*>(at->ai_addr), at->ai_addrlen)});
  }
  freeaddrinfo(found);
}

void Service(FileJob& job) {
  servent storage;
  servent* found = nullptr;
  char buffer[4096];
  const int result =
      job.path.empty()
          ? getservbyport_r(htons(static_cast<uint16_t>(job.number)), nullptr, &storage, buffer,
                            sizeof(buffer), &found)
          : getservbyname_r(job.path.c_str(), nullptr, &storage, buffer, sizeof(buffer), &found);
  if (result != 0 || found == nullptr) {
    job.values.push_back(FileValue::Bool(false));
  } else if (job.path.empty()) {
    job.values.push_back(FileValue::Text(found->s_name));
  } else {
    job.values.push_back(FileValue::Number(ntohs(static_cast<uint16_t>(found->s_port))));
  }
}

void HostName(FileJob& job) {
  char name[HOST_NAME_MAX + 1] = "";
  SetError(job, gethostname(name, sizeof(name)));
  job.values.push_back(FileValue::Text(name));
}

const char* Path(const FileJob& job) { return job.path.c_str(); }
const char* Path2(const FileJob& job) { return job.path2.c_str(); }

struct Operation {
  const char* name;
  void (*run)(FileJob& job);
};

constexpr Operation kOperations[] = {
    {"stat", Stat},
    {"lstat", Stat},
    {"access",
     [](FileJob& job) { SetError(job, access(Path(job), static_cast<int>(job.number))); }},
    {"exists",
     [](FileJob& job) {
       const Helpers::BlockingCall call;
       job.values.push_back(FileValue::Bool(access(Path(job), F_OK) == 0));
     }},
    {"unlink", [](FileJob& job) { SetError(job, unlink(Path(job))); }},
    {"rmdir", [](FileJob& job) { SetError(job, rmdir(Path(job))); }},
    {"mkdir", [](FileJob& job) { SetError(job, mkdir(Path(job), 0777)); }},
    {"mkdir-private", [](FileJob& job) { SetError(job, mkdir(Path(job), 0700)); }},
    {"rename", [](FileJob& job) { SetError(job, rename(Path(job), Path2(job))); }},
    {"link", [](FileJob& job) { SetError(job, link(Path(job), Path2(job))); }},
    {"symlink", [](FileJob& job) { SetError(job, symlink(Path(job), Path2(job))); }},
    {"readlink", ReadLink},
    {"realpath", RealPath},
    {"chmod",
     [](FileJob& job) { SetError(job, chmod(Path(job), static_cast<mode_t>(job.number))); }},
    {"mkfifo",
     [](FileJob& job) { SetError(job, mkfifo(Path(job), static_cast<mode_t>(job.number))); }},
    {"utimes", SetTimes},
    {"truncate", [](FileJob& job) { SetError(job, truncate(Path(job), job.number)); }},
    {"touch", Touch},
    {"create-new", CreateNew},
    {"list", List},
    {"statvfs", StatFileSystem},
    {"copy", CopyFile},
    {"read-file", ReadFile},
    {"write-file", WriteFile},
    {"open", Open},
    {"look-up", LookUp},
    {"service", Service},
    {"host-name", HostName},
};

const Operation* FindOperation(const std::string& name) {
  for (const Operation& operation : kOperations) {
    if (name == operation.name) return &operation;
  }
  return nullptr;
}

}  // namespace

bool IsFileOperation(const std::string& name) { return FindOperation(name) != nullptr; }

void RunFileJob(FileJob& job) { FindOperation(job.operation)->run(job); }

}  // namespace weft::io
