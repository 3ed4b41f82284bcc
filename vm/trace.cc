#include "vm/trace.h"

#include <cstdio>

#include "vm/bytecode.h"

namespace weft {

void TraceInstruction(const uint32_t* at, const Word* window) {
  (void)window;
  const OpInfo& info = InfoOf(DecodeOp(*at));
  std::fprintf(stderr, "%s", info.name);
  for (int i = 0; i < 4; ++i) {
    if (info.roles[i] != Role::kNone) {
      std::fprintf(stderr, " %lld", static_cast<long long>(OperandAt(at, i)));
    }
  }
  std::fputc('\n', stderr);
}

}  // namespace weft
