#include "vm/error_kind.h"

namespace weft {

const char* ErrorSummary(ErrorKind kind) {
  switch (kind) {
#define ERROR(name, number, summary) \
  case ErrorKind::k##name:           \
    return summary;
#include "vm/errors.def"
#undef ERROR
  }
  return "Unknown error";
}

}  // namespace weft
