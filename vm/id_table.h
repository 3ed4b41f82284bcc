// Contexts by their ids. Ids are given in sequence and never again, so an id's low bits are its
// place: the next free one if it is taken (a context that lives much longer than others).
//
// Units: none. Errors: none. Used by the VM thread only.
#ifndef WEFT_VM_ID_TABLE_H_
#define WEFT_VM_ID_TABLE_H_

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
    for (size_t at = id & mask_;; at = (at + 1) & mask_) {
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
    size_t hole = id & mask_;
    while (places_[hole]->id != id) hole = (hole + 1) & mask_;
    // Those behind that would not be found over the hole move up.
    for (size_t at = (hole + 1) & mask_; places_[at] != nullptr; at = (at + 1) & mask_) {
      const size_t home = places_[at]->id & mask_;
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
    mask_ = kLeast - 1;
  }

 private:
  static constexpr size_t kLeast = 16;

  void Put(Context* context) {
    size_t at = context->id & mask_;
    while (places_[at] != nullptr) at = (at + 1) & mask_;
    places_[at] = context;
  }
  void Grow() {
    std::vector<Context*> old(places_.size() * 2, nullptr);
    old.swap(places_);
    mask_ = places_.size() - 1;
    for (Context* context : old) {
      if (context != nullptr) Put(context);
    }
  }

  std::vector<Context*> places_;
  size_t mask_ = 0;
  size_t size_ = 0;
};

}  // namespace weft

#endif  // WEFT_VM_ID_TABLE_H_
