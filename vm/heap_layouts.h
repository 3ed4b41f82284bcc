// Tells the heap the layout of every built-in shape (types.def), and makes its options from ours.
#ifndef WEFT_VM_HEAP_LAYOUTS_H_
#define WEFT_VM_HEAP_LAYOUTS_H_

#include "absl/status/statusor.h"
#include "gc/heap.h"
#include "vm/options.h"

namespace weft {

class Vm;

void RegisterLayouts(Vm& vm);

// Fails with what is wrong in --gc-stress.
absl::StatusOr<gc::HeapOptions> HeapOptionsOf(const Options& options);

}  // namespace weft

#endif  // WEFT_VM_HEAP_LAYOUTS_H_
