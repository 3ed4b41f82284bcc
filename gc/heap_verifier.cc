#include "gc/heap_verifier.h"

#include "absl/strings/str_format.h"
#include "gc/handle.h"

namespace weft::gc {

void HeapVerifier::Fail(const std::string& what) {
  if (failure_.empty()) failure_ = what;
}

std::string HeapVerifier::Where(const Word* slot) const {
  if (holder_ == nullptr) return absl::StrFormat("a root of section \"%s\"", section_);
  return absl::StrFormat("word %d of the object at %#x (shape %d)",
                         slot - reinterpret_cast<const Word*>(holder_),
                         reinterpret_cast<uint64_t>(holder_), holder_->shape());
}

// The object's own extent: registered shape, size within its cell.
void HeapVerifier::CheckObject(Object* object) {
  uint64_t address = reinterpret_cast<uint64_t>(object);
  if ((object->header & 7) != 0) {
    Fail(absl::StrFormat("the object at %#x has the header %#x, which is none", address,
                         object->header));
    return;
  }
  if (!spaces_.shapes.IsRegistered(object->shape())) {
    Fail(absl::StrFormat("the object at %#x has the unknown shape %d", address, object->shape()));
    return;
  }
  uint64_t room;
  if (heap_.InNursery(address)) {
    room = heap_.nursery_top_ - address;
  } else if (spaces_.mature.Contains(address)) {
    room = spaces_.mature.CellBytesAt(address);
  } else if (spaces_.large.Contains(address)) {
    room = spaces_.large.ExtentOf(address);
  } else {
    room = spaces_.image.end - address;
  }
  // A length word that is no sane fixnum makes SizeOf meaningless: look at it first.
  const LayoutDescriptor& layout = spaces_.shapes.Of(object);
  if (layout.rule == SizeRule::kWords || layout.rule == SizeRule::kBytes ||
      layout.rule == SizeRule::kLimbs) {
    Word length = *object->field(0);
    bool sane = length.IsFixnum() && (length.AsFixnum() >= 0 || layout.rule == SizeRule::kLimbs) &&
                length.AsFixnum() <= static_cast<int64_t>(room) &&
                length.AsFixnum() >= -static_cast<int64_t>(room);
    if (!sane) {
      Fail(absl::StrFormat("the object at %#x (shape %d) has the length word %#x", address,
                           object->shape(), length.bits));
      return;
    }
  }
  size_t size = spaces_.shapes.SizeOf(object);
  if (size > room) {
    Fail(absl::StrFormat("the object at %#x (shape %d) has %d bytes where only %d fit", address,
                         object->shape(), size, room));
  }
}

void HeapVerifier::CheckReference(const Word* slot, uint64_t address) {
  if ((address & 7) != 0) {
    Fail(absl::StrFormat("%s refers to the unaligned address %#x", Where(slot), address));
    return;
  }
  auto* object = reinterpret_cast<Object*>(address);
  if (heap_.InNursery(address)) {
    if (address >= heap_.nursery_top_ || address < spaces_.nursery_start) {
      Fail(absl::StrFormat("%s refers to %#x in the unused nursery", Where(slot), address));
      return;
    }
    if (holder_ != nullptr && !heap_.InNursery(reinterpret_cast<uint64_t>(holder_)) &&
        (heap_.cards_.biased()[reinterpret_cast<uint64_t>(slot) >> CardTable::kCardShift] &
         CardTable::kYoung) == 0) {
      Fail(absl::StrFormat("%s refers to %#x in the nursery but lies on a clean card", Where(slot),
                           address));
      return;
    }
    if (young_.insert(address).second) {
      CheckObject(object);
      pending_.push_back(object);
    }
    return;
  }
  if (heap_.FindObject(address) != object) {
    Fail(absl::StrFormat("%s refers to %#x, where no object starts", Where(slot), address));
    return;
  }
  if (holder_ != nullptr && spaces_.image.Contains(reinterpret_cast<uint64_t>(holder_)) &&
      !spaces_.image.Contains(address) &&
      (heap_.cards_.biased()[reinterpret_cast<uint64_t>(slot) >> CardTable::kCardShift] &
       CardTable::kWritten) == 0) {
    Fail(absl::StrFormat("%s refers to %#x outside the image but its card is not marked as written",
                         Where(slot), address));
  }
}

void HeapVerifier::Visit(Word* slot) {
  if (failure_.empty() && slot->IsPointer()) CheckReference(slot, slot->Address());
}

void HeapVerifier::VisitInterior(uint64_t address) {
  if (failure_.empty() && heap_.FindObject(address) == nullptr) {
    Fail(absl::StrFormat("the interior address %#x lies in no object", address));
  }
}

// Walks the image once by hand: only when every size is sane and the start table agrees may
// anything else walk it.
void HeapVerifier::VerifyImageWalk() {
  const ImageSpace& image = spaces_.image;
  uint64_t card = (image.begin - kImageBase) >> CardTable::kCardShift;
  for (uint64_t address = image.begin; address < image.end && failure_.empty();) {
    auto* object = reinterpret_cast<Object*>(address);
    CheckObject(object);
    if (!failure_.empty()) return;
    uint64_t start = (address - kImageBase) / 8;
    address += spaces_.shapes.SizeOf(object);
    for (; kImageBase + (card << CardTable::kCardShift) < address; ++card) {
      if (image.starts[card] == start) continue;
      Fail(absl::StrFormat("the image's start table is wrong for card %d", card));
      return;
    }
  }
}

// Visits the slots of one traced object. The first one that breaks the invariant of marking stays.
class HeapVerifier::MarkChecker final : public SlotVisitor {
 public:
  MarkChecker(const Heap::Spaces& spaces, const CardTable& cards)
      : spaces_(spaces), cards_(cards) {}
  void Visit(Word* slot) override {
    if (bad_ != nullptr || !slot->IsPointer()) return;
    const auto at = reinterpret_cast<uint64_t>(slot);
    if (!in_roots_ && (at >= end_ || (CardOf(at) & CardTable::kYoung) != 0)) return;
    if (in_image_ && (CardOf(at) & CardTable::kWritten) == 0) return;
    const uint64_t address = slot->Address();
    const bool white = (spaces_.mature.Contains(address) && !spaces_.mature.IsMarked(address)) ||
                       (spaces_.large.Contains(address) && !spaces_.large.IsMarked(address));
    if (white) bad_ = slot;
  }
  void VisitInterior(uint64_t) override {}
  // Only slots below `end` count.
  void EnterImage(uint64_t end) {
    in_image_ = true;
    end_ = end;
  }
  void EnterRoots() { in_roots_ = true; }
  [[nodiscard]] const Word* bad() const { return bad_; }

