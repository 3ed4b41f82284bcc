// Cycles of the mature collector: marking, clearing of weak references and sweeping, in steps.
//
// *Problem.* Marking a gigabyte takes half a second. A program should not stand still for that.
//
// *Solution.* A cycle goes through the phases of MarkCycle in steps that allocation does: one for
// each chunk of nursery (Heap::AllocateSlow), some for objects born outside it. Everything is
// counted in words and bytes, nothing in time, so a program gets the same steps in every run.
//
// *What keeps marking right* is the write barrier that is there anyway. Between two minor
// collections every slot that was stored to lies on a dirty card, and every stack that ran is
// dirty; the minor collection looks at exactly these. While marking is under way it marks
// from them, too: from the slots of marked objects on dirty cards, from handles, from stacks that
// ran. So, after each minor collection,
//
//   (I) what a slot on a clean card of a traced object refers to is marked, and so is what a stack
//       refers to that was visited since marking began and has not run since.
//
// (HeapVerifier proves the first half.) Objects that leave the nursery are marked, and traced for
// marking by the minor collection that traces them anyway: they are black. Those born outside it
// are marked and pushed: grey. When every root source says that all it has was visited
// (MarkSome, in steps: a million parked threads, deep stacks from mark to mark) and nothing is left
// to trace, the end of marking is one minor collection and what little that finds to trace. If it
// finds more than kFinalWords, the steps go on and the next minor collection tries again.
//
// *The end* finds the dead: root sources drop what only they know (SweepDead, proportional to the
// program's size, not the heap's). Weak references are cleared in steps; until that is done a weak
// reference to an unmarked object reads as f (Heap::WeakTarget), so that nobody sees a difference.
// A copy of a weak reference may be young, so the sweep begins after a minor collection. What is
// born outside the nursery meanwhile is marked.
//
// *Sweeping* goes up through the blocks and the large pages. A block it has not come to holds the
// objects that are marked and no others: whoever walks the heap asks (MatureSpace::Holds), since a
// dead object may refer to memory that is used anew. Free cells are found by sweeping only;
// until then allocation takes free blocks, and such a block, if the sweep is still to come by, gets
// all marks. A swept block has no marks, so a cycle begins without clearing any.
//
// *Pace.* A cycle begins at cycle_start, three quarters of the way to the threshold of a stopped
// collection, and should end before that: after each minor collection the work that is left is
// divided by the nurseries that the rest of the way has room for, as the last one filled it. If the
// threshold is passed nevertheless (by large objects), the rest is done in one pause, and if that
// does not help, a stopped collection follows: it forgets the marks, and so finds all garbage.
// Stopped ones are also `gc`, images, `instances`, a full heap and every thousandth collection
// under stress.
//
// *Rejected.* A snapshot at the beginning needs the old value of each slot that is stored to: a
// test and a load more in every store of the interpreter, and the stacks of all threads in one
// pause. Marking on a helper thread would hide its cost on a second core, but what it finds would
// depend on the machine.
//
// Source: Boehm, Demers, Shenker, "Mostly parallel garbage collection", 1991; Printezis and
// Detlefs, "A generational mostly-concurrent garbage collector", 2000.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "gc/clock.h"
#include "gc/handle.h"
#include "gc/heap.h"
#include "gc/heap_verifier.h"
#include "gc/marker.h"
#include "gc/spaces.h"

