#include "vm/stepper.h"

#include "vm/bytecode.h"
#include "vm/line_table.h"
#include "vm/machine.h"
#include "vm/machine_internal.h"
#include "vm/scheduler.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

// The word that the code stands in.
Word WordOf(const Code* code) WEFT_NO_ALLOC {
  const Word owner = code->owner;
  return IsType(owner, TypeId::kQuotation) ? As<Quotation>(owner)->owner : owner;
}

}  // namespace

void Stepper::Set(const Context& context, Mode mode, const std::string& library) {
  library_ = library;
  if (mode == Mode::kOff) {
    contexts_.erase(context.id);
    return;
  }
  Stepped& stepped = contexts_[context.id];
  stepped.mode = mode;
  stepped.arriving = stepped.at != nullptr;
}

bool Stepper::IsProgram(const Code* code) {
  if (!IsType(code->lines, TypeId::kArray)) return false;
  const Word path = As<Array>(code->lines)->elements[0];
  if (!IsType(path, TypeId::kString)) return false;
  return library_.empty() || ToUtf8(path).compare(0, library_.size(), library_) != 0;
}

bool Stepper::Stops(const uint32_t* at, int64_t* stop) WEFT_NO_ANALYSIS {
  const Context& context = *vm_.current();
  const auto found = contexts_.find(context.id);
  if (found == contexts_.end()) return false;
  Stepped& stepped = found->second;
  if (stepped.mode == Mode::kOff) return false;
  const uint64_t depth = context.CallOffset(context.call_top);
  if (stepped.arriving) {
    stepped.arriving = at != stepped.at || depth != stepped.depth;
    return false;
  }
  if (vm_.scheduler().no_preemption > 0 || context.holds > 0 || vm_.IsStub(at)) return false;
  const bool dynamic = machine::IsDynamicAt(vm_, at);
  if (!dynamic && (stepped.mode != Mode::kHold || DecodeOp(*at) != Op::kEnter)) return false;
  const gc::Object* object = vm_.heap().FindObject(reinterpret_cast<uint64_t>(at));
  if (object == nullptr || object->shape() != ShapeOf(TypeId::kCode)) return false;
  const auto* code = static_cast<const Code*>(object);
  const auto index = static_cast<uint32_t>(at + 1 - code->instructions());
  const SourcePosition position = FindPosition(code, index);
  if (stepped.mode != Mode::kHold) {
    if (position.line == 0 || !IsProgram(code)) return false;
    // The rest of the same element.
    if (code == stepped.code && position.line == stepped.line &&
        position.column == stepped.column && at > stepped.at && depth == stepped.depth) {
      return false;
    }
    const bool inner = depth > stepped.depth;
    if (stepped.at != nullptr && stepped.mode == Mode::kStep && inner && code != stepped.code &&
        !(IsType(code->owner, TypeId::kQuotation) && WordOf(code) == stepped.word)) {
      return false;
    }
    if (stepped.at != nullptr && stepped.mode == Mode::kOut &&
        (depth >= stepped.depth || code == stepped.code)) {
      return false;
    }
  }
  *stop =
      static_cast<int64_t>(stepped.mode) | (position.column & 0xFFFF) << 8 | position.line << 24;
  stepped.mode = Mode::kOff;
  stepped.at = at;
  stepped.depth = depth;
  stepped.code = code;
  stepped.word = WordOf(code);
  stepped.line = position.line;
  stepped.column = position.column;
  return true;
}

namespace machine {

void StopStepping(Vm& vm, const uint32_t* at, int64_t stop) WEFT_NO_ANALYSIS {
  WordCell* hook = CellOfSpecial(vm, Special::kStepHook);
  if (hook == nullptr) {
    vm.current()->pc = at;
    return;
  }
  CallBetween(vm, at, hook, Word::Fixnum(stop));
}

}  // namespace machine

}  // namespace weft
