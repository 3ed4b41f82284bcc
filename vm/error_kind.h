// Kinds of errors that the VM itself throws, from errors.def.
#ifndef WEFT_VM_ERROR_KIND_H_
#define WEFT_VM_ERROR_KIND_H_

#include <cstdint>

namespace weft {

enum class ErrorKind : int32_t {
#define ERROR(name, number, summary) k##name = number,
#include "vm/errors.def"
#undef ERROR
};

// The one-line text of a kind, as the list gives it.
const char* ErrorSummary(ErrorKind kind);

}  // namespace weft

#endif  // WEFT_VM_ERROR_KIND_H_
