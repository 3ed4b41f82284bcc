#include "vm/fatal.h"

#include <cinttypes>
#include <cstdio>
#include <string>

#include "vm/error_kind.h"
#include "vm/line_table.h"
#include "vm/stack_walker.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

constexpr int kMaxFrames = 40;
constexpr int64_t kMaxElements = 8;

std::string NameOf(Word word) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kWordObject)) return "?";
  const Word name = As<WordObject>(word)->name;
  return IsType(name, TypeId::kString) ? ToUtf8(name) : "?";
}

// Without looking into containers.
void PrintAtom(Vm& vm, Word word) WEFT_NO_ALLOC {
  if (word.IsFixnum()) {
    std::fprintf(stderr, "%" PRId64, word.AsFixnum());
  } else if (word.IsImmediateFloat()) {
    std::fprintf(stderr, "%g", word.AsImmediateFloat());
  } else if (word == gc::kFalse || word == gc::kTrue) {
    std::fputs(word == gc::kTrue ? "t" : "f", stderr);
  } else if (IsType(word, TypeId::kString)) {
    std::fprintf(stderr, "\"%s\"", ToUtf8(word).c_str());
  } else if (IsType(word, TypeId::kWordObject)) {
    std::fputs(NameOf(word).c_str(), stderr);
  } else if (IsTuple(word)) {
    const Word layout = vm.layouts().get(gc::ObjectAt(word)->shape() - gc::kFirstTupleShape);
    std::fprintf(stderr, "a %s", NameOf(As<Layout>(layout)->class_word).c_str());
  } else {
    std::fputs("an object", stderr);
  }
}

}  // namespace

void PrintBriefly(Vm& vm, Word word) {
  if (IsTuple(word)) {
    const Word layout = vm.layouts().get(gc::ObjectAt(word)->shape() - gc::kFirstTupleShape);
    std::fprintf(stderr, "%s(", NameOf(As<Layout>(layout)->class_word).c_str());
    const int64_t count = As<Layout>(layout)->slot_count.AsFixnum();
    for (int64_t i = 0; i < count && i < kMaxElements; ++i) {
      std::fputc(' ', stderr);
      PrintAtom(vm, *gc::ObjectAt(word)->field(static_cast<size_t>(i)));
    }
    std::fputs(" )", stderr);
    return;
  }
  if (!IsType(word, TypeId::kArray)) {
    PrintAtom(vm, word);
    return;
  }
  std::fputs("{", stderr);
  const auto* array = As<Array>(word);
  for (int64_t i = 0; i < array->size() && i < kMaxElements; ++i) {
    std::fputc(' ', stderr);
    PrintAtom(vm, array->elements[i]);
  }
  std::fputs(" }", stderr);
}

void EndWithError(Vm& vm, Word error) {
  std::fflush(stdout);
  std::fputs("weft: error without a handler: ", stderr);
  if (IsType(error, TypeId::kArray) && As<Array>(error)->size() == 4 &&
      As<Array>(error)->elements[1].IsFixnum()) {
    const auto* array = As<Array>(error);
    std::fprintf(stderr,
                 "%s: ", ErrorSummary(static_cast<ErrorKind>(array->elements[1].AsFixnum())));
    PrintBriefly(vm, array->elements[2]);
    std::fputs(", ", stderr);
    PrintBriefly(vm, array->elements[3]);
  } else {
    PrintBriefly(vm, error);
  }
  std::fputc('\n', stderr);
  Context& context = *vm.current();
  StackWalker walker(vm, StackState::Of(context));
  for (int frames = 0; frames < kMaxFrames;) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    ++frames;
    Word owner = walker.code()->owner;
    const SourcePosition position = FindPosition(walker.code(), walker.pc_index());
    if (IsType(owner, TypeId::kQuotation)) owner = As<Quotation>(owner)->owner;
    std::fprintf(stderr, "  in %s", NameOf(owner).c_str());
    if (IsType(position.path, TypeId::kString)) {
      std::fprintf(stderr, "  %s:%" PRId64 ":%" PRId64, ToUtf8(position.path).c_str(),
                   position.line, position.column);
    }
    std::fputc('\n', stderr);
  }
  vm.exit_status = 1;
  vm.exiting = true;
  context.pc = vm.HaltAddress();
}

}  // namespace weft
