// Address space that is reserved without access and committed from its start as it grows, so that
// a data limit (RLIMIT_DATA) counts only what is in use.
//
// Units: bytes. Errors: false or null when the kernel refuses; the caller decides what that means.
// Ownership: a Reservation unmaps its span when it dies.
#ifndef WEFT_GC_ADDRESS_SPACE_H_
#define WEFT_GC_ADDRESS_SPACE_H_

#include <cstddef>
#include <cstdint>

namespace weft::gc {

inline constexpr size_t kPageBytes = 4096;

constexpr uint64_t RoundUp(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }
constexpr uint64_t RoundDown(uint64_t n, uint64_t unit) { return n / unit * unit; }

class Reservation {
 public:
  Reservation() = default;
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // Takes [base, base + bytes) without access; false if any of it is in use already.
  bool TakeAt(uint64_t base, size_t bytes);
  // Takes `bytes` anywhere.
  bool TakeAnywhere(size_t bytes);
  [[nodiscard]] uint64_t base() const { return base_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  [[nodiscard]] bool Contains(uint64_t address) const { return address - base_ < bytes_; }

 private:
  uint64_t base_ = 0;
  size_t bytes_ = 0;
};

// Makes the pages that cover [begin, end) readable and writable. Idempotent. The pages must lie in
// a Reservation.
bool CommitPages(uint64_t begin, uint64_t end);
// Gives the whole pages inside [begin, end) back to the kernel; they read as zero afterwards.
void ReleasePages(uint64_t begin, uint64_t end);

// The committed prefix of a part of a reservation.
class GrowingSpan {
 public:
  void Init(uint64_t base, size_t reserved, size_t step) {
    base_ = base;
    reserved_ = reserved;
    step_ = step;
  }
  // At least `bytes` from the base are usable; false if the reservation or the kernel has no more.
  bool Ensure(size_t bytes);
  [[nodiscard]] uint64_t base() const { return base_; }
  [[nodiscard]] size_t committed() const { return committed_; }
  [[nodiscard]] size_t reserved() const { return reserved_; }

 private:
  uint64_t base_ = 0;
  size_t reserved_ = 0;
  size_t committed_ = 0;
  size_t step_ = kPageBytes;
};

}  // namespace weft::gc

#endif  // WEFT_GC_ADDRESS_SPACE_H_
