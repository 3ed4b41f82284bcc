// Layout descriptors: what the collector knows about each shape. The VM registers them; gc/ knows
// sizes and traced words, never meaning.
#ifndef WEFT_GC_LAYOUT_H_
#define WEFT_GC_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "gc/object.h"

namespace weft::gc {

// Visits slots that hold heap words; may change them (a copying collector does).
class SlotVisitor {
 public:
  virtual ~SlotVisitor() = default;
  virtual void Visit(Word* slot) = 0;
  virtual void VisitRange(Word* first, Word* end) {
    for (Word* slot = first; slot != end; ++slot) Visit(slot);
  }
  // A raw address inside a non-moving object (a return address): keeps that object alive.
  virtual void VisitInterior(uint64_t address) = 0;
};

enum class SizeRule : uint8_t {
  kImmediate,  // has no heap form
  kFixed,      // `fixed_words` after the header
  kWords,      // a fixnum length word, then that many words
  kBytes,      // a fixnum length word, then that many bytes, padded to 8
  kLimbs,      // a fixnum whose magnitude is the number of limbs, then these
  kString,     // hooks
  kCode,       // hooks
  kCallStack,  // hooks
};

inline constexpr uint32_t kAllWords = ~uint32_t{0};

struct LayoutDescriptor {
  SizeRule rule = SizeRule::kImmediate;
  uint32_t fixed_words = 0;
  uint32_t traced_words = 0;  // after the header; kAllWords: up to the end
  // The first word after the header is a weak reference: not traced, f once its target is dead.
  bool weak = false;
  // For shapes with their own rule. Size in bytes, header included, before rounding up to 8.
  size_t (*size)(const Object* object) = nullptr;
  void (*trace)(Object* object, SlotVisitor& visitor) = nullptr;
};

}  // namespace weft::gc

#endif  // WEFT_GC_LAYOUT_H_
