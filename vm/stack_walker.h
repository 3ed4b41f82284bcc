// Walks the records of a pair of stacks, innermost first: the one place that knows how frames,
// stubs, bases and windows follow each other. The collector, get-datastack, traces and the
// inspector all read stacks through it.
//
// Works on a running or parked context and on captured stacks (CallStack objects) alike, as all
// positions inside records are offsets. Allocates nothing; raw words are valid until the next
// allocation.
#ifndef WEFT_VM_STACK_WALKER_H_
#define WEFT_VM_STACK_WALKER_H_

#include <cstdint>
#include <vector>

#include "gc/layout.h"
#include "vm/bytecode.h"
#include "vm/context.h"
#include "vm/objects.h"

namespace weft {

class Vm;

// A pair of stacks at a safepoint.
struct StackState {
  const uint32_t* pc;
  Word* window;
  uint64_t* call_top;
  Word* block;
  Word* block_end;
  uint64_t base_offset;
  const std::vector<StackMark>* marks;  // null: none

  static StackState Of(const Context& context) {
    return {context.pc,
            context.window,
            context.call_top,
            context.block,
            context.block_end,
            context.base_offset,
            context.extras == nullptr ? nullptr : &context.extras->marks};
  }
};

// The stacks inside a captured pair.
StackState StateOf(CallStack* stack) WEFT_NO_ALLOC;

class StackWalker {
 public:
  enum class Event {
    kStaticFrame,   // code(), pc_index(), window()
    kDynamicFrame,  // code(), pc_index()
    kRecord,        // stub(), record_words(): words the stub owns
    kBase,          // base_begin(), base_end(): all items of one dynamic base
    kEnd,
  };

  StackWalker(const Vm& vm, const StackState& state);
  // Begins at the frame that a mark of the context returns to.
  StackWalker(const Vm& vm, const Context& context, size_t mark);
  Event Next() WEFT_NO_ALLOC;

  [[nodiscard]] const Code* code() const { return code_; }
  [[nodiscard]] uint32_t pc_index() const {
    return pc_index_;
  }  // of the 32-bit word after the instruction
  [[nodiscard]] const uint32_t* pc() const { return frame_pc_; }
  [[nodiscard]] Word* window() const { return frame_window_; }
  // What of the call stack was read so far ends here.
  [[nodiscard]] const uint64_t* read_to() const { return state_.call_top; }
  [[nodiscard]] uint64_t base_offset() const { return state_.base_offset; }
  // The frame that runs, or whose instruction a word runs for: that instruction's arguments are
  // still there (RunningArguments).
  [[nodiscard]] bool is_top() const { return is_top_; }
  // Where the frame's return address stands; null for one that is not returned to (the top).
  [[nodiscard]] uint64_t* return_slot() const { return return_slot_; }
  // The frame's return address is a StackMark's: it and what is below have not changed.
  [[nodiscard]] bool at_mark() const { return at_mark_; }
  [[nodiscard]] Op stub() const { return stub_; }
  [[nodiscard]] uint64_t* record_words() const { return record_words_; }
  [[nodiscard]] Word* base_begin() const { return base_begin_; }
  [[nodiscard]] Word* base_end() const { return base_end_; }

 private:
  void Pop() WEFT_NO_ALLOC;
  const Vm& vm_;
  StackState state_;
  const uint32_t* mark_pc_;
  size_t marks_left_ = 0;
  uint64_t* return_slot_ = nullptr;
  uint64_t* next_return_slot_ = nullptr;
  bool at_mark_ = false;
  bool next_at_mark_ = false;
  bool ended_ = false;
  bool first_ = true;
  bool resumes_ = false;
  bool is_top_ = false;
  bool end_after_base_ = false;
  const Code* code_ = nullptr;
  uint32_t pc_index_ = 0;
  const uint32_t* frame_pc_ = nullptr;
  Word* frame_window_ = nullptr;
  Op stub_ = Op::kNop;
  uint64_t* record_words_ = nullptr;
  Word* base_begin_ = nullptr;
  Word* base_end_ = nullptr;
};

// How many words each stub owns, and which of them are heap values (bit i: word i).
struct StubFrame {
  uint8_t words;
  uint32_t traced;
};
StubFrame StubFrameOf(Op stub);

// The arguments of the primitive or allocating instruction before `pc_index` that runs in `window`:
// the collector traces them besides the map. Returns their count, 0 if none.
uint32_t RunningArguments(const Code* code, uint32_t pc_index, Word* window,
                          Word** first) WEFT_NO_ALLOC;

// The same for a minor collection: only what is above the topmost mark, and sets further marks.
void VisitChangedStacks(const Vm& vm, Context& context, gc::SlotVisitor& visitor);

// What is above the topmost mark.
void VisitAboveMarks(const Vm& vm, const Context& context, gc::SlotVisitor& visitor);
// What is between a mark and the next deeper one, or the bottom.
void VisitBelowMark(const Vm& vm, const Context& context, size_t mark, gc::SlotVisitor& visitor);

// Visits every traced word of a pair of stacks, and the code that return addresses lie in.
void VisitStacks(const Vm& vm, const StackState& state, gc::SlotVisitor& visitor);

}  // namespace weft

#endif  // WEFT_VM_STACK_WALKER_H_
