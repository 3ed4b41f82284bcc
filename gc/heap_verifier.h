// HeapVerifier: proves the heap's invariants by walking it, and says in a sentence what is broken.
//
//   - every reference, from roots and objects, points to the start of an object whose header is
//   sane
//     (a registered shape, not forwarded) and which fits its cell, pages or the nursery;
//   - every reference into the nursery from outside lies on a card with kYoung;
//   - every reference from the image to another space lies on a card with kWritten;
//   - while a cycle marks, what a traced object refers to is marked, unless the slot was stored to
//     since the last minor collection (it lies on a card with kYoung). The same holds for the part
//     of the image that marking has seen.
// Reads only. Costs a walk of everything: --verify-heap, tests.
#ifndef WEFT_GC_HEAP_VERIFIER_H_
#define WEFT_GC_HEAP_VERIFIER_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "gc/heap.h"
#include "gc/spaces.h"

namespace weft::gc {

class HeapVerifier final : public SlotVisitor {
 public:
  explicit HeapVerifier(const Heap& heap) : heap_(heap), spaces_(*heap.spaces_) {}
  absl::Status Run() WEFT_NO_ANALYSIS;
  // At the end of marking: everything that roots and marked objects refer to is marked.
  absl::Status RunMarked() WEFT_NO_ANALYSIS;

  void Visit(Word* slot) override WEFT_NO_ANALYSIS;
  void VisitInterior(uint64_t address) override;

 private:
  class MarkChecker;
  void Fail(const std::string& what);
  void CheckReference(const Word* slot, uint64_t address) WEFT_NO_ANALYSIS;
  void CheckObject(Object* object) WEFT_NO_ANALYSIS;
  void VerifyImageWalk() WEFT_NO_ANALYSIS;
  void VerifyMarks() WEFT_NO_ANALYSIS;
  std::string Where(const Word* slot) const;

  const Heap& heap_;
  const Heap::Spaces& spaces_;
  std::string failure_;
  const char* section_ = nullptr;        // the root section being visited; null in objects
  Object* holder_ = nullptr;             // the object being visited
  absl::flat_hash_set<uint64_t> young_;  // objects of the nursery met so far
  std::vector<Object*> pending_;         // those not visited yet
};

}  // namespace weft::gc

#endif  // WEFT_GC_HEAP_VERIFIER_H_
