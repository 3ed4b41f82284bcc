// The record of one wait: what a parked context waits for. Wake-ups, time-outs, injected errors,
// deadlock detection and `threads.` read this record and no other.
//
// A wait has a ticket. Whoever may end the wait (a queue of the library, a transfer, a timer) holds
// the context and the ticket; a wake-up whose ticket is over finds nothing and says so, thus none
// is lost on a thread that timed out a moment ago, and no queue need be searched in a hurry. Owned
// by the context; used by the VM thread only.
#ifndef WEFT_VM_WAIT_H_
#define WEFT_VM_WAIT_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "gc/word.h"

namespace weft {

enum class WaitReason : uint8_t {
#define WAIT(name, text, phrase) k##name,
#include "vm/wait_reasons.def"
#undef WAIT
  kCount,
};

// What is under way outside the VM for a wait (a transfer, a helper's job). Told when the wait ends
// in another way (time-out, injected error, end of the thread): it must not wake the context then.
class WaitOperation {
 public:
  virtual ~WaitOperation() = default;
  virtual void Abandon() = 0;
};

struct Wait {
  static constexpr uint32_t kNoTimer = UINT32_MAX;

  gc::Word object{5};  // what it waits for: the language's value, traced
  gc::Word waiter{5};  // its places in queues (vm/wait_queue.h), traced
  WaitOperation* operation = nullptr;
  int64_t since_ns = 0;             // monotonic, of the coarse clock
  uint64_t since_instructions = 0;  // of the context
  uint32_t ticket = 0;
  uint32_t timer = kNoTimer;  // of its time-out (vm/timers.h)
  WaitReason reason = WaitReason::kNone;
};

absl::string_view NameOf(WaitReason reason);
absl::string_view PhraseOf(WaitReason reason);

}  // namespace weft

#endif  // WEFT_VM_WAIT_H_
