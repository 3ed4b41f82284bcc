#include "gc/address_space.h"

#include <sys/mman.h>

#include <algorithm>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace weft::gc {

Reservation::~Reservation() {
  if (bytes_ != 0) munmap(reinterpret_cast<void*>(base_), bytes_);
}

bool Reservation::TakeAt(uint64_t base, size_t bytes) {
  void* p = mmap(reinterpret_cast<void*>(base), bytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (p == MAP_FAILED) return false;
  // Kernels (and valgrind) that do not know MAP_FIXED_NOREPLACE take the address as a hint.
  if (reinterpret_cast<uint64_t>(p) != base) {
    munmap(p, bytes);
    return false;
  }
  base_ = base;
  bytes_ = bytes;
  return true;
}

bool Reservation::TakeAnywhere(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return false;
  base_ = reinterpret_cast<uint64_t>(p);
  bytes_ = bytes;
  return true;
}

bool CommitPages(uint64_t begin, uint64_t end) {
  begin = RoundDown(begin, kPageBytes);
  end = RoundUp(end, kPageBytes);
  if (begin >= end) return true;
  return mprotect(reinterpret_cast<void*>(begin), end - begin, PROT_READ | PROT_WRITE) == 0;
}

void ReleasePages(uint64_t begin, uint64_t end) {
  begin = RoundUp(begin, kPageBytes);
  end = RoundDown(end, kPageBytes);
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

bool GrowingSpan::Ensure(size_t bytes) {
  if (bytes <= committed_) return true;
  if (bytes > reserved_) return false;
  size_t target = std::min<size_t>(RoundUp(bytes, step_), reserved_);
  if (!CommitPages(base_ + committed_, base_ + target)) {
    // Perhaps the exact size still fits under the limit.
    target = RoundUp(bytes, kPageBytes);
    if (!CommitPages(base_ + committed_, base_ + target)) return false;
  }
  committed_ = target;
  return true;
}

}  // namespace weft::gc
