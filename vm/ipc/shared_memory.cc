#include "vm/ipc/shared_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "vm/vm.h"

namespace weft::ipc {
namespace {

constexpr size_t kPage = 4096;

// Head of the list of all regions there ever were: where the signal handler starts.
std::atomic<SharedRegion*> all_regions{nullptr};

// A call that ran out of descriptors or address space may work once dead handles are found.
bool IsShortage(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

// Mapped, or MAP_FAILED. Frozen memory is mapped privately: some kernels refuse a shared mapping,
// even one for reading, of a sealed memfd.
void* MapPages(int fd, size_t size, bool writable, bool is_file) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  return mmap(nullptr, size, protection, writable || is_file ? MAP_SHARED : MAP_PRIVATE, fd, 0);
}

}  // namespace

bool SharedRegion::Probe(size_t from, size_t count) const {
  const size_t end = count > size() - std::min(from, size()) ? size() : from + count;
  for (size_t at = from / kPage * kPage; at < end; at += kPage) {
    (void)*static_cast<volatile uint8_t*>(data() + at);
  }
  return LostBelow(end);
}

void SharedRegion::Unpin() {
  --pins_;
  if (pins_ == 0 && dropped_) owner_->Release(this);
}

// System calls and atomics only: this may interrupt anything, on any thread.
void SharedMemory::OnBusError(int, siginfo_t* info, void*) {
  const int saved = errno;
  auto* address = static_cast<uint8_t*>(info->si_addr);
  for (SharedRegion* region = all_regions.load(std::memory_order_acquire); region != nullptr;
       region = region->next_) {
    uint8_t* begin = region->begin_.load(std::memory_order_relaxed);
    const size_t size = region->size_.load(std::memory_order_relaxed);
    if (begin == nullptr || address < begin || address >= begin + size) continue;
    const size_t from = static_cast<size_t>(address - begin) / kPage * kPage;
    size_t before = region->lost_from_.load();
    while (from < before && !region->lost_from_.compare_exchange_weak(before, from)) {
    }
    const int protection = region->may_write_.load() ? PROT_READ | PROT_WRITE : PROT_READ;
    const long mapped = syscall(SYS_mmap, begin + from, size - from, protection,
                                MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    if (mapped != -1) {
      errno = saved;
      return;  // the instruction runs again, and reads zeros
    }
  }
  // Not ours, or no memory left: what would have happened without this handler.
  signal(SIGBUS, SIG_DFL);
}

SharedMemory::SharedMemory(Vm& vm) : vm_(vm) {
  vm.heap().AddRootSource(this);
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

// One VM per process (vm/vm.h); made when the first region is, and lives as long as the process.
SharedMemory& SharedMemory::Of(Vm& vm) {
  static auto* const memory = new SharedMemory(vm);
  return *memory;
}

SharedRegion* SharedMemory::Find(Word handle) {
  if (!IsType(handle, TypeId::kWrapper)) return nullptr;
  const Word number = As<Wrapper>(handle)->wrapped;
  if (!number.IsFixnum() || number.AsFixnum() < 0 ||
      number.AsFixnum() >= static_cast<int64_t>(regions_.size())) {
    return nullptr;
  }
  SharedRegion* region = regions_[static_cast<size_t>(number.AsFixnum())];
  return region->handle_ == handle.bits ? region : nullptr;
}

int SharedMemory::Map(int fd, size_t size, bool writable, bool is_file, Word* handle) {
  void* begin = nullptr;
  if (size > 0) {
    begin = MapPages(fd, size, writable, is_file);
    if (begin == MAP_FAILED && errno == ENOMEM) {
      vm_.heap().CollectFull();
      begin = MapPages(fd, size, writable, is_file);
    }
    if (begin == MAP_FAILED) {
      const int error = errno;
      close(fd);
      return error;
    }
  }
  if (free_.empty()) {
    auto* region = new SharedRegion();
    region->id_ = static_cast<uint32_t>(regions_.size());
    region->owner_ = this;
    region->next_ = all_regions.load(std::memory_order_relaxed);
    all_regions.store(region, std::memory_order_release);
    regions_.push_back(region);
    free_.push_back(region->id_);
  }
  SharedRegion* region = regions_[free_.back()];
  free_.pop_back();
  region->fd_ = fd;
  region->writable_ = writable;
  region->is_file_ = is_file;
  region->dropped_ = false;
  region->lost_from_.store(SharedRegion::kNothingLost);
  region->may_write_.store(writable);
  region->size_.store(size);
  region->begin_.store(static_cast<uint8_t*>(begin));
  ++live_;
  *handle = vm_.heap().AllocatePinned(ShapeOf(TypeId::kWrapper), sizeof(Wrapper));
  const gc::NoAlloc scope;
  As<Wrapper>(*handle)->wrapped = Word::Fixnum(region->id_);
  region->handle_ = handle->bits;
  return 0;
}

void SharedMemory::Release(SharedRegion* region) {
  if (region->size() > 0) munmap(region->data(), region->size());
  region->begin_.store(nullptr);
  region->size_.store(0);
  close(region->fd_);
  region->fd_ = -1;
  region->handle_ = 0;
  free_.push_back(region->id_);
  --live_;
}

void SharedMemory::Drop(SharedRegion* region) {
  if (region->dropped_) return;
  if (!region->pinned()) {
    Release(region);
    return;
  }
  region->dropped_ = true;
  region->handle_ = 0;
}

void SharedMemory::SweepDead(const gc::Heap& heap) {
  for (SharedRegion* region : regions_) {
    if (region->handle_ != 0 && !heap.IsLive(Word::FromBits(region->handle_))) Drop(region);
  }
}

int SharedMemory::Create(size_t size, Word* handle) {
  int fd = memfd_create("weft-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 && IsShortage(errno)) {
    vm_.heap().CollectFull();
    fd = memfd_create("weft-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }
  if (fd < 0) return errno;
  if (ftruncate(fd, static_cast<off_t>(size)) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  return Map(fd, size, /*writable=*/true, /*is_file=*/false, handle);
}

int SharedMemory::MapFile(const std::string& path, bool writable, Word* handle,
                          const char** problem) {
  *problem = nullptr;
  // Without O_NONBLOCK a FIFO would wait for its writer here.
  const int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  int fd = open(path.c_str(), flags);
  if (fd < 0 && IsShortage(errno)) {
    vm_.heap().CollectFull();
    fd = open(path.c_str(), flags);
  }
  if (fd < 0) return errno;
  struct stat info = {};
  if (fstat(fd, &info) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    if (S_ISDIR(info.st_mode)) return EISDIR;
    *problem = "It is not a regular file";
    return EINVAL;
  }
  return Map(fd, static_cast<size_t>(info.st_size), writable, /*is_file=*/true, handle);
}

int SharedMemory::Adopt(int fd, bool is_file, Word* handle, const char** problem) {
  *problem = nullptr;
  struct stat info = {};
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fstat(fd, &info) != 0) {
    const int error = errno;
    close(fd);
    return error;
  }
  bool writable = false;
  if (!S_ISREG(info.st_mode)) {
    *problem = "shared bytes whose descriptor is neither memory nor a file";
  } else if ((flags & O_ACCMODE) == O_WRONLY) {
    *problem = "shared bytes that cannot be read";
  } else if (!is_file) {
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
      *problem = "shared bytes that are not sealed against shrinking";
    }
    writable = (flags & O_ACCMODE) == O_RDWR && (seals & F_SEAL_WRITE) == 0;
  }
  if (*problem != nullptr) {
    close(fd);
    return EINVAL;
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Map(fd, static_cast<size_t>(info.st_size), writable, is_file, handle);
}

int SharedMemory::Freeze(SharedRegion* region) {
  if (!region->writable()) return 0;
  if (region->pinned()) return EBUSY;
  // Our own mapping must go first, and comes back in any case: at the same place, which nobody else
  // can take meanwhile as it is held by a mapping without access.
  const size_t size = region->size();
  uint8_t* begin = region->data();
  if (size > 0 &&
      mmap(begin, size, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
           0) == MAP_FAILED) {
    return errno;
  }
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  int error = fcntl(region->fd(), F_ADD_SEALS, kSeals) == 0 ? 0 : errno;
  if (error == 0) {
    region->writable_ = false;
    region->may_write_.store(false);
  }
  if (size > 0) {
    const bool writable = region->writable();
    if (mmap(begin, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
             MAP_FIXED | (writable ? MAP_SHARED : MAP_PRIVATE), region->fd(), 0) == MAP_FAILED) {
      if (error == 0) error = errno;
      Drop(region);  // nothing is there any more
    }
  }
  return error;
}

std::vector<int> SharedMemory::WritersOf(const SharedRegion* region) {
  std::vector<int> writers;
  struct stat info = {};
  DIR* processes = fstat(region->fd(), &info) == 0 ? opendir("/proc") : nullptr;
  if (processes == nullptr) return writers;
  while (const dirent* entry = readdir(processes)) {
    char* end = nullptr;
    const long pid = std::strtol(entry->d_name, &end, 10);
    if (*end != 0 || pid <= 0) continue;
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    std::FILE* maps = std::fopen(path, "re");
    if (maps == nullptr) continue;
    size_t mappings = 0;
    char line[512];
    while (std::fgets(line, sizeof line, maps) != nullptr) {
      char access[5] = {};
      unsigned major_number = 0;
      unsigned minor_number = 0;
      uint64_t inode = 0;
      if (std::sscanf(line, "%*x-%*x %4s %*x %x:%x %" SCNu64, access, &major_number, &minor_number,
                      &inode) == 4 &&
          inode == info.st_ino && major_number == major(info.st_dev) &&
          minor_number == minor(info.st_dev) && access[1] == 'w' && access[3] == 's') {
        ++mappings;
      }
    }
    std::fclose(maps);
    // The region's own mapping is not what stands in the way.
    if (pid == getpid() && region->writable() && mappings > 0) --mappings;
    if (mappings > 0) writers.push_back(static_cast<int>(pid));
  }
  closedir(processes);
  std::sort(writers.begin(), writers.end());
  return writers;
}

void SharedMemory::StartAgainAfterFork() {
  for (SharedRegion* region : regions_) {
    region->pins_ = 0;
    if (region->dropped_ && region->fd_ >= 0) Release(region);
    region->dropped_ = false;
  }
}

}  // namespace weft::ipc
