// Primitives of shared memory (vm/ipc/shared_memory.h) and of typed access to bytes.
//
// `bytes` is the handle of a region or a byte array. Offsets are in bytes and need not be aligned;
// numbers are little-endian. A primitive that handles n bytes charges n / 64.
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "vm/ipc/shared_memory.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/primitives/number_operands.h"
#include "vm/primitives/operands.h"
#include "vm/primitives/stack_views.h"
#include "vm/strings.h"

namespace weft {
namespace {

using ipc::SharedMemory;
using ipc::SharedRegion;

// What the special object SharedErrors holds, by index.
enum SharedError : int64_t { kMappingLost = 0, kDisposed = 1, kReadOnly = 2 };

Outcome ThrowShared(Vm& vm, SharedError error) WEFT_ALLOCATES {
  {
    const gc::NoAlloc scope;
    const Word errors = vm.special(Special::kSharedErrors);
    if (IsType(errors, TypeId::kArray) && As<Array>(errors)->size() > error) {
      vm.pending_error.set(As<Array>(errors)->elements[error]);
      return Outcome::kThrow;
    }
  }
  return vm.Throw(ErrorKind::kMemory);
}

Word Get(Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return args.get(i);
}

// Where the bytes of an operand are. Valid until the next allocation.
struct Bytes {
  uint8_t* data = nullptr;
  size_t size = 0;
  const SharedRegion* region = nullptr;
  bool writable = true;
  bool good = false;
};

Bytes BytesAt(Vm& vm, Args args, size_t i) WEFT_NO_ALLOC {
  Bytes bytes;
  const Word word = args.get(i);
  if (IsType(word, TypeId::kByteArray)) {
    auto* array = As<ByteArray>(word);
    bytes.data = array->bytes;
    bytes.size = static_cast<size_t>(array->size());
    bytes.good = true;
    return bytes;
  }
  const SharedRegion* region = SharedMemory::Of(vm).Find(word);
  if (region == nullptr) return bytes;
  bytes.data = region->data();
  bytes.size = region->size();
  bytes.region = region;
  bytes.writable = region->writable();
  bytes.good = true;
  return bytes;
}

// The operand is no bytes: a handle whose region is gone, f (disposed of), or something else.
Outcome BadBytes(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  const Word word = Get(args, i);
  bool is_handle = word == gc::kFalse;
  {
    const gc::NoAlloc scope;
    is_handle =
        is_handle || (IsType(word, TypeId::kWrapper) && As<Wrapper>(word)->wrapped.IsFixnum());
  }
  return is_handle ? ThrowShared(vm, kDisposed) : vm.ThrowType(TypeId::kByteArray, word);
}

// [from, from + count) lies within size.
bool Fits(int64_t from, int64_t count, size_t size) {
  return from >= 0 && count >= 0 && static_cast<uint64_t>(from) <= size &&
         static_cast<uint64_t>(count) <= size - static_cast<uint64_t>(from);
}

bool IsLost(const Bytes& bytes, int64_t from, int64_t count) {
  return bytes.region != nullptr && count > 0 &&
         bytes.region->LostBelow(static_cast<size_t>(from + count));
}

// Results are in place; the bytes handled are charged.
Outcome Charged(Vm& vm, size_t bytes) {
  if (bytes < 64) return Outcome::kNext;
  vm.budget -= static_cast<int64_t>(bytes / 64);
  return Outcome::kReload;
}

// --- types of elements
// ------------------------------------------------------------------------------------

// Numbers as vms.shared has them.
enum class ElementType : int64_t {
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat32,
  kFloat64,
  kCount,
};

constexpr int64_t kElementBytes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};

bool IsElementType(Args args, size_t i) {
  return args.is_fixnum(i) && args.fixnum(i) >= 0 &&
         args.fixnum(i) < static_cast<int64_t>(ElementType::kCount);
}

template <class T>
T LoadAt(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void StoreAt(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

// Calls f with a value of the element's C++ type.
template <class F>
auto WithType(ElementType type, F f) {
  switch (type) {
    case ElementType::kInt8:
      return f(int8_t{});
    case ElementType::kUint8:
      return f(uint8_t{});
    case ElementType::kInt16:
      return f(int16_t{});
    case ElementType::kUint16:
      return f(uint16_t{});
    case ElementType::kInt32:
      return f(int32_t{});
    case ElementType::kUint32:
      return f(uint32_t{});
    case ElementType::kInt64:
      return f(int64_t{});
    case ElementType::kUint64:
      return f(uint64_t{});
    case ElementType::kFloat32:
      return f(float{});
    default:
      return f(double{});
  }
}

// Four sums side by side, in an order that does not depend on the compiler's options.
template <class X, class Y>
double FloatDot(const uint8_t* x, const uint8_t* y, int64_t count) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int64_t lane = 0; lane < 4; ++lane) {
      const auto at = static_cast<size_t>(i + lane);
      sums[lane] += static_cast<double>(LoadAt<X>(x + at * sizeof(X))) *
                    static_cast<double>(LoadAt<Y>(y + at * sizeof(Y)));
    }
  }
  for (; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    sums[0] += static_cast<double>(LoadAt<X>(x + at * sizeof(X))) *
               static_cast<double>(LoadAt<Y>(y + at * sizeof(Y)));
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Products of at most 32 bits each way: exact, since a count of 2^40 adds less than 2^104.
template <class X, class Y>
__int128 IntegerDot(const uint8_t* x, const uint8_t* y, int64_t count) {
  __int128 sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    sum += static_cast<int64_t>(LoadAt<X>(x + at * sizeof(X))) *
           static_cast<int64_t>(LoadAt<Y>(y + at * sizeof(Y)));
  }
  return sum;
}

struct Number {
  bool is_float = false;
  double real = 0;
  __int128 integer = 0;
};

template <class X, class Y>
Number Dot(const uint8_t* x, const uint8_t* y, int64_t count) {
  Number result;
  if constexpr (std::is_floating_point_v<X> || std::is_floating_point_v<Y>) {
    result.is_float = true;
    result.real = FloatDot<X, Y>(x, y, count);
  } else {
    result.integer = IntegerDot<X, Y>(x, y, count);
  }
  return result;
}

template <class X>
Number Sum(const uint8_t* x, int64_t count) {
  Number result;
  if constexpr (std::is_floating_point_v<X>) {
    const double one = 1;
    double sums[4] = {};
    int64_t i = 0;
    for (; i < count; ++i) {
      sums[i & 3] += static_cast<double>(LoadAt<X>(x + static_cast<size_t>(i) * sizeof(X))) * one;
    }
    result.is_float = true;
    result.real = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  } else {
    for (int64_t i = 0; i < count; ++i) {
      result.integer += LoadAt<X>(x + static_cast<size_t>(i) * sizeof(X));
    }
  }
  return result;
}

Outcome StoreNumber(Vm& vm, const Number& number, Args args, size_t i) WEFT_ALLOCATES {
  if (!number.is_float) return StoreInt128(vm, number.integer, args, i);
  args.set(i, MakeFloat(vm, number.real));
  return Outcome::kNext;
}

// A part of an operand that holds `count` numbers of a type.
struct Part {
  Bytes bytes;
  ElementType type = ElementType::kUint8;
  int64_t offset = 0;
  int64_t size = 0;  // bytes
  [[nodiscard]] uint8_t* data() const { return bytes.data + offset; }
  [[nodiscard]] bool lost() const { return IsLost(bytes, offset, size); }
};

// args[i..]: offset type bytes. kNext, or why not.
Outcome TakePart(Vm& vm, Args args, size_t i, int64_t count, Part* part) WEFT_ALLOCATES {
  if (!args.is_fixnum(i)) return BadType(vm, TypeId::kFixnum, args, i);
  if (!IsElementType(args, i + 1)) return vm.Throw(ErrorKind::kBadArgument, Get(args, i + 1));
  {
    const gc::NoAlloc scope;
    part->bytes = BytesAt(vm, args, i + 2);
  }
  if (!part->bytes.good) return BadBytes(vm, args, i + 2);
  part->type = static_cast<ElementType>(args.fixnum(i + 1));
  part->offset = args.fixnum(i);
  part->size = count * kElementBytes[args.fixnum(i + 1)];
  if (!Fits(part->offset, part->size, part->bytes.size)) return BadIndex(vm, args, i, i + 2);
  return Outcome::kNext;
}

// f and why: an errno, or a text.
Outcome NoRegion(Vm& vm, int error, const char* problem, Args args) WEFT_ALLOCATES {
  if (problem == nullptr) {
    args.set(1, Word::Fixnum(error));
  } else {
    args.set(1, MakeString(vm.heap(), problem));
  }
  args.set(0, gc::kFalse);
  return Outcome::kNext;
}

Outcome NewRegion(Word handle, Args args) {
  args.set(0, handle);
  args.set(1, gc::kFalse);
  return Outcome::kNext;
}

// The region of args[i]; null: none.
SharedRegion* RegionAt(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  const gc::NoAlloc scope;
  return SharedMemory::Of(vm).Find(args.get(i));
}

}  // namespace

