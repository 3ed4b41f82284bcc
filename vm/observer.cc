#include "vm/observer.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "vm/kernel_calls.h"
#include "vm/line_table.h"
#include "vm/scheduler.h"
#include "vm/stack_walker.h"
#include "vm/strings.h"
#include "vm/trace.h"
#include "vm/vm.h"

namespace weft {
namespace {

// Frames that are no code: 0, the root's, and what stands for calls too deep to keep.
constexpr uint32_t kDeepFrame = 1;
constexpr uint32_t kFirstFrame = 2;

// The row of an opcode table: name and count, the largest first.
struct NamedCount {
  std::string name;
  uint64_t count;
};

void AppendTable(std::string* out, std::vector<NamedCount> rows, size_t most, uint64_t total) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const NamedCount& a, const NamedCount& b) { return a.count > b.count; });
  if (rows.size() > most) rows.resize(most);
  for (const NamedCount& row : rows) {
    absl::StrAppendFormat(out, "%14u %5.1f%%  %s\n", row.count,
                          100.0 * static_cast<double>(row.count) / static_cast<double>(total),
                          row.name);
  }
}

std::string WordName(Word word) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kWordObject)) return "?";
  const Word name = As<WordObject>(word)->name;
  return IsType(name, TypeId::kString) ? ToUtf8(name) : "?";
}

}  // namespace

Observer::Observer(Vm& vm) : vm_(vm), stepper_(vm), codes_(vm.heap()) {
  pairs_.resize(kOpCount * kOpCount);
  ForgetSamples();
}

void Observer::ForgetSamples() {
  nodes_.assign(1, Node());
  node_of_.clear();
  until_sample_ = interval_;
  random_ = 1;
}

void Observer::Start(uint32_t what, int64_t interval) {
  if ((what & kSamples) != 0) interval_ = until_sample_ = std::max<int64_t>(interval, 1);
  if ((what & kObjects) != 0) {
    nursery_seen_ = vm_.heap().nursery_top();
    collections_seen_ = vm_.heap().statistics().minor_collections;
  }
  what_ |= what;
}

// Between half the interval and one and a half: a loop of a fixed length does not keep step with
// it.
int64_t Observer::NextInterval() {
  random_ = random_ * 6364136223846793005 + 1442695040888963407;
  return std::max<int64_t>(
      1, interval_ / 2 + static_cast<int64_t>((random_ >> 33) % static_cast<uint64_t>(interval_)));
}

bool Observer::Instruction(const uint32_t* at, int64_t* stop) {
  if ((what_ & kSteps) != 0 && stepper_.Stops(at, stop)) return false;
  ++instructions_;
  if ((what_ & kSamples) != 0 && --until_sample_ <= 0) {
    until_sample_ = NextInterval();
    Sample(at);
  }
  if ((what_ & kCounts) != 0) Count(at);
  if ((what_ & kOpcodes) != 0) {
    const auto op = static_cast<size_t>(DecodeOp(*at));
    if (op < kOpCount) {
      ++ops_[op];
      if (previous_op_ < kOpCount) ++pairs_[previous_op_ * kOpCount + op];
      previous_op_ = op;
    }
  }
  if ((what_ & kObjects) != 0) CountObjects();
  if ((what_ & kTrace) != 0) TraceInstruction(at, vm_.current()->window - vm_.current()->block);
  return true;
}

uint32_t Observer::CodeIndex(const Code* code) {
  const auto [found, fresh] = code_index_.try_emplace(code, static_cast<uint32_t>(codes_.size()));
  if (fresh) codes_.push_back(Word::Pointer(code));
  return found->second;
}

uint32_t Observer::FrameIndex(const Code* code, uint32_t pc_index) WEFT_NO_ANALYSIS {
  const uint32_t index = CodeIndex(code);
  const auto [place, fresh] = frame_of_place_.try_emplace({index, pc_index}, 0);
  if (!fresh) return place->second;
  const int64_t line = FindPosition(code, pc_index).line;
  const auto [found, fresh_line] = frame_of_line_.try_emplace(
      {index, line}, kFirstFrame + static_cast<uint32_t>(frames_.size()));
  if (fresh_line) frames_.push_back({index, pc_index, line});
  place->second = found->second;
  return found->second;
}

