#include "vm/fatal.h"

#include <cinttypes>
#include <climits>
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

namespace {

// Errors of files have path and line in slots 2 and 3 (source-file-error and its subclasses).
void PrintPlaceInError(Vm& vm, Word error) WEFT_NO_ALLOC {
  if (!IsTuple(error)) return;
  const auto* layout =
      As<Layout>(vm.layouts().get(gc::ObjectAt(error)->shape() - gc::kFirstTupleShape));
  if (layout->slot_count.AsFixnum() < 4) return;
  const Word path = *gc::ObjectAt(error)->field(2);
  const Word line = *gc::ObjectAt(error)->field(3);
  if (!IsType(path, TypeId::kString) || !line.IsFixnum()) return;
  std::fprintf(stderr, "%s:%" PRId64 ": ", ToUtf8(path).c_str(), line.AsFixnum());
}

bool IsKernelError(Word error) WEFT_NO_ALLOC {
  if (!IsType(error, TypeId::kArray) || As<Array>(error)->size() != 4) return false;
  const Word kind = As<Array>(error)->elements[1];
  return kind.IsFixnum() && kind.AsFixnum() >= 0 && kind.AsFixnum() < INT_MAX;
}

}  // namespace

void PrintFrames(std::FILE* file, const StackState& state, Vm& vm) {
  StackWalker walker(vm, state);
  for (int frames = 0; frames < kMaxFrames;) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) break;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    RunningWords words(walker.code(), walker.pc_index());
    while (words.Next() && frames < kMaxFrames) {
      ++frames;
      Word owner = words.owner();
      const SourcePosition& position = words.position();
      if (IsType(owner, TypeId::kQuotation)) owner = As<Quotation>(owner)->owner;
      std::fprintf(file, "  in %s",
                   IsType(owner, TypeId::kWordObject) ? NameOf(owner).c_str() : "a quotation");
      if (IsType(position.path, TypeId::kString) && position.line > 0) {
        std::fprintf(file, "  %s:%" PRId64 ":%" PRId64, ToUtf8(position.path).c_str(),
                     position.line, position.column);
      }
      std::fputc('\n', file);
    }
  }
}

void ReportError(Vm& vm, Word error, const StackState& state) {
  std::fflush(stdout);
  PrintPlaceInError(vm, error);
  std::fputs("error: ", stderr);
  if (IsKernelError(error)) {
    const auto* array = As<Array>(error);
    std::fputs(ErrorSummary(static_cast<ErrorKind>(array->elements[1].AsFixnum())), stderr);
    for (const int64_t detail : {2, 3}) {
      if (array->elements[detail].IsFalse()) continue;
      std::fputs(detail == 2 ? ": " : ", ", stderr);
      PrintBriefly(vm, array->elements[detail]);
    }
  } else {
    PrintBriefly(vm, error);
  }
  std::fputc('\n', stderr);
  PrintFrames(stderr, state, vm);
}

void EndWithError(Vm& vm, Word error) {
  Context& context = *vm.current();
  ReportError(vm, error, StackState::Of(context));
  vm.exit_status = 1;
  vm.exiting = true;
  context.pc = vm.HaltAddress();
}

}  // namespace weft