// ( n -- shared/f problem/f )
Outcome PrimNewShared(Vm& vm, Args args) {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  Word handle = gc::kFalse;
  const int error = SharedMemory::Of(vm).Create(static_cast<size_t>(args.fixnum(0)), &handle);
  return error == 0 ? NewRegion(handle, args) : NoRegion(vm, error, nullptr, args);
}

namespace {

Outcome MapFileAt(Vm& vm, Args args, bool writable) WEFT_ALLOCATES {
  if (!Is(args, 0, TypeId::kString)) return BadType(vm, TypeId::kString, args, 0);
  std::string path;
  {
    const gc::NoAlloc scope;
    path = ToUtf8(args.get(0));
  }
  if (path.find('\0') != std::string::npos) return NoRegion(vm, ENOENT, nullptr, args);
  Word handle = gc::kFalse;
  const char* problem = nullptr;
  const int error = SharedMemory::Of(vm).MapFile(path, writable, &handle, &problem);
  return error == 0 ? NewRegion(handle, args) : NoRegion(vm, error, problem, args);
}

}  // namespace

// ( path -- shared/f problem/f )
Outcome PrimMapFile(Vm& vm, Args args) { return MapFileAt(vm, args, /*writable=*/false); }

// ( path -- shared/f problem/f ): what is written goes to the file
Outcome PrimMapFileForWriting(Vm& vm, Args args) { return MapFileAt(vm, args, /*writable=*/true); }

