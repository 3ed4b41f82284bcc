#include "vm/ipc/encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "vm/number/number.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft::ipc {
namespace {

constexpr size_t kTableCount = 0;
constexpr size_t kTableDeleted = 1;
constexpr size_t kTableArray = 2;
constexpr size_t kTableSlots = 3;

// The entries of a table, or null if a program has put something else into its slots.
const Array* EntriesOf(const Object* table, int64_t slots, size_t stride) WEFT_NO_ALLOC {
  if (slots < static_cast<int64_t>(kTableSlots)) return nullptr;
  if (!table->field(kTableCount)->IsFixnum() || !table->field(kTableDeleted)->IsFixnum()) {
    return nullptr;
  }
  const Word array = *table->field(kTableArray);
  if (!IsType(array, TypeId::kArray)) return nullptr;
  const auto* entries = As<Array>(array);
  return static_cast<size_t>(entries->size()) % stride == 0 ? entries : nullptr;
}

}  // namespace

Encoder::Encoder(Vm& vm, Word rules) : vm_(vm), rules_(As<Array>(rules)) {
  for (int64_t n = 0; n + 1 < rules_->size(); n += 2) {
    const Word number = rules_->elements[n + 1];
    if (rules_->elements[n] == gc::kFalse && number.IsFixnum()) extern_bytes_ = number.AsFixnum();
  }
}

void Encoder::PutBytes(const void* data, size_t size) {
  const auto* begin = static_cast<const uint8_t*>(data);
  bytes_.insert(bytes_.end(), begin, begin + size);
}

void Encoder::PutFixnum(int64_t value) {
  if (value >= kValueSmall - kSmallBias && value <= 0xFF - kSmallBias) {
    Put8(static_cast<uint8_t>(value + kSmallBias));
  } else if (value == static_cast<int8_t>(value)) {
    Put8(kValueInt8);
    Put8(static_cast<uint8_t>(value));
  } else if (value == static_cast<int16_t>(value)) {
    Put8(kValueInt16);
    Put16(static_cast<uint16_t>(value));
  } else if (value == static_cast<int32_t>(value)) {
    Put8(kValueInt32);
    Put32(static_cast<uint32_t>(value));
  } else {
    Put8(kValueInt64);
    Put64(static_cast<uint64_t>(value));
  }
}

void Encoder::PutIndex(ValueTag tag8, uint32_t index) {
  if (index <= 0xFF) {
    Put8(tag8);
    Put8(static_cast<uint8_t>(index));
  } else if (index <= 0xFFFF) {
    Put8(static_cast<uint8_t>(tag8 + 1));
    Put16(static_cast<uint16_t>(index));
  } else {
    Put8(static_cast<uint8_t>(tag8 + 2));
    Put32(index);
  }
}

const Layout* Encoder::LayoutOf(Word tuple) {
  return As<Layout>(vm_.layouts().get(gc::ObjectAt(tuple)->shape() - gc::kFirstTupleShape));
}

ClassRule Encoder::RuleOf(const Layout* layout) {
  const auto shape = static_cast<uint32_t>(layout->shape.AsFixnum());
  const auto known = rule_of_shape_.find(shape);
  if (known != rule_of_shape_.end()) return known->second;
  ClassRule rule = ClassRule::kPlain;
  const auto* ancestors = As<Array>(layout->superclasses);
  for (int64_t i = ancestors->size() - 1; i >= 0 && rule == ClassRule::kPlain; --i) {
    for (int64_t n = 0; n + 1 < rules_->size(); n += 2) {
      const Word number = rules_->elements[n + 1];
      if (rules_->elements[n] == ancestors->elements[i] && number.IsFixnum() &&
          number.AsFixnum() > 0 &&
          number.AsFixnum() <= static_cast<int64_t>(ClassRule::kIdentityTable)) {
        rule = static_cast<ClassRule>(number.AsFixnum());
      }
    }
  }
  rule_of_shape_.emplace(shape, rule);
  return rule;
}

bool Encoder::IsNode(Word word) {
  if (!word.IsPointer()) return false;
  const uint32_t shape = gc::ObjectAt(word)->shape();
  if (shape >= gc::kFirstTupleShape) return RuleOf(LayoutOf(word)) != ClassRule::kExtern;
  switch (static_cast<TypeId>(shape)) {
    case TypeId::kByteArray:
      return As<ByteArray>(word)->size() < extern_bytes_;
    case TypeId::kBignum:
    case TypeId::kArray:
    case TypeId::kString:
    case TypeId::kQuotation:
    case TypeId::kWrapper:
      return true;
    default:
      return false;
  }
}

void Encoder::NoteFound() {
  found_ = true;
  found_at_ = static_cast<uint32_t>(nodes_.size() - 1);
}

