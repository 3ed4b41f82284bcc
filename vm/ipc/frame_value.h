// A frame as the language sees it.
#ifndef WEFT_VM_IPC_FRAME_VALUE_H_
#define WEFT_VM_IPC_FRAME_VALUE_H_

#include "vm/ipc/link.h"

namespace weft::ipc {

// { kind bytes descriptors }: fixnum, byte array, array of fixnums. The descriptors are the
// program's from now on. A frame that the heap has no room for gives its length in place of the
// bytes, and its descriptors are closed.
Word MakeFrameValue(Vm& vm, const Frame& frame) WEFT_ALLOCATES;

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_FRAME_VALUE_H_
