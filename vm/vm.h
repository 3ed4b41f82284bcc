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
#include "vm/bytecode.h"
#include "vm/cells.h"
#include "vm/compile_request.h"
#include "vm/context.h"
#include "vm/error_kind.h"
#include "vm/objects.h"
#include "vm/options.h"
#include "vm/outcome.h"

namespace weft {

class Observer;
class Regexps;
class Scheduler;
namespace io {
class Io;
}  // namespace io

// Roots by name: words and objects that the VM itself refers to (vm/special_objects.def).
enum class Special : uint32_t {
#define SPECIAL(name, meaning) k##name,
#include "vm/special_objects.def"
#undef SPECIAL
  kCount,
};

class Vm {
  std::unique_ptr<gc::Heap> heap_;  // first: all roots below register with it

 public:
  gc::Root pending_error;  // the error object that is being thrown
  gc::Root call_word;      // for Outcome::kCallWord
  gc::RootVector scratch;  // operands of slow arithmetic, always traced

  // A VM with an empty heap (boot reader, tests). The image loader fills it (vm/image_io.h).
  static absl::StatusOr<std::unique_ptr<Vm>> Create(const Options& options,
                                                    CompilerInterface* compiler);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  gc::Heap& heap() { return *heap_; }
  const gc::Heap& heap_const() const { return *heap_; }
  CellSpace& cells() { return *cells_; }
  Scheduler& scheduler() { return *scheduler_; }
  io::Io& io() { return *io_; }
  Observer& observer() { return *observer_; }
  Regexps& regexps() { return *regexps_; }
  CompilerInterface& compiler() { return *compiler_; }
  const Options& options() const { return options_; }
  Context* current() const { return current_; }
  void set_current(Context* context) { current_ = context; }

  gc::Word special(Special s) const WEFT_NO_ALLOC { return specials_.get(static_cast<size_t>(s)); }
  void set_special(Special s, gc::Word w) { specials_.set(static_cast<size_t>(s), w); }
  gc::RootVector& specials() { return specials_; }

  // Takes the cell space into use: fresh, or with what the image loader mapped.
  void AttachCells(uint64_t bytes_in_use);

  // Layouts by shape: layouts()[shape - kFirstTupleShape].
  gc::RootVector& layouts() { return layouts_; }
  // The next free shape, registered with the heap for tuples of that many slots. `layout` must be
  // pinned; its shape field is the caller's to fill.
  uint32_t NewShape(uint32_t slot_words, gc::Word layout);

  // Makes vm.pending_error { "kernel-error" n arg1 arg2 } and returns kThrow.
  Outcome Throw(ErrorKind kind, gc::Word arg1 = gc::kFalse,
                gc::Word arg2 = gc::kFalse) WEFT_ALLOCATES;
  // { "kernel-error" 3 class-word object }, as Factor has it
  Outcome ThrowType(TypeId expected, gc::Word object) WEFT_ALLOCATES;

  // The shape of vectors, for the interpreter's fast paths; 0 until the class exists.
  uint32_t vector_shape() const { return vector_shape_; }
  uint32_t slice_shape() const { return slice_shape_; }
  // Reads again what is cached of the special objects.
  void SpecialsChanged() WEFT_NO_ALLOC;

  // Stubs (special object Stubs): the address of one, and whether an address is one.
  const uint32_t* StubAddress(Op stub) const {
    return stubs_begin_ + 2 * (static_cast<size_t>(stub) - kFirstStub) + 1;
  }
  bool IsStub(const uint32_t* pc) const {
    return pc - stubs_begin_ < stub_words_ && pc >= stubs_begin_;
  }
  const uint32_t* HaltAddress() const { return stubs_begin_ + stub_words_ + 1; }
  // A kDynReturn: where a context stands that is between two pieces of dynamic code.
  const uint32_t* BetweenAddress() const { return stubs_begin_ + stub_words_ + 2; }
  // Finds the addresses again from the special object (after an image was mapped), or makes it.
  void InitializeStubs() WEFT_ALLOCATES;

  int64_t budget = 0;  // reductions left in this slice; the interpreter keeps it in a register
  int exit_status = 0;
  bool exiting = false;

  static constexpr size_t kFirstStub = static_cast<size_t>(Op::kStubStaticReturn);
  static constexpr size_t kStubCount = kOpCount - kFirstStub;

 private:
  Vm(const Options& options, std::unique_ptr<gc::Heap> heap, CompilerInterface* compiler);
  Options options_;
  gc::RootVector specials_;
  gc::RootVector layouts_;
  std::unique_ptr<CellSpace> cells_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<Regexps> regexps_;
  std::unique_ptr<io::Io> io_;  // after the scheduler: goes before it
  CompilerInterface* compiler_;
  Context* current_ = nullptr;
  uint32_t vector_shape_ = 0;
  uint32_t slice_shape_ = 0;
  const uint32_t* stubs_begin_ = nullptr;
  ptrdiff_t stub_words_ = 0;
};

}  // namespace weft

#endif  // WEFT_VM_VM_H_
