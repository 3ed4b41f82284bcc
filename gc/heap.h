// The heap: allocation, collection, limits, statistics. (The essay on the collector stands in
// gc/minor_gc.cc and docs/gc.md.)
//
// Units: sizes in bytes. Ownership: one heap per VM, touched by the VM thread only.
// Errors: small allocations never fail; when the limit is passed, `limit_exceeded()` becomes true
// and the interpreter throws out-of-memory at the next safepoint, while allocation goes on in the
// reserve. A request of kLargeBytes or more must be announced with Reserve(), which may refuse it.
#ifndef WEFT_GC_HEAP_H_
#define WEFT_GC_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gc/card_table.h"
#include "gc/layout.h"
#include "gc/object.h"
#include "gc/pauses.h"
#include "gc/roots.h"

namespace weft::gc {

// Address space, fixed so that an image needs no relocation.
inline constexpr uint64_t kImageBase =
    0x2000'0000'0000;  // objects of the image, mapped from its file
inline constexpr uint64_t kImageSpan = uint64_t{1} << 30;
inline constexpr uint64_t kCellBase =
    kImageBase + kImageSpan;  // word cells, inline caches: not objects
inline constexpr uint64_t kCellSpan = uint64_t{1} << 30;
inline constexpr uint64_t kHeapBase =
    kCellBase + kCellSpan;  // nursery, mature blocks, large objects

inline constexpr size_t kLargeBytes = 8192;  // from here on: large-object space, never moved

struct HeapOptions {
  size_t heap_limit_bytes = 0;  // 0: three quarters of the machine's memory
  size_t nursery_bytes = 1 << 20;
  size_t mark_stack_entries = size_t{8} << 20;  // beyond, marking rescans the heap
  bool incremental = true;   // mature cycles in steps; else each in one pause (--gc-stop)
  bool verify = false;       // --verify-heap: HeapVerifier around every collection
  bool trace = false;        // --trace-gc: one line per collection on stderr
  uint32_t stress_rate = 0;  // --gc-stress: minor at 1 of RATE allocations (1: each),
  uint64_t stress_seed = 0;  //   full at every 1000th of those, drawn from the seed
};

struct HeapStatistics {
  uint64_t minor_collections = 0, full_collections = 0;
  uint64_t allocated_bytes = 0, promoted_bytes = 0;
  uint64_t live_bytes_after_full = 0;
  // Slots that the last collection looked at, by section of roots.
  uint64_t root_slots[kRootSections] = {};
  uint64_t minor_ns_total = 0, minor_ns_max = 0, full_ns_total = 0, full_ns_max = 0;
  uint64_t stopped_collections = 0;  // of the full ones: those that were done in one pause
  // Each pause counts once: a minor collection that a full one or the end of marking follows at
  // once is part of that pause.
  PauseHistogram minor_pauses;  // minor collections alone
  PauseHistogram step_pauses;   // steps of marking and sweeping
  PauseHistogram full_pauses;   // ends of marking, and full collections in one pause
};

// A set of roots. Registered once; `minor` tells that only roots that may point into the nursery
// need visiting (clean stacks may be skipped).
class RootSource {
 public:
  virtual ~RootSource() = default;
  [[nodiscard]] virtual const char* name() const = 0;  // row of gc/roots.def
  // Not only collections visit (HeapVerifier, Become): with minor = false nothing may be noted that
  // a later minor visit relies on.
  virtual void VisitRoots(SlotVisitor& visitor, bool minor) = 0;
  // Incremental marking. Each minor collection of a cycle visits the roots of VisitRoots(minor =
  // true) for marking too; what that skips must be visited by MarkSome, once after BeginMarking.
  virtual void BeginMarking() {}
  // Visits some of it: `units` threads, or pieces of deep stacks. True: nothing is left.
  virtual bool MarkSome(SlotVisitor& visitor, size_t units) {
    (void)visitor;
    (void)units;
    return true;
  }
  // After marking, before sweeping, in a full collection: drop what is dead. `IsLive` answers for
  // any heap word.
  virtual void SweepDead(const class Heap& heap) { (void)heap; }
};

class RootBase;
class Heap {
 public:
  static absl::StatusOr<std::unique_ptr<Heap>> Create(const HeapOptions& options);
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void RegisterLayout(uint32_t shape, const LayoutDescriptor& layout);
  // Tuple shapes: all `words` after the header are traced.
  void RegisterTupleShape(uint32_t shape, uint32_t words);
  void AddRootSource(RootSource* source);
  void RemoveRootSource(RootSource* source);

