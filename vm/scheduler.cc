#include "vm/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <new>

#include "gc/check.h"
#include "vm/machine.h"
#include "vm/stack_walker.h"
#include "vm/vm.h"
#include "vm/wait_queue.h"

namespace weft {

namespace {

constexpr size_t kKeptBlocks = 256;

// Where there are many contexts, most of their memory is not in the cache: the words of one, and
// the stacks of one whose words are there, will be looked at soon.
void FetchAhead(const Context* words, const Context* stacks) {
  __builtin_prefetch(&words->pc);
  __builtin_prefetch(&words->namestack);
  __builtin_prefetch(&words->wait);
  __builtin_prefetch(stacks->call_top);
  __builtin_prefetch(stacks->block);
}

uint64_t FirstRandom(const Vm& vm) { return vm.options().seed * 0x9E3779B97F4A7C15 + 1; }

}  // namespace

Scheduler::Scheduler(Vm& vm)
    : spawn_place(vm.heap()), vm_(vm), events_(*this), random_state_(FirstRandom(vm)) {
  vm.heap().AddRootSource(this);
}

Scheduler::~Scheduler() {
  vm_.heap().RemoveRootSource(this);
  for (Context* context : live_) context->FreeBlock();
  for (Context* context : free_) context->FreeBlock();
}

Context* Scheduler::NewContext() {
  Context* context;
  if (free_.empty()) {
    if (slab_left_ == 0) {
      slabs_.push_back(std::make_unique<Context[]>(kSlab));
      slab_left_ = kSlab;
    }
    context = &slabs_.back()[--slab_left_];
    context->AllocateBlock(Context::kInitialWords);
    context->dirty = false;
  } else {
    context = free_.back();
    free_.pop_back();
    gc::Word* block = context->block;
    gc::Word* end = context->block_end;
    const bool listed = context->dirty;
    context->~Context();
    new (context) Context();
    context->dirty = listed;
    context->block = context->window = block;
    context->block_end = end;
    context->call_top = context->call_end();
  }
  Touch(context);
  context->id = next_id_++;
  by_id_.Insert(context);
  context->live_index = live_.size();
  live_.push_back(context);
  return context;
}

void Scheduler::FreeContext(Context* context) {
  if (context->wait.reason != WaitReason::kNone) CloseWait(context->wait, /*by_operation=*/false);
  if (context->extras != nullptr) {
    for (ContextExtras::Outer& outer : context->extras->outer_waits) {
      if (!outer.ended) CloseWait(outer.wait, /*by_operation=*/false);
    }
    if (context->extras->time_limits > 0) events_.timers().CancelAllOf(context);
    context->extras.reset();
  }
  by_id_.Erase(context->id);
  // Order of the list is of no consequence: swap with the last.
  live_.back()->live_index = context->live_index;
  live_[context->live_index] = live_.back();
  live_.pop_back();
  if (live_.size() > 4) __builtin_prefetch(&live_[live_.size() - 4]->live_index, 1);
  context->state = ContextState::kEnded;
  // Of the stacks that grew a little, some are kept as they are.
  const size_t words = context->block_words();
  if (words > Context::kInitialWords &&
      (words > 4 * Context::kInitialWords || free_.size() >= kKeptBlocks)) {
    context->FreeBlock();
    context->AllocateBlock(Context::kInitialWords);
  }
  free_.push_back(context);
}

Context* Scheduler::Find(uint32_t id) const { return by_id_.Find(id); }

void Scheduler::MakeReady(Context* context) {
  context->state = ContextState::kReady;
  context->next_ready = nullptr;
  if (ready_tail_ == nullptr) {
    ready_head_ = context;
  } else {
    ready_tail_->next_ready = context;
  }
  ready_tail_ = context;
  ++ready_count_;
}

uint64_t Scheduler::Random() {
  // SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
  uint64_t z = (random_state_ += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

Context* Scheduler::TakeReady() {
  Context* before = nullptr;
  Context* taken = ready_head_;
  if (vm_.options().seed != 0) {
    // Among the first few only: picking stays cheap with a million ready contexts.
    for (uint64_t skip = Random() % std::min<size_t>(ready_count_, 64); skip > 0; --skip) {
      before = taken;
      taken = taken->next_ready;
    }
  }
  if (before == nullptr) {
    ready_head_ = taken->next_ready;
  } else {
    before->next_ready = taken->next_ready;
  }
  if (ready_tail_ == taken) ready_tail_ = before;
  --ready_count_;
  return taken;
}

int64_t Scheduler::DrawSlice() {
  const auto slice = static_cast<int64_t>(std::clamp<uint64_t>(vm_.options().slice, 1, INT32_MAX));
  slice_given_ = vm_.options().seed == 0
                     ? slice
                     : 1 + static_cast<int64_t>(Random() % static_cast<uint64_t>(slice));
  return slice_given_;
}

void Scheduler::AccountSlice() {
  const int64_t used = slice_given_ - vm_.budget;
  vm_.current()->instructions += static_cast<uint64_t>(used);
  until_look_ -= used;
  slice_given_ = vm_.budget;
}

void Scheduler::EndSliceSoon() {
  AccountSlice();
  vm_.budget = slice_given_ = 0;
}

void Scheduler::LookOutside() {
  if (until_look_ > 0) return;
  until_look_ = kLookEvery;
  events_.Poll();
}

absl::string_view NameOf(WaitReason reason) {
  static constexpr absl::string_view kNames[] = {
#define WAIT(name, text, phrase) text,
#include "vm/wait_reasons.def"
#undef WAIT
  };
  return kNames[static_cast<size_t>(reason)];
}

absl::string_view PhraseOf(WaitReason reason) {
  static constexpr absl::string_view kPhrases[] = {
#define WAIT(name, text, phrase) phrase,
#include "vm/wait_reasons.def"
#undef WAIT
  };
  return kPhrases[static_cast<size_t>(reason)];
}

// --- waits
// -----------------------------------------------------------------------------------------

uint32_t Scheduler::BeginWait(WaitReason reason, gc::Word object, int64_t timeout_ns,
                              WaitOperation* operation) {
  Context& context = *vm_.current();
  Wait& wait = context.wait;
  wait.reason = reason;
  wait.object = object;
  wait.operation = operation;
  wait.ticket = ++context.last_ticket;
  wait.since_ns = EventLoop::CoarseNow();
  wait.since_instructions = context.instructions;
  wait.timer = Wait::kNoTimer;
  wait.waiter = gc::kFalse;
  if (timeout_ns >= 0) {
    const int64_t now = EventLoop::Now();
    const int64_t deadline = timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
    wait.timer = events_.timers().Set(deadline, &context, wait.ticket, gc::kFalse);
  }
  if (operation != nullptr) events_.BeginOperation();
  ++waits_;
  return wait.ticket;
}

void Scheduler::CloseWait(Wait& wait, bool by_operation) WEFT_NO_ANALYSIS {
  if (wait.timer != Wait::kNoTimer) events_.timers().Cancel(wait.timer);
  if (wait.operation != nullptr) {
    events_.EndOperation();
    if (!by_operation) wait.operation->Abandon();
  }
  if (wait.waiter.IsPointer()) Dequeue(vm_, wait.waiter);
  wait = Wait();
  --waits_;
}

bool Scheduler::IsWaiting(const Context* context, uint32_t ticket) const {
  if (context->wait.reason != WaitReason::kNone && context->wait.ticket == ticket) return true;
  if (context->extras == nullptr) return false;
  return std::any_of(context->extras->outer_waits.begin(), context->extras->outer_waits.end(),
                     [ticket](const ContextExtras::Outer& outer) {
                       return !outer.ended && outer.wait.ticket == ticket;
                     });
}

bool Scheduler::FinishWait(Context* context, uint32_t ticket, gc::Word value, bool throws,
                           bool by_operation) {
  if (context->wait.reason != WaitReason::kNone && context->wait.ticket == ticket) {
    // A wait that is being interrupted goes on to be one: the value stays until it is resumed.
    CloseWait(context->wait, by_operation);
    context->wake_value = value;
    context->take_wake_value = true;
    context->throw_wake_value = throws;
    Touch(context);
    if (context->state == ContextState::kParked) MakeReady(context);
    return true;
  }
  if (context->extras == nullptr) return false;
  for (ContextExtras::Outer& outer : context->extras->outer_waits) {
    if (outer.ended || outer.wait.ticket != ticket) continue;
    CloseWait(outer.wait, by_operation);
    outer.ended = true;
    outer.throws = throws;
    outer.value = value;
    Touch(context);
    return true;
  }
  return false;
}

bool Scheduler::EndWait(Context* context, uint32_t ticket, gc::Word value) {
  return FinishWait(context, ticket, value, /*throws=*/false, /*by_operation=*/true);
}

bool Scheduler::EndWait(uint32_t context_id, uint32_t ticket, gc::Word value) {
  Context* context = Find(context_id);
  return context != nullptr && EndWait(context, ticket, value);
}

bool Scheduler::FailWait(Context* context, uint32_t ticket, gc::Word error) {
  return FinishWait(context, ticket, error, /*throws=*/true, /*by_operation=*/true);
}

void Scheduler::FireTimer(const Timer& timer) WEFT_NO_ANALYSIS {
  if (timer.ticket == Timer::kThrows) {
    --timer.context->extras->time_limits;
    Inject(timer.context, timer.error);
    return;
  }
  // The timer is off the queue already.
  Wait* wait = &timer.context->wait;
  if (wait->ticket != timer.ticket && timer.context->extras != nullptr) {
    for (ContextExtras::Outer& outer : timer.context->extras->outer_waits) {
      if (!outer.ended && outer.wait.ticket == timer.ticket) wait = &outer.wait;
    }
  }
  if (wait->ticket == timer.ticket) wait->timer = Wait::kNoTimer;
  (void)FinishWait(timer.context, timer.ticket, vm_.special(Special::kTimedOut), /*throws=*/false,
                   /*by_operation=*/false);
}

void Scheduler::Inject(Context* context, gc::Word error) {
  if (context->state == ContextState::kParked && context->holds == 0 &&
      context->wait.reason != WaitReason::kNone) {
    // Its wait is over from now on: nobody hands a message to a thread that will not take it.
    (void)FinishWait(context, context->wait.ticket, error, /*throws=*/true, /*by_operation=*/false);
    return;
  }
  context->Extras().injected.push_back(error);
  Touch(context);
  if (context->state == ContextState::kParked && context->holds == 0) {
    context->interrupted = true;
    MakeReady(context);
  }
}

bool Scheduler::DropWait(Context* context) {
  if (context->wait.reason == WaitReason::kNone) return false;
  CloseWait(context->wait, /*by_operation=*/false);
  return true;
}

// --- signals
// ---------------------------------------------------------------------------------------

bool Scheduler::MustInterruptCurrent() const {
  const Context* context = vm_.current();
  if (context->HasInjected() && context->holds == 0 && context->soft_holds == 0) return true;
  return context == main_ && events_.signals_pending() && !signals_held;
}

void Scheduler::SummonMain() {
  if (signals_held || main_ == nullptr) return;
  if (main_->state == ContextState::kReady) {
    RemoveReady(main_);
  } else if (main_->state == ContextState::kParked) {
    main_->interrupted = true;
  } else {
    return;
  }
  main_->state = ContextState::kReady;
  main_->next_ready = ready_head_;
  ready_head_ = main_;
  if (ready_tail_ == nullptr) ready_tail_ = main_;
  ++ready_count_;
}

void Scheduler::LeaveSignalHandler() {
  if (!signals_held || vm_.current() != main_) return;
  if (main_->CallOffset(main_->call_top) >= handler_record.offset &&
      std::equal(std::begin(handler_record.words), std::end(handler_record.words),
                 main_->CallAt(handler_record.offset))) {
    return;  // still in the handler
  }
  signals_held = false;
  if (main_->extras == nullptr) return;
  for (ContextExtras::Outer& outer : main_->extras->outer_waits) {
    if (!outer.ended) CloseWait(outer.wait, /*by_operation=*/false);
  }
  main_->extras->outer_waits.clear();
}

void Scheduler::RemoveReady(Context* context) {
  Context* before = nullptr;
  for (Context* at = ready_head_; at != context; at = at->next_ready) before = at;
  if (before == nullptr) {
    ready_head_ = context->next_ready;
  } else {
    before->next_ready = context->next_ready;
  }
  if (ready_tail_ == context) ready_tail_ = before;
  --ready_count_;
}

// --- switching
// -------------------------------------------------------------------------------------

void Scheduler::Start(Context* context) WEFT_NO_ANALYSIS {
  if (!hash_is_final_) {
    switch_hash_ = (switch_hash_ ^ context->id) * 0x100000001B3;
    switch_hash_ = (switch_hash_ ^ context->instructions) * 0x100000001B3;
  }
  ++switches_;
  context->state = ContextState::kRunning;
  Touch(context);
  context->fresh = false;
  vm_.set_current(context);
  vm_.budget = DrawSlice();
  if (context->take_wake_value) {
    context->take_wake_value = false;
    context->interrupted = false;
    if (context->throw_wake_value) {
      context->throw_wake_value = false;
      machine::ThrowWakeValue(vm_);
    } else {
      machine::StoreWakeValue(*context);
    }
  } else if (context->interrupted) {
    context->interrupted = false;
    machine::InterruptWait(vm_);
  }
  // Whatever else is to be told this context is told at its next safepoint.
  if (MustInterruptCurrent()) vm_.budget = slice_given_ = 0;
}

void Scheduler::StartNext() WEFT_NO_ANALYSIS {
  LookOutside();
  if (events_.signals_pending()) SummonMain();
  while (!HasReady()) {
    if (!events_.ExpectsAnything()) {
      if (signal_handlers == 0) {
        machine::DeadlockMain(vm_);
        return;
      }
      NoteStuck();
    }
    events_.Sleep(INT64_MAX);
    if (events_.signals_pending()) SummonMain();
  }
  Start(TakeReady());
}

// Only a signal can wake a thread. Said once a second has passed without one.
void Scheduler::NoteStuck() {
  if (noted_stuck_) return;
  events_.Sleep(EventLoop::Now() + 1000000000);
  if (HasReady() || events_.signals_pending() || events_.ExpectsAnything()) return;
  noted_stuck_ = true;
  std::fprintf(stderr,
               "weft: note: all %zu threads wait for each other; only a signal can wake one\n",
               live_.size());
}

void Scheduler::SwitchAway(bool ready) {
  no_preemption = 0;  // a wait or yield inside such a section ends it
  AccountSlice();
  Context* context = vm_.current();
  if (ready) {
    MakeReady(context);
  } else {
    context->state = ContextState::kParked;
  }
  StartNext();
}

void Scheduler::BeginProgram() {
  vm_.current()->instructions = 0;
  switch_hash_ = kFirstHash;
  random_state_ = FirstRandom(vm_);
  until_look_ = kLookEvery;
  vm_.budget = DrawSlice();
}

void Scheduler::SwitchFromEnded() {
  no_preemption = 0;
  AccountSlice();
  FreeContext(vm_.current());
  StartNext();
}

void Scheduler::StartAgainAfterFork() WEFT_NO_ANALYSIS {
  vm_.set_current(nullptr);
  // A queue must hold no waiter of theirs.
  for (Context* context : live_) {
    Dequeue(vm_, context->wait.waiter);
    if (context->extras == nullptr) continue;
    for (ContextExtras::Outer& outer : context->extras->outer_waits) {
      Dequeue(vm_, outer.wait.waiter);
    }
  }
  live_.clear();
  dirty_.clear();
  free_.clear();
  for (std::unique_ptr<Context[]>& slab : slabs_) (void)slab.release();
  slabs_.clear();
  slab_left_ = 0;
  by_id_.Clear();
  ready_head_ = ready_tail_ = main_ = nullptr;
  ready_count_ = waits_ = 0;
  no_preemption = 0;
  signals_held = noted_stuck_ = false;
  signal_handlers = 0;
  slice_given_ = vm_.budget = 0;
  until_look_ = kLookEvery;
  events_.StartAgainAfterFork();
}

void Scheduler::VisitWords(Context* context, gc::SlotVisitor& visitor) {
  visitor.Visit(&context->namestack);
  visitor.Visit(&context->thread);
  visitor.Visit(&context->reference);
  visitor.Visit(&context->wake_value);
  visitor.Visit(&context->wait.object);
  visitor.Visit(&context->wait.waiter);
  if (context->extras == nullptr) return;
  for (gc::Word& error : context->extras->injected) visitor.Visit(&error);
  for (ContextExtras::Outer& outer : context->extras->outer_waits) {
    visitor.Visit(&outer.wait.object);
    visitor.Visit(&outer.wait.waiter);
    visitor.Visit(&outer.value);
  }
}

void Scheduler::VisitRoots(gc::SlotVisitor& visitor, bool minor) {
  events_.timers().VisitRoots(visitor);
  if (!minor) {
    for (Context* context : live_) {
      VisitWords(context, visitor);
      if (context->pc != nullptr) VisitStacks(vm_, StackState::Of(*context), visitor);
    }
    return;
  }
  // Survivors leave the nursery, so a stack that does not run stays clean, and a million parked
  // threads cost nothing. (Only a minor collection moves them; the heap verifier and others visit
  // with minor = false.)
  size_t kept = 0;
  for (size_t i = 0; i < dirty_.size(); ++i) {
    if (i + 16 < dirty_.size()) FetchAhead(dirty_[i + 16], dirty_[i + 8]);
    Context* context = dirty_[i];
    if (context->state != ContextState::kEnded) {
      VisitWords(context, visitor);
      if (context->pc != nullptr) VisitChangedStacks(vm_, *context, visitor);
    }
    if (context == vm_.current()) {
      dirty_[kept++] = context;
    } else {
      context->dirty = false;
    }
  }
  dirty_.resize(kept);
}

void Scheduler::BeginMarking() {
  marked_from_ = live_.size();
  marked_parts_ = 0;
}

// From the last to the first: the list changes meanwhile, but only so that a context that was not
// visited stays below marked_from_. New ones are dirty, and what is dirty the minor collection
// visits down to its topmost mark.
bool Scheduler::MarkSome(gc::SlotVisitor& visitor, size_t units) {
  for (; units > 0; --units) {
    marked_from_ = std::min(marked_from_, live_.size());
    if (marked_from_ == 0) return true;
    if (marked_from_ > 16) FetchAhead(live_[marked_from_ - 17], live_[marked_from_ - 9]);
    Context* context = live_[marked_from_ - 1];
    if (context->id != marked_id_) marked_parts_ = 0;
    marked_id_ = context->id;
    if (context->extras != nullptr && marked_parts_ < context->extras->marks.size()) {
      VisitBelowMark(vm_, *context, marked_parts_++, visitor);
      continue;
    }
    VisitWords(context, visitor);
    if (context->pc != nullptr && !context->dirty) VisitAboveMarks(vm_, *context, visitor);
    --marked_from_;
    marked_parts_ = 0;
  }
  return false;
}

}  // namespace weft