void Observer::Sample(const uint32_t* at) WEFT_NO_ANALYSIS {
  StackState state = StackState::Of(*vm_.current());
  // About to run a stub is as having returned to it.
  if (vm_.IsStub(at)) state.pc = at;
  uint32_t stack[kMaxDepth];
  int depth = 0;
  StackWalker walker(vm_, state);
  while (true) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    if (!walker.code()->owner.IsPointer()) continue;  // the stubs' own code
    if (depth == kMaxDepth) {
      stack[depth - 1] = kDeepFrame;
      break;
    }
    stack[depth++] = FrameIndex(walker.code(), walker.pc_index());
  }
  uint32_t node = 0;
  while (depth > 0) {
    const uint32_t frame = stack[--depth];
    const auto [found, fresh] =
        node_of_.try_emplace({node, frame}, static_cast<uint32_t>(nodes_.size()));
    if (fresh) nodes_.push_back({node, frame, 0});
    node = found->second;
  }
  ++nodes_[node].samples;
}

Observer::Frame Observer::FrameAt(uint32_t frame) const {
  Frame result;
  if (frame < kFirstFrame) return result;
  const FrameKey& key = frames_[frame - kFirstFrame];
  const Code* code = As<Code>(codes_.get(key.code));
  const SourcePosition position = FindPosition(code, key.pc_index);
  result.owner = code->owner;
  if (IsType(code->owner, TypeId::kQuotation)) result.word = As<Quotation>(code->owner)->owner;
  result.path = position.path;
  result.line = key.line;
  return result;
}

void Observer::Count(const uint32_t* at) WEFT_NO_ANALYSIS {
  if (at < counted_begin_ || at >= counted_end_) {
    const gc::Object* object = vm_.heap().FindObject(reinterpret_cast<uint64_t>(at));
    if (object == nullptr || object->shape() != ShapeOf(TypeId::kCode)) return;
    const auto* code = static_cast<const Code*>(object);
    const uint32_t index = CodeIndex(code);
    if (counts_.size() <= index) counts_.resize(index + 1);
    if (counts_[index].empty()) {
      counts_[index].resize(static_cast<size_t>(code->instruction_count.AsFixnum()));
    }
    counted_begin_ = code->instructions();
    counted_end_ = counted_begin_ + counts_[index].size();
    counted_ = counts_[index].data();
  }
  ++counted_[at - counted_begin_];
}

uint64_t Observer::CountAt(const Code* code, int64_t index) const {
  const auto found = code_index_.find(code);
  if (found == code_index_.end() || found->second >= counts_.size()) return 0;
  const std::vector<uint64_t>& counts = counts_[found->second];
  return static_cast<size_t>(index) < counts.size() ? counts[static_cast<size_t>(index)] : 0;
}

// What the instruction before this one left in the nursery. What it left there before a collection
// that itself caused is not seen; the report says how many bytes that was.
void Observer::CountObjects() WEFT_NO_ANALYSIS {
  gc::Heap& heap = vm_.heap();
  const uint64_t top = heap.nursery_top();
  if (heap.statistics().minor_collections != collections_seen_) {
    collections_seen_ = heap.statistics().minor_collections;
    nursery_seen_ = heap.nursery_start();
  }
  while (nursery_seen_ < top) {
    const auto* object = reinterpret_cast<const gc::Object*>(nursery_seen_);
    const size_t bytes = heap.SizeOf(object);
    if (allocated_.size() <= object->shape()) allocated_.resize(object->shape() + 1);
    ++allocated_[object->shape()].objects;
    allocated_[object->shape()].bytes += bytes;
    nursery_seen_ += bytes;
  }
  nursery_seen_ = top;
}

