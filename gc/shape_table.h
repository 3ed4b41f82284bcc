// What the collector knows of every shape: how large an object is and which of its words are
// traced. Filled by Heap::RegisterLayout and RegisterTupleShape; read at every object visited, so
// the common rules are decided inline and the visitor's type is a template parameter.
#ifndef WEFT_GC_SHAPE_TABLE_H_
#define WEFT_GC_SHAPE_TABLE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gc/check.h"
#include "gc/layout.h"
#include "gc/object.h"

namespace weft::gc {

// Every object takes at least this much, so that a free cell has room for its link.
inline constexpr size_t kMinObjectBytes = 16;

class ShapeTable {
 public:
  void Register(uint32_t shape, const LayoutDescriptor& layout) {
    if (shape >= infos_.size()) infos_.resize(shape + 1);
    infos_[shape] = layout;
  }
  [[nodiscard]] bool IsRegistered(uint32_t shape) const {
    return shape < infos_.size() && infos_[shape].rule != SizeRule::kImmediate;
  }
  const LayoutDescriptor& Of(const Object* object) const {
    uint32_t shape = object->shape();
    WEFT_DCHECK(IsRegistered(shape));
    return infos_[shape];
  }

  // Bytes of the object, header included, a multiple of 8, at least kMinObjectBytes.
  size_t SizeOf(const Object* object) const {
    const LayoutDescriptor& layout = Of(object);
    uint64_t bytes = 8;
    switch (layout.rule) {
      case SizeRule::kFixed:
        bytes += uint64_t{layout.fixed_words} * 8;
        break;
      case SizeRule::kWords:
        bytes += 8 + static_cast<uint64_t>(object->field(0)->AsFixnum()) * 8;
        break;
      case SizeRule::kBytes:
        bytes += 8 + ((static_cast<uint64_t>(object->field(0)->AsFixnum()) + 7) & ~uint64_t{7});
        break;
      case SizeRule::kLimbs: {
        int64_t n = object->field(0)->AsFixnum();
        bytes += 8 + static_cast<uint64_t>(n < 0 ? -n : n) * 8;
        break;
      }
      default:
        WEFT_CHECK(layout.size != nullptr);
        bytes = (layout.size(object) + 7) & ~uint64_t{7};
        break;
    }
    return std::max<uint64_t>(bytes, kMinObjectBytes);
  }

  // Traced words of shapes without a hook: that many from field(0).
  size_t TracedWords(const Object* object, const LayoutDescriptor& layout) const {
    if (layout.traced_words != kAllWords) return layout.traced_words;
    if (layout.rule == SizeRule::kFixed) return layout.fixed_words;
    return 1 + static_cast<size_t>(object->field(0)->AsFixnum());
  }

  template <class Visitor>
  void Trace(Object* object, Visitor& visitor) const {
    const LayoutDescriptor& layout = Of(object);
    if (layout.trace != nullptr) {
      layout.trace(object, visitor);
      return;
    }
    if (layout.traced_words == 0) return;
    Word* first = object->field(0);
    visitor.VisitRange(first, first + TracedWords(object, layout));
  }

  // Traces only the slots in [begin, end): the part of an object that lies on a card.
  template <class Visitor>
  void TraceBetween(Object* object, uint64_t begin, uint64_t end, Visitor& visitor) const {
    const LayoutDescriptor& layout = Of(object);
    if (layout.trace != nullptr) {
      Clip<Visitor> clip(begin, end, visitor);
      layout.trace(object, clip);
      return;
    }
    if (layout.traced_words == 0) return;
    Word* first = object->field(0);
    Word* last = first + TracedWords(object, layout);
    first = std::max(first, reinterpret_cast<Word*>(begin));
    last = std::min(last, reinterpret_cast<Word*>(end));
    if (first < last) visitor.VisitRange(first, last);
  }

  // False: objects of this shape never hold a reference (neither traced nor weak).
  static bool HasReferences(const LayoutDescriptor& layout) {
    return layout.trace != nullptr || layout.traced_words != 0 || layout.weak;
  }

 private:
  template <class Visitor>
  class Clip final : public SlotVisitor {
   public:
    Clip(uint64_t begin, uint64_t end, Visitor& visitor)
        : begin_(begin), end_(end), visitor_(visitor) {}
    void Visit(Word* slot) override {
      uint64_t address = reinterpret_cast<uint64_t>(slot);
      if (address >= begin_ && address < end_) visitor_.Visit(slot);
    }
    void VisitInterior(uint64_t address) override { visitor_.VisitInterior(address); }

   private:
    uint64_t begin_, end_;
    Visitor& visitor_;
  };

  std::vector<LayoutDescriptor> infos_;
};

}  // namespace weft::gc

#endif  // WEFT_GC_SHAPE_TABLE_H_