// ( fd file? -- shared/f problem/f )
Outcome PrimAdoptShared(Vm& vm, Args args) {
  if (!args.is_fixnum(0) || args.fixnum(0) < 0 || args.fixnum(0) > INT32_MAX) {
    return BadType(vm, TypeId::kFixnum, args, 0);
  }
  Word handle = gc::kFalse;
  const char* problem = nullptr;
  const int error = SharedMemory::Of(vm).Adopt(static_cast<int>(args.fixnum(0)), args.is_true(1),
                                               &handle, &problem);
  return error == 0 ? NewRegion(handle, args) : NoRegion(vm, error, problem, args);
}

// ( shared -- n )
Outcome PrimSharedSize(Vm& vm, Args args) {
  const SharedRegion* region = RegionAt(vm, args, 0);
  if (region == nullptr) return BadBytes(vm, args, 0);
  args.set(0, Word::Fixnum(static_cast<int64_t>(region->size())));
  return Outcome::kNext;
}

// ( shared -- array ): { fd size writable? file? lost? }
Outcome PrimSharedInfo(Vm& vm, Args args) {
  const SharedRegion* region = RegionAt(vm, args, 0);
  if (region == nullptr) return BadBytes(vm, args, 0);
  gc::RootVector items(vm.heap());
  items.push_back(Word::Fixnum(region->fd()));
  items.push_back(Word::Fixnum(static_cast<int64_t>(region->size())));
  items.push_back(Word::Bool(region->writable()));
  items.push_back(Word::Bool(region->is_file()));
  items.push_back(Word::Bool(region->LostBelow(region->size())));
  return ArrayOf(vm, items, args, 0);
}

