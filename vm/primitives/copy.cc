// copy-elements: a range from one built-in sequence to another of the same type.
#include <cstring>

#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

// Operands: from count src to dst.
enum : size_t { kFrom, kCount, kSource, kTo, kTarget };

int64_t SizeAt(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  const Word word = args.get(i);
  if (IsType(word, TypeId::kArray)) return As<Array>(word)->size();
  if (IsType(word, TypeId::kByteArray)) return As<ByteArray>(word)->size();
  return As<String>(word)->size();
}

void CopyArray(Vm& vm, Args args, int64_t from, int64_t count, int64_t to) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  const auto* source = As<Array>(args.get(kSource));
  auto* target = As<Array>(args.get(kTarget));
  const bool backwards = source == target && from < to;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t n = backwards ? count - 1 - i : i;
    vm.heap().Write(target, &target->elements[to + n], source->elements[from + n]);
  }
}

// Between strings of one byte a code point; false if they are not.
bool CopyNarrowString(Args args, int64_t from, int64_t count, int64_t to) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  const auto* source = As<String>(args.get(kSource));
  auto* target = As<String>(args.get(kTarget));
  if (source->width() != String::kOne || target->width() != String::kOne) return false;
  std::memmove(target->data + to, source->data + from, static_cast<size_t>(count));
  target->hash = gc::kFalse;
  return true;
}

// A store may move the target's content aside, hence allocate.
void CopyString(Vm& vm, Args args, int64_t from, int64_t count, int64_t to) WEFT_ALLOCATES {
  if (CopyNarrowString(args, from, count, to)) return;
  bool backwards = false;
  gc::Root source(vm.heap()), target(vm.heap());
  {
    const gc::NoAlloc scope;
    backwards = args.get(kSource) == args.get(kTarget) && from < to;
    source.set(args.get(kSource));
    target.set(args.get(kTarget));
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t n = backwards ? count - 1 - i : i;
    uint32_t code_point = 0;
    {
      const gc::NoAlloc scope;
      code_point = StringAt(As<String>(source.get()), from + n);
    }
    SetStringAt(vm.heap(), target, to + n, code_point);
  }
}

}  // namespace

Outcome PrimCopyElements(Vm& vm, Args args) {
  TypeId type = TypeId::kInvalid;
  for (const TypeId candidate : {TypeId::kArray, TypeId::kByteArray, TypeId::kString}) {
    if (Is(args, kSource, candidate)) type = candidate;
  }
  if (type == TypeId::kInvalid) return BadType(vm, TypeId::kArray, args, kSource);
  if (!Is(args, kTarget, type)) return BadType(vm, type, args, kTarget);
  for (const size_t i : {size_t{kFrom}, size_t{kCount}, size_t{kTo}}) {
    if (!args.is_fixnum(i)) return BadType(vm, TypeId::kFixnum, args, i);
  }
  const int64_t from = args.fixnum(kFrom);
  const int64_t count = args.fixnum(kCount);
  const int64_t to = args.fixnum(kTo);
  const int64_t size = SizeAt(args, kSource);
  if (from < 0 || from > size) return BadIndex(vm, args, kFrom, kSource);
  if (count < 0 || count > size - from) return BadIndex(vm, args, kCount, kSource);
  if (to < 0 || count > SizeAt(args, kTarget) - to) return BadIndex(vm, args, kTo, kTarget);
  if (type == TypeId::kArray) {
    CopyArray(vm, args, from, count, to);
  } else if (type == TypeId::kString) {
    CopyString(vm, args, from, count, to);
  } else {
    const gc::NoAlloc scope;
    const auto* source = As<ByteArray>(args.get(kSource));
    auto* target = As<ByteArray>(args.get(kTarget));
    std::memmove(target->bytes + to, source->bytes + from, static_cast<size_t>(count));
  }
  return Outcome::kNext;
}

}  // namespace weft