uint32_t Encoder::NodeNumber(Word word) {
  const auto number = static_cast<uint32_t>(nodes_.size());
  const auto [place, is_new] = node_numbers_.emplace(word.bits, number);
  if (is_new) {
    nodes_.push_back(word);
    if (wants_parents_) {
      parents_.push_back(current_);
      if (word == stop_at_) NoteFound();
    }
  }
  return place->second;
}

uint32_t Encoder::ExternNumber(ExternKind kind, Word word) {
  const auto number = static_cast<uint32_t>(externs_.size());
  // A layout may be met as a class and, by a program that digs it up, as an object.
  const uint64_t key = word.bits ^ (kind == ExternKind::kClass ? uint64_t{2} : 0);
  const auto [place, is_new] = extern_numbers_.emplace(key, number);
  if (is_new) externs_.push_back({kind, word});
  if (wants_parents_ && kind != ExternKind::kClass && word == stop_at_ && !found_) {
    nodes_.push_back(word);
    parents_.push_back(current_);
    NoteFound();
  }
  return place->second;
}

void Encoder::PutValue(Word word) {
  if (word.IsFixnum()) {
    PutFixnum(word.AsFixnum());
  } else if (word == gc::kFalse || word == gc::kTrue) {
    Put8(word == gc::kTrue ? kValueTrue : kValueFalse);
  } else if (IsFloat(word)) {
    Put8(kValueFloat);
    Put64(std::bit_cast<uint64_t>(FloatValue(word)));
  } else if (IsNode(word)) {
    PutIndex(kValueNode8, NodeNumber(word));
  } else {
    const bool is_word = IsType(word, TypeId::kWordObject);
    PutIndex(kValueExtern8, ExternNumber(is_word ? ExternKind::kWord : ExternKind::kObject, word));
  }
}

void Encoder::PutString(Word word) {
  const StringView view(As<String>(word));
  uint32_t widest = 0;
  if (view.width() != String::kOne) {
    for (int64_t i = 0; i < view.size(); ++i) widest = std::max(widest, view.at(i));
  }
  const String::Width width = WidthFor(widest);
  const int bytes = width == String::kOne ? 1 : width == String::kTwo ? 2 : 4;
  Put8(kNodeString);
  Put8(static_cast<uint8_t>(bytes));
  Put32(static_cast<uint32_t>(view.size()));
  if (width == view.width()) {
    PutBytes(view.data(), static_cast<size_t>(view.size() * bytes));
    return;
  }
  for (int64_t i = 0; i < view.size(); ++i) {
    const uint32_t code_point = view.at(i);
    PutBytes(&code_point, static_cast<size_t>(bytes));
  }
}

// A vector whose slots hold what a vector's slots should: only the elements in use travel.
bool Encoder::PutVector(Word word, const Layout* layout) {
  const Word vector_layout = vm_.special(Special::kVectorLayout);
  if (!vector_layout.IsPointer() || As<Layout>(vector_layout) != layout) return false;
  const Object* tuple = gc::ObjectAt(word);
  const Word underlying = *tuple->field(0);
  const Word length = *tuple->field(1);
  if (!IsType(underlying, TypeId::kArray) || !length.IsFixnum()) return false;
  const auto* array = As<Array>(underlying);
  if (length.AsFixnum() < 0 || length.AsFixnum() > array->size()) return false;
  Put8(kNodeVector);
  Put32(static_cast<uint32_t>(length.AsFixnum()));
  for (int64_t i = 0; i < length.AsFixnum(); ++i) PutValue(array->elements[i]);
  return true;
}

void Encoder::PutTable(Word word, Word class_layout, ClassRule rule) {
  const Object* tuple = gc::ObjectAt(word);
  const int64_t slots = As<Layout>(class_layout)->slot_count.AsFixnum();
  const size_t stride = rule == ClassRule::kSet ? 2 : 3;
  const Array* entries = nullptr;
  int64_t first_further_slot = static_cast<int64_t>(kTableSlots);
  if (rule == ClassRule::kIdentityTable) {
    first_further_slot = 1;
    if (slots > 0 && IsTuple(*tuple->field(0))) {
      const Word table = *tuple->field(0);
      entries = EntriesOf(gc::ObjectAt(table), LayoutOf(table)->slot_count.AsFixnum(), stride);
    }
  } else {
    entries = EntriesOf(tuple, slots, stride);
  }
  uint32_t count = 0;
  const auto length = entries == nullptr ? 0 : static_cast<size_t>(entries->size());
  for (size_t i = 0; i < length; i += stride) {
    if (entries->elements[i].IsFixnum()) ++count;
  }
  Put8(kNodeTable);
  Put8(static_cast<uint8_t>(rule));
  Put32(ExternNumber(ExternKind::kClass, class_layout));
  Put32(count);
  Put32(static_cast<uint32_t>(std::max<int64_t>(slots - first_further_slot, 0)));
  for (size_t i = 0; i < length; i += stride) {
    if (!entries->elements[i].IsFixnum()) continue;
    PutValue(entries->elements[i + 1]);
    if (stride == 3) PutValue(entries->elements[i + 2]);
  }
  for (int64_t i = first_further_slot; i < slots; ++i) {
    PutValue(*tuple->field(static_cast<size_t>(i)));
  }
}