// ( n shared -- byte )
Outcome PrimSharedNth(Vm& vm, Args args) {
  const SharedRegion* region = RegionAt(vm, args, 1);
  if (region == nullptr) return BadBytes(vm, args, 1);
  if (!args.is_fixnum(0) || !Fits(args.fixnum(0), 1, region->size())) {
    return BadIndex(vm, args, 0, 1);
  }
  const auto at = static_cast<size_t>(args.fixnum(0));
  const uint8_t byte = static_cast<volatile const uint8_t*>(region->data())[at];
  if (region->LostBelow(at + 1)) return ThrowShared(vm, kMappingLost);
  args.set(0, Word::Fixnum(byte));
  return Outcome::kNext;
}

// ( byte n shared -- )
Outcome PrimSetSharedNth(Vm& vm, Args args) {
  const SharedRegion* region = RegionAt(vm, args, 2);
  if (region == nullptr) return BadBytes(vm, args, 2);
  if (!args.is_fixnum(1) || !Fits(args.fixnum(1), 1, region->size())) {
    return BadIndex(vm, args, 1, 2);
  }
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (!region->writable()) return ThrowShared(vm, kReadOnly);
  const auto at = static_cast<size_t>(args.fixnum(1));
  static_cast<volatile uint8_t*>(region->data())[at] = static_cast<uint8_t>(args.fixnum(0));
  if (region->LostBelow(at + 1)) return ThrowShared(vm, kMappingLost);
  return Outcome::kNext;
}

// ( shared -- errno )
Outcome PrimFreezeShared(Vm& vm, Args args) {
  SharedRegion* region = RegionAt(vm, args, 0);
  if (region == nullptr) return BadBytes(vm, args, 0);
  int error = SharedMemory::Of(vm).Freeze(region);
  if (error == EBUSY && !region->pinned()) {
    // The other mapping may be one of our own whose handle is dead.
    vm.heap().CollectFull();
    error = SharedMemory::Of(vm).Freeze(region);
  }
  args.set(0, Word::Fixnum(error));
  return Outcome::kNext;
}

// ( shared -- pids )
Outcome PrimSharedWriters(Vm& vm, Args args) {
  const SharedRegion* region = RegionAt(vm, args, 0);
  if (region == nullptr) return BadBytes(vm, args, 0);
  gc::RootVector pids(vm.heap());
  for (const int pid : SharedMemory::Of(vm).WritersOf(region)) pids.push_back(Word::Fixnum(pid));
  return ArrayOf(vm, pids, args, 0);
}

// ( shared -- )
Outcome PrimDisposeShared(Vm& vm, Args args) {
  SharedRegion* region = RegionAt(vm, args, 0);
  if (region != nullptr) SharedMemory::Of(vm).Drop(region);
  return Outcome::kNext;
}

// ( -- n ): regions that are mapped
Outcome PrimSharedCount(Vm& vm, Args args) {
  args.set(0, Word::Fixnum(static_cast<int64_t>(SharedMemory::Of(vm).count())));
  return Outcome::kNext;
}

// ( offset type bytes -- x )
Outcome PrimTypedNth(Vm& vm, Args args) {
  Part part;
  const Outcome taken = TakePart(vm, args, 0, 1, &part);
  if (taken != Outcome::kNext) return taken;
  const uint8_t* at = part.data();
  if (part.type == ElementType::kUint64) {
    const auto value = LoadAt<uint64_t>(at);
    if (part.lost()) return ThrowShared(vm, kMappingLost);
    args.set(0, MakeUnsigned(vm, value));
    return Outcome::kNext;
  }
  bool is_float = false;
  double real = 0;
  int64_t integer = 0;
  WithType(part.type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      is_float = true;
      real = static_cast<double>(LoadAt<T>(at));
    } else {
      integer = static_cast<int64_t>(LoadAt<T>(at));
    }
  });
  if (part.lost()) return ThrowShared(vm, kMappingLost);
  args.set(0, is_float ? MakeFloat(vm, real) : MakeInteger(vm, integer));
  return Outcome::kNext;
}

