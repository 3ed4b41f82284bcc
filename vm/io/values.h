// Values of the language that the I/O proxy makes: byte arrays, arrays, errors.
// Errors of the system are tuples `system-error` (weft.errors); the VM knows the layouts of these
// classes from the special object IoLayouts, which io.proxy sets. Before it has, while the image is
// built, an error is { "kernel-error" 1 errno message }.
#ifndef WEFT_VM_IO_VALUES_H_
#define WEFT_VM_IO_VALUES_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gc/handle.h"
#include "vm/vm.h"

namespace weft::io {

// Places in the special object IoLayouts.
enum class IoClass : uint32_t {
  kFd,
  kSystemError,
  kShortRead,
  kShortWrite,
  kAlreadyWaiting,
  kAlreadyDisposed,
  kMessageTooLarge,
  kCount,
};

// The shape of instances; 0: not known yet.
uint32_t ShapeOfClass(Vm& vm, IoClass io_class) WEFT_NO_ALLOC;

// f and *ok = false when the heap refuses the size.
Word MakeBytes(Vm& vm, const void* bytes, size_t size, bool* ok) WEFT_ALLOCATES;
Word MakeArray(Vm& vm, const gc::RootVector& words) WEFT_ALLOCATES;
Word MakeStrings(Vm& vm, const std::vector<std::string>& texts) WEFT_ALLOCATES;
// A tuple with these first slots, the others f.
Word MakeTuple(Vm& vm, IoClass io_class, const gc::RootVector& slots) WEFT_ALLOCATES;

// `subject`: an address, a path or an fd; `count` < 0: none.
Word MakeSystemError(Vm& vm, int error, absl::string_view operation, const gc::Root& subject,
                     int64_t count = -1) WEFT_ALLOCATES;
Word MakeOutOfMemory(Vm& vm, size_t bytes) WEFT_ALLOCATES;
// A tuple of one slot.
Word MakeError(Vm& vm, IoClass io_class, const gc::Root& slot) WEFT_ALLOCATES;

// For primitives: the error becomes vm.pending_error.
Outcome ThrowSystemError(Vm& vm, int error, absl::string_view operation,
                         const gc::Root& subject) WEFT_ALLOCATES;
Outcome ThrowSystemError(Vm& vm, int error, absl::string_view operation,
                         absl::string_view subject) WEFT_ALLOCATES;

}  // namespace weft::io

#endif  // WEFT_VM_IO_VALUES_H_
