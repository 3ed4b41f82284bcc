// Primitives of curried and composed callables, and of growable sequences: tuples whose first two
// slots are `underlying` (an array, byte array or string) and `length`. Each changes such a
// sequence in one step, so that no slice of a green thread can end half-way. They answer f and do
// nothing if the object is not of this form or the element does not fit; the library's general code
// then does the work or throws.
#include <sys/random.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "gc/check.h"
#include "gc/handle.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

// Beyond this a length cannot be meant (and capacities could overflow).
constexpr int64_t kMaxLength = int64_t{1} << 40;

struct Growable {
  gc::Object* tuple = nullptr;
  gc::Object* underlying = nullptr;
  TypeId kind = TypeId::kInvalid;
  int64_t length = 0;
  int64_t capacity = 0;
};

// False if the word cannot be `underlying`.
bool ReadUnderlying(Word underlying, Growable* out) WEFT_NO_ALLOC {
  if (!underlying.IsPointer()) return false;
  out->underlying = gc::ObjectAt(underlying);
  if (IsType(underlying, TypeId::kArray)) {
    out->kind = TypeId::kArray;
    out->capacity = As<Array>(underlying)->size();
  } else if (IsType(underlying, TypeId::kByteArray)) {
    out->kind = TypeId::kByteArray;
    out->capacity = As<ByteArray>(underlying)->size();
  } else if (IsType(underlying, TypeId::kString)) {
    out->kind = TypeId::kString;
    out->capacity = As<String>(underlying)->size();
  } else {
    return false;
  }
  return true;
}

// False if the word is not a tuple of this form (a program can store anything into slots).
bool Read(Vm& vm, Word word, Growable* out) WEFT_NO_ALLOC {
  if (!IsTuple(word)) return false;
  out->tuple = gc::ObjectAt(word);
  const auto* layout = As<Layout>(vm.layouts().get(out->tuple->shape() - gc::kFirstTupleShape));
  if (layout->slot_count.AsFixnum() < 2) return false;
  const Word length = *out->tuple->field(1);
  if (!length.IsFixnum() || !ReadUnderlying(*out->tuple->field(0), out)) return false;
  out->length = length.AsFixnum();
  return out->length >= 0 && out->length <= out->capacity;
}

// The same of an array, byte array or string itself, which is full.
bool ReadSource(Vm& vm, Word word, Growable* out) WEFT_NO_ALLOC {
  if (!ReadUnderlying(word, out)) return Read(vm, word, out);
  out->length = out->capacity;
  return true;
}

bool Fits(TypeId kind, Word element) {
  if (kind == TypeId::kArray) return true;
  if (!element.IsFixnum()) return false;
  return kind == TypeId::kByteArray ||
         (element.AsFixnum() >= 0 && element.AsFixnum() <= int64_t{kMaxCodePoint});
}

String::Width WidthOf(const Growable& seq) WEFT_NO_ALLOC {
  return StringView(static_cast<const String*>(seq.underlying)).width();
}

size_t BytesFor(TypeId kind, int64_t capacity, String::Width width) {
  if (kind == TypeId::kString) return StringBytes(capacity, width);
  const size_t unit = kind == TypeId::kArray ? sizeof(Word) : 1;
  return sizeof(Array) + ((static_cast<size_t>(capacity) * unit + 7) & ~size_t{7});
}

// Puts the elements of `from` at `at`... of an object of the same kind with room for them. Safe for
// the source itself, as it is never moved over its own elements.
void CopyElements(Vm& vm, const Growable& from, gc::Object* to, int64_t at) WEFT_NO_ALLOC {
  if (from.kind == TypeId::kArray) {
    const auto* source = static_cast<const Array*>(from.underlying);
    auto* target = static_cast<Array*>(to);
    for (int64_t i = 0; i < from.length; ++i) {
      vm.heap().Write(target, &target->elements[at + i], source->elements[i]);
    }
  } else if (from.kind == TypeId::kByteArray) {
    std::memcpy(static_cast<ByteArray*>(to)->bytes + at,
                static_cast<const ByteArray*>(from.underlying)->bytes,
                static_cast<size_t>(from.length));
  } else {
    const StringView source(static_cast<const String*>(from.underlying));
    auto* target = static_cast<String*>(to);
    if (source.width() == String::kOne && target->width() == String::kOne) {
      std::memcpy(target->data + at, source.data(), static_cast<size_t>(from.length));
      target->hash = gc::kFalse;
    } else {
      for (int64_t i = 0; i < from.length; ++i) StoreCodePoint(target, at + i, source.at(i));
    }
  }
}

