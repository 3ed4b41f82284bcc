// WEFT_CHECK: a broken invariant ends the process with its place; WEFT_DCHECK only in debug and
// asan builds. Never for conditions that input can cause (those are errors of the language).
#ifndef WEFT_GC_CHECK_H_
#define WEFT_GC_CHECK_H_

namespace weft {
// What the failed check said; empty before one failed.
extern char fault_text[400];

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace weft

#define WEFT_CHECK(condition)                              \
  do {                                                     \
    if (!(condition)) [[unlikely]]                         \
      ::weft::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)

#if defined(WEFT_DEBUG_CHECKS)
#define WEFT_DCHECK(condition) WEFT_CHECK(condition)
#else
#define WEFT_DCHECK(condition) \
  do {                         \
  } while (false && (condition))
#endif

#endif  // WEFT_GC_CHECK_H_
