// Copying between built-in sequences of one type, as one step.
#include <cstring>

#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

int64_t SizeOf(Word word) WEFT_NO_ALLOC {
  if (IsType(word, TypeId::kArray)) return As<Array>(word)->size();
  if (IsType(word, TypeId::kByteArray)) return As<ByteArray>(word)->size();
  if (IsType(word, TypeId::kString)) return As<String>(word)->size();
  return -1;
}

bool IsWithin(Args args, size_t from, size_t count, size_t sequence) {
  const gc::NoAlloc scope;
  const int64_t size = SizeOf(args.get(sequence));
  return args.is_fixnum(from) && args.fixnum(from) >= 0 && args.fixnum(count) >= 0 &&
         args.fixnum(count) <= size && args.fixnum(from) <= size - args.fixnum(count);
}

void CopyWords(Vm& vm, const Array* from, int64_t begin, int64_t count, Array* to,
               int64_t at) WEFT_NO_ALLOC {
  std::memmove(&to->elements[at], &from->elements[begin],
               static_cast<size_t>(count) * sizeof(Word));
  constexpr int64_t kWordsPerCard = gc::CardTable::kCardBytes / sizeof(Word);
  for (int64_t i = at; i < at + count; i += kWordsPerCard) vm.heap().cards().Mark(&to->elements[i]);
  if (count > 0) vm.heap().cards().Mark(&to->elements[at + count - 1]);
}

}  // namespace

// args: from count src to dst
Outcome PrimCopyElements(Vm& vm, Args args) {
  if (!args.is_fixnum(1)) return BadType(vm, TypeId::kFixnum, args, 1);
  TypeId type = TypeId::kInvalid;
  {
    const gc::NoAlloc scope;
    for (const TypeId t : {TypeId::kArray, TypeId::kByteArray, TypeId::kString}) {
      if (IsType(args.get(2), t)) type = t;
    }
  }
  if (type == TypeId::kInvalid) return BadType(vm, TypeId::kArray, args, 2);
  if (!Is(args, 4, type)) return BadType(vm, type, args, 4);
  if (!IsWithin(args, 0, 1, 2)) return BadIndex(vm, args, 0, 2);
  if (!IsWithin(args, 3, 1, 4)) return BadIndex(vm, args, 3, 4);
  const int64_t from = args.fixnum(0);
  const int64_t count = args.fixnum(1);
  const int64_t to = args.fixnum(3);
  if (type == TypeId::kArray) {
    const gc::NoAlloc scope;
    CopyWords(vm, As<Array>(args.get(2)), from, count, As<Array>(args.get(4)), to);
    return Outcome::kNext;
  }
  if (type == TypeId::kByteArray) {
    const gc::NoAlloc scope;
    std::memmove(As<ByteArray>(args.get(4))->bytes + to, As<ByteArray>(args.get(2))->bytes + from,
                 static_cast<size_t>(count));
    return Outcome::kNext;
  }
  Word source;
  Word target;
  bool both_narrow;
  {
    const gc::NoAlloc scope;
    source = args.get(2);
    target = args.get(4);
    auto* a = As<String>(source);
    auto* b = As<String>(target);
    both_narrow = a->width() == String::kOne && b->width() == String::kOne;
    if (both_narrow) {
      std::memmove(b->data + to, a->data + from, static_cast<size_t>(count));
      b->hash = gc::kFalse;
    }
  }
  if (both_narrow) return Outcome::kNext;
  const gc::Root from_string(vm.heap(), source);
  const gc::Root to_string(vm.heap(), target);
  // One string onto itself: the order that reads each place before it is written.
  const bool backward = source == target && from < to;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t k = backward ? count - 1 - i : i;
    uint32_t code_point;
    {
      const gc::NoAlloc scope;
      code_point = StringAt(As<String>(from_string.get()), from + k);
    }
    SetStringAt(vm.heap(), to_string, to + k, code_point);
  }
  return Outcome::kNext;
}

}  // namespace weft
