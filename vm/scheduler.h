// Scheduler: owns all contexts and the run queue.
//
// Slices are counted in instructions. Seed 0 is round-robin with slices of --slice; any other seed
// draws slice lengths and which ready context runs next from a pseudo-random sequence, so the same
// seed gives the same schedule. The switch log (context id, its instruction count at the switch)
// is folded into a hash, not kept.
// Owned by the VM, used by its thread only. Errors: none.
#ifndef WEFT_VM_SCHEDULER_H_
#define WEFT_VM_SCHEDULER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gc/heap.h"
#include "vm/context.h"

namespace weft {

class Vm;

class Scheduler : public gc::RootSource {
 public:
  explicit Scheduler(Vm& vm);
  ~Scheduler() override;

  // A parked context with an empty block.
  Context* NewContext();
  // Its stacks go back to the free list; its id is not used again.
  void FreeContext(Context* context);
  // Null if it has ended.
  [[nodiscard]] Context* Find(uint32_t id) const;

  // Makes a prepared context the running one, before the interpreter starts.
  void StartFirst(Context* context) { Start(context); }
  // Appends a parked context to the run queue.
  void MakeReady(Context* context);
  // The current context stops here: ready again (tail of the queue) or parked. Switches to the
  // next ready one; the interpreter loads its registers. If none is ready, the VM is stuck:
  // deadlock handling of machine.cc.
  void SwitchAway(bool ready);
  // The current context has ended.
  void SwitchFromEnded();
  [[nodiscard]] bool HasReady() const { return ready_head_ != nullptr; }
  // A fresh budget for the running context.
  int64_t DrawSlice();
  // Charges what was used of the slice to the current context.
  void AccountSlice();
  [[nodiscard]] uint64_t switch_hash() const { return switch_hash_; }
  [[nodiscard]] uint64_t switches() const { return switches_; }
  [[nodiscard]] Context* main_context() const { return main_; }
  void set_main_context(Context* context) { main_ = context; }
  [[nodiscard]] const std::vector<Context*>& live() const { return live_; }
  // While > 0, slices do not end (without-preemption of short library sections).
  int no_preemption = 0;

  [[nodiscard]] const char* name() const override { return "contexts"; }
  void VisitRoots(gc::SlotVisitor& visitor, bool minor) override;

 private:
  Context* TakeReady();
  void Start(Context* context);
  uint64_t Random();

  Vm& vm_;
  std::vector<Context*> live_;
  std::vector<std::unique_ptr<Context>> pool_;
  absl::flat_hash_map<uint32_t, Context*> by_id_;  // looked up, never iterated
  uint32_t next_id_ = 0;
  std::vector<Context*> free_;
  Context* ready_head_ = nullptr;
  Context* ready_tail_ = nullptr;
  size_t ready_count_ = 0;
  Context* main_ = nullptr;
  int64_t slice_given_ = 0;
  uint64_t random_state_ = 0;
  uint64_t switch_hash_ = 0xCBF29CE484222325;
  uint64_t switches_ = 0;
};

}  // namespace weft

#endif  // WEFT_VM_SCHEDULER_H_
