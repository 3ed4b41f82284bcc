// What the tests of gc/ share: a few shapes and short ways to make objects of them.
#ifndef WEFT_TESTS_GC_GC_TESTING_H_
#define WEFT_TESTS_GC_GC_TESTING_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "gc/handle.h"
#include "gc/heap.h"
#include "gtest/gtest.h"

namespace weft::gc {

enum TestShape : uint32_t { kPairShape = 1, kArrayShape, kBytesShape, kWeakShape, kHookShape };

inline void RegisterTestShapes(Heap& heap) {
  LayoutDescriptor pair;
  pair.rule = SizeRule::kFixed;
  pair.fixed_words = pair.traced_words = 2;
  heap.RegisterLayout(kPairShape, pair);
  LayoutDescriptor array;
  array.rule = SizeRule::kWords;
  array.traced_words = kAllWords;
  heap.RegisterLayout(kArrayShape, array);
  LayoutDescriptor bytes;
  bytes.rule = SizeRule::kBytes;
  heap.RegisterLayout(kBytesShape, bytes);
  LayoutDescriptor weak;
  weak.rule = SizeRule::kFixed;
  weak.fixed_words = 1;
  weak.weak = true;
  heap.RegisterLayout(kWeakShape, weak);
  // { traced, raw address inside another object, raw address of a cell }
  LayoutDescriptor hook;
  hook.rule = SizeRule::kCode;
  hook.size = [](const Object*) { return size_t{32}; };
  hook.trace = [](Object* object, SlotVisitor& visitor) {
    visitor.Visit(object->field(0));
    uint64_t interior = object->field(1)->bits;
    if (interior != 0) visitor.VisitInterior(interior);
  };
  heap.RegisterLayout(kHookShape, hook);
}

inline std::unique_ptr<Heap> MakeHeap(const HeapOptions& options = HeapOptions()) {
  absl::StatusOr<std::unique_ptr<Heap>> heap = Heap::Create(options);
  EXPECT_TRUE(heap.ok()) << heap.status();
  RegisterTestShapes(**heap);
  return *std::move(heap);
}

inline Word Field(Word object, size_t n) { return *ObjectAt(object)->field(n); }
inline void SetField(Heap& heap, Word object, size_t n, Word value) {
  Object* o = ObjectAt(object);
  heap.Write(o, o->field(n), value);
}

inline Word NewPair(Heap& heap, const Root& first, const Root& second) {
  Word pair = heap.Allocate(kPairShape, 24);
  *ObjectAt(pair)->field(0) = first.get();
  *ObjectAt(pair)->field(1) = second.get();
  return pair;
}
// Elements are fixnum 0.
inline Word NewArray(Heap& heap, size_t length) {
  Word array = heap.Allocate(kArrayShape, 16 + length * 8);
  *ObjectAt(array)->field(0) = Word::Fixnum(static_cast<int64_t>(length));
  return array;
}
inline Word NewBytes(Heap& heap, size_t length) {
  Word bytes = heap.Allocate(kBytesShape, 16 + length);
  *ObjectAt(bytes)->field(0) = Word::Fixnum(static_cast<int64_t>(length));
  return bytes;
}
inline Word NewWeak(Heap& heap, const Root& target) {
  Word weak = heap.Allocate(kWeakShape, 16);
  *ObjectAt(weak)->field(0) = target.get();
  return weak;
}

}  // namespace weft::gc

#endif  // WEFT_TESTS_GC_GC_TESTING_H_
