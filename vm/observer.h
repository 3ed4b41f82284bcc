// Observer: what a run tells of itself, instruction by instruction: samples of the stacks at every
// n-th one, counts of each one, of opcodes and of pairs of them, objects by type.
//
// The interpreter comes here before each instruction while anything is observed (its second table
// of labels), and never otherwise. Nothing here changes what a program does: no allocation in the
// heap, no charge, so an observed run has the schedule of a plain one. Samples are counted in
// instructions, not in time: the same program has the same profile each time.
//
// Invariant: code that was met stays alive (roots), so that its address means it until the end.
// Owned by the VM; touched by the VM thread only.
#ifndef WEFT_VM_OBSERVER_H_
#define WEFT_VM_OBSERVER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gc/handle.h"
#include "gc/heap.h"
#include "vm/bytecode.h"
#include "vm/objects.h"
#include "vm/stepper.h"

namespace weft {

class Vm;

class Observer {
 public:
  enum What : uint32_t {
    kSamples = 1,
    kCounts = 2,
    kOpcodes = 4,
    kObjects = 8,
    kTrace = 16,
    kSteps = 32
  };

  explicit Observer(Vm& vm);

  // `interval`: instructions from one sample to the next.
  void Start(uint32_t what, int64_t interval);
  void Stop(uint32_t what) { what_ &= ~what; }
  [[nodiscard]] bool active() const { return what_ != 0; }

  // The instruction at `at` runs next; the registers are saved in the current context. False: not
  // yet, the context stops here (vm/stepper.h); *stop tells where.
  bool Instruction(const uint32_t* at, int64_t* stop);

  [[nodiscard]] Stepper& stepper() { return stepper_; }

  // A tree of calls: the path from the root to a node is a stack, outermost call first. Node 0 is
  // the root. A node stands for one line of one word's or quotation's code.
  struct Node {
    uint32_t parent = 0;
    uint32_t frame = 0;
    uint64_t samples = 0;  // with the node's own line innermost
  };
  struct Frame {
    Word owner{5};  // word or quotation
    Word word{5};   // that a quotation was written in
    Word path{5};
    int64_t line = 0;
  };
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  // Owner and path may move: read through the code.
  [[nodiscard]] Frame FrameAt(uint32_t frame) const WEFT_NO_ALLOC;
  void ForgetSamples();

  // How often the instruction at `at` ran; 0 if its code was not met.
  [[nodiscard]] uint64_t CountAt(const Code* code, int64_t index) const;

  // What was allocated in the nursery, by type or class, the most bytes first.
  struct Allocated {
    std::string name;
    uint64_t objects = 0;
    uint64_t bytes = 0;
  };
  [[nodiscard]] std::vector<Allocated> AllocatedByType() const;
  void ForgetAllocations() { allocated_.clear(); }

  [[nodiscard]] std::string OpReport() const;
  [[nodiscard]] std::string StatsReport();

 private:
  // Deeper stacks lose their outermost calls, which a node of its own stands for.
  static constexpr int kMaxDepth = 256;

  int64_t NextInterval();
  void Sample(const uint32_t* at);
  void Count(const uint32_t* at);
  void CountObjects();
  uint32_t CodeIndex(const Code* code);
  uint32_t FrameIndex(const Code* code, uint32_t pc_index);

  Vm& vm_;
  Stepper stepper_;
  uint32_t what_ = 0;
  int64_t interval_ = 0;
  int64_t until_sample_ = 0;
  uint64_t random_ = 1;
  uint64_t instructions_ = 0;

  gc::RootVector codes_;
  absl::flat_hash_map<const Code*, uint32_t> code_index_;  // looked up, never iterated

  struct FrameKey {
    uint32_t code;
    uint32_t pc_index;
    int64_t line;
  };
  std::vector<FrameKey> frames_;
  std::map<std::pair<uint32_t, int64_t>, uint32_t> frame_of_line_;    // code, line
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> frame_of_place_;  // code, pc index
  std::vector<Node> nodes_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> node_of_;  // parent, frame

  std::vector<std::vector<uint64_t>> counts_;  // by code, then instruction word
  const uint32_t* counted_begin_ = nullptr;    // of the code that ran last
  const uint32_t* counted_end_ = nullptr;
  uint64_t* counted_ = nullptr;

  uint64_t ops_[kOpCount] = {};
  std::vector<uint64_t> pairs_;  // first * kOpCount + second
  size_t previous_op_ = kOpCount;

  uint64_t nursery_seen_ = 0;
  uint64_t collections_seen_ = 0;
  struct Tally {
    uint64_t objects = 0;
    uint64_t bytes = 0;
  };
  std::vector<Tally> allocated_;  // by shape
};

}  // namespace weft

#endif  // WEFT_VM_OBSERVER_H_
