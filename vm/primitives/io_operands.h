// Operands that the primitives of I/O share.
#ifndef WEFT_VM_PRIMITIVES_IO_OPERANDS_H_
#define WEFT_VM_PRIMITIVES_IO_OPERANDS_H_

#include <cstdint>
#include <string>

#include "vm/args.h"
#include "vm/io/descriptor.h"
#include "vm/io/io.h"
#include "vm/io/values.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {

// The handle is this slot of an fd tuple.
inline constexpr size_t kFdHandleSlot = 2;

// The descriptor of the fd in args[i]. Null: *outcome is the error, thrown already.
io::Descriptor* FdOperand(Vm& vm, Args args, size_t i, Outcome* outcome) WEFT_ALLOCATES;

// Nanoseconds, -1 for f. False: something else.
inline bool ReadTimeout(Args args, size_t i, int64_t* timeout_ns) {
  if (!args.is_true(i)) {
    *timeout_ns = -1;
    return true;
  }
  if (!args.is_fixnum(i)) return false;
  *timeout_ns = args.fixnum(i) < 0 ? 0 : args.fixnum(i);
  return true;
}

inline Outcome BadArgument(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  Word word;
  {
    const gc::NoAlloc scope;
    word = args.get(i);
  }
  return vm.Throw(ErrorKind::kBadArgument, word);
}

inline std::string BytesAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  const auto* array = As<ByteArray>(args.get(i));
  return std::string(reinterpret_cast<const char*>(array->bytes),
                     static_cast<size_t>(array->size()));
}
inline std::string StringAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return ToUtf8(args.get(i));
}

// UTF-8.
inline void AppendText(const String* string, std::string& out) WEFT_NO_ALLOC {
  const StringView text(string);
  if (text.width() == String::kOne) {
    // Mostly ASCII: runs of it are copied as they are.
    const uint8_t* data = text.data();
    const auto size = static_cast<size_t>(text.size());
    size_t i = 0;
    while (i < size) {
      size_t run = i;
      while (run < size && data[run] < 0x80) ++run;
      out.append(reinterpret_cast<const char*>(data + i), run - i);
      if (run < size) AppendUtf8(data[run++], out);
      i = run;
    }
    return;
  }
  for (int64_t i = 0; i < text.size(); ++i) AppendUtf8(text.at(i), out);
}

// A transfer that was just set up in `transfer`: done at once, or the thread waits for it.
// `object`: the argument that says what for.
Outcome RunTransfer(Vm& vm, Args args, io::Transfer& transfer, WaitReason reason, size_t object,
                    int64_t timeout_ns) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_PRIMITIVES_IO_OPERANDS_H_
