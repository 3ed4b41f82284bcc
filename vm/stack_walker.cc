#include "vm/stack_walker.h"

#include "gc/check.h"
#include "vm/cells.h"
#include "vm/primitives.h"
#include "vm/stack_map.h"
#include "vm/vm.h"

namespace weft {
namespace {

const uint32_t* AsPc(uint64_t raw) { return reinterpret_cast<const uint32_t*>(raw); }

}  // namespace

StubFrame StubFrameOf(Op stub) {
  switch (stub) {
#define FRAME(name, words, traced) \
  case Op::k##name:                \
    return {words, traced};
#include "vm/stub_frames.def"
#undef FRAME
    default:
      WEFT_CHECK(false && "not a stub");
      return {0, 0};
  }
}

StackState StateOf(CallStack* stack) {
  Word* block = stack->words;
  Word* end = block + stack->data_words.AsFixnum() + stack->call_words.AsFixnum();
  StackState state;
  state.pc = AsPc(stack->resume.bits);
  state.window =
      reinterpret_cast<Word*>(reinterpret_cast<char*>(block) + stack->window_offset.AsFixnum());
  state.call_top = reinterpret_cast<uint64_t*>(block + stack->data_words.AsFixnum());
  state.block = block;
  state.block_end = end;
  state.base_offset = static_cast<uint64_t>(stack->base_offset.AsFixnum());
  state.marks = nullptr;
  return state;
}

StackWalker::StackWalker(const Vm& vm, const StackState& state)
    : vm_(vm),
      state_(state),
      mark_pc_(vm.StubAddress(Op::kStubMark)),
      marks_left_(state.marks == nullptr ? 0 : state.marks->size()) {}

StackWalker::StackWalker(const Vm& vm, const Context& context, size_t mark)
    : StackWalker(vm, StackState::Of(context)) {
  const StackMark& start = (*state_.marks)[mark];
  state_.pc = start.pc;
  state_.window = context.DataAt(start.window_offset);
  state_.call_top = context.CallAt(start.offset) + 1;
  state_.base_offset = start.base_offset;
  marks_left_ = mark;
  first_ = false;
}

// Takes the next return address; a static one restores its caller's window, as kReturn does.
void StackWalker::Pop() {
  next_return_slot_ = state_.call_top;
  const uint32_t* pc = AsPc(*state_.call_top++);
  next_at_mark_ = pc == mark_pc_;
  if (next_at_mark_) {
    WEFT_CHECK(marks_left_ > 0);
    pc = (*state_.marks)[--marks_left_].pc;
  }
  state_.pc = pc;
  if (!vm_.IsStub(pc) && !InfoOf(DecodeOp(pc[-1])).Has(kOpDynamic)) {
    state_.window -= DecodeA(pc[-1]);
  }
}

StackWalker::Event StackWalker::Next() {
  is_top_ = first_ || resumes_;
  first_ = resumes_ = false;
  return_slot_ = next_return_slot_;
  at_mark_ = next_at_mark_;
  next_return_slot_ = nullptr;
  next_at_mark_ = false;
  if (ended_) return Event::kEnd;
  if (!vm_.IsStub(state_.pc)) {
    const gc::Object* object =
        vm_.heap_const().FindObject(reinterpret_cast<uint64_t>(state_.pc) - sizeof(uint32_t));
    WEFT_CHECK(object != nullptr && object->shape() == ShapeOf(TypeId::kCode));
    code_ = static_cast<const Code*>(object);
    pc_index_ = static_cast<uint32_t>(state_.pc - code_->instructions());
    frame_pc_ = state_.pc;
    frame_window_ = state_.window;
    // Not by the instruction: the word before pc may be its second.
    const bool dynamic =
        (code_->mode_and_counts.AsFixnum() & 0xFF) == static_cast<int64_t>(CodeMode::kDynamic);
    Pop();
    return dynamic ? Event::kDynamicFrame : Event::kStaticFrame;
  }

  stub_ = DecodeOp(*state_.pc);
  record_words_ = state_.call_top;
  state_.call_top += StubFrameOf(stub_).words;
  switch (stub_) {
    case Op::kStubContextEnd:
      base_begin_ = state_.block;
      base_end_ = state_.window;
      ended_ = true;
      return Event::kBase;
    case Op::kStubExitDynamic:
    case Op::kStubEndDatastack:
      base_begin_ =
          reinterpret_cast<Word*>(reinterpret_cast<char*>(state_.block) + state_.base_offset);
      base_end_ = state_.window;
      state_.window = base_begin_;
      state_.base_offset = record_words_[0] >> 2;
      Pop();
      return Event::kBase;
    case Op::kStubResumeOp:
    case Op::kStubRetry: {
      // The frame that the instruction belongs to comes next, at its own safepoint. Its arguments
      // are still its own: it may run again.
      resumes_ = true;
      state_.window -= (record_words_[0] >> 2) / sizeof(Word);
      const uint32_t* instruction = AsPc(record_words_[1]);
      state_.pc = instruction + InfoOf(DecodeOp(*instruction)).words();
      return Event::kRecord;
    }
    default:
      Pop();
      return Event::kRecord;
  }
}

namespace {

// The instruction that ends before `pc_index`: some have two words.
const uint32_t* InstructionBefore(const Code* code, uint32_t pc_index) {
  const uint32_t* at = code->instructions();
  const uint32_t* end = at + pc_index;
  // The last word is one if the word before it is no first word of two. Where that is a second
  // word, it may read as anything.
  if (pc_index >= 2 && DecodeOp(end[-2]) < Op::kCount && InfoOf(DecodeOp(end[-2])).words() == 1) {
    return end - 1;
  }
  while (true) {
    const uint32_t* next = at + InfoOf(DecodeOp(*at)).words();
    if (next >= end) return at;
    at = next;
  }
}

}  // namespace

uint32_t RunningArguments(const Code* code, uint32_t pc_index, Word* window, Word** first) {
  const uint32_t* at = InstructionBefore(code, pc_index);
  const uint32_t instruction = *at;
  switch (DecodeOp(instruction)) {
    case Op::kCallPrimitive:
      *first = window + DecodeA(instruction);
      return kPrimitives[DecodeD(instruction)].counts.inputs;
    case Op::kPrimitiveBody:
      *first = window;
      return kPrimitives[DecodeD(instruction)].counts.inputs;
    case Op::kNewTuple: {
      const Word layout{*LiteralAddress(at, DecodeD(instruction))};
      *first = window + DecodeA(instruction);
      return static_cast<uint32_t>(As<Layout>(layout)->slot_count.AsFixnum());
    }
    case Op::kCallGeneric:
    case Op::kSlotOf:
    case Op::kSetSlotOf:
    case Op::kNth:
    case Op::kSetNth:
    case Op::kLength: {
      const auto* cache =
          reinterpret_cast<const InlineCache*>(*LiteralAddress(at, DecodeD(instruction)));
      *first = window + DecodeA(instruction);
      return cache->inputs;
    }
    case Op::kCallQuotation:
    case Op::kExecuteWord:
    case Op::kCallDynamic:
      *first = window + DecodeA(instruction);
      return DecodeB(instruction) + 1;
    case Op::kCall: {
      const auto* cell =
          reinterpret_cast<const WordCell*>(*LiteralAddress(at, DecodeD(instruction)));
      *first = window + DecodeA(instruction);
      return cell->inputs;
    }
    default:
      return 0;
  }
}

namespace {

// The words that the record's stub owns, as far as they are heap values.
void VisitRecord(const StackWalker& walker, gc::SlotVisitor& visitor) WEFT_NO_ANALYSIS {
  const StubFrame frame = StubFrameOf(walker.stub());
  for (uint32_t i = 0; i < frame.words; ++i) {
    if ((frame.traced >> i & 1) != 0) {
      visitor.Visit(reinterpret_cast<Word*>(walker.record_words() + i));
    }
  }
}

}  // namespace

namespace {

// What the walker stands at. False at the end.
bool VisitEvent(const StackWalker& walker, StackWalker::Event event,
                gc::SlotVisitor& visitor) WEFT_NO_ANALYSIS {
  switch (event) {
    case StackWalker::Event::kEnd:
      return false;
    case StackWalker::Event::kBase:
      visitor.VisitRange(walker.base_begin(), walker.base_end());
      VisitRecord(walker, visitor);
      return true;
    case StackWalker::Event::kRecord:
      VisitRecord(walker, visitor);
      return true;
    case StackWalker::Event::kDynamicFrame:
      visitor.VisitInterior(reinterpret_cast<uint64_t>(walker.pc()) - sizeof(uint32_t));
      return true;
    case StackWalker::Event::kStaticFrame: {
      visitor.VisitInterior(reinterpret_cast<uint64_t>(walker.pc()) - sizeof(uint32_t));
      const Code* code = walker.code();
      if (!HasStackMaps(code)) {
        // Entry stubs have no maps: their inputs are live, nothing else is.
        const int64_t inputs = code->mode_and_counts.AsFixnum() >> 8 & 0xFF;
        visitor.VisitRange(walker.window(), walker.window() + inputs);
        return true;
      }
      const StackMapView map = FindStackMap(code, walker.pc_index());
      for (int slot = 0; slot < map.live_bytes * 8; ++slot) {
        if (map.IsLive(slot)) visitor.Visit(walker.window() + slot);
      }
      if (walker.is_top()) {
        Word* first = nullptr;
        const uint32_t count = RunningArguments(code, walker.pc_index(), walker.window(), &first);
        visitor.VisitRange(first, first + count);
      }
      return true;
    }
  }
  return false;
}

}  // namespace

void VisitStacks(const Vm& vm, const StackState& state, gc::SlotVisitor& visitor) WEFT_NO_ANALYSIS {
  StackWalker walker(vm, state);
  while (VisitEvent(walker, walker.Next(), visitor)) {
  }
}

namespace {

void VisitToMark(StackWalker& walker, gc::SlotVisitor& visitor) WEFT_NO_ANALYSIS {
  while (true) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kStaticFrame && walker.at_mark()) return;
    if (!VisitEvent(walker, event, visitor)) return;
  }
}

}  // namespace

