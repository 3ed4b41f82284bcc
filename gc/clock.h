// The clock of pauses.
#ifndef WEFT_GC_CLOCK_H_
#define WEFT_GC_CLOCK_H_

#include <time.h>

#include <cstddef>
#include <cstdint>

namespace weft::gc {

// Monotonic. For statistics only: nothing may depend on it.
inline uint64_t NowNs() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace weft::gc

#endif  // WEFT_GC_CLOCK_H_
