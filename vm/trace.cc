#include "vm/trace.h"

#include <cstdio>

#include "vm/bytecode.h"

namespace weft {

void TraceInstruction(const uint32_t* at, int64_t depth) {
  const OpInfo& info = InfoOf(DecodeOp(*at));
  std::fprintf(stderr, "%5lld %s", static_cast<long long>(depth), info.name);
  for (int i = 0; i < 4; ++i) {
    if (info.roles[i] != Role::kNone) {
      std::fprintf(stderr, " %lld", static_cast<long long>(OperandAt(at, i)));
    }
  }
  std::fputc('\n', stderr);
}

}  // namespace weft
