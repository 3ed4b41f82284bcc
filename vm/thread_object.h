// What the VM knows of the language's thread objects (stdlib/threads): the first slots of the
// tuple. A program may have put anything into each. Used by the VM thread only.
#ifndef WEFT_VM_THREAD_OBJECT_H_
#define WEFT_VM_THREAD_OBJECT_H_

#include "vm/classes.h"
#include "vm/objects.h"

namespace weft {

struct ThreadObject : Object {
  Word name;
  Word quotation;
  Word exit_handler;
  Word id;       // its context's
  Word context;  // ContextRef
  Word joiners;  // wait queue, or f
  Word scope;
  Word held;
  static constexpr int64_t kKnownSlots = 8;
};

// Null if the word is no tuple of so many slots.
inline ThreadObject* ThreadOf(Vm& vm, Word word) WEFT_NO_ALLOC {
  if (!IsTuple(word)) return nullptr;
  if (LayoutOf(vm, word)->slot_count.AsFixnum() < ThreadObject::kKnownSlots) return nullptr;
  return static_cast<ThreadObject*>(gc::ObjectAt(word));
}

}  // namespace weft

#endif  // WEFT_VM_THREAD_OBJECT_H_
