#include "vm/code_builder.h"

#include <algorithm>
#include <cstring>

#include "absl/types/span.h"
#include "gc/check.h"
#include "vm/vm.h"

namespace weft {
namespace {

Word MakeBytes(gc::Heap& heap, absl::Span<const uint8_t> bytes) WEFT_ALLOCATES {
  const Word word = heap.Allocate(ShapeOf(TypeId::kByteArray), 16 + bytes.size());
  const gc::NoAlloc scope;
  auto* object = static_cast<ByteArray*>(gc::ObjectAt(word));
  object->length = Word::Fixnum(static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(object->bytes, bytes.data(), bytes.size());
  return word;
}

constexpr uint32_t kUnbound = ~uint32_t{0};
constexpr size_t kCodeHeaderBytes = 64;
static_assert(sizeof(Code) == kCodeHeaderBytes);

void AppendU32(PackedBytes& out, uint32_t n) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<uint8_t>(n >> shift));
}

void AppendItems(PackedBytes& out, absl::Span<const MapItem> items) {
  // A curried or composed item stands before its two parts and counts once.
  size_t top_level = 0;
  size_t pending = 0;  // parts still to come
  for (const MapItem& item : items) {
    if (pending == 0) {
      ++top_level;
    } else {
      --pending;
    }
    if (item.kind == MapItem::kCurried || item.kind == MapItem::kComposed) pending += 2;
  }
  WEFT_CHECK(top_level < 256);
  out.push_back(static_cast<uint8_t>(top_level));
  for (const MapItem& item : items) {
    out.push_back(static_cast<uint8_t>(item.kind));
    const auto bits = static_cast<uint32_t>(item.value);
    switch (item.kind) {
      case MapItem::kSlot:
      case MapItem::kOther:
        out.push_back(static_cast<uint8_t>(bits));
        break;
      case MapItem::kLiteral:
      case MapItem::kInt:
        out.push_back(static_cast<uint8_t>(bits));
        out.push_back(static_cast<uint8_t>(bits >> 8));
        break;
      default:
        break;
    }
  }
}

}  // namespace

size_t CodeObjectSize(const gc::Object* object) {
  const auto* code = static_cast<const Code*>(object);
  return kCodeHeaderBytes + static_cast<size_t>(code->literal_count.AsFixnum()) * 8 +
         static_cast<size_t>(code->instruction_count.AsFixnum()) * 4;
}

void TraceCode(gc::Object* object, gc::SlotVisitor& visitor) {
  auto* code = static_cast<Code*>(object);
  visitor.VisitRange(code->field(0), code->field(Code::kTracedFixed));
  visitor.VisitRange(code->literals, code->literals + code->literal_count.AsFixnum());
}

CodeBuilder::CodeBuilder(Vm& vm)
    : vm_(vm), literals_(vm.heap()), keep_(vm.heap()), calls_(vm.heap()) {}

uint32_t CodeBuilder::Literal(Word word) {
  // Looking only at the last ones bounds the time; a missed match costs eight bytes.
  constexpr size_t kLookBack = 64;
  const size_t n = literals_.size();
  for (size_t i = n; i > 0 && i + kLookBack > n; --i) {
    if (literals_.get(i - 1) == word) return static_cast<uint32_t>(i - 1);
  }
  literals_.push_back(word);
  return static_cast<uint32_t>(n);
}

void CodeBuilder::Keep(Word word) {
  for (size_t i = 0; i < keep_.size(); ++i) {
    if (keep_.get(i) == word) return;
  }
  keep_.push_back(word);
}

uint32_t CodeBuilder::CellLiteral(Word word) {
  const size_t before = literals_.size();
  const uint32_t number = Literal(As<WordObject>(word)->cell);
  if (number == before) Keep(word);
  return number;
}

uint32_t CodeBuilder::CacheLiteral(Word generic) {
  InlineCache* cache = vm_.cells().NewInlineCache(generic);
  caches_.push_back(cache);
  Keep(generic);
  literals_.push_back(Word::FromBits(reinterpret_cast<uint64_t>(cache)));
  return static_cast<uint32_t>(literals_.size() - 1);
}

void CodeBuilder::EmitLiteral(Op op, uint32_t a, uint32_t literal) {
  fixups_.push_back({here(), literal, Fixup::kLiteralD});
  EmitAD(op, a, 0);
}

void CodeBuilder::EmitExtLiteral(Op op, uint32_t a, uint32_t b, uint32_t literal) {
  fixups_.push_back({here(), literal, Fixup::kLiteralExt});
  EmitABC(op, a, b);
  Emit(0);
}