// ( x offset type bytes -- ): integers are cut to the type's bits, as set-nth of byte arrays does
Outcome PrimSetTypedNth(Vm& vm, Args args) {
  Part part;
  const Outcome taken = TakePart(vm, args, 1, 1, &part);
  if (taken != Outcome::kNext) return taken;
  if (!part.bytes.writable) return ThrowShared(vm, kReadOnly);
  uint8_t* at = part.data();
  if (part.type == ElementType::kFloat32 || part.type == ElementType::kFloat64) {
    double value = 0;
    if (!ReadReal(args, 0, &value)) return BadType(vm, TypeId::kFloat, args, 0);
    if (part.type == ElementType::kFloat32) {
      StoreAt(at, static_cast<float>(value));
    } else {
      StoreAt(at, value);
    }
  } else {
    if (!IsIntegerAt(args, 0)) return BadType(vm, TypeId::kFixnum, args, 0);
    const gc::NoAlloc scope;
    const IntegerView n(args.get(0));
    const uint64_t low = mpz_size(n) == 0 ? 0 : mpz_getlimbn(n, 0);
    const uint64_t bits = mpz_sgn(n.get()) < 0 ? uint64_t{0} - low : low;
    std::memcpy(at, &bits, static_cast<size_t>(part.size));
  }
  return part.lost() ? ThrowShared(vm, kMappingLost) : Outcome::kNext;
}

// ( from count src to dst -- ): overlapping is fine
Outcome PrimCopyBytes(Vm& vm, Args args) {
  Bytes source;
  Bytes target;
  {
    const gc::NoAlloc scope;
    source = BytesAt(vm, args, 2);
    target = BytesAt(vm, args, 4);
  }
  if (!source.good) return BadBytes(vm, args, 2);
  if (!target.good) return BadBytes(vm, args, 4);
  if (!target.writable) return ThrowShared(vm, kReadOnly);
  if (!args.is_fixnum(0) || !args.is_fixnum(1) || args.fixnum(1) < 0) {
    return BadIndex(vm, args, args.is_fixnum(0) ? 1 : 0, 2);
  }
  const int64_t count = args.fixnum(1);
  if (!Fits(args.fixnum(0), count, source.size)) return BadIndex(vm, args, 0, 2);
  if (!args.is_fixnum(3) || !Fits(args.fixnum(3), count, target.size)) {
    return BadIndex(vm, args, 3, 4);
  }
  if (count == 0) return Outcome::kNext;
  std::memmove(target.data + args.fixnum(3), source.data + args.fixnum(0),
               static_cast<size_t>(count));
  if (IsLost(source, args.fixnum(0), count) || IsLost(target, args.fixnum(3), count)) {
    return ThrowShared(vm, kMappingLost);
  }
  return Charged(vm, static_cast<size_t>(count));
}

// ( byte from count bytes -- )
Outcome PrimFillBytes(Vm& vm, Args args) {
  Bytes bytes;
  {
    const gc::NoAlloc scope;
    bytes = BytesAt(vm, args, 3);
  }
  if (!bytes.good) return BadBytes(vm, args, 3);
  if (!bytes.writable) return ThrowShared(vm, kReadOnly);
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  if (!args.is_fixnum(1) || !args.is_fixnum(2) ||
      !Fits(args.fixnum(1), args.fixnum(2), bytes.size)) {
    return BadIndex(vm, args, 1, 3);
  }
  const int64_t count = args.fixnum(2);
  if (count == 0) return Outcome::kNext;
  std::memset(bytes.data + args.fixnum(1), static_cast<int>(args.fixnum(0) & 0xFF),
              static_cast<size_t>(count));
  if (IsLost(bytes, args.fixnum(1), count)) return ThrowShared(vm, kMappingLost);
  return Charged(vm, static_cast<size_t>(count));
}