std::string Observer::OpReport() const {
  uint64_t total = 0;
  std::vector<NamedCount> singles;
  std::vector<NamedCount> pairs;
  for (size_t i = 0; i < kOpCount; ++i) {
    total += ops_[i];
    if (ops_[i] != 0) singles.push_back({kOps[i].name, ops_[i]});
    for (size_t j = 0; j < kOpCount; ++j) {
      const uint64_t count = pairs_[i * kOpCount + j];
      if (count != 0) pairs.push_back({absl::StrCat(kOps[i].name, " ", kOps[j].name), count});
    }
  }
  std::string out = absl::StrCat("opcodes: ", total, " instructions\n");
  if (total == 0) return out;
  AppendTable(&out, std::move(singles), kOpCount, total);
  out += "pairs:\n";
  AppendTable(&out, std::move(pairs), 60, total);
  return out;
}

std::vector<Observer::Allocated> Observer::AllocatedByType() const WEFT_NO_ANALYSIS {
  static constexpr const char* kTypeNames[] = {
#define TYPE(name, class_name, vocabulary, rule, fixed, traced) class_name,
#include "vm/types.def"
#undef TYPE
  };
  std::vector<Allocated> rows;
  for (size_t shape = 0; shape < allocated_.size(); ++shape) {
    if (allocated_[shape].objects == 0) continue;
    std::string name = "?";
    if (shape >= gc::kFirstTupleShape) {
      const Word layout = vm_.layouts().get(shape - gc::kFirstTupleShape);
      if (layout.IsPointer()) name = WordName(As<Layout>(layout)->class_word);
    } else if (shape < sizeof(kTypeNames) / sizeof(kTypeNames[0])) {
      name = kTypeNames[shape];
    }
    rows.push_back({name, allocated_[shape].objects, allocated_[shape].bytes});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Allocated& a, const Allocated& b) { return a.bytes > b.bytes; });
  return rows;
}

std::string Observer::StatsReport() WEFT_NO_ANALYSIS {
  uint64_t calls = 0;
  uint64_t tail_calls = 0;
  uint64_t primitives = 0;
  for (size_t i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    if (op == Op::kCallPrimitive || op == Op::kPrimitiveBody) {
      primitives += ops_[i];
    } else if (op == Op::kTailCall || op == Op::kTailCallGeneric || op == Op::kDynTailCall) {
      tail_calls += ops_[i];
    } else if (kOps[i].Has(kOpCalls) || op == Op::kDynCall) {
      calls += ops_[i];
    }
  }
  std::string out;
  const auto line = [&out](const char* name, uint64_t value) {
    absl::StrAppendFormat(&out, "%-24s %14u\n", name, value);
  };
  const gc::HeapStatistics& heap = vm_.heap().statistics();
  line("instructions", instructions_);
  line("calls", calls);
  line("tail calls", tail_calls);
  line("primitives", primitives);
  line("switches", vm_.scheduler().switches());
  line("bytes allocated",
       heap.allocated_bytes + vm_.heap().nursery_top() - vm_.heap().nursery_start());
  line("bytes promoted", heap.promoted_bytes);
  line("bytes in use", vm_.heap().used_bytes());
  line("minor collections", heap.minor_collections);
  line("  longest, us", heap.minor_ns_max / 1000);
  line("  all, us", heap.minor_ns_total / 1000);
  line("full collections", heap.full_collections);
  line("  longest, us", heap.full_ns_max / 1000);
  line("  all, us", heap.full_ns_total / 1000);
  line("kernel: reads", kernel_calls.reads);
  line("kernel: writes", kernel_calls.writes);
  line("kernel: accepts", kernel_calls.accepts);
  line("kernel: watches", kernel_calls.watches);
  line("kernel: waits", kernel_calls.waits);
  absl::StrAppendFormat(&out, "%-24s %14s %14s\n", "allocated in the nursery", "objects", "bytes");
  for (const Allocated& row : AllocatedByType()) {
    absl::StrAppendFormat(&out, "  %-22s %14u %14u\n", row.name, row.objects, row.bytes);
  }
  return out;
}

}  // namespace weft