// Gives the sequence at window slot `at` a new underlying object. The bytes are reserved.
void Grow(Vm& vm, Args args, size_t at, TypeId kind, int64_t capacity, size_t bytes,
          String::Width width) WEFT_NO_ANALYSIS {
  const Word word = kind == TypeId::kString ? NewString(vm.heap(), capacity, width)
                                            : vm.heap().Allocate(ShapeOf(kind), bytes);
  const gc::NoAlloc scope;
  Growable old;
  Read(vm, args.get(at), &old);
  if (kind == TypeId::kArray) {
    As<Array>(word)->length = Word::Fixnum(capacity);
  } else if (kind == TypeId::kByteArray) {
    As<ByteArray>(word)->length = Word::Fixnum(capacity);
  }
  CopyElements(vm, old, gc::ObjectAt(word), 0);
  vm.heap().Write(old.tuple, old.tuple->field(0), word);
}

// seq[n] := element, growing as needed; n < 0 stands for the length. Results: t or f in slot 0.
Outcome Store(Vm& vm, Args args, size_t element_at, size_t seq_at, int64_t n) WEFT_NO_ANALYSIS {
  Growable seq;
  if (n >= kMaxLength || !Read(vm, args.get(seq_at), &seq) ||
      !Fits(seq.kind, args.get(element_at))) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  const TypeId kind = seq.kind;
  if (n < 0) n = seq.length;
  String::Width width = String::kOne;
  bool must_grow = n >= seq.capacity;
  if (kind == TypeId::kString) {
    width = WidthOf(seq);
    const auto code_point = static_cast<uint32_t>(args.fixnum(element_at));
    if (WidthFor(code_point) > width) {
      width = WidthFor(code_point);
      must_grow = true;
    }
  }
  if (must_grow) {
    const int64_t capacity = n >= seq.capacity ? (n + 1) * 2 : seq.capacity;
    const size_t bytes = BytesFor(kind, capacity, width);
    if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
      return vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
    }
    Grow(vm, args, seq_at, kind, capacity, bytes, width);
    Read(vm, args.get(seq_at), &seq);
  }
  const Word element = args.get(element_at);
  if (kind == TypeId::kArray) {
    auto* array = static_cast<Array*>(seq.underlying);
    vm.heap().Write(array, &array->elements[n], element);
  } else if (kind == TypeId::kByteArray) {
    static_cast<ByteArray*>(seq.underlying)->bytes[n] = static_cast<uint8_t>(element.AsFixnum());
  } else {
    StoreCodePoint(static_cast<String*>(seq.underlying), n,
                   static_cast<uint32_t>(element.AsFixnum()));
  }
  if (n >= seq.length) {
    vm.heap().Write(seq.tuple, seq.tuple->field(1), Word::Fixnum(n + 1));
  }
  args.set(0, gc::kTrue);
  return Outcome::kNext;
}

}  // namespace

// A tuple of two slots from the two operands.
Outcome MakePair(Vm& vm, Args args, Special layout) WEFT_NO_ANALYSIS {
  const Word described = vm.special(layout);
  WEFT_CHECK(described.IsPointer());
  const auto shape = static_cast<uint32_t>(As<Layout>(described)->shape.AsFixnum());
  const Word pair = vm.heap().Allocate(shape, sizeof(gc::Object) + 2 * sizeof(Word));
  gc::Object* object = gc::ObjectAt(pair);
  vm.heap().Write(object, object->field(0), args.get(0));
  vm.heap().Write(object, object->field(1), args.get(1));
  args.set(0, pair);
  return Outcome::kNext;
}

