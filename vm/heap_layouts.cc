#include "vm/heap_layouts.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gc/check.h"
#include "vm/objects.h"
#include "vm/stack_walker.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

using gc::SizeRule;
using gc::SlotVisitor;

// Captured stacks are traced like live ones; the hook has no other way to the VM.
const Vm* g_vm = nullptr;

size_t SizeOfCode(const Object* object) {
  const auto* code = static_cast<const Code*>(object);
  return sizeof(Code) + static_cast<size_t>(code->literal_count.AsFixnum()) * sizeof(Word) +
         static_cast<size_t>(code->instruction_count.AsFixnum()) * sizeof(uint32_t);
}

void TraceCode(Object* object, SlotVisitor& visitor) {
  auto* code = static_cast<Code*>(object);
  visitor.VisitRange(code->field(0), code->field(Code::kTracedFixed));
  visitor.VisitRange(code->literals, code->literals + code->literal_count.AsFixnum());
}

size_t SizeOfCallStack(const Object* object) {
  const auto* stack = static_cast<const CallStack*>(object);
  return sizeof(CallStack) +
         static_cast<size_t>(stack->data_words.AsFixnum() + stack->call_words.AsFixnum()) *
             sizeof(Word);
}

// The caller is the collector.
void TraceCallStack(Object* object, SlotVisitor& visitor) WEFT_NO_ANALYSIS {
  auto* stack = static_cast<CallStack*>(object);
  visitor.Visit(&stack->namestack);
  if (stack->resume == gc::Word::Fixnum(0)) return;  // being filled
  VisitStacks(*g_vm, StateOf(stack), visitor);
}

}  // namespace

void RegisterLayouts(Vm& vm) {
  g_vm = &vm;
  using gc::kAllWords;
#define TYPE(name, class_name, vocabulary, size_rule, fixed, traced) \
  if (SizeRule::size_rule != SizeRule::kImmediate) {                 \
    gc::LayoutDescriptor layout;                                     \
    layout.rule = SizeRule::size_rule;                               \
    layout.fixed_words = fixed;                                      \
    layout.traced_words = traced;                                    \
    layout.weak = TypeId::k##name == TypeId::kWeakRef;               \
    if (SizeRule::size_rule == SizeRule::kString) {                  \
      layout.size = StringObjectSize;                                \
      layout.trace = TraceString;                                    \
    } else if (SizeRule::size_rule == SizeRule::kCode) {             \
      layout.size = SizeOfCode;                                      \
      layout.trace = TraceCode;                                      \
    } else if (SizeRule::size_rule == SizeRule::kCallStack) {        \
      layout.size = SizeOfCallStack;                                 \
      layout.trace = TraceCallStack;                                 \
    }                                                                \
    vm.heap().RegisterLayout(ShapeOf(TypeId::k##name), layout);      \
  }
#include "vm/types.def"
#undef TYPE
}

absl::StatusOr<gc::HeapOptions> HeapOptionsOf(const Options& options) {
  gc::HeapOptions heap;
  heap.heap_limit_bytes = options.heap_limit;
  heap.verify = options.verify_heap;
  heap.trace = options.trace_gc;
  heap.incremental = !options.gc_stop;
  if (!options.gc_stress.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(options.gc_stress, ',');
    uint32_t rate = 0;
    uint64_t seed = 0;
    if (parts.size() > 2 || !absl::SimpleAtoi(parts[0], &rate) || rate == 0 ||
        (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &seed))) {
      return absl::InvalidArgumentError(
          absl::StrCat("--gc-stress takes RATE or RATE,SEED, not \"", options.gc_stress, "\""));
    }
    heap.stress_rate = rate;
    heap.stress_seed = seed;
  }
  return heap;
}

}  // namespace weft
