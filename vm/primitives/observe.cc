// What programs ask of the observer (vm/observer.h).
#include <algorithm>
#include <string>

#include "vm/disassembler.h"
#include "vm/observer.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/primitives/stack_views.h"
#include "vm/scheduler.h"
#include "vm/strings.h"

namespace weft {

// kReload: the interpreter looks again at which table of labels it uses.
Outcome PrimObserve(Vm& vm, Args args) {
  for (size_t i = 0; i < 2; ++i) {
    if (!args.is_fixnum(i)) return BadType(vm, TypeId::kFixnum, args, i);
  }
  vm.observer().Start(static_cast<uint32_t>(args.fixnum(0)) & 0xF, args.fixnum(1));
  return Outcome::kReload;
}

Outcome PrimUnobserve(Vm& vm, Args args) {
  if (!args.is_fixnum(0)) return BadType(vm, TypeId::kFixnum, args, 0);
  vm.observer().Stop(static_cast<uint32_t>(args.fixnum(0)) & 0xF);
  return Outcome::kReload;
}

Outcome PrimSetStepping(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  if (!IsType(args.get(0), TypeId::kContextRef)) return BadType(vm, TypeId::kContextRef, args, 0);
  constexpr auto kLast = static_cast<int64_t>(Stepper::Mode::kHold);
  if (!args.is_fixnum(1) || args.fixnum(1) < 0 || args.fixnum(1) > kLast) {
    return BadType(vm, TypeId::kFixnum, args, 1);
  }
  if (!IsType(args.get(2), TypeId::kString)) return BadType(vm, TypeId::kString, args, 2);
  const int64_t id = As<ContextRef>(args.get(0))->id.AsFixnum();
  const Context* context = id < 0 ? nullptr : vm.scheduler().Find(static_cast<uint32_t>(id));
  Observer& observer = vm.observer();
  if (context != nullptr) {
    observer.stepper().Set(*context, static_cast<Stepper::Mode>(args.fixnum(1)),
                           ToUtf8(args.get(2)));
  }
  if (observer.stepper().active()) {
    observer.Start(Observer::kSteps, 0);
  } else {
    observer.Stop(Observer::kSteps);
  }
  return Outcome::kReload;
}

Outcome PrimForgetSamples(Vm& vm, Args args) {
  (void)args;
  vm.observer().ForgetSamples();
  return Outcome::kNext;
}

Outcome PrimTakeAllocations(Vm& vm, Args args) {
  Observer& observer = vm.observer();
  gc::RootVector items(vm.heap());
  for (const Observer::Allocated& row : observer.AllocatedByType()) {
    items.push_back(MakeString(vm.heap(), row.name));
    items.push_back(Word::Fixnum(static_cast<int64_t>(row.objects)));
    items.push_back(Word::Fixnum(static_cast<int64_t>(row.bytes)));
  }
  observer.ForgetAllocations();
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimSamples(Vm& vm, Args args) {
  const Observer& observer = vm.observer();
  gc::RootVector items(vm.heap());
  for (const Observer::Node& node : observer.nodes()) {
    const gc::NoAlloc scope;
    const Observer::Frame frame = observer.FrameAt(node.frame);
    items.push_back(Word::Fixnum(node.parent));
    items.push_back(frame.owner);
    items.push_back(frame.word);
    items.push_back(frame.path);
    items.push_back(Word::Fixnum(frame.line));
    items.push_back(Word::Fixnum(static_cast<int64_t>(node.samples)));
  }
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimDisassembleCounted(Vm& vm, Args args) {
  std::string text;
  {
    const gc::NoAlloc scope;
    if (IsType(args.get(0), TypeId::kCode)) {
      text = Disassemble(vm, As<Code>(args.get(0)), &vm.observer());
    }
  }
  if (text.empty()) return BadType(vm, TypeId::kCode, args, 0);
  args.set(0, MakeString(vm.heap(), text));
  return Outcome::kNext;
}

}  // namespace weft
