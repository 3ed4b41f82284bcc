#include "vm/vm.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/string_view.h"
#include "gc/check.h"
#include "vm/heap_layouts.h"
#include "vm/io/io.h"
#include "vm/observer.h"
#include "vm/regexps.h"
#include "vm/scheduler.h"
#include "vm/strings.h"

namespace weft {

Vm::Vm(const Options& options, std::unique_ptr<gc::Heap> heap, CompilerInterface* compiler)
    : heap_(std::move(heap)),
      pending_error(*heap_),
      call_word(*heap_),
      scratch(*heap_),
      options_(options),
      specials_(*heap_),
      layouts_(*heap_),
      compiler_(compiler) {
  RegisterLayouts(*this);
  scratch.resize(4);
  specials_.resize(static_cast<size_t>(Special::kCount));
  scheduler_ = std::make_unique<Scheduler>(*this);
  observer_ = std::make_unique<Observer>(*this);
  regexps_ = std::make_unique<Regexps>();
  uint32_t observed = 0;
  if (options.trace_ops) observed |= Observer::kTrace;
  if (options.op_stats) observed |= Observer::kOpcodes;
  if (options.stats) observed |= Observer::kOpcodes | Observer::kObjects;
  if (observed != 0) observer_->Start(observed, 0);
  io_ = std::make_unique<io::Io>(*this);
}

absl::StatusOr<std::unique_ptr<Vm>> Vm::Create(const Options& options,
                                               CompilerInterface* compiler) {
  absl::StatusOr<gc::HeapOptions> heap_options = HeapOptionsOf(options);
  if (!heap_options.ok()) return heap_options.status();
  absl::StatusOr<std::unique_ptr<gc::Heap>> heap = gc::Heap::Create(*heap_options);
  if (!heap.ok()) return heap.status();
  return absl::WrapUnique(new Vm(options, *std::move(heap), compiler));
}

Vm::~Vm() = default;

void Vm::AttachCells(uint64_t bytes_in_use) {
  cells_ = std::make_unique<CellSpace>(bytes_in_use);
  heap_->AddRootSource(cells_.get());  // for its SweepDead
}

uint32_t Vm::NewShape(uint32_t slot_words, gc::Word layout) {
  const auto shape = static_cast<uint32_t>(gc::kFirstTupleShape + layouts_.size());
  heap_->RegisterTupleShape(shape, slot_words);
  layouts_.push_back(layout);
  return shape;
}

Outcome Vm::Throw(ErrorKind kind, gc::Word arg1, gc::Word arg2) WEFT_NO_ANALYSIS {
  gc::Root first(*heap_, arg1);
  gc::Root second(*heap_, arg2);
  gc::Root tag(*heap_, MakeString(*heap_, "kernel-error"));
  const gc::Word array = heap_->Allocate(ShapeOf(TypeId::kArray), 16 + 4 * sizeof(gc::Word));
  auto* object = As<Array>(array);
  object->length = Word::Fixnum(4);
  const gc::Word fields[] = {tag.get(), Word::Fixnum(static_cast<int64_t>(kind)), first.get(),
                             second.get()};
  for (size_t i = 0; i < 4; ++i) heap_->Write(object, &object->elements[i], fields[i]);
  pending_error.set(array);
  return Outcome::kThrow;
}

Outcome Vm::ThrowType(TypeId expected, gc::Word object) WEFT_NO_ANALYSIS {
  gc::Word class_word = gc::kFalse;
  const gc::Word classes = special(Special::kBuiltinClasses);
  if (classes.IsPointer()) {
    class_word = As<Array>(classes)->elements[static_cast<size_t>(expected)];
  }
  return Throw(ErrorKind::kType, class_word, object);
}

void Vm::SpecialsChanged() {
  const auto shape_of = [this](Special layout) WEFT_NO_ANALYSIS -> uint32_t {
    const gc::Word word = special(layout);
    return word.IsPointer() ? static_cast<uint32_t>(As<Layout>(word)->shape.AsFixnum()) : 0;
  };
  vector_shape_ = shape_of(Special::kVectorLayout);
  slice_shape_ = shape_of(Special::kSliceLayout);
}

void Vm::InitializeStubs() WEFT_NO_ANALYSIS {
  gc::Word stubs = special(Special::kStubs);
  // kNop before each stub: kReturn reads its A operand, 0.
  stub_words_ = static_cast<ptrdiff_t>(2 * kStubCount);
  if (!stubs.IsPointer()) {
    const auto words = static_cast<size_t>(stub_words_) + 4;
    const size_t bytes = sizeof(Code) + words * sizeof(uint32_t);
    stubs = heap_->AllocatePinned(ShapeOf(TypeId::kCode), bytes);
    auto* code = As<Code>(stubs);
    code->owner = code->keep = code->maps = code->lines = gc::kFalse;
    code->mode_and_counts = Word::Fixnum(static_cast<int64_t>(CodeMode::kDynamic));
    code->literal_count = Word::Fixnum(0);
    code->instruction_count = Word::Fixnum(static_cast<int64_t>(words));
    uint32_t* at = code->instructions();
    for (size_t i = 0; i < kStubCount; ++i) {
      *at++ = EncodeABC(Op::kNop);
      *at++ = EncodeABC(static_cast<Op>(kFirstStub + i));
    }
    *at++ = EncodeABC(Op::kNop);
    *at++ = EncodeABC(Op::kHalt);
    *at++ = EncodeABC(Op::kDynReturn);
    *at++ = EncodeABC(Op::kDynReturn);
    set_special(Special::kStubs, stubs);
  }
  stubs_begin_ = As<Code>(stubs)->instructions();
}

}  // namespace weft
