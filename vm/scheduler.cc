#include "vm/scheduler.h"

#include <algorithm>

#include "gc/check.h"
#include "vm/machine.h"
#include "vm/stack_walker.h"
#include "vm/vm.h"

namespace weft {

Scheduler::Scheduler(Vm& vm) : vm_(vm), random_state_(vm.options().seed * 0x9E3779B97F4A7C15 + 1) {
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
    pool_.push_back(std::make_unique<Context>());
    context = pool_.back().get();
    context->AllocateBlock(Context::kInitialWords);
  } else {
    context = free_.back();
    free_.pop_back();
    gc::Word* block = context->block;
    gc::Word* end = context->block_end;
    *context = Context();
    context->block = context->window = block;
    context->block_end = end;
    context->call_top = context->call_end();
  }
  context->id = next_id_++;
  by_id_.emplace(context->id, context);
  context->live_index = live_.size();
  live_.push_back(context);
  return context;
}

void Scheduler::FreeContext(Context* context) {
  by_id_.erase(context->id);
  // Order of the list is of no consequence: swap with the last.
  live_.back()->live_index = context->live_index;
  live_[context->live_index] = live_.back();
  live_.pop_back();
  context->state = ContextState::kEnded;
  if (context->block_words() > Context::kInitialWords) {
    context->FreeBlock();
    context->AllocateBlock(Context::kInitialWords);
  }
  free_.push_back(context);
}

Context* Scheduler::Find(uint32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

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
  vm_.current()->instructions += static_cast<uint64_t>(slice_given_ - vm_.budget);
  slice_given_ = vm_.budget;
}

void Scheduler::Start(Context* context) {
  switch_hash_ = (switch_hash_ ^ context->id) * 0x100000001B3;
  switch_hash_ = (switch_hash_ ^ context->instructions) * 0x100000001B3;
  ++switches_;
  context->state = ContextState::kRunning;
  context->dirty = true;
  vm_.set_current(context);
  vm_.budget = DrawSlice();
  if (context->take_wake_value) {
    context->take_wake_value = false;
    machine::StoreWakeValue(*context);
  }
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
  WEFT_CHECK(HasReady());
  Start(TakeReady());
}

void Scheduler::SwitchFromEnded() {
  no_preemption = 0;
  AccountSlice();
  FreeContext(vm_.current());
  WEFT_CHECK(HasReady());
  Start(TakeReady());
}

void Scheduler::VisitRoots(gc::SlotVisitor& visitor, bool minor) {
  for (Context* context : live_) {
    if (minor && !context->dirty) continue;
    visitor.Visit(&context->namestack);
    visitor.Visit(&context->thread);
    visitor.Visit(&context->reference);
    visitor.Visit(&context->wake_value);
    if (context->pc != nullptr) VisitStacks(vm_, StackState::Of(*context), visitor);
    // Survivors leave the nursery, so a stack that does not run stays clean. (Only a minor
    // collection moves them; the heap verifier and others visit with minor = false.)
    if (minor && context != vm_.current()) context->dirty = false;
  }
}

}  // namespace weft