CodeBuilder::Label CodeBuilder::NewLabel() {
  labels_.push_back(kUnbound);
  return static_cast<Label>(labels_.size() - 1);
}

void CodeBuilder::Bind(Label label) { labels_[label] = here(); }

void CodeBuilder::EmitJump(Op op, uint32_t a, uint32_t b, Label target) {
  const bool ext = InfoOf(op).has_ext();
  fixups_.push_back({here(), target, ext ? Fixup::kJumpExt : Fixup::kJumpD});
  if (ext) {
    EmitABC(op, a, b);
    Emit(0);
  } else {
    EmitAD(op, a, 0);
  }
}

void CodeBuilder::EmitJumpD(Op op, uint32_t a, uint32_t d, Label target) {
  fixups_.push_back({here(), target, Fixup::kJumpExt});
  EmitAD(op, a, d);
  Emit(0);
}

void CodeBuilder::PatchD(uint32_t index, uint32_t d) {
  words_[index] = (words_[index] & 0xFFFF) | d << 16;
}

void CodeBuilder::AddMap(const std::vector<bool>& live, const std::vector<MapItem>& stack,
                         const std::vector<MapItem>& retained) {
  WEFT_CHECK(live.size() <= 256);
  maps_.push_back({here(), static_cast<uint32_t>(map_bytes_.size())});
  const size_t live_bytes = (live.size() + 7) / 8;
  map_bytes_.push_back(static_cast<uint8_t>(live_bytes));
  for (size_t i = 0; i < live_bytes; ++i) {
    uint32_t byte = 0;
    for (size_t bit = 0; bit < 8 && i * 8 + bit < live.size(); ++bit) {
      if (live[i * 8 + bit]) byte |= 1U << bit;
    }
    map_bytes_.push_back(static_cast<uint8_t>(byte));
  }
  AppendItems(map_bytes_, stack);
  AppendItems(map_bytes_, retained);
}

void CodeBuilder::AddPlainMap(uint32_t n) {
  std::vector<MapItem> items;
  for (uint32_t i = 0; i < n; ++i) items.push_back({MapItem::kSlot, static_cast<int32_t>(i)});
  AddMap(std::vector<bool>(n, true), items, {});
}

uint32_t CodeBuilder::AddCall(Word word, Word path, int32_t parent, uint32_t line,
                              uint32_t column) {
  calls_.push_back(word);
  calls_.push_back(path);
  calls_.push_back(Word::Fixnum(parent));
  calls_.push_back(Word::Fixnum(int64_t{line} << 24 | std::min(column, 0xFFFFFFU)));
  return static_cast<uint32_t>(calls_.size() / 4);
}

void CodeBuilder::SetPosition(uint32_t line, uint32_t column, uint32_t call) {
  const uint32_t last_call = spans_.empty() ? 0 : spans_.back();
  if (call != last_call) {
    if (spans_.empty() || spans_[spans_.size() - 2] != here()) {
      spans_.insert(spans_.end(), {here(), call});
    } else {
      spans_.back() = call;
    }
  }
  const size_t n = positions_.size();
  if (n >= 3 && positions_[n - 2] == line && positions_[n - 1] == column) return;
  if (n >= 3 && positions_[n - 3] == here()) {
    positions_[n - 2] = line;
    positions_[n - 1] = column;
    return;
  }
  positions_.insert(positions_.end(), {here(), line, column});
}

bool CodeBuilder::ApplyFixups() {
  const auto literal_count = static_cast<int64_t>(literals_.size());
  for (const Fixup& fixup : fixups_) {
    const auto at = static_cast<int64_t>(fixup.at);
    if (fixup.kind == Fixup::kLiteralD || fixup.kind == Fixup::kLiteralExt) {
      const int64_t distance = at / 2 + literal_count - static_cast<int64_t>(fixup.target);
      if (fixup.kind == Fixup::kLiteralExt) {
        words_[fixup.at + 1] = static_cast<uint32_t>(distance);
        continue;
      }
      if (distance > 0xFFFF) return false;
      PatchD(fixup.at, static_cast<uint32_t>(distance));
      continue;
    }
    WEFT_CHECK(labels_[fixup.target] != kUnbound);
    const bool ext = fixup.kind == Fixup::kJumpExt;
    const int64_t distance = static_cast<int64_t>(labels_[fixup.target]) - at - (ext ? 2 : 1);
    if (ext) {
      words_[fixup.at + 1] = static_cast<uint32_t>(static_cast<int32_t>(distance));
      continue;
    }
    if (distance < -0x8000 || distance > 0x7FFF) return false;
    PatchD(fixup.at, static_cast<uint32_t>(distance) & 0xFFFF);
  }
  return true;
}

