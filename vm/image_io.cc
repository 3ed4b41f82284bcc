#include "vm/image_io.h"

#include "absl/strings/str_cat.h"
#include "gc/image.h"
#include "vm/hashing.h"
#include "vm/stack_walker.h"
#include "vm/vm.h"

namespace weft {
namespace {

// user_data of the image.
enum Counter { kSpecialCount, kLayoutCount, kDispatchEpoch };

// Everything that must agree between a binary and the bytecode and structures of an image.
constexpr const char* kListedFacts[] = {
#define OP(name, charge, flags, a, b, c, ext, meaning) #name #flags #a #b #c #ext,
#include "vm/opcodes.def"
#undef OP
#define TYPE(name, class_name, vocabulary, rule, fixed, traced) #name #rule #fixed #traced,
#include "vm/types.def"
#undef TYPE
#define PRIM(vocabulary, word, function, effect, flags) vocabulary word effect,
#define SHUFFLE(vocabulary, word, effect) vocabulary word effect,
#define BODY(vocabulary, word, opcode, effect) vocabulary word effect #opcode,
#include "vm/primitives.def"
#undef PRIM
#undef SHUFFLE
#undef BODY
#define SPECIAL(name, meaning) #name,
#include "vm/special_objects.def"
#undef SPECIAL
#define FRAME(name, words, traced) #name #words #traced,
#include "vm/stub_frames.def"
#undef FRAME
};

// Return addresses of a captured stack.
void RelocateCallStack(CallStack* stack, const gc::ImageMap& map) WEFT_NO_ANALYSIS {
  // Records cannot be walked by the copy's own (already new) addresses: a word that is an address
  // inside code of the old heap is a return address, since values on a call stack are tagged.
  const int64_t first = stack->data_words.AsFixnum();
  const int64_t end = first + stack->call_words.AsFixnum();
  stack->resume = Word{map.Forward(stack->resume.bits)};
  for (int64_t i = first; i < end; ++i) {
    Word& word = stack->words[i];
    if (!word.IsFixnum()) continue;
    const uint64_t forwarded = map.Forward(word.bits);
    if (forwarded != 0) word = Word{forwarded};
  }
}

void RelocateObject(gc::Object* copy, const gc::ImageMap& map, void*) {
  if (copy->shape() == ShapeOf(TypeId::kCallStack)) {
    RelocateCallStack(static_cast<CallStack*>(copy), map);
  }
}

void RelocateCells(uint8_t* copy, uint64_t bytes, const gc::ImageMap& map, void*) {
  CellSpace::RelocateCopy(copy, bytes, map);
}

// Dynamic code of quotations is made again at the first call: an image without it is smaller, and
// most of it served the building of the image only. Their positions have been compiled into line
// tables.
void DropWhatCodeHas(Vm& vm) WEFT_NO_ANALYSIS {
  vm.heap().CollectFull();
  vm.heap().ForEachObject(
      [](gc::Object* object, void*) {
        if (object->shape() == ShapeOf(TypeId::kQuotation)) {
          auto* quotation = static_cast<Quotation*>(object);
          quotation->dynamic_code = quotation->source = gc::kFalse;
        }
      },
      nullptr);
}

}  // namespace

std::string ImageId() {
  std::string facts;
  for (const char* fact : kListedFacts) absl::StrAppend(&facts, fact, "\n");
  const int64_t hash =
      HashBytes(reinterpret_cast<const uint8_t*>(facts.data()), static_cast<int64_t>(facts.size()));
  return absl::StrCat("weft-", WEFT_VERSION, "-", absl::Hex(static_cast<uint64_t>(hash)));
}

namespace {

// Definitions, stack maps and places are looked at by the compiler, the collector and in messages,
// not by code that runs; but dynamic code is made of what has no static code when it is called.
bool IsColdSlot(const gc::Object* holder, const Word* slot) {
  if (holder->shape() == ShapeOf(TypeId::kQuotation)) {
    const auto* quotation = static_cast<const Quotation*>(holder);
    if (slot == &quotation->array) return quotation->code.IsPointer();
    return slot != &quotation->code;
  }
  if (holder->shape() == ShapeOf(TypeId::kCode)) {
    const auto* code = static_cast<const Code*>(holder);
    return slot == &code->lines || slot == &code->maps;
  }
  if (holder->shape() == ShapeOf(TypeId::kWordObject)) {
    const auto* word = static_cast<const WordObject*>(holder);
    return (slot == &word->def && word->code.IsPointer()) || slot == &word->location;
  }
  return false;
}

}  // namespace

absl::Status SaveVmImage(Vm& vm, const std::string& path, const gc::Root& first) WEFT_NO_ANALYSIS {
  DropWhatCodeHas(vm);
  gc::ImageParts parts;
  for (size_t i = 0; i < vm.specials().size(); ++i) parts.roots.push_back(vm.specials().get(i));
  for (size_t i = 0; i < vm.layouts().size(); ++i) parts.roots.push_back(vm.layouts().get(i));
  // Loading reads all layouts.
  for (size_t i = 0; i < vm.layouts().size(); ++i) parts.first.push_back(vm.layouts().get(i));
  if (IsType(first.get(), TypeId::kArray)) {
    const auto* array = As<Array>(first.get());
    for (int64_t i = 0; i < array->size(); ++i) {
      const Word object = array->elements[i];
      parts.first.push_back(object);
      if (!IsType(object, TypeId::kCode)) continue;
      const auto* code = As<Code>(object);
      const Word* literals = code->literals;
      parts.first.insert(parts.first.end(), literals, literals + code->literal_count.AsFixnum());
    }
  }
  parts.user_data[kSpecialCount] = vm.specials().size();
  parts.user_data[kLayoutCount] = vm.layouts().size();
  // Inline caches inside the image are void, those of generics are not.
  parts.user_data[kDispatchEpoch] = vm.cells().dispatch_epoch();
  parts.cell_bytes = vm.cells().bytes_in_use();
  gc::ImageHooks hooks;
  hooks.is_cold = IsColdSlot;
  hooks.relocate_object = RelocateObject;
  hooks.relocate_cells = RelocateCells;
  return gc::SaveImage(vm.heap(), path, ImageId(), parts, hooks);
}

absl::Status LoadVmImage(Vm& vm, const std::string& path, bool foreign) WEFT_NO_ANALYSIS {
  absl::StatusOr<gc::ImageParts> parts = gc::LoadImage(vm.heap(), path, ImageId(), foreign);
  if (!parts.ok()) return parts.status();
  const uint64_t specials = parts->user_data[kSpecialCount];
  const uint64_t layouts = parts->user_data[kLayoutCount];
  if (specials != vm.specials().size() || specials + layouts != parts->roots.size()) {
    return absl::DataLossError(absl::StrCat(path, ": the image's table of roots is damaged"));
  }
  for (size_t i = 0; i < specials; ++i) vm.specials().set(i, parts->roots[i]);
  for (size_t i = 0; i < layouts; ++i) {
    const Word layout = parts->roots[specials + i];
    if (!IsType(layout, TypeId::kLayout)) {
      return absl::DataLossError(absl::StrCat(path, ": the image's table of layouts is damaged"));
    }
    vm.NewShape(static_cast<uint32_t>(As<Layout>(layout)->slot_count.AsFixnum()), layout);
  }
  vm.AttachCells(parts->cell_bytes);
  vm.cells().set_dispatch_epoch(static_cast<uint32_t>(parts->user_data[kDispatchEpoch]));
  vm.InitializeStubs();
  vm.SpecialsChanged();
  return absl::OkStatus();
}

}  // namespace weft