  // A new object, header set, all other words 0 (fixnum 0). `bytes` includes the header and is
  // rounded up to 8, at least 16. May collect: every raw word outside roots is invalid afterwards;
  // the result itself is valid until the next allocation. Until then its fields may be initialised
  // without Write (an object outside the nursery starts with its cards dirty).
  Word Allocate(uint32_t shape, size_t bytes) WEFT_ALLOCATES;
  // The fast path of Allocate: zeroed nursery memory without a header, or 0 if Allocate must do it.
  // REQUIRES: bytes is a multiple of 8, 16 <= bytes < kLargeBytes.
  uint64_t TryAllocateNursery(size_t bytes) {
    uint64_t address = nursery_top_;
    if (bytes > nursery_end_ - address) [[unlikely]] {
      return 0;
    }
    nursery_top_ = address + bytes;
    return address;
  }
  // The same, in the space that never moves (code, words).
  Word AllocatePinned(uint32_t shape, size_t bytes) WEFT_ALLOCATES;
  // False if `bytes` more would pass the limit even after a full collection.
  bool Reserve(size_t bytes) WEFT_ALLOCATES;
  [[nodiscard]] bool limit_exceeded() const { return limit_exceeded_; }
  // The error is about to be thrown: handling it may use an eighth more, until what is live fits
  // below the limit again.
  void ClearLimitExceeded();

  // The only way to store a heap word into an object: the barrier.
  void Write(Object* holder, Word* slot, Word value) WEFT_NO_ALLOC {
    (void)holder;
    *slot = value;
    cards_.Mark(slot);
  }
  // For the object that was allocated last, until the next allocation: says that it holds no young
  // pointer, so that the next minor collection need not look through a large one.
  void CleanNew(Word object) WEFT_NO_ALLOC;
  // After that: the barrier for what is stored into it, until the next allocation.
  void WriteNew(Word* slot, Word value) WEFT_NO_ALLOC {
    *slot = value;
    if (value.IsPointer() && InNursery(value.Address())) cards_.Mark(slot);
  }
  CardTable& cards() { return cards_; }

  void CollectMinor() WEFT_ALLOCATES;
  // In one pause, whatever a cycle had done: everything unreachable is gone afterwards.
  void CollectFull() WEFT_ALLOCATES;
  // Begins a cycle of the mature collector, if none is under way; allocation does its steps.
  void StartCycle();
  // Does what is left of the cycle that is under way, if there is one.
  void CompleteCycle() WEFT_ALLOCATES;
  [[nodiscard]] bool in_cycle() const;
  // What a weak reference (a shape with LayoutDescriptor::weak) refers to, or f: the only way to
  // read it, as dead targets are not all cleared at once.
  Word WeakTarget(const Object* reference) const WEFT_NO_ALLOC;
  // Every reference to from[i] becomes one to to[i], which takes over the identity hash. Both are
  // roots meanwhile. Collects. REQUIRES: all are pointers, no object stands twice in `from`.
  void Become(const std::vector<Word>& from, const std::vector<Word>& to) WEFT_ALLOCATES;
  // Calls `visit` for every object of image, mature and large space, in address order: every live
  // object, if CollectFull came right before. `visit` must not allocate.
  void ForEachObject(void (*visit)(Object* object, void* data), void* data);

