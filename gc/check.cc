#include "gc/check.h"

#include <cstdio>
#include <cstdlib>

#include "gc/no_alloc.h"

namespace weft {

namespace gc {
NoAllocCapability no_alloc;
}  // namespace gc

char fault_text[400];

void CheckFailed(const char* file, int line, const char* condition) {
  std::snprintf(fault_text, sizeof(fault_text), "%s (%s:%d)", condition, file, line);
  std::fprintf(stderr, "weft: internal fault: %s\n", fault_text);
  std::abort();
}

}  // namespace weft
