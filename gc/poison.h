// Makes dead memory of the nursery recognisable: filled with 0xAB, which reads as a float and never
// as a pointer (stress, verification, debug builds), and out of bounds for AddressSanitizer, so
// that a stale pointer in C++ is reported where it is used.
#ifndef WEFT_GC_POISON_H_
#define WEFT_GC_POISON_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#if defined(WEFT_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace weft::gc {

inline constexpr int kPoisonByte = 0xAB;
#if defined(WEFT_DEBUG_CHECKS)
inline constexpr bool kAlwaysPoison = true;
#else
inline constexpr bool kAlwaysPoison = false;
#endif

// What was here is dead.
inline void PoisonMemory(uint64_t address, size_t bytes, bool fill) {
  if (fill) std::memset(reinterpret_cast<void*>(address), kPoisonByte, bytes);
#if defined(WEFT_ASAN)
  ASAN_POISON_MEMORY_REGION(reinterpret_cast<void*>(address), bytes);
#endif
}

// Will be used again.
inline void UnpoisonMemory(uint64_t address, size_t bytes) {
#if defined(WEFT_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void*>(address), bytes);
#else
  (void)address;
  (void)bytes;
#endif
}

}  // namespace weft::gc

#endif  // WEFT_GC_POISON_H_
