// Contexts by their ids: open addressing, at most half full. Ids are given in sequence. Eight in a
// row share a cache line, as threads that start one after another mostly end so; the lines are
// spread (by the golden ratio): all in one row would make long runs, which an erasure has to walk
// through.
//
// Units: none. Errors: none. Used by the VM thread only.
#ifndef WEFT_VM_ID_TABLE_H_
#define WEFT_VM_ID_TABLE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "vm/context.h"

namespace weft {

class IdTable {
 public:
  IdTable() { Clear(); }
  // Null if there is none.
  [[nodiscard]] Context* Find(uint32_t id) const {
    for (size_t at = HomeOf(id);; at = (at + 1) & mask_) {
      Context* context = places_[at];
      if (context == nullptr || context->id == id) return context;
    }
  }
  // REQUIRES: no context with this id is there.
  void Insert(Context* context) {
    // At least half of the places stay free.
    if (++size_ * 2 > places_.size()) Grow();
    Put(context);
  }
  // REQUIRES: it is there.
  void Erase(uint32_t id) {
    size_t hole = HomeOf(id);
    while (places_[hole]->id != id) hole = (hole + 1) & mask_;
    // Those behind that would not be found over the hole move up.
    for (size_t at = (hole + 1) & mask_; places_[at] != nullptr; at = (at + 1) & mask_) {
      const size_t home = HomeOf(places_[at]->id);
      if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
      places_[hole] = places_[at];
      hole = at;
    }
    places_[hole] = nullptr;
    --size_;
  }
  void Clear() {
    size_ = 0;
    places_.assign(kLeast, nullptr);
    places_.shrink_to_fit();
    SetSize();
  }

 private:
  static constexpr size_t kLeast = 16;

  [[nodiscard]] size_t HomeOf(uint32_t id) const {
    const auto line = static_cast<size_t>((id / 8) * uint64_t{0x9E3779B97F4A7C15} >> shift_);
    return (line & ~size_t{7}) | (id & 7);
  }
  void SetSize() {
    mask_ = places_.size() - 1;
    shift_ = 64 - std::countr_zero(places_.size());
  }
  void Put(Context* context) {
    size_t at = HomeOf(context->id);
    while (places_[at] != nullptr) at = (at + 1) & mask_;
    places_[at] = context;
  }
  void Grow() {
    std::vector<Context*> old(places_.size() * 2, nullptr);
    old.swap(places_);
    SetSize();
    for (Context* context : old) {
      if (context != nullptr) Put(context);
    }
  }

  std::vector<Context*> places_;
  size_t mask_ = 0;
  int shift_ = 0;
  size_t size_ = 0;
};

}  // namespace weft

#endif  // WEFT_VM_ID_TABLE_H_
