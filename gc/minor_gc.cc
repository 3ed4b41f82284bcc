// The collector, in prose. Read this before changing anything in gc/.
//
// *Spaces.* New objects of less than kLargeBytes are bumped off a nursery of up to a megabyte. What
// a minor collection finds alive there is copied to the mature space: blocks of 64 KiB cut into
// cells of one size, whose objects never move again. Larger objects get pages of their own from the
// start, and never move either (I/O reads and writes them in place). Words and code ask for a place
// that never moves when they are made (AllocatePinned); that is the mature space. The image is
// mapped from its file; its objects never die.
//
// *Why not copy everything.* Code must not move, since frames hold bare return addresses. A space
// that moves nothing can be marked concurrently later, and forked children keep sharing its pages:
// mark bits, block tables and cards lie in memory of their own. The price is fragmentation, which
// eight size classes per doubling keep at an eighth of a cell, and half-empty blocks.
//
// *What a minor collection must find* are all references into the nursery from outside: from roots,
// and from old objects. The second kind exists only where somebody stored one, and Heap::Write
// marks the 512-byte card of every slot that is stored to. The barrier is one shift and one byte
// store, with no test of any kind: marking too many cards costs a glance at each, and since all
// survivors leave the nursery, every card is clean afterwards. A card is scanned from the first
// object that overlaps it. In a block that object's start is arithmetic (offset / cell size, by
// reciprocal); in the large space objects start at their page; the image has a table. Only the
// slots *on* the card are visited, so that a dirty card of an array of millions costs 64 words.
//
// *Copying.* Evacuate() leaves the new address in the old header, so every later visit of the same
// object finds it. Copies are traced from an explicit stack, whose size is bounded by what fits
// into the nursery; nothing recurses. Free blocks for the worst case (everything survives, and each
// size class starts a block) are set aside *before* the mutator goes on, so a minor collection
// cannot fail for want of memory; when they cannot be had, the limit counts as exceeded while there
// is still room to throw and to handle the error.
//
// *Order.* Roots, cards, then the copies' fields. A root source is told that the collection is
// minor so that it may skip stacks that have not run since the last one: they hold nothing young,
// as every survivor was moved away then. Of a deep stack that has run it looks only at what is
// above the topmost mark (StackMark in vm/context.h). That is also why there is no aging yet; with
// it, such stacks and clean cards would need another reason to be skipped. (clean() in ScanCards is
// where it would go.)
//
// *Weak references* are not traced. Those that were copied, and those on dirty cards, are listed;
// after everything reachable has moved, a target that was not is dead and becomes f. No other weak
// reference can have a young target: a store of one would have marked its card.
//
// *How long it takes* follows what it finds, not the size of the nursery: so the nursery's size
// follows what the last collection found (SetNurserySize, in counted work). While most dies young
// it is a megabyte; where everything survives, or stores are scattered over many cards, it shrinks
// so that a collection stays below a millisecond. Cards are looked at by the 64, without their
// objects: 2 MiB of them for a gigabyte. A large object is born with dirty cards; who fills it
// with what is not young says so (CleanNew), and a minor collection comes early where much of
// that kind is born. It comes early, too, where stores have dirtied many cards of old objects: how
// many is guessed from a few lines of the table at every chunk of nursery (card_sampler.h).
//
// *The mature space* is collected in cycles of small steps (cycle.cc), and in one pause where that
// is asked for. They mark with an explicit stack of bounded size; when it overflows, objects are
// dropped from it and found again by walking the marked objects (Marker::Rescan). The image is not
// traced: a reference out of it can only be on a card with kWritten, which is never cleared.
// Between mark and sweep, root sources drop what only they know (cells, caches). Sweeping goes up
// through the blocks, so the same program gets the same addresses, in every run.
//
// *Pacing.* What is in use may double between two ends of marking, to 32 MiB at least, up to the
// limit. Passing the limit only sets a flag: the interpreter throws at its next safepoint, and
// until then small allocations go on succeeding. Requests of kLargeBytes and more are announced
// (Reserve) and can be refused at once.
//
// *Finding mistakes.* --gc-stress collects at random allocations (the seed replays them), goes on
// *behind* the dead objects instead of over them, and fills them with 0xAB, which reads as a float
// and never as a pointer. --verify-heap walks everything around each collection (heap_verifier.h).
#include "gc/minor_gc.h"

#include <algorithm>
#include <cstring>

#include "gc/handle.h"

namespace weft::gc {
namespace {

// Cards are looked at a little later than they are found: their memory is on its way meanwhile.
class CardQueue {
 public:
  template <class F>
  void Push(uint64_t card, F scan) {
    for (uint64_t line = card; line != card + CardTable::kCardBytes; line += kCacheLine) {
      __builtin_prefetch(reinterpret_cast<const void*>(line), 1);
    }
    if (pushed_ >= kAhead) scan(cards_[pushed_ % kAhead]);
    cards_[pushed_++ % kAhead] = card;
  }
  template <class F>
  void Finish(F scan) {
    for (size_t i = pushed_ - std::min(pushed_, kAhead); i < pushed_; ++i) scan(cards_[i % kAhead]);
  }

