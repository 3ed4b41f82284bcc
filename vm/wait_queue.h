// Queues of waiting threads, as objects of the heap: first come, first served.
//
// A waiter is one wait's place in one queue; a wait for any of several things has a waiter in each
// of their queues (chained by `sibling`), and whatever ends the wait takes all of them out:
// wake-up, time-out, injected error, end of the thread. So no queue ever holds a waiter whose wait
// is over. Used by the VM thread only. Errors: none; arguments are checked by the primitives.
#ifndef WEFT_VM_WAIT_QUEUE_H_
#define WEFT_VM_WAIT_QUEUE_H_

#include "gc/heap.h"
#include "vm/objects.h"
#include "vm/vm.h"

namespace weft {

struct WaitQueue : Object {
  Word first;  // waiter, or f
  Word last;
  static constexpr TypeId kType = TypeId::kWaitQueue;
};

struct Waiter : Object {
  Word context;  // raw: contexts stay where they are and are used again, hence the id
  Word id;
  Word ticket;
  Word queue;  // f: in none
  Word previous;
  Word next;
  Word sibling;  // the same wait's next waiter, or f
  static constexpr TypeId kType = TypeId::kWaiter;
};

// A waiter of `queue` for the wait that the current context has begun; it becomes that wait's. The
// waiter was allocated before the wait began.
void Enqueue(Vm& vm, Word queue, Word waiter) WEFT_NO_ALLOC;

// Takes a waiter and its siblings out of their queues.
void Dequeue(Vm& vm, Word waiter) WEFT_NO_ALLOC;

// Ends the first wait in the queue with `value`. False: there is none.
bool WakeFirst(Vm& vm, Word queue, Word value) WEFT_NO_ALLOC;
// Ends all of them.
void WakeAll(Vm& vm, Word queue, Word value) WEFT_NO_ALLOC;

}  // namespace weft

#endif  // WEFT_VM_WAIT_QUEUE_H_