Outcome PrimCurry(Vm& vm, Args args) { return MakePair(vm, args, Special::kCurriedLayout); }

Outcome PrimCompose(Vm& vm, Args args) { return MakePair(vm, args, Special::kComposedLayout); }

// What the compiler answers itself where it knows the callable; here nobody does.
Outcome PrimKnownEffect(Vm& vm, Args args) {
  (void)vm;
  args.set(1, gc::kFalse);
  args.set(2, gc::kFalse);
  return Outcome::kNext;
}

Outcome PrimGrowablePush(Vm& vm, Args args) { return Store(vm, args, 0, 1, -1); }

// ( src dst -- ? )
Outcome PrimGrowableAppend(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  Growable from;
  Growable to;
  if (!ReadSource(vm, args.get(0), &from) || !Read(vm, args.get(1), &to) || from.kind != to.kind ||
      from.length >= kMaxLength) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  const int64_t length = to.length + from.length;
  String::Width width = String::kOne;
  bool must_grow = length > to.capacity;
  if (to.kind == TypeId::kString) {
    width = std::max(WidthOf(from), WidthOf(to));
    must_grow = must_grow || width > WidthOf(to);
  }
  if (must_grow) {
    const int64_t capacity = length > to.capacity ? (length + 1) * 2 : to.capacity;
    const size_t bytes = BytesFor(to.kind, capacity, width);
    if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
      return vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
    }
    Grow(vm, args, 1, to.kind, capacity, bytes, width);
    ReadSource(vm, args.get(0), &from);
    Read(vm, args.get(1), &to);
  }
  CopyElements(vm, from, to.underlying, to.length);
  vm.heap().Write(to.tuple, to.tuple->field(1), Word::Fixnum(length));
  args.set(0, gc::kTrue);
  return Outcome::kNext;
}

Outcome PrimGrowableSetNth(Vm& vm, Args args) {
  if (!args.is_fixnum(1) || args.fixnum(1) < 0) {
    args.set(0, gc::kFalse);
    return Outcome::kNext;
  }
  return Store(vm, args, 0, 2, args.fixnum(1));
}

Outcome PrimGrowablePop(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  Growable seq;
  if (!Read(vm, args.get(0), &seq) || seq.length == 0) {
    args.set(0, gc::kFalse);
    args.set(1, gc::kFalse);
    return Outcome::kNext;
  }
  const int64_t n = seq.length - 1;
  Word element;
  if (seq.kind == TypeId::kArray) {
    auto* array = static_cast<Array*>(seq.underlying);
    element = array->elements[n];
    // What was popped must not be kept alive from here.
    vm.heap().Write(array, &array->elements[n], Word::Fixnum(0));
  } else if (seq.kind == TypeId::kByteArray) {
    element = Word::Fixnum(static_cast<const ByteArray*>(seq.underlying)->bytes[n]);
  } else {
    element = Word::Fixnum(StringAt(static_cast<const String*>(seq.underlying), n));
  }
  vm.heap().Write(seq.tuple, seq.tuple->field(1), Word::Fixnum(n));
  args.set(0, element);
  args.set(1, gc::kTrue);
  return Outcome::kNext;
}

Outcome PrimSystemRandomBytes(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  constexpr int64_t kMost = int64_t{1} << 30;
  if (!args.is_fixnum(0)) return vm.ThrowType(TypeId::kFixnum, args.get(0));
  const int64_t count = args.fixnum(0);
  if (count < 0 || count > kMost) return vm.Throw(ErrorKind::kArraySize, args.get(0));
  const size_t bytes = BytesFor(TypeId::kByteArray, count, String::kOne);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
    return vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
  }
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), bytes);
  auto* array = As<ByteArray>(word);
  array->length = Word::Fixnum(count);
  args.set(0, word);
  for (int64_t done = 0; done < count;) {
    const ssize_t got = getrandom(array->bytes + done, static_cast<size_t>(count - done), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return vm.Throw(ErrorKind::kIo, Word::Fixnum(errno));
    }
    done += got;
  }
  return Outcome::kNext;
}

}  // namespace weft
