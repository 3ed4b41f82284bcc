#include "gc/heap_verifier.h"

#include <string>

#include "tests/gc/gc_testing.h"

namespace weft::gc {
namespace {

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() : heap_(MakeHeap()) {}

  void ExpectViolation(const std::string& part) {
    absl::Status status = heap_->Verify();
    ASSERT_FALSE(status.ok());
    EXPECT_NE(std::string(status.message()).find(part), std::string::npos) << status;
  }
  Word OldPair() {
    Root pair(*heap_, heap_->Allocate(kPairShape, 24));
    heap_->CollectMinor();
    return pair.get();
  }

  std::unique_ptr<Heap> heap_;
};

TEST_F(VerifierTest, ASoundHeapPasses) {
  Root pair(*heap_, OldPair());
  SetField(*heap_, pair.get(), 0, NewBytes(*heap_, 3));
  EXPECT_TRUE(heap_->Verify().ok()) << heap_->Verify();
}

TEST_F(VerifierTest, AForgottenBarrier) {
  Root pair(*heap_, OldPair());
  Word bytes = NewBytes(*heap_, 3);
  *ObjectAt(pair.get())->field(1) = bytes;
  ExpectViolation("clean card");
  heap_->cards().Mark(ObjectAt(pair.get())->field(1));
  EXPECT_TRUE(heap_->Verify().ok());
}

TEST_F(VerifierTest, AForgottenBarrierOfAWeakReference) {
  Root weak(*heap_, heap_->AllocatePinned(kWeakShape, 16));
  *ObjectAt(weak.get())->field(0) = kFalse;
  heap_->CollectMinor();
  *ObjectAt(weak.get())->field(0) = NewBytes(*heap_, 3);
  ExpectViolation("clean card");
  *ObjectAt(weak.get())->field(0) = kFalse;
}

TEST_F(VerifierTest, AReferenceIntoTheMiddleOfAnObject) {
  Root pair(*heap_, OldPair());
  Root bytes(*heap_, NewBytes(*heap_, 100));
  heap_->CollectMinor();
  *ObjectAt(pair.get())->field(0) = Word{bytes.get().bits + 8};
  ExpectViolation("where no object starts");
  *ObjectAt(pair.get())->field(0) = Word{bytes.get().bits + 6 + 1};
}

TEST_F(VerifierTest, AReferenceToFreedMemory) {
  Root pair(*heap_, OldPair());
  Word dead = OldPair();
  heap_->CollectFull();
  *ObjectAt(pair.get())->field(0) = dead;
  ExpectViolation("where no object starts");
}

TEST_F(VerifierTest, AReferenceOutOfTheHeap) {
  Root pair(*heap_, OldPair());
  alignas(8) static uint64_t outside[2] = {};
  *ObjectAt(pair.get())->field(0) = Word::Pointer(outside);
  ExpectViolation("where no object starts");
}

TEST_F(VerifierTest, ARootIntoTheUnusedNursery) {
  Root root(*heap_, NewBytes(*heap_, 3));
  Word stale = root.get();
  heap_->CollectMinor();
  root.set(stale);
  ExpectViolation("a root of section \"handles\" refers to");
  root.set(kFalse);
}

TEST_F(VerifierTest, AnUnknownShape) {
  Root pair(*heap_, OldPair());
  ObjectAt(pair.get())->header = Object::HeaderFor(4000);
  ExpectViolation("unknown shape 4000");
  ObjectAt(pair.get())->header = Object::HeaderFor(kPairShape);
}

TEST_F(VerifierTest, ABrokenHeaderInTheNursery) {
  Root root(*heap_, NewBytes(*heap_, 3));
  ObjectAt(root.get())->header = 5;
  ExpectViolation("header");
  ObjectAt(root.get())->header = Object::HeaderFor(kBytesShape);
  Root pair(*heap_, NewPair(*heap_, root, root));
  *ObjectAt(root.get())->field(0) = Word::Fixnum(1 << 22);
  ExpectViolation("length word");
  *ObjectAt(root.get())->field(0) = Word::Fixnum(3);
  *ObjectAt(pair.get())->field(0) = Word{root.get().bits + 8};
  ExpectViolation("which is none");
}

TEST_F(VerifierTest, ALengthThatDoesNotFit) {
  Root array(*heap_, NewArray(*heap_, 3));
  heap_->CollectMinor();
  *ObjectAt(array.get())->field(0) = Word::Fixnum(30);
  ExpectViolation("bytes where only");
  *ObjectAt(array.get())->field(0) = Word::Fixnum(-1);
  ExpectViolation("length word");
  *ObjectAt(array.get())->field(0) = kTrue;
  ExpectViolation("length word");
  *ObjectAt(array.get())->field(0) = Word::Fixnum(3);
  EXPECT_TRUE(heap_->Verify().ok());
}

TEST_F(VerifierTest, ALargeObjectThatOutgrewItsPages) {
  Root array(*heap_, NewArray(*heap_, 3000));
  *ObjectAt(array.get())->field(0) = Word::Fixnum(4000);
  ExpectViolation("bytes where only");
  *ObjectAt(array.get())->field(0) = Word::Fixnum(3000);
}

using VerifierDeathTest = VerifierTest;

TEST_F(VerifierDeathTest, TheOptionVerifiesAroundCollections) {
  heap_.reset();
  EXPECT_DEATH(
      {
        HeapOptions options;
        options.verify = true;
        auto heap = MakeHeap(options);
        Root pair(*heap, heap->AllocatePinned(kPairShape, 24));
        heap->CollectMinor();
        *ObjectAt(pair.get())->field(0) = NewBytes(*heap, 1);
        heap->CollectMinor();
      },
      "heap verifier, before a minor collection: word 1 of the object");
}

}  // namespace
}  // namespace weft::gc
