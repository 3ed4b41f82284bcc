// Primitives of messages between VMs: object graphs to bytes and back (docs/wire-format.md).
#include <cstring>
#include <vector>

#include "vm/ipc/decoder.h"
#include "vm/ipc/encoder.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/primitives/stack_views.h"
#include "vm/strings.h"

namespace weft {
namespace {

constexpr int64_t kMaxMessageBytes = int64_t{1} << 31;

// FNV-1a with 128 bits.
unsigned __int128 Fnv128(const uint8_t* bytes, size_t size) {
  const auto prime = (static_cast<unsigned __int128>(0x0000000001000000) << 64) | 0x13B;
  auto hash =
      (static_cast<unsigned __int128>(0x6C62272E07BB0142) << 64) | uint64_t{0x62B821756295C58D};
  for (size_t i = 0; i < size; ++i) {
    hash ^= bytes[i];
    hash *= prime;
  }
  return hash;
}

// A byte array with these bytes into args[result].
Outcome StoreBytes(Vm& vm, const void* bytes, size_t size, Args args,
                   size_t result) WEFT_ALLOCATES {
  const size_t total = sizeof(ByteArray) + size;
  if (!HasRoom(vm, total)) return NoRoom(vm, total);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), total);
  const gc::NoAlloc scope;
  auto* array = As<ByteArray>(word);
  array->length = Word::Fixnum(static_cast<int64_t>(size));
  std::memcpy(array->bytes, bytes, size);
  args.set(result, word);
  return Outcome::kNext;
}

}  // namespace

// ( obj rules limit -- bytes/n externs )
Outcome PrimEncode(Vm& vm, Args args) {
  if (!Is(args, 1, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 1);
  if (!args.is_fixnum(2) || args.fixnum(2) < 0 || args.fixnum(2) > kMaxMessageBytes) {
    return BadSize(vm, args, 2);
  }
  std::vector<uint8_t> bytes;
  gc::RootVector externs(vm.heap());
  bool fits = false;
  {
    const gc::NoAlloc scope;
    ipc::Encoder encoder(vm, args.get(1));
    fits = encoder.Encode(args.get(0), static_cast<size_t>(args.fixnum(2)));
    for (const ipc::Extern& external : encoder.externs()) {
      externs.push_back(Word::Fixnum(static_cast<int64_t>(external.kind)));
      externs.push_back(external.word);
    }
    bytes = encoder.TakeBytes();
  }
  if (!fits) {
    args.set(0, Word::Fixnum(static_cast<int64_t>(bytes.size())));
    args.set(1, gc::kFalse);
    return Outcome::kNext;
  }
  const Outcome stored = StoreBytes(vm, bytes.data(), bytes.size(), args, 0);
  if (stored != Outcome::kNext) return stored;
  return ArrayOf(vm, externs, args, 1);
}

// ( bytes externs -- obj tables typed error/f )
Outcome PrimDecode(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  if (!Is(args, 1, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 1);
  // Large byte arrays never move; others are copied out of the collector's way.
  std::vector<uint8_t> copy;
  absl::Span<const uint8_t> bytes;
  gc::Root rooted(vm.heap());
  gc::Root externs(vm.heap());
  {
    const gc::NoAlloc scope;
    rooted.set(args.get(0));
    const auto* array = As<ByteArray>(args.get(0));
    const auto size = static_cast<size_t>(array->size());
    if (sizeof(ByteArray) + size >= gc::kLargeBytes) {
      bytes = absl::Span<const uint8_t>(array->bytes, size);
    } else {
      copy.assign(array->bytes, array->bytes + size);
      bytes = copy;
    }
    externs.set(args.get(1));
  }
  ipc::Decoder decoder(vm, bytes, externs);
  const bool decoded = decoder.Decode();
  if (decoder.no_room() != 0) return NoRoom(vm, decoder.no_room());
  for (size_t i = 0; i < 4; ++i) args.set(i, gc::kFalse);
  if (!decoded) {
    args.set(3, MakeString(vm.heap(), decoder.error()));
    return Outcome::kNext;
  }
  {
    const gc::NoAlloc scope;
    args.set(0, decoder.root().get());
  }
  const Outcome tables = ArrayOf(vm, decoder.tables(), args, 1);
  if (tables != Outcome::kNext) return tables;
  return ArrayOf(vm, decoder.typed(), args, 2);
}

// ( root target rules -- path )
Outcome PrimMessagePath(Vm& vm, Args args) {
  if (!Is(args, 2, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, 2);
  gc::RootVector path(vm.heap());
  {
    const gc::NoAlloc scope;
    ipc::Encoder encoder(vm, args.get(2));
    for (const Word word : encoder.FindPath(args.get(0), args.get(1))) path.push_back(word);
  }
  return ArrayOf(vm, path, args, 0);
}

// ( bytes -- hash )
Outcome PrimContentHash(Vm& vm, Args args) {
  if (!Is(args, 0, TypeId::kByteArray)) return BadType(vm, TypeId::kByteArray, args, 0);
  unsigned __int128 hash = 0;
  {
    const gc::NoAlloc scope;
    const auto* array = As<ByteArray>(args.get(0));
    hash = Fnv128(array->bytes, static_cast<size_t>(array->size()));
  }
  return StoreBytes(vm, &hash, sizeof hash, args, 0);
}

// ( obj -- ? )
Outcome PrimIsInImage(Vm&, Args args) {
  const gc::NoAlloc scope;
  const Word word = args.get(0);
  args.set(0, Word::Bool(!word.IsPointer() || word.Address() - gc::kImageBase < gc::kImageSpan));
  return Outcome::kNext;
}

}  // namespace weft