void Encoder::PutTuple(Word word) {
  const Layout* layout = LayoutOf(word);
  const Word layout_word = Word::Pointer(layout);
  const ClassRule rule = RuleOf(layout);
  if (rule != ClassRule::kPlain) {
    PutTable(word, layout_word, rule);
    return;
  }
  if (PutVector(word, layout)) return;
  const auto slots = static_cast<size_t>(layout->slot_count.AsFixnum());
  Put8(kNodeTuple);
  Put32(ExternNumber(ExternKind::kClass, layout_word));
  Put32(static_cast<uint32_t>(slots));
  const Object* tuple = gc::ObjectAt(word);
  for (size_t i = 0; i < slots; ++i) PutValue(*tuple->field(i));
}

void Encoder::PutNode(Word word) {
  if (IsTuple(word)) {
    PutTuple(word);
    return;
  }
  switch (static_cast<TypeId>(gc::ObjectAt(word)->shape())) {
    case TypeId::kByteArray: {
      const auto* array = As<ByteArray>(word);
      Put8(kNodeBytes);
      Put32(static_cast<uint32_t>(array->size()));
      PutBytes(array->bytes, static_cast<size_t>(array->size()));
      break;
    }
    case TypeId::kString:
      PutString(word);
      break;
    case TypeId::kBignum: {
      const auto* bignum = As<Bignum>(word);
      const int64_t size = bignum->size.AsFixnum();
      const auto limbs = static_cast<size_t>(size < 0 ? -size : size);
      Put8(kNodeBignum);
      Put8(size < 0 ? 1 : 0);
      Put32(static_cast<uint32_t>(limbs));
      PutBytes(bignum->limbs, limbs * 8);
      break;
    }
    case TypeId::kArray: {
      const auto* array = As<Array>(word);
      Put8(kNodeArray);
      Put32(static_cast<uint32_t>(array->size()));
      for (int64_t i = 0; i < array->size(); ++i) PutValue(array->elements[i]);
      break;
    }
    case TypeId::kWrapper:
      Put8(kNodeWrapper);
      PutValue(As<Wrapper>(word)->wrapped);
      break;
    default: {  // IsNode leaves the quotation
      const auto* quotation = As<Quotation>(word);
      Put8(kNodeQuotation);
      PutValue(quotation->array);
      PutValue(quotation->source);
    }
  }
}

// A node is written before what it refers to is known to fit, so the limit is passed by one node at
// most; sizes that need more than 32 bits are far beyond every limit.
bool Encoder::Walk(Word root, size_t limit, Word stop_at) {
  stop_at_ = stop_at;
  bytes_.assign(kPreambleLengthBytes + kGraphHeaderBytes, 0);
  bytes_[kPreambleLengthBytes] = kGraphVersion;
  PutValue(root);
  for (current_ = 0; current_ < nodes_.size() && !found_; ++current_) {
    const Word node = nodes_[current_];
    // What a huge leaf or array takes at least is known beforehand.
    const size_t size = vm_.heap().SizeOf(gc::ObjectAt(node));
    if (size / 8 > limit) return false;
    if (size >= gc::kLargeBytes && !wants_parents_) bytes_.reserve(bytes_.size() + size);
    PutNode(node);
    if (bytes_.size() > limit) return false;
    if (wants_parents_) bytes_.resize(kPreambleLengthBytes + kGraphHeaderBytes);
  }
  const auto node_count = static_cast<uint32_t>(nodes_.size());
  const auto extern_count = static_cast<uint32_t>(externs_.size());
  std::memcpy(&bytes_[kPreambleLengthBytes + 4], &node_count, sizeof node_count);
  std::memcpy(&bytes_[kPreambleLengthBytes + 8], &extern_count, sizeof extern_count);
  return true;
}

bool Encoder::Encode(Word root, size_t limit) { return Walk(root, limit, Word{0}); }

std::vector<Word> Encoder::FindPath(Word root, Word target) {
  wants_parents_ = true;
  std::vector<Word> path;
  if (root == target) {
    path.push_back(root);
    return path;
  }
  Walk(root, SIZE_MAX, target);
  if (!found_) return path;
  uint32_t at = found_at_;
  while (true) {
    path.push_back(nodes_[at]);
    if (at == 0) break;
    at = parents_[at];
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace weft::ipc
