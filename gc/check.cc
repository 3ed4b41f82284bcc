#include "gc/check.h"

#include <cstdio>
#include <cstdlib>

#include "gc/no_alloc.h"

namespace weft {

namespace gc {
NoAllocCapability no_alloc;
}  // namespace gc

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "weft: internal fault: %s (%s:%d)\n", condition, file, line);
  std::fprintf(stderr, "weft: please report this line together with the program that caused it\n");
  std::abort();
}

}  // namespace weft