 private:
  [[nodiscard]] uint8_t CardOf(uint64_t address) const {
    return cards_.biased()[address >> CardTable::kCardShift];
  }
  const Heap::Spaces& spaces_;
  const CardTable& cards_;
  bool in_image_ = false, in_roots_ = false;
  uint64_t end_ = UINT64_MAX;
  const Word* bad_ = nullptr;
};

void HeapVerifier::VerifyMarks() {
  if (spaces_.mark_stack.overflowed()) return;  // which objects are traced is not known then
  absl::flat_hash_set<const Object*> grey;
  for (size_t i = 0; i < spaces_.mark_stack.size(); ++i) grey.insert(spaces_.mark_stack.at(i));
  for (const MarkCycle::Slice& slice : spaces_.cycle.slices) grey.insert(slice.object);
  MarkChecker checker(spaces_, heap_.cards_);
  auto check = [&](Object* object) {
    if (!failure_.empty() || grey.contains(object)) return;
    holder_ = object;
    spaces_.shapes.Trace(object, checker);
    if (checker.bad() == nullptr) return;
    Fail(absl::StrFormat("%s refers to %#x, which is not marked, but was traced",
                         Where(checker.bad()), checker.bad()->Address()));
  };
  spaces_.mature.ForEach([&](Object* object) {
    if (spaces_.mature.IsMarked(reinterpret_cast<uint64_t>(object))) check(object);
  });
  spaces_.large.ForEach([&](Object* object) {
    if (spaces_.large.IsMarked(reinterpret_cast<uint64_t>(object))) check(object);
  });
  checker.EnterImage(spaces_.cycle.image_card);
  spaces_.image.ForEach(spaces_.shapes, check);
}

absl::Status HeapVerifier::RunMarked() {
  VerifyMarks();
  MarkChecker checker(spaces_, heap_.cards_);
  checker.EnterRoots();
  holder_ = nullptr;
  const auto look = [&](const char* section) {
    section_ = section;
    if (!failure_.empty() || checker.bad() == nullptr) return;
    Fail(absl::StrFormat("%s refers to %#x, which is not marked at the end of marking",
                         Where(checker.bad()), checker.bad()->Address()));
  };
  for (RootBase* root = heap_.root_head_; root != nullptr; root = root->next_) {
    checker.VisitRange(root->first_, root->first_ + root->count_);
  }
  look("handles");
  for (RootSource* source : spaces_.sources) {
    source->VisitRoots(checker, false);
    look(source->name());
  }
  return failure_.empty() ? absl::OkStatus() : absl::InternalError(failure_);
}

absl::Status HeapVerifier::Run() {
  auto verify = [&](Object* object) {
    if (!failure_.empty()) return;
    CheckObject(object);
    if (!failure_.empty()) return;
    holder_ = object;
    spaces_.shapes.Trace(object, *this);
    if (spaces_.shapes.Of(object).weak) Visit(object->field(0));
  };
  VerifyImageWalk();
  if (failure_.empty()) spaces_.image.ForEach(spaces_.shapes, verify);
  if (!failure_.empty()) return absl::InternalError(failure_);
  spaces_.mature.ForEach(verify);
  spaces_.large.ForEach(verify);
  holder_ = nullptr;
  section_ = kRootSectionNames[static_cast<size_t>(RootSection::kHandles)];
  for (RootBase* root = heap_.root_head_; root != nullptr; root = root->next_) {
    VisitRange(root->first_, root->first_ + root->count_);
  }
  for (RootSource* source : spaces_.sources) {
    section_ = source->name();
    source->VisitRoots(*this, false);
  }
  while (!pending_.empty() && failure_.empty()) {
    holder_ = pending_.back();
    pending_.pop_back();
    spaces_.shapes.Trace(holder_, *this);
    if (spaces_.shapes.Of(holder_).weak) Visit(holder_->field(0));
  }
  if (failure_.empty() && spaces_.cycle.phase == MarkCycle::kMark) VerifyMarks();
  return failure_.empty() ? absl::OkStatus() : absl::InternalError(failure_);
}

absl::Status Heap::Verify() const { return HeapVerifier(*this).Run(); }

}  // namespace weft::gc