void VisitAboveMarks(const Vm& vm, const Context& context, gc::SlotVisitor& visitor) {
  StackWalker walker(vm, StackState::Of(context));
  VisitToMark(walker, visitor);
}

void VisitBelowMark(const Vm& vm, const Context& context, size_t mark, gc::SlotVisitor& visitor) {
  StackWalker walker(vm, context, mark);
  VisitToMark(walker, visitor);
}

void VisitChangedStacks(const Vm& vm, Context& context, gc::SlotVisitor& visitor) WEFT_NO_ANALYSIS {
  // The first mark is so deep that stacks of usual programs have none; a return to a mark is a
  // little slower than another.
  constexpr int kFirst = 64;
  constexpr int kDistance = 64;
  struct Place {
    uint64_t* slot;
    StackMark mark;
  };
  std::vector<Place> places;
  StackWalker walker(vm, StackState::Of(context));
  int until_next = kFirst;
  while (true) {
    const StackWalker::Event event = walker.Next();
    const bool is_static = event == StackWalker::Event::kStaticFrame;
    if (is_static && walker.at_mark()) break;
    if (is_static && --until_next <= 0 && walker.return_slot() != nullptr) {
      uint64_t* slot = walker.return_slot();
      places.push_back({slot,
                        {context.CallOffset(slot), AsPc(*slot), context.DataOffset(walker.window()),
                         walker.base_offset()}});
      until_next = kDistance;
    }
    if (!VisitEvent(walker, event, visitor)) break;
  }
  if (places.empty()) return;
  std::vector<StackMark>& marks = context.Extras().marks;
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    marks.push_back(place->mark);
    *place->slot = reinterpret_cast<uint64_t>(vm.StubAddress(Op::kStubMark));
  }
}

}  // namespace weft
