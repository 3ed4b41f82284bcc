// Primitives of control flow: unwinding, continuations, dynamic variables.
#include <cstring>

#include "gc/check.h"
#include "vm/line_table.h"
#include "vm/machine.h"
#include "vm/primitives.h"
#include "vm/primitives/stack_views.h"
#include "vm/scheduler.h"
#include "vm/stack_map.h"
#include "vm/stack_walker.h"
#include "vm/vm.h"

namespace weft {
namespace {

Word NewArray(Vm& vm, size_t size) WEFT_NO_ANALYSIS {
  const Word array =
      vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + size * sizeof(Word));
  As<Array>(array)->length = Word::Fixnum(static_cast<int64_t>(size));
  return array;
}

}  // namespace

Outcome ArrayOf(Vm& vm, const gc::RootVector& items, Args args, size_t result) WEFT_NO_ANALYSIS {
  const size_t bytes = sizeof(Array) + items.size() * sizeof(Word);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
    return vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
  }
  const Word array = NewArray(vm, items.size());
  auto* object = As<Array>(array);
  for (size_t i = 0; i < items.size(); ++i) {
    vm.heap().Write(object, &object->elements[i], items.get(i));
  }
  args.set(result, array);
  return Outcome::kNext;
}

namespace {

// One item of a stack map: appends its value. Returns the position behind it. Curried and composed
// items are read as the object they would be: their first part stands for them in a display.
const uint8_t* ReadItem(const uint8_t* at, const Code* code, Word* window,
                        gc::RootVector& out) WEFT_NO_ANALYSIS {
  // Nested curried items are flattened by counting what is still to be skipped.
  int pending = 1;
  bool first = true;
  while (pending > 0) {
    --pending;
    Word value = gc::kFalse;
    switch (static_cast<char>(*at++)) {
      case 'S':
        value = window[*at++];
        break;
      case 'L': {
        uint16_t literal;
        std::memcpy(&literal, at, 2);
        at += 2;
        value = code->literals[literal];
        break;
      }
      case 'I': {
        int16_t number;
        std::memcpy(&number, at, 2);
        at += 2;
        value = Word::Fixnum(number);
        break;
      }
      case 'O':
        value = Word{*at++};
        break;
      case 'C':
      case 'K':
        pending += 2;
        continue;
      default:
        break;
    }
    if (first) out.push_back(value);
    first = false;
  }
  return at;
}

// The data stack (or what is retained) of a pair of stacks, bottom first, as the innermost base
// has it.
void CollectItems(const Vm& vm, const StackState& state, bool retained,
                  gc::RootVector& out) WEFT_NO_ANALYSIS {
  // Frames come innermost first: gather per frame, then put them in order.
  std::vector<std::vector<uint64_t>> parts;
  StackWalker walker(vm, state);
  gc::Heap& heap = const_cast<Vm&>(vm).heap();
  while (true) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event == StackWalker::Event::kBase) {
      std::vector<uint64_t> items;
      if (!retained) {
        for (Word* item = walker.base_begin(); item != walker.base_end(); ++item) {
          items.push_back(item->bits);
        }
      }
      parts.push_back(std::move(items));
      break;
    }
    if (event == StackWalker::Event::kRecord) {
      if (retained && (walker.stub() == Op::kStubDip || walker.stub() == Op::kStubLocal)) {
        parts.push_back({walker.record_words()[0]});
      }
      continue;
    }
    if (event != StackWalker::Event::kStaticFrame) continue;
    std::vector<uint64_t> items;
    const Code* code = walker.code();
    if (!HasStackMaps(code)) {
      const int64_t inputs = code->mode_and_counts.AsFixnum() >> 8 & 0xFF;
      for (int64_t i = 0; !retained && i < inputs; ++i) items.push_back(walker.window()[i].bits);
    } else {
      const StackMapView map = FindStackMap(code, walker.pc_index());
      gc::RootVector values(heap);
      const uint8_t* at = map.items;
      for (int list = 0; list < 2; ++list) {
        const int count = *at++;
        for (int i = 0; i < count; ++i) {
          gc::RootVector value(heap);
          at = ReadItem(at, code, walker.window(), value);
          if ((list == 1) == retained) values.push_back(value.get(0));
        }
      }
      for (size_t i = 0; i < values.size(); ++i) items.push_back(values.get(i).bits);
      if (walker.is_top() && !retained) {
        Word* first = nullptr;
        const uint32_t count =
            RunningArguments(walker.code(), walker.pc_index(), walker.window(), &first);
        for (uint32_t i = 0; i < count; ++i) items.push_back(first[i].bits);
      }
    }
    parts.push_back(std::move(items));
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    for (const uint64_t bits : *part) out.push_back(Word{bits});
  }
}

CallStack* CallStackArgument(Args args, size_t i) WEFT_NO_ALLOC {
  return IsType(args.get(i), TypeId::kCallStack) ? As<CallStack>(args.get(i)) : nullptr;
}

}  // namespace

Outcome PrimUnwind(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  vm.pending_error.set(args.get(0));
  machine::Unwind(vm);
  return Outcome::kReload;
}

