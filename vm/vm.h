// The virtual machine: owns the parts and wires them; no logic of its own.
// One per process, used by one OS thread.
#ifndef WEFT_VM_VM_H_
#define WEFT_VM_VM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gc/handle.h"
#include "gc/heap.h"
#include "vm/compile_request.h"
#include "vm/context.h"
#include "vm/objects.h"
#include "vm/options.h"
#include "vm/outcome.h"

namespace weft {

class Scheduler;
class CellSpace;

// Roots by name: words and objects that the VM itself refers to (vm/special_objects.def).
enum class Special : uint32_t {
#define SPECIAL(name, meaning) k##name,
#include "vm/special_objects.def"
#undef SPECIAL
  kCount,
};

// Kinds of errors the VM throws; the value is Factor's error number.
enum class ErrorKind : int32_t {
#define ERROR(name, number, summary) k##name = number,
#include "vm/errors.def"
#undef ERROR
};

class Vm {
 public:
  static absl::StatusOr<std::unique_ptr<Vm>> Create(const Options& options, CompilerInterface* compiler);
  ~Vm();

  gc::Heap& heap() { return *heap_; }
  CellSpace& cells() { return *cells_; }
  Scheduler& scheduler() { return *scheduler_; }
  CompilerInterface& compiler() { return *compiler_; }
  const Options& options() const { return options_; }
  Context* current() { return current_; }
  void set_current(Context* context) { current_ = context; }

  gc::Word special(Special s) const WEFT_NO_ALLOC { return specials_.get(static_cast<size_t>(s)); }
  void set_special(Special s, gc::Word w) { specials_.set(static_cast<size_t>(s), w); }
  gc::RootVector& specials() { return specials_; }

  // Shapes (vm/classes.cc). layouts()[shape - kFirstTupleShape].
  gc::RootVector& layouts() { return layouts_; }
  uint32_t NewShape(uint32_t slot_words, gc::Word layout);

  // Throwing: fill pending_error and return Outcome::kThrow. The error is a kernel-error array
  // { "kernel-error" n arg1 arg2 } (vm/errors.def), as Factor's. Arguments are read first.
  Outcome Throw(ErrorKind kind, gc::Word arg1, gc::Word arg2) WEFT_ALLOCATES;
  Outcome ThrowType(TypeId expected, gc::Word object) WEFT_ALLOCATES;  // { "kernel-error" type object class }

  gc::Root pending_error;
  gc::Root call_word;      // for Outcome::kCallWord
  int exit_status = 0;

 private:
  Vm(const Options& options, std::unique_ptr<gc::Heap> heap, CompilerInterface* compiler);
  Options options_;
  std::unique_ptr<gc::Heap> heap_;  // first: roots below register with it
  gc::RootVector specials_;
  gc::RootVector layouts_;
  std::unique_ptr<CellSpace> cells_;
  std::unique_ptr<Scheduler> scheduler_;
  CompilerInterface* compiler_;
  Context* current_ = nullptr;
};

}  // namespace weft

#endif  // WEFT_VM_VM_H_
