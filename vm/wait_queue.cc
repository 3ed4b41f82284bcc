#include "vm/wait_queue.h"

#include "gc/check.h"
#include "vm/scheduler.h"

namespace weft {
namespace {

void Unlink(Vm& vm, Waiter* waiter) WEFT_NO_ALLOC {
  if (!waiter->queue.IsPointer()) return;
  gc::Heap& heap = vm.heap();
  auto* queue = As<WaitQueue>(waiter->queue);
  if (waiter->previous.IsPointer()) {
    auto* previous = As<Waiter>(waiter->previous);
    heap.Write(previous, &previous->next, waiter->next);
  } else {
    heap.Write(queue, &queue->first, waiter->next);
  }
  if (waiter->next.IsPointer()) {
    auto* next = As<Waiter>(waiter->next);
    heap.Write(next, &next->previous, waiter->previous);
  } else {
    heap.Write(queue, &queue->last, waiter->previous);
  }
  waiter->queue = waiter->previous = waiter->next = gc::kFalse;
  vm.scheduler().CountRegistration(-1);
}

}  // namespace

void Enqueue(Vm& vm, Word queue_word, Word waiter_word) {
  gc::Heap& heap = vm.heap();
  Context& context = *vm.current();
  auto* queue = As<WaitQueue>(queue_word);
  auto* waiter = As<Waiter>(waiter_word);
  waiter->context = Word{reinterpret_cast<uint64_t>(&context)};
  waiter->id = Word::Fixnum(context.id);
  waiter->ticket = Word::Fixnum(context.wait.ticket);
  waiter->next = gc::kFalse;
  heap.Write(waiter, &waiter->queue, queue_word);
  heap.Write(waiter, &waiter->previous, queue->last);
  heap.Write(waiter, &waiter->sibling, context.wait.waiter);
  if (queue->last.IsPointer()) {
    auto* last = As<Waiter>(queue->last);
    heap.Write(last, &last->next, waiter_word);
  } else {
    heap.Write(queue, &queue->first, waiter_word);
  }
  heap.Write(queue, &queue->last, waiter_word);
  context.wait.waiter = waiter_word;
  vm.scheduler().CountRegistration(1);
}

void Dequeue(Vm& vm, Word waiter_word) {
  while (waiter_word.IsPointer()) {
    auto* waiter = As<Waiter>(waiter_word);
    Unlink(vm, waiter);
    waiter_word = waiter->sibling;
    waiter->sibling = gc::kFalse;
  }
}

bool WakeFirst(Vm& vm, Word queue_word, Word value) {
  const Word first = As<WaitQueue>(queue_word)->first;
  if (!first.IsPointer()) return false;
  const auto* waiter = As<Waiter>(first);
  auto* context = reinterpret_cast<Context*>(waiter->context.bits);
  WEFT_DCHECK(waiter->id.AsFixnum() == context->id);
  const auto ticket = static_cast<uint32_t>(waiter->ticket.AsFixnum());
  const bool woken = vm.scheduler().EndWait(context, ticket, value);
  WEFT_CHECK(woken);  // a queue holds no waiter whose wait is over
  return true;
}

void WakeAll(Vm& vm, Word queue, Word value) {
  while (WakeFirst(vm, queue, value)) {
  }
}

}  // namespace weft
