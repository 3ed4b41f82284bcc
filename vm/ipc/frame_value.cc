#include "vm/ipc/frame_value.h"

#include <unistd.h>

#include <cstring>

#include "gc/handle.h"
#include "vm/vm.h"

namespace weft::ipc {

Word MakeFrameValue(Vm& vm, const Frame& frame) {
  const size_t size = frame.bytes.size();
  const size_t total = sizeof(ByteArray) + size;
  const bool fits = total < gc::kLargeBytes || vm.heap().Reserve(total);
  gc::Root bytes(vm.heap(), Word::Fixnum(static_cast<int64_t>(size)));
  if (fits) {
    const Word word = vm.heap().Allocate(ShapeOf(TypeId::kByteArray), total);
    const gc::NoAlloc scope;
    As<ByteArray>(word)->length = Word::Fixnum(static_cast<int64_t>(size));
    std::memcpy(As<ByteArray>(word)->bytes, frame.bytes.data(), size);
    bytes.set(word);
  } else {
    for (const int fd : frame.descriptors) close(fd);
  }
  const size_t count = fits ? frame.descriptors.size() : 0;
  gc::Root descriptors(vm.heap());
  {
    const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + count * 8);
    const gc::NoAlloc scope;
    As<Array>(word)->length = Word::Fixnum(static_cast<int64_t>(count));
    for (size_t i = 0; i < count; ++i) {
      As<Array>(word)->elements[i] = Word::Fixnum(frame.descriptors[i]);
    }
    descriptors.set(word);
  }
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + 3 * 8);
  const gc::NoAlloc scope;
  auto* array = As<Array>(word);
  array->length = Word::Fixnum(3);
  array->elements[0] = Word::Fixnum(static_cast<int64_t>(frame.kind));
  array->elements[1] = bytes.get();
  array->elements[2] = descriptors.get();
  return word;
}

}  // namespace weft::ipc
