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

#include "gc/handle.h"
#include "gc/heap.h"
#include "vm/context.h"
#include "vm/events.h"
#include "vm/id_table.h"

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

  // --- waits. A primitive that parks begins the wait, hands the ticket to whoever may end it, and
  // returns Outcome::kBlock. `timeout_ns` < 0: none. With an operation, the wait counts as one that
  // the outside ends.
  uint32_t BeginWait(WaitReason reason, gc::Word object, int64_t timeout_ns,
                     WaitOperation* operation = nullptr);
  // Ends that wait: `value` is the result of the primitive. False: it was over already.
  bool EndWait(Context* context, uint32_t ticket, gc::Word value);
  // The same for a context that may have ended.
  bool EndWait(uint32_t context_id, uint32_t ticket, gc::Word value);
  // Ends that wait by throwing `error` there.
  bool FailWait(Context* context, uint32_t ticket, gc::Word error);
  [[nodiscard]] bool IsWaiting(const Context* context, uint32_t ticket) const;
  // Throws `error` in a context: at once out of a wait, else at its next safepoint; later if it
  // holds such errors back.
  void Inject(Context* context, gc::Word error);
  // Gives up the wait of a parked context. False: it is in none.
  bool DropWait(Context* context);
  void DropWait(Wait& wait) { CloseWait(wait, /*by_operation=*/false); }
  // A timer is due.
  void FireTimer(const Timer& timer);
  EventLoop& events() { return events_; }
  // Parked in waits that only other threads can end: for the registration counter of tests.
  [[nodiscard]] size_t waits() const { return waits_; }
  // Waiters in queues: 0 when nobody waits in one.
  [[nodiscard]] int64_t registrations() const { return registrations_; }
  void CountRegistration(int64_t change) { registrations_ += change; }

  // --- signals: the main context is told at the next slice boundary, one at a time.
  bool signals_held = false;
  // The record under the running handler: its place in the main context's call stack, and its
  // words.
  struct HandlerRecord {
    uint64_t offset = 0;
    uint64_t words[3] = {};
  } handler_record;
  // The main context's stacks were replaced: if the handler's frames are gone, so are the waits set
  // aside for it, and signals come again.
  void LeaveSignalHandler();
  int signal_handlers = 0;  // of the program: while there are any, a stuck program is no deadlock
  // Moves the main context to the front of the run queue, interrupting its wait.
  void SummonMain();

  // The current context stops here: ready again (tail of the queue) or parked. Switches to the
  // next ready one; the interpreter loads its registers. With nothing ready, sleeps until the
  // outside makes one ready; if nothing ever can, the main context is told of the deadlock.
  void SwitchAway(bool ready);
  // At the end of a slice: looks at the outside when enough instructions have run.
  void LookOutside();
  // The current context is told of signals and injected errors at this slice boundary.
  [[nodiscard]] bool MustInterruptCurrent() const;
  // The current context has ended.
  void SwitchFromEnded();
  [[nodiscard]] bool HasReady() const { return ready_head_ != nullptr; }
  // A fresh budget for the running context.
  int64_t DrawSlice();
  // Ends the current slice at the next safepoint.
  void EndSliceSoon();
  // Charges what was used of the slice to the current context.
  void AccountSlice();
  // What has run until now was not the program's: its schedule and the hash of it begin here, so
  // that they do not depend on what the command line made the library do before.
  void BeginProgram();
  // What runs from now on (reports at exit) is not the program's: the hash stays as it is.
  void EndProgram() { hash_is_final_ = true; }
  [[nodiscard]] uint64_t switch_hash() const { return switch_hash_; }
  [[nodiscard]] uint64_t switches() const { return switches_; }
  [[nodiscard]] Context* main_context() const { return main_; }
  void set_main_context(Context* context) { main_ = context; }
  [[nodiscard]] const std::vector<Context*>& live() const { return live_; }
  // In a forked child: no context, wait or timer of the parent's is left; nobody is told. The
  // stacks are not touched, so that their memory stays shared.
  void StartAgainAfterFork();
  // The frames from which the last thread was spawned. The next one from the same place shares the
  // array (vm/primitives/threads.cc).
  struct SpawnPlace {
    explicit SpawnPlace(gc::Heap& heap) : frames(heap) {}
    static constexpr size_t kMaxWords = 24;
    const uint32_t* pc = nullptr;  // null: nothing noted
    size_t words = 0;              // of the call stack that the frames were read from
    uint64_t stack[kMaxWords] = {};
    gc::Root frames;
  } spawn_place;
  // While > 0, slices do not end (without-preemption of short library sections).
  int no_preemption = 0;

  [[nodiscard]] const char* name() const override { return "contexts"; }
  void VisitRoots(gc::SlotVisitor& visitor, bool minor) override;
  void BeginMarking() override;
  bool MarkSome(gc::SlotVisitor& visitor, size_t units) override;
  // Its stacks or its words change: the next minor collection looks at them.
  void Touch(Context* context) {
    if (context->dirty) return;
    context->dirty = true;
    dirty_.push_back(context);
  }

 private:
  Context* TakeReady();
  void VisitWords(Context* context, gc::SlotVisitor& visitor);
  void Start(Context* context);
  void StartNext();
  void RemoveReady(Context* context);
  // The wait is over, whatever ended it: timer, operation and counters go.
  void CloseWait(Wait& wait, bool by_operation);
  bool FinishWait(Context* context, uint32_t ticket, gc::Word value, bool throws,
                  bool by_operation);
  void NoteStuck();
  uint64_t Random();

  Vm& vm_;
  EventLoop events_;
  size_t waits_ = 0;
  int64_t registrations_ = 0;
  bool noted_stuck_ = false;
  int64_t until_look_ = kLookEvery;  // instructions until the outside is looked at
  static constexpr int64_t kLookEvery = 65536;
  std::vector<Context*> live_;
  std::vector<Context*> dirty_;  // whose flag is set; some may have ended
  // Marking has visited live_ from here on, and of the context before, the parts of its stack below
  // its first marks.
  size_t marked_from_ = 0;
  size_t marked_parts_ = 0;
  uint32_t marked_id_ = 0;
  // Contexts are made by the slab and never given back.
  static constexpr size_t kSlab = 32;
  std::vector<std::unique_ptr<Context[]>> slabs_;
  size_t slab_left_ = 0;  // of the last one, not used yet
  IdTable by_id_;
  uint32_t next_id_ = 0;
  std::vector<Context*> free_;
  Context* ready_head_ = nullptr;
  Context* ready_tail_ = nullptr;
  size_t ready_count_ = 0;
  Context* main_ = nullptr;
  int64_t slice_given_ = 0;
  uint64_t random_state_ = 0;
  static constexpr uint64_t kFirstHash = 0xCBF29CE484222325;
  uint64_t switch_hash_ = kFirstHash;
  bool hash_is_final_ = false;
  uint64_t switches_ = 0;
};

}  // namespace weft

#endif  // WEFT_VM_SCHEDULER_H_