 private:
  static constexpr size_t kAhead = 8;
  static constexpr uint64_t kCacheLine = 64;
  uint64_t cards_[kAhead] = {};
  size_t pushed_ = 0;
};

}  // namespace

MinorCollector::MinorCollector(Heap& heap)
    : heap_(heap),
      spaces_(*heap.spaces_),
      marker_(heap),
      marking_(heap.spaces_->cycle.phase == MarkCycle::kMark) {}

Word MinorCollector::Evacuate(Word word) {
  auto* object = reinterpret_cast<Object*>(word.Address());
  if (object->IsForwarded()) return object->Forward();
  size_t bytes = spaces_.shapes.SizeOf(object);
  Object* copy = spaces_.mature.AllocateCell(bytes);
  if (copy == nullptr) Heap::OutOfMemory();
  std::memcpy(static_cast<void*>(copy), object, bytes);
  heap_.statistics_.promoted_bytes += bytes;
  ++copies_;
  copied_bytes_ += bytes;
  object->ForwardTo(copy);
  const LayoutDescriptor& layout = spaces_.shapes.Of(copy);
  // Black: Drain traces it for marking, too.
  if (marking_ || spaces_.cycle.phase == MarkCycle::kWeak) {
    spaces_.mature.Mark(reinterpret_cast<uint64_t>(copy));
    if (layout.weak) spaces_.cycle.weak.push_back(copy);
  }
  if (layout.weak) spaces_.weak.push_back(copy);
  if (layout.trace != nullptr || layout.traced_words != 0) spaces_.promoted.push_back(copy);
  return Word::Pointer(copy);
}

bool MinorCollector::IsShaded(const Object* object) const {
  if (!marking_) return false;
  const auto address = reinterpret_cast<uint64_t>(object);
  if (spaces_.mature.Contains(address)) return spaces_.mature.IsMarked(address);
  if (spaces_.large.Contains(address)) return spaces_.large.IsMarked(address);
  return true;
}

void MinorCollector::ScanOnCard(Object* object, uint64_t card) {
  shade_ = IsShaded(object);
  if (spaces_.shapes.Of(object).weak) {
    spaces_.weak.push_back(object);
    if (shade_) spaces_.cycle.weak.push_back(object);
  }
  spaces_.shapes.TraceBetween(object, card, card + CardTable::kCardBytes, *this);
}

void MinorCollector::ScanCards() {
  CardTable& cards = heap_.cards_;
  // All survivors leave the nursery, so no card points into it afterwards. With aging, a card whose
  // slots still do would keep its bit here.
  auto clean = [&](uint64_t card) {
    *cards.CardOf(card) &= static_cast<uint8_t>(~CardTable::kYoung);
  };
  const ImageSpace& image = spaces_.image;
  Heap::Spaces::ForEachYoungCard(
      cards, RoundDown(image.begin, kPageBytes), image.end, [&](uint64_t card) {
        image.ForEachBetween(spaces_.shapes, card, card + CardTable::kCardBytes,
                             [&](Object* object) { ScanOnCard(object, card); });
        clean(card);
      });
  // The cards alone are looked at, in one sweep: with many blocks their heads would cost more.
  // Blocks that promotion adds meanwhile hold no dirty card.
  const MatureSpace& mature = spaces_.mature;
  CardQueue in_blocks;
  const auto scan_in_block = [&](uint64_t card) {
    mature.ForEachBetween(card, card + CardTable::kCardBytes,
                          [&](Object* object) { ScanOnCard(object, card); });
  };
  Heap::Spaces::ForEachYoungCard(cards, mature.block_address(0),
                                 mature.block_address(mature.block_count()), [&](uint64_t card) {
                                   ++cards_;
                                   clean(card);
                                   in_blocks.Push(card, scan_in_block);
                                 });
  in_blocks.Finish(scan_in_block);
  // An object with a trace hook (captured stacks of megabytes) can only be walked from its start:
  // once for all its cards.
  const Object* traced = nullptr;
  CardQueue in_pages;
  const auto scan_in_page = [&](uint64_t card) {
    Object* object = spaces_.large.FindObject(card);
    if (object != nullptr && spaces_.shapes.Of(object).trace == nullptr) {
      ScanOnCard(object, card);
    } else if (object != nullptr && object != traced) {
      shade_ = IsShaded(object);
      spaces_.shapes.Trace(object, *this);
      traced = object;
    }
  };
  Heap::Spaces::ForEachYoungCard(cards, spaces_.large.begin(), spaces_.large.end(),
                                 [&](uint64_t card) {
                                   ++cards_;
                                   clean(card);
                                   in_pages.Push(card, scan_in_page);
                                 });
  in_pages.Finish(scan_in_page);
}

void MinorCollector::Drain() {
  shade_ = marking_;
  while (!spaces_.promoted.empty()) {
    Object* object = spaces_.promoted.back();
    spaces_.promoted.pop_back();
    spaces_.shapes.Trace(object, *this);
  }
}

void MinorCollector::UpdateWeak() {
  for (Object* reference : spaces_.weak) {
    Word* target = reference->field(0);
    if (!target->IsPointer() || !heap_.InNursery(target->Address())) continue;
    auto* object = reinterpret_cast<Object*>(target->Address());
    *target = object->IsForwarded() ? object->Forward() : kFalse;
  }
  spaces_.weak.clear();
}

void MinorCollector::Run() {
  uint64_t* counts = heap_.statistics_.root_slots;
  std::fill(counts, counts + kRootSections, 0);
  auto count = [&, before = slots_](RootSection section) mutable {
    counts[static_cast<size_t>(section)] += slots_ - before;
    before = slots_;
  };
  shade_ = marking_;
  for (RootBase* root = heap_.root_head_; root != nullptr; root = root->next_) {
    VisitRange(root->first_, root->first_ + root->count_);
  }
  count(RootSection::kHandles);
  for (RootSource* source : spaces_.sources) {
    source->VisitRoots(*this, true);
    count(RootSectionOf(source->name()));
  }
  shade_ = false;
  ScanCards();
  count(RootSection::kCards);
  Drain();
  UpdateWeak();
}

}  // namespace weft::gc
