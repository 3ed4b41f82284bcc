#include "gc/heap.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_format.h"
#include "gc/clock.h"
#include "gc/handle.h"
#include "gc/minor_gc.h"
#include "gc/poison.h"
#include "gc/spaces.h"

namespace weft::gc {
namespace {

constexpr uint64_t kMinThreshold = uint64_t{32} << 20;
constexpr size_t kMinNursery = size_t{64} << 10;
// Kept ready in the large-object space, for objects that nobody announced with Reserve.
constexpr size_t kLargeReserve = size_t{1} << 20;
constexpr uint64_t kMinLimit = uint64_t{4} << 20;
constexpr uint64_t kStressWords = 500;
// What a minor collection may take, and the least nursery that it can be given for that.
constexpr uint64_t kMinorWork = 400'000;
constexpr uint64_t kLeastNursery = uint64_t{64} << 10;
constexpr uint64_t kMaxBornDirty = uint64_t{4} << 20;
constexpr uint64_t kMinOverdraft = uint64_t{1} << 20;
constexpr uint64_t kMaxLimit = uint64_t{28} << 30;

// Three quarters of the machine's memory, or of what the process may have.
uint64_t DefaultLimit() {
  uint64_t memory =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit limit;
  if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    memory = std::min<uint64_t>(memory, limit.rlim_cur);
  }
  return memory / 4 * 3;
}

size_t ObjectBytes(size_t bytes) { return std::max<size_t>(RoundUp(bytes, 8), kMinObjectBytes); }

uint64_t NextRandom(uint64_t& state) {  // SplitMix64
  uint64_t z = (state += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

Object* ImageSpace::FindObject(uint64_t address, const ShapeTable& shapes) const {
  uint64_t start =
      kImageBase + uint64_t{starts[(address - kImageBase) >> CardTable::kCardShift]} * 8;
  while (true) {
    auto* object = reinterpret_cast<Object*>(start);
    start += shapes.SizeOf(object);
    if (address < start) return object;
  }
}

Heap::Heap(const HeapOptions& options) : spaces_(std::make_unique<Spaces>()), options_(options) {}

Heap::~Heap() {
  if (options_.trace) absl::FPrintF(stderr, "%s", PauseReport());
  WEFT_CHECK(root_head_ == nullptr);
  UnpoisonMemory(nursery_begin_, nursery_span_);
}

bool Heap::PoisonsDeadMemory() const {
  return kAlwaysPoison || options_.stress_rate != 0 || options_.verify;
}

absl::StatusOr<std::unique_ptr<Heap>> Heap::Create(const HeapOptions& options) {
  std::unique_ptr<Heap> heap(new Heap(options));
  Spaces& spaces = *heap->spaces_;
  constexpr uint64_t kEnd = kHeapBase + kHeapSpan;
  constexpr uint64_t kCards = (kEnd - kImageBase) >> CardTable::kCardShift;
  if (!spaces.memory.TakeAt(kImageBase, kEnd - kImageBase)) {
    return absl::UnavailableError("the heap's address space is taken or cannot be reserved");
  }
  if (!spaces.card_memory.TakeAnywhere(kCards)) {
    return absl::ResourceExhaustedError("the card table cannot be reserved");
  }
  heap->cards_.set_biased(reinterpret_cast<uint8_t*>(spaces.card_memory.base() -
                                                     (kImageBase >> CardTable::kCardShift)));

  uint64_t limit = options.heap_limit_bytes != 0 ? options.heap_limit_bytes : DefaultLimit();
  spaces.limit = std::clamp(limit, kMinLimit, kMaxLimit);
  size_t nursery = RoundUp(std::max(options.nursery_bytes, kMinNursery), kPageBytes);
  nursery = std::min<size_t>(nursery, kNurserySpan);
  heap->nursery_begin_ = heap->nursery_top_ = heap->nursery_end_ = kHeapBase;
  heap->nursery_span_ = heap->nursery_bytes_ = nursery;
  spaces.nursery_start = kHeapBase;
  // Cards of image, cells and nursery: Write marks them without asking where the object is.
  bool ok = CommitPages(spaces.card_memory.base(),
                        reinterpret_cast<uint64_t>(heap->cards_.CardOf(kHeapBase + nursery))) &&
            CommitPages(kHeapBase, kHeapBase + nursery) &&
            spaces.mature.Init(kMatureBase, kMatureSpan, &heap->cards_) &&
            spaces.large.Init(kLargeBase, kLargeSpan, &heap->cards_) &&
            spaces.mark_stack.Init(std::max<size_t>(options.mark_stack_entries, 1));
  // Cells are at most an eighth larger than their objects, and every class may start a block.
  spaces.evacuation_blocks = (nursery + nursery / 8) / kBlockBytes + MatureSpace::kClasses + 1;
  ok = ok && heap->EnsureReserves();
  if (!ok) return absl::ResourceExhaustedError("not enough memory for the heap");
  spaces.promoted.reserve(nursery / kMinObjectBytes);
  spaces.threshold = std::min(kMinThreshold, spaces.limit);
  spaces.cycle_start = spaces.threshold / 4 * 3;
  spaces.stress_state = options.stress_seed;
  return heap;
}

void Heap::RegisterLayout(uint32_t shape, const LayoutDescriptor& layout) {
  spaces_->shapes.Register(shape, layout);
}

void Heap::RegisterTupleShape(uint32_t shape, uint32_t words) {
  LayoutDescriptor layout;
  layout.rule = SizeRule::kFixed;
  layout.fixed_words = layout.traced_words = words;
  spaces_->shapes.Register(shape, layout);
}

void Heap::AddRootSource(RootSource* source) {
  spaces_->sources.push_back(source);
  spaces_->cycle.next_source = 0;  // which one is whose has changed
  spaces_->cycle.roots_done = false;
  if (spaces_->cycle.phase == MarkCycle::kMark) source->BeginMarking();
}

void Heap::RemoveRootSource(RootSource* source) {
  auto& sources = spaces_->sources;
  sources.erase(std::remove(sources.begin(), sources.end(), source), sources.end());
  spaces_->cycle.next_source = 0;
  spaces_->cycle.roots_done = false;
}

bool Heap::CommitCells(uint64_t bytes) {
  if (bytes > kCellSpan) return false;
  if (bytes <= spaces_->cell_bytes) return true;
  uint64_t target = std::min(RoundUp(bytes, uint64_t{1} << 16), kCellSpan);
  if (!CommitPages(kCellBase + spaces_->cell_bytes, kCellBase + target)) return false;
  spaces_->cell_bytes = target;
  return true;
}

void Heap::OutOfMemory() {
  std::fprintf(stderr, "weft: out of memory: the system gives the heap no more pages\n");
  std::fflush(nullptr);
  std::_Exit(1);
}

Word Heap::Allocate(uint32_t shape, size_t bytes) {
  size_t size = ObjectBytes(bytes);
  if (size < kLargeBytes) [[likely]] {
    if (uint64_t address = TryAllocateNursery(size)) [[likely]] {
      auto* object = reinterpret_cast<Object*>(address);
      object->header = Object::HeaderFor(shape);
      return Word::Pointer(object);
    }
    return AllocateSlow(shape, size);
  }
  return AllocateOutside(shape, size);
}

Word Heap::AllocatePinned(uint32_t shape, size_t bytes) {
  return AllocateOutside(shape, ObjectBytes(bytes));
}

Word Heap::AllocateSlow(uint32_t shape, size_t bytes) {
  bool stress = options_.stress_rate != 0;
  if (stress) Stress();
  uint64_t limit = nursery_begin_ + (stress ? nursery_span_ : nursery_bytes_);
  // Stores may have made enough to do for one pause already.
  const bool busy = !stress && nursery_top_ != nursery_begin_ &&
                    spaces_->DirtyCards(cards_) * MinorCollector::kScatteredCardWork > kMinorWork;
  if (busy || bytes > limit - nursery_top_) {
    CollectForSpace(0);
    nursery_top_ = nursery_end_ = spaces_->nursery_start = nursery_begin_;
  }
  if (in_cycle() && !stress) Step(spaces_->cycle.words_per_chunk);
  uint64_t address = nursery_top_;
  nursery_top_ = address + bytes;
  // Cleared a chunk ahead of use, so that the lines are still in the cache then. Under stress every
  // allocation must come here, so nothing is cleared ahead.
  uint64_t end =
      stress ? nursery_top_ : std::min(limit, std::max(nursery_top_, nursery_end_ + kZeroChunk));
  UnpoisonMemory(nursery_end_, end - nursery_end_);
  std::memset(reinterpret_cast<void*>(nursery_end_), 0, end - nursery_end_);
  nursery_end_ = end;
  auto* object = reinterpret_cast<Object*>(address);
  object->header = Object::HeaderFor(shape);
  return Word::Pointer(object);
}

Word Heap::AllocateOutside(uint32_t shape, size_t bytes) {
  if (options_.stress_rate != 0) Stress();
  if (born_dirty_ > kMaxBornDirty) CollectMinor();
  CollectForSpace(bytes);
  Object* object;
  if (bytes < kLargeBytes) {
    object = spaces_->mature.AllocateCell(bytes);
    if (object == nullptr) OutOfMemory();
    std::memset(static_cast<void*>(object), 0, bytes);
  } else {
    object = spaces_->large.Allocate(bytes);
    if (object == nullptr) OutOfMemory();
  }
  statistics_.allocated_bytes += bytes;
  object->header = Object::HeaderFor(shape);
  if (in_cycle()) NoteBornOutside(object);
  if (!ShapeTable::HasReferences(spaces_->shapes.Of(object))) return Word::Pointer(object);
  // Its fields may be filled without Write until the next allocation.
  born_dirty_ += bytes;
  uint64_t address = reinterpret_cast<uint64_t>(object);
  uint8_t* first = cards_.CardOf(address);
  std::memset(first, CardTable::kYoung,
              static_cast<size_t>(cards_.CardOf(address + bytes - 1) - first) + 1);
  return Word::Pointer(object);
}

void Heap::CleanNew(Word object) {
  const uint64_t address = object.Address();
  if (InNursery(address)) return;
  const size_t bytes = SizeOf(reinterpret_cast<const Object*>(address));
  if (bytes < kLargeBytes) return;  // it shares its cards
  uint8_t* first = cards_.CardOf(address);
  uint8_t* last = cards_.CardOf(address + bytes - 1);
  for (uint8_t* card = first; card <= last; ++card) {
    *card &= static_cast<uint8_t>(~CardTable::kYoung);
  }
  born_dirty_ -= std::min<uint64_t>(born_dirty_, bytes);
}

// Collects if the nursery is what ran out (bytes == 0); begins a cycle, or ends one at once, if
// `bytes` more outside it pass what there is for them.
void Heap::CollectForSpace(size_t bytes) {
  if (bytes == 0) CollectMinor();
  const uint64_t used = used_bytes() + bytes;
  // A cycle that is on its way may overrun a little.
  uint64_t most = spaces_->threshold;
  if (spaces_->cycle.phase == MarkCycle::kMark) {
    most = std::max(most, std::min(spaces_->limit, most + most / 4));
  }
  if (used > most) {
    if (spaces_->cycle.phase == MarkCycle::kMark && spaces_->threshold != 0) {
      CompleteCycle();
      if (used_bytes() + bytes <= spaces_->threshold) return;
    }
    CollectFull();
  } else if (in_cycle()) {
    if (bytes != 0) StepForOutside(bytes);
  } else if (used > spaces_->cycle_start && options_.incremental) {
    StartCycle();
  }
}

bool Heap::Reserve(size_t bytes) {
  auto fits = [&] {
    size_t used = used_bytes();
    uint64_t limit = spaces_->limit + spaces_->overdraft;
    return used <= limit && bytes <= limit - used &&
           (bytes < kLargeBytes || spaces_->large.EnsureRoom(bytes + kPageBytes));
  };
  if (bytes <= spaces_->limit) {
    if (fits()) return true;
    CollectFull();
    if (fits()) return true;
  }
  GrantOverdraft();
  return false;
}

void Heap::ClearLimitExceeded() { GrantOverdraft(); }

void Heap::GrantOverdraft() {
  limit_exceeded_ = false;  // said now
  spaces_->overdraft = std::max(spaces_->limit / 8, kMinOverdraft);
}

void Heap::Stress() {
  if (NextRandom(spaces_->stress_state) % options_.stress_rate != 0) return;
  const uint64_t turn = ++spaces_->stress_minors % 1000;
  if (turn == 0) {
    CollectFull();
    return;
  }
  if (turn % 50 == 25 && options_.incremental) StartCycle();
  if (in_cycle()) Step(kStressWords);
  CollectMinor();
}

void Heap::CollectMinor() {
  const uint64_t start = NowNs();
  const uint64_t ns = RunMinor();
  if (!AfterMinor(start)) statistics_.minor_pauses.Record(ns);
  if (options_.verify && in_cycle()) VerifyOrDie("after a step of a cycle");
}

uint64_t Heap::RunMinor() {
  if (options_.verify) VerifyOrDie("before a minor collection");
  const uint64_t start = NowNs();
  const uint64_t promoted_before = statistics_.promoted_bytes;
  MinorCollector collector(*this);
  collector.Run();
  const uint64_t ns = FinishMinor(start, promoted_before);
  SetNurserySize(collector.work_ns());
  if (options_.verify) VerifyOrDie("after a minor collection");
  return ns;
}

// The next minor collection should do kMinorWork at most, if it finds as much in each byte as the
// last one did.
void Heap::SetNurserySize(uint64_t work_ns) {
  born_dirty_ = 0;
  spaces_->card_sampler.Reset();
  if (work_ns > kMinorWork) {
    nursery_bytes_ = nursery_bytes_ * kMinorWork / work_ns;
  } else if (work_ns < kMinorWork / 2) {
    nursery_bytes_ *= 2;
  }
  const uint64_t least = std::min<uint64_t>(kLeastNursery, nursery_span_);
  nursery_bytes_ = std::clamp(RoundUp(nursery_bytes_, kZeroChunk), least, nursery_span_);
}

uint64_t Heap::FinishMinor(uint64_t start_ns, uint64_t promoted_before) {
  uint64_t allocated = nursery_top_ - spaces_->nursery_start;
  statistics_.allocated_bytes += allocated;
  // A pointer that was not updated finds no object there any more.
  PoisonMemory(spaces_->nursery_start, allocated, PoisonsDeadMemory());
  if (options_.stress_rate != 0) {
    // Goes on behind the dead objects, so that they stay poisoned for as long as possible.
    nursery_end_ = nursery_top_;
  } else {
    nursery_top_ = nursery_end_ = nursery_begin_;
  }
  spaces_->nursery_start = nursery_top_;
  if (!EnsureReserves()) {
    limit_exceeded_ = true;
    spaces_->threshold = 0;  // a full collection comes next
  }
  uint64_t ns = NowNs() - start_ns;
  ++statistics_.minor_collections;
  statistics_.minor_ns_total += ns;
  statistics_.minor_ns_max = std::max(statistics_.minor_ns_max, ns);
  if (options_.trace) {
    TraceCollection(
        absl::StrFormat("minor %d: %d bytes allocated, %d promoted", statistics_.minor_collections,
                        allocated, statistics_.promoted_bytes - promoted_before),
        ns);
  }
  return ns;
}

// One line: what was done, how long it took, what is in use, and where the roots came from.
void Heap::TraceCollection(const std::string& what, uint64_t ns) const {
  std::string line =
      absl::StrFormat("gc: %s, %.3f ms, %.1f MiB in use; root slots:", what,
                      static_cast<double>(ns) / 1e6, static_cast<double>(used_bytes()) / (1 << 20));
  for (size_t i = 0; i < kRootSections; ++i) {
    if (statistics_.root_slots[i] == 0) continue;
    absl::StrAppendFormat(&line, " %s %d", kRootSectionNames[i], statistics_.root_slots[i]);
  }
  absl::FPrintF(stderr, "%s\n", line);
}

// Room for what cannot fail: a minor collection in which everything survives, and a few large
// objects.
bool Heap::EnsureReserves() {
  return spaces_->mature.EnsureFreeBlocks(spaces_->evacuation_blocks) &&
         spaces_->large.EnsureRoom(kLargeReserve);
}

// Sets the next threshold: twice what is live, within the limit; near the limit a sixteenth of it
// more, so that a full heap is not collected at every turn. `precise`: all that is in use is live.
void Heap::CheckLimits(bool precise) {
  uint64_t live = used_bytes();
  if (precise) {
    if (live <= spaces_->limit) spaces_->overdraft = 0;
    if (live > spaces_->limit + spaces_->overdraft || !EnsureReserves()) limit_exceeded_ = true;
  }
  uint64_t threshold = std::max(2 * live, kMinThreshold);
  if (threshold > spaces_->limit) {
    uint64_t least = live + std::max<uint64_t>(nursery_span_, spaces_->limit / 16);
    threshold = std::max(spaces_->limit, least);
  }
  spaces_->cycle_start = live + (threshold - live) / 4 * 3;
  // Perhaps that is garbage which a cycle could not know.
  if (!precise && live > spaces_->limit) threshold = 0;
  spaces_->threshold = threshold;
}

Object* Heap::FindObject(uint64_t address) const {
  if (spaces_->image.Contains(address)) {
    return spaces_->image.FindObject(address, spaces_->shapes);
  }
  if (spaces_->mature.Contains(address)) return spaces_->mature.FindObject(address);
  if (spaces_->large.Contains(address)) return spaces_->large.FindObject(address);
  return nullptr;
}

bool Heap::IsLive(Word word) const {
  if (!word.IsPointer()) return true;
  WEFT_DCHECK(spaces_->cycle.phase == MarkCycle::kWeak);
  uint64_t address = word.bits - 1;
  if (spaces_->mature.Contains(address)) return spaces_->mature.IsMarked(address);
  if (spaces_->large.Contains(address)) return spaces_->large.IsMarked(address);
  return true;
}

size_t Heap::SizeOf(const Object* object) const { return spaces_->shapes.SizeOf(object); }

void Heap::TraceObject(Object* object, SlotVisitor& visitor) const {
  spaces_->shapes.Trace(object, visitor);
}

uint64_t Heap::nursery_start() const { return spaces_->nursery_start; }

size_t Heap::used_bytes() const {
  return spaces_->mature.used_bytes() + spaces_->large.used_bytes();
}

size_t Heap::limit_bytes() const { return spaces_->limit; }

void Heap::ForEachObject(void (*visit)(Object* object, void* data), void* data) {
  auto each = [&](Object* object) { visit(object, data); };
  spaces_->image.ForEach(spaces_->shapes, each);
  spaces_->mature.ForEach(each);
  spaces_->large.ForEach(each);
}

void Heap::VerifyOrDie(const char* when) const { DieUnless(Verify(), when); }

void Heap::DieUnless(const absl::Status& status, const char* when) {
  if (status.ok()) return;
  absl::SNPrintF(fault_text, sizeof(fault_text), "heap verifier, %s: %s", when, status.message());
  absl::FPrintF(stderr, "weft: %s\n", fault_text);
  std::abort();
}

}  // namespace weft::gc
