// Heap::Become: replaces references heap-wide, by visiting every slot once.
#include "absl/container/flat_hash_map.h"
#include "gc/handle.h"
#include "gc/heap.h"
#include "gc/spaces.h"

namespace weft::gc {
namespace {

class Replacer final : public SlotVisitor {
 public:
  Replacer(const absl::flat_hash_map<uint64_t, uint64_t>& map, CardTable* cards)
      : map_(map), cards_(cards) {}
  void Visit(Word* slot) override {
    if (!slot->IsPointer()) return;
    auto found = map_.find(slot->bits);
    if (found == map_.end()) return;
    slot->bits = found->second;
    if (in_object_) cards_->Mark(slot);
  }
  void VisitInterior(uint64_t) override {}
  void set_in_object(bool in_object) { in_object_ = in_object; }

 private:
  const absl::flat_hash_map<uint64_t, uint64_t>& map_;
  CardTable* cards_;
  bool in_object_ = false;
};

}  // namespace

void Heap::Become(const std::vector<Word>& from, const std::vector<Word>& to) WEFT_NO_ANALYSIS {
  WEFT_CHECK(from.size() == to.size());
  absl::flat_hash_map<uint64_t, uint64_t> map;
  map.reserve(from.size());
  {
    // The nursery is emptied first; that moves them.
    RootVector olds(*this), news(*this);
    for (Word word : from) olds.push_back(word);
    for (Word word : to) news.push_back(word);
    // What replaces others may be white, and black objects would come to refer to it.
    CompleteCycle();
    CollectMinor();
    // All hashes are read before any is set, since objects may change places.
    std::vector<uint32_t> hashes;
    for (size_t i = 0; i < olds.size(); ++i) {
      WEFT_CHECK(olds.get(i).IsPointer() && news.get(i).IsPointer());
      hashes.push_back(reinterpret_cast<Object*>(olds.get(i).Address())->hash());
      map.emplace(olds.get(i).bits, news.get(i).bits);
    }
    for (size_t i = 0; i < olds.size(); ++i) {
      if (hashes[i] == 0) continue;
      reinterpret_cast<Object*>(news.get(i).Address())->set_hash(hashes[i]);
    }
  }
  Replacer replacer(map, &cards_);
  for (RootBase* root = root_head_; root != nullptr; root = root->next_) {
    replacer.VisitRange(root->first_, root->first_ + root->count_);
  }
  for (RootSource* source : spaces_->sources) source->VisitRoots(replacer, false);
  replacer.set_in_object(true);
  const ShapeTable& shapes = spaces_->shapes;
  auto each = [&](Object* object) {
    shapes.Trace(object, replacer);
    if (shapes.Of(object).weak) replacer.Visit(object->field(0));
  };
  spaces_->image.ForEach(shapes, each);
  spaces_->mature.ForEach(each);
  spaces_->large.ForEach(each);
  if (options_.verify) VerifyOrDie("after become");
}

}  // namespace weft::gc