// ( from1 bytes1 from2 bytes2 count -- ? )
Outcome PrimBytesEqual(Vm& vm, Args args) {
  Bytes first;
  Bytes second;
  {
    const gc::NoAlloc scope;
    first = BytesAt(vm, args, 1);
    second = BytesAt(vm, args, 3);
  }
  if (!first.good) return BadBytes(vm, args, 1);
  if (!second.good) return BadBytes(vm, args, 3);
  if (!args.is_fixnum(4) || !args.is_fixnum(0) ||
      !Fits(args.fixnum(0), args.fixnum(4), first.size)) {
    return BadIndex(vm, args, 0, 1);
  }
  if (!args.is_fixnum(2) || !Fits(args.fixnum(2), args.fixnum(4), second.size)) {
    return BadIndex(vm, args, 2, 3);
  }
  const int64_t count = args.fixnum(4);
  const bool equal =
      count == 0 || std::memcmp(first.data + args.fixnum(0), second.data + args.fixnum(2),
                                static_cast<size_t>(count)) == 0;
  if (IsLost(first, args.fixnum(0), count) || IsLost(second, args.fixnum(2), count)) {
    return ThrowShared(vm, kMappingLost);
  }
  args.set(0, Word::Bool(equal));
  return Charged(vm, static_cast<size_t>(count));
}

// ( offset1 type1 bytes1 offset2 type2 bytes2 count -- x )
Outcome PrimDotProduct(Vm& vm, Args args) {
  if (!IsSize(args, 6)) return BadSize(vm, args, 6);
  const int64_t count = args.fixnum(6);
  Part x;
  Part y;
  Outcome taken = TakePart(vm, args, 0, count, &x);
  if (taken == Outcome::kNext) taken = TakePart(vm, args, 3, count, &y);
  if (taken != Outcome::kNext) return taken;
  const auto wide = [](ElementType type) {
    return type == ElementType::kInt64 || type == ElementType::kUint64;
  };
  // Sums of such products do not fit 128 bits; the language adds them up.
  if (wide(x.type) || wide(y.type)) return vm.Throw(ErrorKind::kBadArgument, Get(args, 1));
  const Number result = WithType(x.type, [&](auto one) {
    return WithType(y.type, [&](auto other) {
      return Dot<decltype(one), decltype(other)>(x.data(), y.data(), count);
    });
  });
  if (x.lost() || y.lost()) return ThrowShared(vm, kMappingLost);
  const Outcome stored = StoreNumber(vm, result, args, 0);
  return stored == Outcome::kNext ? Charged(vm, static_cast<size_t>(x.size + y.size)) : stored;
}

// ( offset type bytes count -- x )
Outcome PrimSumElements(Vm& vm, Args args) {
  if (!IsSize(args, 3)) return BadSize(vm, args, 3);
  const int64_t count = args.fixnum(3);
  Part part;
  const Outcome taken = TakePart(vm, args, 0, count, &part);
  if (taken != Outcome::kNext) return taken;
  const Number result =
      WithType(part.type, [&](auto zero) { return Sum<decltype(zero)>(part.data(), count); });
  if (part.lost()) return ThrowShared(vm, kMappingLost);
  const Outcome stored = StoreNumber(vm, result, args, 0);
  return stored == Outcome::kNext ? Charged(vm, static_cast<size_t>(part.size)) : stored;
}

// ( errno -- name/f message )
Outcome PrimErrnoText(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  const auto error = static_cast<int>(args.fixnum(0));
  const char* name = strerrorname_np(error);
  args.set(0, name == nullptr ? gc::kFalse : MakeString(vm.heap(), name));
  args.set(1, MakeString(vm.heap(), std::strerror(error)));
  return Outcome::kNext;
}

// ( -- n ): processors this process may use
Outcome PrimProcessorCount(Vm&, Args args) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  args.set(0, Word::Fixnum(count > 0 ? count : 1));
  return Outcome::kNext;
}

}  // namespace weft
