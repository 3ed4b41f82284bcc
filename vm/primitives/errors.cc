// What the library needs to report an error when little else works.
#include "gc/check.h"
#include "vm/fatal.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/primitives/stack_views.h"
#include "vm/stack_walker.h"
#include "vm/vm.h"

namespace weft {

Outcome PrimReportError(Vm& vm, Args args) {
  const gc::NoAlloc scope;
  const Word stacks = args.get(1);
  ReportError(vm, args.get(0),
              IsType(stacks, TypeId::kCallStack) ? StateOf(As<CallStack>(stacks))
                                                 : StackState::Of(*vm.current()));
  return Outcome::kNext;
}

Outcome PrimInnermostFrames(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsSize(args, 0)) return BadSize(vm, args, 0);
  gc::RootVector items(vm.heap());
  StackWalker walker(vm, StackState::Of(*vm.current()));
  for (int64_t left = args.fixnum(0); left > 0;) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    --left;
    StoreRunningWords(walker.code(), walker.pc_index(), items);
  }
  const Word array =
      vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + items.size() * sizeof(Word));
  auto* object = As<Array>(array);
  object->length = Word::Fixnum(static_cast<int64_t>(items.size()));
  for (size_t i = 0; i < items.size(); ++i) {
    vm.heap().Write(object, &object->elements[i], items.get(i));
  }
  args.set(0, array);
  return Outcome::kNext;
}

}  // namespace weft