  [[nodiscard]] bool InNursery(uint64_t address) const {
    return address - nursery_begin_ < nursery_span_;
  }
  // The object that contains an interior address, in image, mature or large space; null if none.
  [[nodiscard]] Object* FindObject(uint64_t address) const;
  [[nodiscard]] bool IsLive(Word word) const;  // during SweepDead only
  size_t SizeOf(const Object* object) const;
  void TraceObject(Object* object, SlotVisitor& visitor) const;

  uint32_t NextIdentityHash() {
    return ++identity_counter_ == 0 ? ++identity_counter_ : identity_counter_;
  }
  [[nodiscard]] const HeapStatistics& statistics() const { return statistics_; }
  // Objects that came into the nursery since the last minor collection lie from start to top.
  [[nodiscard]] uint64_t nursery_start() const;
  [[nodiscard]] uint64_t nursery_top() const { return nursery_top_; }
  [[nodiscard]] size_t used_bytes() const;
  [[nodiscard]] size_t limit_bytes() const;
  // The first `bytes` of the cell space become readable and writable; false: no more memory.
  bool CommitCells(uint64_t bytes);
  absl::Status Verify() const;  // HeapVerifier: the first violation, in words
  // Lines on pauses so far: counts, percentiles, longest.
  [[nodiscard]] std::string PauseReport() const;

  // Image (gc/image.h) and handles (gc/handle.h) reach in here.
  RootBase* root_head_ = nullptr;

 private:
  friend class ImageWriter;
  friend class ImageReader;
  friend class MinorCollector;
  friend class Marker;
  friend class HeapVerifier;
  friend struct HeapInternals;  // tests
  explicit Heap(const HeapOptions& options);
  [[noreturn]] static void OutOfMemory();
  Word AllocateSlow(uint32_t shape, size_t bytes) WEFT_ALLOCATES;
  Word AllocateOutside(uint32_t shape, size_t bytes) WEFT_ALLOCATES;
  void CollectForSpace(size_t bytes) WEFT_ALLOCATES;
  void Stress() WEFT_ALLOCATES;
  // Without what a cycle does after it. How long they took.
  uint64_t RunMinor() WEFT_ALLOCATES;
  uint64_t FinishMinor(uint64_t start_ns, uint64_t promoted_before);
  void SetNurserySize(uint64_t work_ns);
  void Step(uint64_t words);  // one step of a cycle
  void MarkStep(uint64_t words);
  // True if marking ended: the pause is its, not the minor collection's.
  bool AfterMinor(uint64_t start_ns);
  void SetPace();
  void FinishMarking();
  void ClearWeak(size_t count);
  void BeginSweep();
  bool SweepStep(size_t units);
  void AbandonCycle();
  void RecordFull(uint64_t ns, absl::string_view what);
  void MarkRest();
  void FinishCycle();
  void StepForOutside(size_t bytes);
  void NoteBornOutside(Object* object);
  void TraceCollection(const std::string& what, uint64_t ns) const;
  void CheckLimits(bool precise);
  void GrantOverdraft();
  bool EnsureReserves();
  [[nodiscard]] bool PoisonsDeadMemory() const;
  void VerifyOrDie(const char* when) const;
  static void DieUnless(const absl::Status& status, const char* when);
  struct Spaces;  // nursery, mature, large, image: gc/spaces.h
  std::unique_ptr<Spaces> spaces_;
  CardTable cards_;
  uint64_t nursery_begin_ = 0, nursery_span_ = 0;
  uint64_t nursery_top_ = 0, nursery_end_ = 0;
  uint64_t nursery_bytes_ = 0;  // of the span: so much is used before the next collection
  uint64_t born_dirty_ = 0;     // bytes outside the nursery whose cards are dirty since birth
  uint32_t identity_counter_ = 0;
  bool limit_exceeded_ = false;
  HeapStatistics statistics_;
  HeapOptions options_;
};

}  // namespace weft::gc

#endif  // WEFT_GC_HEAP_H_
