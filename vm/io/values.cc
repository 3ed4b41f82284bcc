#include "vm/io/values.h"

#include <cstring>

#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft::io {
namespace {

// The layout of a class; null if it is not known, or has not so many slots.
const Layout* LayoutOf(Vm& vm, IoClass io_class, size_t slots) WEFT_NO_ALLOC {
  const Word layouts = vm.special(Special::kIoLayouts);
  const auto index = static_cast<int64_t>(io_class);
  if (!IsType(layouts, TypeId::kArray) || As<Array>(layouts)->size() <= index) return nullptr;
  const Word word = As<Array>(layouts)->elements[index];
  if (!IsType(word, TypeId::kLayout)) return nullptr;
  const auto* layout = As<Layout>(word);
  return layout->slot_count.AsFixnum() >= static_cast<int64_t>(slots) ? layout : nullptr;
}

// The name of an errno; null for a number that has none.
const char* NameOfErrno(int error) { return strerrorname_np(error); }

}  // namespace

uint32_t ShapeOfClass(Vm& vm, IoClass io_class) {
  const Layout* layout = LayoutOf(vm, io_class, 0);
  return layout == nullptr ? 0 : static_cast<uint32_t>(layout->shape.AsFixnum());
}

Word MakeBytes(Vm& vm, const void* bytes, size_t size, bool* ok) {
  *ok = HasRoom(vm, size + sizeof(ByteArray));
  if (!*ok) return gc::kFalse;
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + size);
  const gc::NoAlloc scope;
  As<ByteArray>(word)->length = Word::Fixnum(static_cast<int64_t>(size));
  std::memcpy(As<ByteArray>(word)->bytes, bytes, size);
  return word;
}

Word MakeArray(Vm& vm, const gc::RootVector& words) {
  const size_t bytes = sizeof(Array) + words.size() * sizeof(Word);
  if (bytes >= gc::kLargeBytes) (void)vm.heap().Reserve(bytes);
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(static_cast<int64_t>(words.size()));
  for (size_t i = 0; i < words.size(); ++i) {
    vm.heap().Write(array, &array->elements[i], words.get(i));
  }
  return word;
}

Word MakeStrings(Vm& vm, const std::vector<std::string>& texts) {
  gc::RootVector words(vm.heap());
  for (const std::string& text : texts) words.push_back(MakeString(vm.heap(), text));
  return MakeArray(vm, words);
}

Word MakeTuple(Vm& vm, IoClass io_class, const gc::RootVector& slots) {
  uint32_t shape;
  size_t count;
  {
    const gc::NoAlloc scope;
    const Layout* layout = LayoutOf(vm, io_class, slots.size());
    if (layout == nullptr) return gc::kFalse;
    shape = static_cast<uint32_t>(layout->shape.AsFixnum());
    count = static_cast<size_t>(layout->slot_count.AsFixnum());
  }
  const Word word = vm.heap().Allocate(shape, sizeof(Object) + count * sizeof(Word));
  const gc::NoAlloc scope;
  Object* tuple = gc::ObjectAt(word);
  Word* fields = reinterpret_cast<Word*>(tuple + 1);
  for (size_t i = 0; i < count; ++i) {
    vm.heap().Write(tuple, &fields[i], i < slots.size() ? slots.get(i) : gc::kFalse);
  }
  return word;
}

Word MakeSystemError(Vm& vm, int error, absl::string_view operation, const gc::Root& subject,
                     int64_t count) {
  const char* name = NameOfErrno(error);
  gc::RootVector slots(vm.heap());
  slots.push_back(Word::Fixnum(error));
  slots.push_back(MakeString(vm.heap(), name == nullptr ? "unknown" : name));
  slots.push_back(MakeString(vm.heap(), std::strerror(error)));
  slots.push_back(MakeString(vm.heap(), operation));
  {
    const gc::NoAlloc scope;
    slots.push_back(subject.get());
  }
  slots.push_back(count < 0 ? gc::kFalse : Word::Fixnum(count));
  const Word tuple = MakeTuple(vm, IoClass::kSystemError, slots);
  if (tuple.IsPointer()) return tuple;
  std::string text;
  {
    const gc::NoAlloc scope;
    if (IsType(subject.get(), TypeId::kString)) text = ToUtf8(subject.get()) + ": ";
  }
  const gc::Root message(vm.heap(), MakeString(vm.heap(), text + std::strerror(error)));
  Word message_word;
  {
    const gc::NoAlloc scope;
    message_word = message.get();
  }
  (void)vm.Throw(ErrorKind::kIo, Word::Fixnum(error), message_word);
  const gc::NoAlloc scope;
  return vm.pending_error.get();
}

Word MakeOutOfMemory(Vm& vm, size_t bytes) {
  (void)vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
  const gc::NoAlloc scope;
  return vm.pending_error.get();
}

Word MakeError(Vm& vm, IoClass io_class, const gc::Root& slot) {
  gc::RootVector slots(vm.heap());
  {
    const gc::NoAlloc scope;
    slots.push_back(slot.get());
  }
  const Word tuple = MakeTuple(vm, io_class, slots);
  if (tuple.IsPointer()) return tuple;
  return MakeSystemError(vm, EBADF, "fd", slot);
}

Outcome ThrowSystemError(Vm& vm, int error, absl::string_view operation, const gc::Root& subject) {
  vm.pending_error.set(MakeSystemError(vm, error, operation, subject));
  return Outcome::kThrow;
}

Outcome ThrowSystemError(Vm& vm, int error, absl::string_view operation,
                         absl::string_view subject) {
  const gc::Root text(vm.heap(), MakeString(vm.heap(), subject));
  return ThrowSystemError(vm, error, operation, text);
}

}  // namespace weft::io