Outcome PrimCapture(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  Context& context = *vm.current();
  const size_t need = machine::FrameNeed(vm, context.pc - 1);
  Word* data_end = context.window + need;
  if (data_end > reinterpret_cast<Word*>(context.call_top)) {
    data_end = reinterpret_cast<Word*>(context.call_top);
  }
  const auto data_words = static_cast<size_t>(data_end - context.block);
  const auto call_words = static_cast<size_t>(context.call_end() - context.call_top);
  const size_t bytes = sizeof(CallStack) + (data_words + call_words) * sizeof(Word);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
    return vm.Throw(ErrorKind::kOutOfMemory, Word::Fixnum(static_cast<int64_t>(bytes)));
  }
  // The length fields are 0 while the object is being made: the collector sees it as empty only
  // before it is complete, so they are set together with the rest, without an allocation between.
  const Word captured = vm.heap().Allocate(ShapeOf(TypeId::kCallStack), bytes);
  auto* object = As<CallStack>(captured);
  object->data_words = Word::Fixnum(static_cast<int64_t>(data_words));
  object->call_words = Word::Fixnum(static_cast<int64_t>(call_words));
  object->base_offset = Word::Fixnum(static_cast<int64_t>(context.base_offset));
  object->handler_offset = Word::Fixnum(static_cast<int64_t>(context.handler_offset));
  object->window_offset = Word::Fixnum(static_cast<int64_t>(context.DataOffset(context.window)));
  std::memcpy(object->words, context.block, data_words * sizeof(Word));
  std::memcpy(object->words + data_words, context.call_top, call_words * sizeof(Word));
  if (context.extras != nullptr) {
    for (const StackMark& mark : context.extras->marks) {
      object->words[data_words + call_words - mark.offset / sizeof(Word)] =
          Word{reinterpret_cast<uint64_t>(mark.pc)};
    }
  }
  object->resume = Word{reinterpret_cast<uint64_t>(context.pc)};
  vm.heap().Write(object, &object->namestack, context.namestack);
  // The words were copied without the barrier: a large object may be old already.
  for (size_t at = 0; at < bytes; at += gc::CardTable::kCardBytes) {
    vm.heap().cards().Mark(reinterpret_cast<const char*>(object) + at);
  }
  vm.heap().cards().Mark(reinterpret_cast<const char*>(object) + bytes - 1);
  args.set(0, captured);
  return Outcome::kNext;
}

Outcome PrimResume(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  CallStack* captured = CallStackArgument(args, 1);
  if (captured == nullptr) return vm.ThrowType(TypeId::kCallStack, args.get(1));
  Context& context = *vm.current();
  const Word value = args.get(0);
  const auto data_words = static_cast<size_t>(captured->data_words.AsFixnum());
  const auto call_words = static_cast<size_t>(captured->call_words.AsFixnum());
  if (context.block_words() < data_words + call_words + 2 * Context::kRedZoneWords) {
    context.FreeBlock();
    context.AllocateBlock(2 * (data_words + call_words) + 2 * Context::kRedZoneWords);
  }
  std::memcpy(context.block, captured->words, data_words * sizeof(Word));
  context.call_top = context.call_end() - call_words;
  context.ClearMarks();
  std::memcpy(context.call_top, captured->words + data_words, call_words * sizeof(Word));
  context.window = context.DataAt(static_cast<uint64_t>(captured->window_offset.AsFixnum()));
  context.base_offset = static_cast<uint64_t>(captured->base_offset.AsFixnum());
  context.handler_offset = static_cast<uint64_t>(captured->handler_offset.AsFixnum());
  context.namestack = captured->namestack;
  context.pc = reinterpret_cast<const uint32_t*>(captured->resume.bits);
  context.wake_value = value;
  machine::StoreWakeValue(context);
  vm.scheduler().LeaveSignalHandler();
  return Outcome::kReload;
}

Outcome PrimCapturedDatastack(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  CallStack* captured = CallStackArgument(args, 0);
  if (captured == nullptr) return vm.ThrowType(TypeId::kCallStack, args.get(0));
  gc::RootVector items(vm.heap());
  CollectItems(vm, StateOf(captured), /*retained=*/false, items);
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimCapturedRetainstack(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  CallStack* captured = CallStackArgument(args, 0);
  if (captured == nullptr) return vm.ThrowType(TypeId::kCallStack, args.get(0));
  gc::RootVector items(vm.heap());
  CollectItems(vm, StateOf(captured), /*retained=*/true, items);
  return ArrayOf(vm, items, args, 0);
}

void StoreRunningWords(const Code* code, uint32_t pc_index,
                       gc::RootVector& items) WEFT_NO_ANALYSIS {
  RunningWords words(code, pc_index);
  while (words.Next()) {
    items.push_back(words.owner());
    items.push_back(words.position().path);
    items.push_back(Word::Fixnum(words.position().line));
    items.push_back(Word::Fixnum(words.position().column));
  }
}

Outcome StoreFrames(Vm& vm, const StackState& state, Args args) WEFT_NO_ANALYSIS {
  // Of a stack that ran over nobody wants every call.
  constexpr size_t kMaxFrames = 10'000;
  gc::RootVector items(vm.heap());
  StackWalker walker(vm, state);
  while (items.size() < 4 * kMaxFrames) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    StoreRunningWords(walker.code(), walker.pc_index(), items);
  }
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimCapturedFrames(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  CallStack* captured = CallStackArgument(args, 0);
  if (captured == nullptr) return vm.ThrowType(TypeId::kCallStack, args.get(0));
  return StoreFrames(vm, StateOf(captured), args);
}

Outcome PrimGetDatastack(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  gc::RootVector items(vm.heap());
  CollectItems(vm, StackState::Of(*vm.current()), /*retained=*/false, items);
  return ArrayOf(vm, items, args, 0);
}

Outcome PrimNamestack(Vm& vm, Args args) {
  args.set(0, vm.current()->namestack);
  return Outcome::kNext;
}

Outcome PrimSetNamestack(Vm& vm, Args args) WEFT_NO_ANALYSIS {
  vm.current()->namestack = args.get(0);
  return Outcome::kNext;
}

}  // namespace weft
