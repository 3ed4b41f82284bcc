// What the primitives that stand before libraries share: objects by number, results, problems.
#ifndef WEFT_VM_FFI_OPERANDS_H_
#define WEFT_VM_FFI_OPERANDS_H_

#include <memory>
#include <string>

#include "vm/ffi/library.h"
#include "vm/primitives/io_operands.h"

namespace weft::ffi {

// The object whose number is args[i]; null where there is none (any more).
template <class T>
std::shared_ptr<T> ObjectAt(const Table<T>& table, Args args, size_t i) {
  return args.is_fixnum(i) ? table.Find(args.fixnum(i)) : nullptr;
}

// A problem is a string where a result would be something else.
inline Outcome Problem(Vm& vm, Args args, absl::string_view text) WEFT_ALLOCATES {
  args.set(0, MakeString(vm.heap(), text));
  return Outcome::kNext;
}

// The bytes from args[from] up to args[from + 1] of the byte array args[bytes].
inline bool PartAt(Args args, size_t bytes, size_t from, std::string* part) WEFT_ALLOCATES {
  if (!Is(args, bytes, TypeId::kByteArray)) return false;
  if (!args.is_fixnum(from) || !args.is_fixnum(from + 1)) return false;
  const gc::NoAlloc scope;
  const auto* array = As<ByteArray>(args.get(bytes));
  const int64_t begin = args.fixnum(from);
  const int64_t end = args.fixnum(from + 1);
  if (begin < 0 || begin > end || end > array->size()) return false;
  part->assign(reinterpret_cast<const char*>(array->bytes) + begin,
               static_cast<size_t>(end - begin));
  return true;
}

// Results are in place; so many bytes of work are charged.
inline Outcome Charged(Vm& vm, size_t bytes) {
  if (bytes < 64) return Outcome::kNext;
  vm.budget -= static_cast<int64_t>(bytes / 64);
  return Outcome::kReload;
}

// args[result] becomes the bytes.
inline Outcome GiveBytes(Vm& vm, Args args, size_t result,
                         const std::string& bytes) WEFT_ALLOCATES {
  bool ok = true;
  const Word word = io::MakeBytes(vm, bytes.data(), bytes.size(), &ok);
  if (!ok) return NoRoom(vm, bytes.size());
  args.set(result, word);
  return Charged(vm, bytes.size());
}

}  // namespace weft::ffi

#endif  // WEFT_VM_FFI_OPERANDS_H_