// As vm/line_table.h; f if nothing is known.
Word CodeBuilder::MakeLines(const gc::Root& path) {
  gc::Heap& heap = vm_.heap();
  const bool has_calls = !spans_.empty();
  if (positions_.empty() || (path.is_false() && !has_calls)) return gc::kFalse;
  gc::Root calls(heap);
  if (has_calls) {
    gc::Root spans(heap, MakeBytes(heap, PackSpans(spans_)));
    calls.set(heap.Allocate(ShapeOf(TypeId::kArray), 24 + calls_.size() * 8));
    const gc::NoAlloc scope;
    auto* array = static_cast<Array*>(gc::ObjectAt(calls.get()));
    array->length = Word::Fixnum(static_cast<int64_t>(calls_.size() + 1));
    heap.Write(array, &array->elements[0], spans.get());
    for (size_t i = 0; i < calls_.size(); ++i) {
      heap.Write(array, &array->elements[i + 1], calls_.get(i));
    }
  }
  gc::Root rows(heap, MakeBytes(heap, PackLines(positions_)));
  const size_t length = has_calls ? 3 : 2;
  const Word lines = heap.Allocate(ShapeOf(TypeId::kArray), 16 + length * 8);
  const gc::NoAlloc scope;
  auto* array = static_cast<Array*>(gc::ObjectAt(lines));
  array->length = Word::Fixnum(static_cast<int64_t>(length));
  heap.Write(array, &array->elements[0], path.get());
  heap.Write(array, &array->elements[1], rows.get());
  if (has_calls) heap.Write(array, &array->elements[2], calls.get());
  return lines;
}

Word CodeBuilder::Finish(CodeMode mode, uint32_t inputs, uint32_t outputs, const gc::Root& owner,
                         const gc::Root& path) WEFT_ALLOCATES {
  if (!ApplyFixups()) return gc::kFalse;
  // Every entry, those of local subroutines too, charges for its own paths.
  for (size_t i = 0; i < words_.size(); i += InfoOf(DecodeOp(words_[i])).words()) {
    const Op op = DecodeOp(words_[i]);
    if ((op == Op::kEnter || op == Op::kDynEnter) && DecodeD(words_[i]) == 0) {
      PatchD(static_cast<uint32_t>(i), ChargeOf(words_.data(), words_.size(), i));
    }
  }
  gc::Heap& heap = vm_.heap();

  gc::Root keep(heap);
  if (!keep_.empty()) {
    keep.set(heap.Allocate(ShapeOf(TypeId::kArray), 16 + keep_.size() * 8));
    const gc::NoAlloc scope;
    auto* array = static_cast<Array*>(gc::ObjectAt(keep.get()));
    array->length = Word::Fixnum(static_cast<int64_t>(keep_.size()));
    for (size_t i = 0; i < keep_.size(); ++i) {
      heap.Write(array, &array->elements[i], keep_.get(i));
    }
  }

  PackedBytes bytes;
  const auto header = static_cast<uint32_t>(4 + maps_.size() * 8);
  AppendU32(bytes, static_cast<uint32_t>(maps_.size()));
  for (const Map& map : maps_) {  // emitted in order, so sorted by pc
    AppendU32(bytes, map.pc);
    AppendU32(bytes, header + map.offset);
  }
  bytes.insert(bytes.end(), map_bytes_.begin(), map_bytes_.end());
  gc::Root maps(heap, MakeBytes(heap, bytes));

  const gc::Root lines(heap, MakeLines(path));

  const size_t size = kCodeHeaderBytes + literals_.size() * 8 + words_.size() * 4;
  const Word word = heap.AllocatePinned(ShapeOf(TypeId::kCode), size);
  const gc::NoAlloc scope;
  auto* code = static_cast<Code*>(gc::ObjectAt(word));
  code->literal_count = Word::Fixnum(static_cast<int64_t>(literals_.size()));
  code->instruction_count = Word::Fixnum(static_cast<int64_t>(words_.size()));
  code->mode_and_counts = CodeModeWord(mode, inputs, outputs);
  heap.Write(code, &code->owner, owner.get());
  heap.Write(code, &code->keep, keep.get());
  heap.Write(code, &code->maps, maps.get());
  heap.Write(code, &code->lines, lines.get());
  for (size_t i = 0; i < literals_.size(); ++i) {
    heap.Write(code, &code->literals[i], literals_.get(i));
  }
  std::memcpy(code->instructions(), words_.data(), words_.size() * 4);
  for (InlineCache* cache : caches_) cache->owner = word;
  return word;
}

}  // namespace weft
