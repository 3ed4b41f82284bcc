// A primitive's operands and results: its window. args[0] is the deepest input. Operands stay
// there, rooted, until the primitive overwrites them; results go to 0..m-1.
#ifndef WEFT_VM_ARGS_H_
#define WEFT_VM_ARGS_H_

#include <cstddef>

#include "gc/no_alloc.h"
#include "gc/word.h"

namespace weft {

class Args {
 public:
  explicit Args(gc::Word* window) : window_(window) {}
  [[nodiscard]] gc::Word get(size_t i) const WEFT_NO_ALLOC { return window_[i]; }
  void set(size_t i, gc::Word word) { window_[i] = word; }
  [[nodiscard]] bool is_fixnum(size_t i) const { return window_[i].IsFixnum(); }
  // REQUIRES: is_fixnum(i).
  [[nodiscard]] int64_t fixnum(size_t i) const { return window_[i].AsFixnum(); }
  [[nodiscard]] bool is_true(size_t i) const { return window_[i].IsTrue(); }
  [[nodiscard]] gc::Word* window() const { return window_; }

 private:
  gc::Word* window_;
};

}  // namespace weft

#endif  // WEFT_VM_ARGS_H_
