// Every primitive, called with operands of wrong types, sizes and indices: it must answer or throw,
// and leave a heap that verifies.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "compiler/compiler.h"
#include "vm/primitives.h"
#include "vm/scheduler.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {
namespace {

constexpr char kLibrary[] =
    "IN: effects TUPLE: effect in out terminated? in-var out-var ;\n"
    "IN: hashtables TUPLE: hashtable count deleted array ;\n"
    "IN: hash-sets TUPLE: hash-set count deleted array ;\n"
    "IN: vectors TUPLE: vector underlying length ;\n"
    "IN: sbufs TUPLE: sbuf underlying length ;\n"
    "IN: math TUPLE: ratio numerator denominator ; TUPLE: complex real imaginary ;\n"
    "IN: kernel TUPLE: curried obj quot ; TUPLE: composed first second ;\n"
    "IN: test USING: kernel math ; TUPLE: point x y ; SYMBOL: s GENERIC: g ( x -- y )\n"
    "M: fixnum g ; : w ( -- n ) 1 2 [ 3 ] ; MIXIN: m PREDICATE: p < fixnum drop t ;\n"
    ": values ( -- array ) {\n"
    "  0 1 -1 3 255 2305843009213693951 -2305843009213693952 1267650600228229401496703205376\n"
    "  1.5 -0.0 1e300 t f \"\" \"abc\" \"\\u{1f600}x\" { } { 1 2 3 } { { 1 2 } f } B{ } B{ 1 2 3 "
    "}\n"
    "  [ ] [ 1 dup ] dup s g w point m p fixnum tuple object { fixnum point } W{ 5 }\n"
    "  T{ point f 1 2 } T{ ratio f 1 2 } T{ vector f { 1 2 } 2 } T{ vector f { 1 2 } 50 }\n"
    "  T{ vector f f f } H{ { 1 2 } } HS{ 1 2 } T{ hashtable f 0 0 { } } T{ hashtable f f f f }\n"
    "  T{ sbuf f \"ab\" 9 } T{ curried f 1 [ 2 ] } ( x -- y )\n"
    "} ;\n";

// Ends the process, leaves it, waits, or replaces what runs.
bool IsExcluded(const Primitive& row) {
  const std::string vocabulary = row.vocabulary;
  if (row.Has(kPrimBlocks) || row.Has(kPrimNeedsMap)) return true;
  for (const char* prefix : {"io", "system", "environment", "threads", "continuations", "memory",
                             "console", "contexts", "compiler", "tools", "stack-checker"}) {
    if (absl::StartsWith(vocabulary, prefix)) return true;
  }
  const std::string word = row.word;
  return word == "die" || word == "become" || word == "set-special-object" ||
         absl::StrContains(word, "namestack") || absl::StrContains(word, "context") ||
         absl::StrContains(word, "thread") || absl::StrContains(word, "datastack") ||
         absl::StrContains(word, "callstack") || absl::StrContains(word, "unwind");
}

struct Window : public gc::RootBase {
  explicit Window(gc::Heap& heap) : RootBase(heap, slots, kSlots) {
    for (Word& slot : slots) slot = gc::kFalse;
  }
  static constexpr size_t kSlots = 16;
  Word slots[kSlots];
};

// A primitive may be asked to close descriptor 1, or to put another in its place: the test's own
// output still has to arrive.
class OwnDescriptors {
 public:
  OwnDescriptors() {
    for (int fd = 0; fd < kCount; ++fd) copies_[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
  }
  ~OwnDescriptors() {
    for (const int copy : copies_) {
      if (copy >= 0) close(copy);
    }
  }
  OwnDescriptors(const OwnDescriptors&) = delete;
  OwnDescriptors& operator=(const OwnDescriptors&) = delete;

  void Restore() const {
    for (int fd = 0; fd < kCount; ++fd) {
      if (copies_[fd] >= 0) dup2(copies_[fd], fd);
    }
  }

 private:
  static constexpr int kCount = 3;
  int copies_[kCount];
};

class HostileOperandsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(HostileOperandsTest, NoPrimitiveHarmsTheHeap) {
  Compiler compiler;
  Options options;
  options.gc_stress = GetParam();
  auto created = Vm::Create(options, &compiler);
  ASSERT_TRUE(created.ok()) << created.status();
  std::unique_ptr<Vm> vm = *std::move(created);
  vm->AttachCells(0);
  vm->InitializeStubs();
  BootReader reader(*vm);
  const absl::Status loaded = reader.ReadSources({{"library", kLibrary}});
  ASSERT_TRUE(loaded.ok()) << loaded;
  vm->SpecialsChanged();
  Context* context = vm->scheduler().NewContext();
  vm->set_current(context);

  gc::RootVector values(vm->heap());
  const Word body = As<Quotation>(As<WordObject>(reader.Find("test", "values"))->def)->array;
  const auto* list = As<Array>(As<Array>(body)->elements[0]);
  for (int64_t i = 0; i < list->size(); ++i) values.push_back(list->elements[i]);
  {
    const Word point = reader.Find("test", "point");
    values.push_back(As<Array>(As<WordObject>(point)->class_info)->elements[5]);  // a layout
    values.push_back(As<WordObject>(point)->code);
  }

  uint64_t state = 1;
  const auto next = [&state](size_t n) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<size_t>(state >> 33) % n;
  };
  Window window(vm->heap());
  const OwnDescriptors descriptors;
  int calls = 0;
  for (size_t row = 0; row < kPrimitiveCount; ++row) {
    const Primitive& primitive = kPrimitives[row];
    if (primitive.kind != PrimitiveKind::kFunction || IsExcluded(primitive)) continue;
    const size_t inputs = primitive.counts.inputs;
    if (inputs == 0 || inputs > 8) continue;
    const int rounds = inputs == 1 ? 100 : 1000;
    for (int round = 0; round < rounds; ++round) {
      SCOPED_TRACE(absl::StrCat(primitive.vocabulary, ":", primitive.word, " round ", round));
      for (Word& slot : window.slots) slot = gc::kFalse;
      for (size_t i = 0; i < inputs; ++i) window.slots[i] = values.get(next(values.size()));
      const Outcome outcome = primitive.function(*vm, Args(window.slots));
      descriptors.Restore();
      ++calls;
      if (outcome == Outcome::kThrow) {
        ASSERT_TRUE(vm->pending_error.get().IsTrue());
        vm->pending_error.set(gc::kFalse);
      }
    }
    const absl::Status verified = vm->heap().Verify();
    ASSERT_TRUE(verified.ok()) << primitive.vocabulary << ":" << primitive.word << ": " << verified;
  }
  EXPECT_GT(calls, 10000);
  vm->heap().CollectFull();
  EXPECT_TRUE(vm->heap().Verify().ok());
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutStress, HostileOperandsTest, ::testing::Values("", "4,7"));

}  // namespace
}  // namespace weft