namespace weft::gc {
namespace {

constexpr uint64_t kMinStepWords = 8192;
constexpr uint64_t kMaxStepWords = uint64_t{1} << 18;
// What the end of marking may trace in its pause.
constexpr uint64_t kFinalWords = uint64_t{1} << 17;
// Sweeping: a unit is a block, or eight objects of the large space.
constexpr size_t kSweepUnits = 4;
constexpr uint64_t kMinPromoted = uint64_t{1} << 16;

}  // namespace

bool Heap::in_cycle() const { return spaces_->cycle.phase != MarkCycle::kIdle; }

void Heap::StartCycle() {
  MarkCycle& cycle = spaces_->cycle;
  if (cycle.phase != MarkCycle::kIdle) return;
  spaces_->mature.StartMarking();
  spaces_->large.StartMarking();
  cycle.phase = MarkCycle::kMark;
  cycle.roots_done = false;
  cycle.next_source = 0;
  cycle.image_card = RoundDown(spaces_->image.begin, CardTable::kCardBytes);
  cycle.slices.clear();
  cycle.weak.clear();
  cycle.next_weak = 0;
  // Two words of work for each word in use: that is right for small tuples, too much for strings.
  cycle.expected_work = used_bytes() / 4;
  cycle.done_work = 0;
  cycle.used_at_minor = used_bytes();
  cycle.words_per_chunk = kMinStepWords;
  cycle.steps = 0;
  cycle.longest_ns = 0;
  cycle.used_before = used_bytes();
  cycle.outside_bytes = 0;
  for (RootSource* source : spaces_->sources) source->BeginMarking();
}

void Heap::SetPace() {
  MarkCycle& cycle = spaces_->cycle;
  const uint64_t used = used_bytes();
  const uint64_t grown = used > cycle.used_at_minor ? used - cycle.used_at_minor : 0;
  cycle.used_at_minor = used;
  const uint64_t room = spaces_->threshold > used ? spaces_->threshold - used : 0;
  const uint64_t nurseries = std::max<uint64_t>(room / std::max(grown, kMinPromoted), 1);
  const uint64_t chunks = std::max<uint64_t>(nursery_bytes_ / kZeroChunk, 1);
  const uint64_t left =
      std::max(cycle.expected_work - std::min(cycle.expected_work, cycle.done_work),
               cycle.expected_work / 8);
  cycle.words_per_chunk =
      std::clamp(left / (nurseries * chunks) / 2 * 3, kMinStepWords, kMaxStepWords);
}

void Heap::MarkStep(uint64_t words) {
  MarkCycle& cycle = spaces_->cycle;
  Marker marker(*this);
  uint64_t root_work = 0;
  while (marker.work() + root_work < words) {
    if (!marker.Drain(words - root_work - marker.work())) break;
    if (cycle.roots_done) break;
    constexpr size_t kUnits = 16;
    constexpr size_t kCards = 512;
    root_work += 8 * kUnits;
    if (cycle.next_source < spaces_->sources.size()) {
      if (spaces_->sources[cycle.next_source]->MarkSome(marker, kUnits)) ++cycle.next_source;
    } else {
      cycle.roots_done = marker.MarkImageCards(kCards);
    }
  }
  cycle.done_work += marker.work();
}

void Heap::Step(uint64_t words) {
  MarkCycle& cycle = spaces_->cycle;
  const uint64_t start = NowNs();
  switch (cycle.phase) {
    case MarkCycle::kIdle:
      return;
    case MarkCycle::kMark:
      MarkStep(words);
      break;
    case MarkCycle::kWeak:
      ClearWeak(static_cast<size_t>(words / 8));
      break;
    case MarkCycle::kSweep: {
      // When the next cycle should begin, this one has to end.
      const bool late = used_bytes() > spaces_->cycle_start;
      (void)SweepStep(late ? 16 * kSweepUnits : kSweepUnits);
      break;
    }
  }
  const uint64_t ns = NowNs() - start;
  ++cycle.steps;
  cycle.longest_ns = std::max(cycle.longest_ns, ns);
  statistics_.step_pauses.Record(ns);
}

// Its one caller may allocate.
void Heap::StepForOutside(size_t bytes) WEFT_NO_ANALYSIS {
  MarkCycle& cycle = spaces_->cycle;
  cycle.outside_bytes += bytes;
  if (cycle.outside_bytes < kZeroChunk) return;
  // As much as the same bytes of nursery would have done, if all of them had survived.
  const uint64_t used = used_bytes();
  const uint64_t room =
      std::max(spaces_->threshold > used ? spaces_->threshold - used : 0, uint64_t{kZeroChunk});
  const uint64_t left =
      std::max(cycle.expected_work - std::min(cycle.expected_work, cycle.done_work), kMinStepWords);
  const double share =
      std::min(static_cast<double>(cycle.outside_bytes) * 1.5 / static_cast<double>(room), 1.0);
  // A large object takes its time anyway, to be cleared and filled.
  const uint64_t most = kMaxStepWords + std::min(cycle.outside_bytes, uint64_t{1} << 21);
  cycle.outside_bytes = 0;
  Step(std::clamp(static_cast<uint64_t>(static_cast<double>(left) * share), kMinStepWords, most));
  // Large objects alone would never fill the nursery, and a phase ends with a minor collection.
  const bool marked = cycle.phase == MarkCycle::kMark && cycle.roots_done &&
                      spaces_->mark_stack.empty() && cycle.slices.empty();
  const bool cleared = cycle.phase == MarkCycle::kWeak && cycle.next_weak == cycle.weak.size();
  if (marked || cleared) CollectMinor();
}

bool Heap::AfterMinor(uint64_t start_ns) {
  MarkCycle& cycle = spaces_->cycle;
  if (cycle.phase == MarkCycle::kWeak && cycle.next_weak == cycle.weak.size()) BeginSweep();
  if (cycle.phase != MarkCycle::kMark) return false;
  if (cycle.roots_done) {
    Marker marker(*this);
    const bool done = marker.Drain(kFinalWords);
    cycle.done_work += marker.work();
    if (done) {
      FinishMarking();
      CheckLimits(/*precise=*/false);
      RecordFull(NowNs() - start_ns, "cycle");
      return true;
    }
  }
  SetPace();
  // A mark stack that was full has lost objects: only walking the heap finds them.
  if (spaces_->mark_stack.overflowed()) {
    MarkRest();
    FinishMarking();
    CheckLimits(/*precise=*/false);
    RecordFull(NowNs() - start_ns, "cycle");
    return true;
  }
  return false;
}

// Everything that the steps would still have visited and traced. The nursery is empty.
void Heap::MarkRest() {
  MarkCycle& cycle = spaces_->cycle;
  Marker marker(*this);
  for (; cycle.next_source < spaces_->sources.size(); ++cycle.next_source) {
    while (!spaces_->sources[cycle.next_source]->MarkSome(marker, 1 << 16)) {
    }
  }
  (void)marker.MarkImageCards(SIZE_MAX);
  cycle.roots_done = true;
  marker.DrainAll();
  cycle.done_work += marker.work();
}

void Heap::FinishMarking() {
  MarkCycle& cycle = spaces_->cycle;
  WEFT_DCHECK(spaces_->mark_stack.empty() && cycle.slices.empty());
  if (options_.verify) {
    DieUnless(HeapVerifier(*this).RunMarked(), "at the end of marking");
  }
  cycle.phase = MarkCycle::kWeak;
  cycle.next_weak = 0;
  spaces_->mature.SetUsedToMarked();
  spaces_->large.SetUsedToMarked();
  for (RootSource* source : spaces_->sources) source->SweepDead(*this);
  spaces_->mark_stack.Shrink();
}

void Heap::ClearWeak(size_t count) {
  MarkCycle& cycle = spaces_->cycle;
  for (; count > 0 && cycle.next_weak < cycle.weak.size(); --count) {
    Word* target = cycle.weak[cycle.next_weak++]->field(0);
    if (!IsLive(*target)) *target = kFalse;
  }
}

// The nursery is empty: no weak reference is left that was not looked at.
void Heap::BeginSweep() {
  MarkCycle& cycle = spaces_->cycle;
  cycle.phase = MarkCycle::kSweep;
  cycle.weak.clear();
  cycle.weak.shrink_to_fit();
  spaces_->mature.StartSweep();
  spaces_->large.StartSweep();
}

bool Heap::SweepStep(size_t units) {
  const bool poison = PoisonsDeadMemory();
  const size_t large = units > SIZE_MAX / 8 ? SIZE_MAX : 8 * units;
  const bool large_done = spaces_->large.Sweep(large, poison);
  const bool mature_done = spaces_->mature.Sweep(units, poison, 2 * spaces_->evacuation_blocks);
  if (!large_done || !mature_done) return false;
  spaces_->cycle.phase = MarkCycle::kIdle;
  return true;
}

void Heap::AbandonCycle() {
  MarkCycle& cycle = spaces_->cycle;
  WEFT_DCHECK(cycle.phase == MarkCycle::kMark);
  spaces_->mature.AbandonMarks();
  spaces_->large.AbandonMarks();
  spaces_->mark_stack.Clear();
  cycle.slices.clear();
  cycle.weak.clear();
  cycle.phase = MarkCycle::kIdle;
}

void Heap::CompleteCycle() {
  MarkCycle& cycle = spaces_->cycle;
  if (cycle.phase == MarkCycle::kIdle) return;
  const uint64_t start = NowNs();
  const bool marking = cycle.phase == MarkCycle::kMark;
  if (cycle.phase != MarkCycle::kSweep) RunMinor();
  if (marking) {
    MarkRest();
    FinishMarking();
    CheckLimits(/*precise=*/false);
  }
  FinishCycle();
  if (marking) {
    RecordFull(NowNs() - start, "completed cycle");
  } else {
    statistics_.full_pauses.Record(NowNs() - start);
  }
  if (options_.verify) VerifyOrDie("after a completed cycle");
}

// The nursery is empty, or the phase is kSweep.
void Heap::FinishCycle() {
  if (spaces_->cycle.phase == MarkCycle::kWeak) {
    ClearWeak(SIZE_MAX);
    BeginSweep();
  }
  (void)SweepStep(SIZE_MAX);
}

void Heap::CollectFull() {
  const uint64_t start = NowNs();
  RunMinor();
  const size_t used_before = used_bytes();
  if (spaces_->cycle.phase == MarkCycle::kMark) {
    AbandonCycle();
  } else if (in_cycle()) {
    FinishCycle();
  }
  StartCycle();
  Marker marker(*this);
  uint64_t* counts = statistics_.root_slots;
  std::fill(counts, counts + kRootSections, 0);
  auto count = [&, before = uint64_t{0}](RootSection section) mutable {
    counts[static_cast<size_t>(section)] += marker.work() - before;
    before = marker.work();
  };
  for (RootBase* root = root_head_; root != nullptr; root = root->next_) {
    marker.VisitRange(root->first_, root->first_ + root->count_);
  }
  count(RootSection::kHandles);
  for (RootSource* source : spaces_->sources) {
    source->VisitRoots(marker, false);
    count(RootSectionOf(source->name()));
  }
  (void)marker.MarkImageCards(SIZE_MAX);
  count(RootSection::kCards);
  marker.DrainAll();
  FinishMarking();
  FinishCycle();
  CheckLimits(/*precise=*/true);
  ++statistics_.stopped_collections;
  spaces_->cycle.done_work = marker.work();
  spaces_->cycle.used_before = used_before;
  RecordFull(NowNs() - start, "full");
  if (options_.verify) VerifyOrDie("after a full collection");
}

void Heap::RecordFull(uint64_t ns, absl::string_view what) {
  MarkCycle& cycle = spaces_->cycle;
  cycle.longest_ns = std::max(cycle.longest_ns, ns);
  ++statistics_.full_collections;
  statistics_.live_bytes_after_full = used_bytes();
  statistics_.full_ns_total += ns;
  statistics_.full_ns_max = std::max(statistics_.full_ns_max, ns);
  statistics_.full_pauses.Record(ns);
  if (!options_.trace) return;
  TraceCollection(
      absl::StrFormat("%s %d: %.1f MiB before, %d words, %d steps, longest %.3f ms", what,
                      statistics_.full_collections,
                      static_cast<double>(cycle.used_before) / (1 << 20), cycle.done_work,
                      cycle.steps, static_cast<double>(cycle.longest_ns) / 1e6),
      ns);
}

Word Heap::WeakTarget(const Object* reference) const {
  const Word target = *reference->field(0);
  if (spaces_->cycle.phase == MarkCycle::kWeak && !IsLive(target)) return kFalse;
  return target;
}

// An object outside the nursery, just allocated. In its place it is as if it had been promoted.
void Heap::NoteBornOutside(Object* object) {
  const auto address = reinterpret_cast<uint64_t>(object);
  switch (spaces_->cycle.phase) {
    case MarkCycle::kMark:
      Marker(*this).MarkObject(address);
      break;
    case MarkCycle::kWeak:
      if (spaces_->shapes.Of(object).weak) spaces_->cycle.weak.push_back(object);
      if (spaces_->mature.Contains(address)) {
        spaces_->mature.Mark(address);
      } else {
        spaces_->large.Mark(address);
      }
      break;
    case MarkCycle::kIdle:
    case MarkCycle::kSweep:
      break;
  }
}

std::string Heap::PauseReport() const {
  const auto row = [](absl::string_view what, const PauseHistogram& pauses) {
    const auto ms = [](uint64_t ns) { return static_cast<double>(ns) / 1e6; };
    return absl::StrFormat("gc: %s: %d, %.1f ms together; p50 %.3f p99 %.3f longest %.3f ms\n",
                           what, pauses.count(), ms(pauses.total_ns()), ms(pauses.PerMille(500)),
                           ms(pauses.PerMille(990)), ms(pauses.max_ns()));
  };
  return row("minor collections", statistics_.minor_pauses) +
         row("steps of cycles", statistics_.step_pauses) +
         row("ends of cycles and full collections", statistics_.full_pauses);
}

}  // namespace weft::gc
