#include "vm/ipc/decoder.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "vm/number/number.h"
#include "vm/strings.h"
#include "vm/tables.h"
#include "vm/vm.h"

namespace weft::ipc {
namespace {

constexpr uint32_t kTableSlots = 3;

template <class T>
T Load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Bytes after the tag of a value; -1: no such tag.
int PayloadOf(uint8_t tag) {
  if (tag >= kValueSmall) return 0;
  switch (tag) {
    case kValueFalse:
    case kValueTrue:
      return 0;
    case kValueInt8:
    case kValueNode8:
    case kValueExtern8:
      return 1;
    case kValueInt16:
    case kValueNode16:
    case kValueExtern16:
      return 2;
    case kValueInt32:
    case kValueNode32:
    case kValueExtern32:
      return 4;
    case kValueInt64:
    case kValueFloat:
      return 8;
    default:
      return -1;
  }
}

uint32_t LoadIndex(const uint8_t* bytes, int size) {
  if (size == 1) return *bytes;
  return size == 2 ? Load<uint16_t>(bytes) : Load<uint32_t>(bytes);
}

bool IsNodeTag(uint8_t tag) { return tag >= kValueNode8 && tag <= kValueNode32; }
bool IsExternTag(uint8_t tag) { return tag >= kValueExtern8 && tag <= kValueExtern32; }

}  // namespace

Decoder::Decoder(Vm& vm, absl::Span<const uint8_t> bytes, const gc::Root& externs)
    : vm_(vm),
      bytes_(bytes),
      externs_(externs),
      nodes_(vm.heap()),
      root_(vm.heap()),
      tables_(vm.heap()),
      typed_(vm.heap()) {}

bool Decoder::Fail(const char* what) {
  if (error_.empty()) error_ = absl::StrCat(what, " (byte ", at_, " of ", bytes_.size(), ")");
  return false;
}

bool Decoder::Take(void* target, size_t size) {
  if (left() < size) return Fail("the message ends too early");
  std::memcpy(target, &bytes_[at_], size);
  at_ += size;
  return true;
}

bool Decoder::TakeCount(uint32_t* count, size_t each) {
  if (!Take32(count)) return false;
  return uint64_t{*count} * each <= left() || Fail("a count is larger than what follows it");
}

bool Decoder::SkipValue() {
  uint8_t tag = 0;
  if (!Take8(&tag)) return false;
  const int size = PayloadOf(tag);
  if (size < 0) return Fail("there is no such value");
  if (left() < static_cast<size_t>(size)) return Fail("the message ends too early");
  const uint8_t* payload = bytes_.data() + at_;
  if (IsNodeTag(tag) && LoadIndex(payload, size) >= node_count_) {
    return Fail("a reference to a node that is not there");
  }
  if (IsExternTag(tag) && LoadIndex(payload, size) >= extern_count_) {
    return Fail("a reference to an extern that is not there");
  }
  if (tag == kValueInt64 && !Word::FitsFixnum(Load<int64_t>(payload))) {
    return Fail("an integer out of the range of fixnums");
  }
  at_ += static_cast<size_t>(size);
  return true;
}

bool Decoder::SkipValues(uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    if (!SkipValue()) return false;
  }
  return true;
}

Word Decoder::TakeValue() {
  const uint8_t tag = bytes_[at_++];
  const uint8_t* payload = bytes_.data() + at_;
  const int size = PayloadOf(tag);
  at_ += static_cast<size_t>(size);
  if (tag >= kValueSmall) return Word::Fixnum(int{tag} - kSmallBias);
  if (tag == kValueFloat) return MakeFloat(vm_, Load<double>(payload));
  if (IsNodeTag(tag)) {
    const gc::NoAlloc scope;
    return nodes_.get(LoadIndex(payload, size));
  }
  if (IsExternTag(tag)) {
    const gc::NoAlloc scope;
    return As<Array>(externs_.get())->elements[LoadIndex(payload, size)];
  }
  switch (tag) {
    case kValueTrue:
      return gc::kTrue;
    case kValueInt8:
      return Word::Fixnum(Load<int8_t>(payload));
    case kValueInt16:
      return Word::Fixnum(Load<int16_t>(payload));
    case kValueInt32:
      return Word::Fixnum(Load<int32_t>(payload));
    case kValueInt64:
      return Word::Fixnum(Load<int64_t>(payload));
    default:
      return gc::kFalse;
  }
}

bool Decoder::Room(size_t bytes) {
  if (bytes < gc::kLargeBytes || vm_.heap().Reserve(bytes)) return true;
  no_room_ = bytes;
  return Fail("no room in the heap");
}

bool Decoder::MakeBytes() {
  uint32_t size = 0;
  if (!TakeCount(&size, 1) || !Room(sizeof(ByteArray) + size)) return false;
  const Word word =
      vm_.heap().Allocate(ShapeOf(TypeId::kByteArray), sizeof(ByteArray) + size_t{size});
  const gc::NoAlloc scope;
  auto* array = As<ByteArray>(word);
  array->length = Word::Fixnum(size);
  std::memcpy(array->bytes, bytes_.data() + at_, size);
  at_ += size;
  nodes_.push_back(word);
  return true;
}

bool Decoder::MakeString() {
  uint8_t width = 0;
  uint32_t size = 0;
  if (!Take8(&width)) return false;
  if (width != 1 && width != 2 && width != 4) return Fail("a string of no known width");
  if (!TakeCount(&size, width)) return false;
  if (!Room(StringBytes(size, width == 1 ? String::kOne : String::kFour))) return false;
  if (width == 1) {
    const Word word = NewString(vm_.heap(), size, String::kOne);
    const gc::NoAlloc scope;
    std::memcpy(As<String>(word)->data, bytes_.data() + at_, size);
    nodes_.push_back(word);
  } else {
    std::vector<uint32_t> code_points(size);
    for (size_t i = 0; i < size; ++i) {
      const uint8_t* place = bytes_.data() + at_ + i * width;
      code_points[i] = width == 2 ? Load<uint16_t>(place) : Load<uint32_t>(place);
      if (code_points[i] > kMaxCodePoint) return Fail("a code point out of range");
    }
    nodes_.push_back(weft::MakeString(vm_.heap(), code_points.data(), size));
  }
  at_ += size_t{size} * width;
  return true;
}

bool Decoder::MakeBignum() {
  uint8_t negative = 0;
  uint32_t limbs = 0;
  if (!Take8(&negative) || !TakeCount(&limbs, 8)) return false;
  if (negative > 1) return Fail("a bignum of no known sign");
  if (limbs == 0 || !FitsInteger(uint64_t{limbs} * 64)) return Fail("a bignum of no proper size");
  const uint8_t* data = bytes_.data() + at_;
  const auto highest = Load<uint64_t>(data + (size_t{limbs} - 1) * 8);
  const uint64_t largest_fixnum = static_cast<uint64_t>(Word::kMaxFixnum) + negative;
  if (highest == 0 || (limbs == 1 && highest <= largest_fixnum)) {
    return Fail("a bignum that is not in its shortest form");
  }
  const size_t size = sizeof(Bignum) + size_t{limbs} * 8;
  if (!Room(size)) return false;
  const Word word = vm_.heap().Allocate(ShapeOf(TypeId::kBignum), size);
  const gc::NoAlloc scope;
  auto* bignum = As<Bignum>(word);
  bignum->size = Word::Fixnum(negative != 0 ? -int64_t{limbs} : int64_t{limbs});
  std::memcpy(bignum->limbs, data, size_t{limbs} * 8);
  nodes_.push_back(word);
  at_ += size_t{limbs} * 8;
  return true;
}

bool Decoder::MakeArray(uint32_t count) {
  const size_t size = sizeof(Array) + size_t{count} * 8;
  if (!Room(size)) return false;
  const Word word = vm_.heap().Allocate(ShapeOf(TypeId::kArray), size);
  const gc::NoAlloc scope;
  As<Array>(word)->length = Word::Fixnum(count);
  nodes_.push_back(word);
  return true;
}

// A tuple of the class that an extern names, all slots f.
bool Decoder::MakeInstance(uint32_t external, uint32_t* slots) {
  if (external >= extern_count_) return Fail("a reference to an extern that is not there");
  uint32_t shape = 0;
  bool has_typed_slots = false;
  {
    const gc::NoAlloc scope;
    const Word layout = As<Array>(externs_.get())->elements[external];
    if (!IsType(layout, TypeId::kLayout)) return Fail("an extern that is not a tuple class");
    shape = static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum());
    *slots = static_cast<uint32_t>(As<Layout>(layout)->slot_count.AsFixnum());
    const Word class_word = As<Layout>(layout)->class_word;
    has_typed_slots = IsType(class_word, TypeId::kWordObject) &&
                      (As<WordObject>(class_word)->flags.AsFixnum() & kFlagBoaCheck) != 0;
  }
  const size_t size = 8 + size_t{*slots} * 8;
  if (!Room(size)) return false;
  const Word word = vm_.heap().Allocate(shape, size);
  const gc::NoAlloc scope;
  Object* tuple = gc::ObjectAt(word);
  for (size_t i = 0; i < *slots; ++i) *tuple->field(i) = gc::kFalse;
  nodes_.push_back(word);
  if (has_typed_slots) typed_.push_back(word);
  return true;
}

bool Decoder::MakeTuple() {
  uint32_t external = 0;
  uint32_t count = 0;
  uint32_t slots = 0;
  if (!Take32(&external) || !TakeCount(&count, 1)) return false;
  if (!MakeInstance(external, &slots)) return false;
  return slots == count || Fail("a tuple with another number of slots than its class");
}

bool Decoder::MakeVector() {
  uint32_t count = 0;
  if (!TakeCount(&count, 1) || !MakeArray(count)) return false;
  uint32_t shape = 0;
  {
    const gc::NoAlloc scope;
    const Word layout = vm_.special(Special::kVectorLayout);
    if (!IsType(layout, TypeId::kLayout)) return Fail("there is no class of vectors");
    shape = static_cast<uint32_t>(As<Layout>(layout)->shape.AsFixnum());
  }
  const Word word = vm_.heap().Allocate(shape, 3 * 8);
  const gc::NoAlloc scope;
  Object* tuple = gc::ObjectAt(word);
  *tuple->field(0) = nodes_.get(nodes_.size() - 1);
  *tuple->field(1) = Word::Fixnum(count);
  nodes_.set(nodes_.size() - 1, word);
  return true;
}

bool Decoder::MakeTable() {
  uint8_t form = 0;
  uint32_t external = 0;
  uint32_t entries = 0;
  uint32_t further = 0;
  if (!Take8(&form)) return false;
  if (form < static_cast<uint8_t>(ClassRule::kSet) ||
      form > static_cast<uint8_t>(ClassRule::kIdentityTable)) {
    return Fail("a table of no known form");
  }
  const bool is_set = form == static_cast<uint8_t>(ClassRule::kSet);
  if (!Take32(&external) || !TakeCount(&entries, is_set ? 1 : 2) || !TakeCount(&further, 1)) {
    return false;
  }
  uint32_t slots = 0;
  if (!MakeInstance(external, &slots)) return false;
  const uint32_t own = form == static_cast<uint8_t>(ClassRule::kIdentityTable) ? 1 : kTableSlots;
  if (slots < own || slots - own != further) {
    return Fail("a table with another number of slots than its class");
  }
  if (own == 1) return true;  // language code makes the table inside
  gc::Root table(vm_.heap());
  {
    const gc::NoAlloc scope;
    table.set(nodes_.get(nodes_.size() - 1));
  }
  return InitTable(vm_, table, is_set ? TableKind::kSet : TableKind::kMap, 0) || Room(SIZE_MAX / 2);
}

bool Decoder::MakeQuotation() {
  const Word word = vm_.heap().Allocate(ShapeOf(TypeId::kQuotation), sizeof(Quotation));
  const gc::NoAlloc scope;
  auto* quotation = As<Quotation>(word);
  quotation->array = gc::kFalse;
  quotation->source = gc::kFalse;
  quotation->effect = gc::kFalse;
  quotation->code = gc::kFalse;
  quotation->dynamic_code = gc::kFalse;
  quotation->owner = gc::kFalse;
  nodes_.push_back(word);
  return true;
}

// Makes the node at the reading position and checks the values that follow.
bool Decoder::MakeNode() {
  uint8_t tag = 0;
  if (!Take8(&tag)) return false;
  tags_.push_back(tag);
  const size_t begin = at_;
  uint64_t values = 0;
  switch (tag) {
    case kNodeBytes:
      if (!MakeBytes()) return false;
      break;
    case kNodeString:
      if (!MakeString()) return false;
      break;
    case kNodeBignum:
      if (!MakeBignum()) return false;
      break;
    case kNodeArray: {
      uint32_t count = 0;
      if (!TakeCount(&count, 1) || !MakeArray(count)) return false;
      values = count;
      break;
    }
    case kNodeVector:
      if (!MakeVector()) return false;
      values = Load<uint32_t>(&bytes_[begin]);
      break;
    case kNodeWrapper: {
      const Word word = vm_.heap().Allocate(ShapeOf(TypeId::kWrapper), sizeof(Wrapper));
      const gc::NoAlloc scope;
      As<Wrapper>(word)->wrapped = gc::kFalse;
      nodes_.push_back(word);
      values = 1;
      break;
    }
    case kNodeQuotation:
      if (!MakeQuotation()) return false;
      values = 2;
      break;
    case kNodeTuple:
      if (!MakeTuple()) return false;
      values = Load<uint32_t>(&bytes_[begin + 4]);
      break;
    case kNodeTable: {
      if (!MakeTable()) return false;
      const bool is_set = bytes_[begin] == static_cast<uint8_t>(ClassRule::kSet);
      const uint64_t entries = Load<uint32_t>(&bytes_[begin + 5]);
      values = entries * (is_set ? 1 : 2) + Load<uint32_t>(&bytes_[begin + 9]);
      break;
    }
    default:
      return Fail("there is no such node");
  }
  offsets_.push_back(at_);
  return SkipValues(values);
}

// The next value into a traced field of the node.
void Decoder::StoreValue(size_t node, size_t slot) {
  const Word value = TakeValue();
  const gc::NoAlloc scope;
  Object* object = gc::ObjectAt(nodes_.get(node));
  vm_.heap().Write(object, object->field(slot), value);
}

// Leaves table, array of keys and values in tables_, and stores the further slots.
bool Decoder::FillTable(size_t node) {
  const uint8_t* head = &bytes_[offsets_[node] - 13];
  const auto form = static_cast<ClassRule>(head[0]);
  const size_t count = size_t{Load<uint32_t>(head + 5)} * (form == ClassRule::kSet ? 1 : 2);
  const auto further = Load<uint32_t>(head + 9);
  if (!Room(sizeof(Array) + count * 8)) return false;
  const Word pairs = vm_.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + count * 8);
  {
    const gc::NoAlloc scope;
    As<Array>(pairs)->length = Word::Fixnum(static_cast<int64_t>(count));
    tables_.push_back(nodes_.get(node));
    tables_.push_back(pairs);
  }
  for (size_t i = 0; i < count; ++i) {
    const Word value = TakeValue();
    const gc::NoAlloc scope;
    auto* array = As<Array>(tables_.get(tables_.size() - 1));
    vm_.heap().Write(array, &array->elements[i], value);
  }
  const size_t own = form == ClassRule::kIdentityTable ? 1 : kTableSlots;
  for (size_t i = 0; i < further; ++i) StoreValue(node, own + i);
  return true;
}

bool Decoder::FillNode(size_t node) {
  at_ = offsets_[node];
  switch (tags_[node]) {
    case kNodeArray: {
      const auto count = Load<uint32_t>(&bytes_[at_ - 4]);
      for (size_t i = 0; i < count; ++i) StoreValue(node, i + 1);  // after the length
      break;
    }
    case kNodeVector: {
      const auto count = Load<uint32_t>(&bytes_[at_ - 4]);
      for (size_t i = 0; i < count; ++i) {
        const Word value = TakeValue();
        const gc::NoAlloc scope;
        auto* array = As<Array>(*gc::ObjectAt(nodes_.get(node))->field(0));
        vm_.heap().Write(array, &array->elements[i], value);
      }
      break;
    }
    case kNodeWrapper:
      StoreValue(node, 0);
      break;
    case kNodeQuotation:
      StoreValue(node, 0);
      StoreValue(node, 1);
      break;
    case kNodeTuple: {
      const auto count = Load<uint32_t>(&bytes_[at_ - 4]);
      for (size_t i = 0; i < count; ++i) StoreValue(node, i);
      break;
    }
    case kNodeTable:
      return FillTable(node);
    default:
      break;
  }
  return true;
}

// What the machine takes for granted of a quotation.
bool Decoder::CheckQuotations() {
  const gc::NoAlloc scope;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (tags_[i] != kNodeQuotation) continue;
    const auto* quotation = As<Quotation>(nodes_.get(i));
    if (!IsType(quotation->array, TypeId::kArray)) return Fail("a quotation without an array");
    const Word source = quotation->source;
    if (source == gc::kFalse) continue;
    if (!IsType(source, TypeId::kArray) || As<Array>(source)->size() != 2 ||
        !IsType(As<Array>(source)->elements[1], TypeId::kByteArray)) {
      return Fail("a quotation whose place is none");
    }
  }
  return true;
}

bool Decoder::Decode() {
  uint32_t preamble = 0;
  if (!TakeCount(&preamble, 1)) return false;
  at_ += preamble;
  uint8_t head[4] = {};
  if (!Take(head, sizeof head) || !Take32(&node_count_) || !Take32(&extern_count_)) return false;
  if (head[0] != kGraphVersion) return Fail("another version of the format");
  if (head[1] != 0 || head[2] != 0 || head[3] != 0) return Fail("flags that are not known");
  if (node_count_ > left() / 2) return Fail("more nodes than there are bytes");
  {
    const gc::NoAlloc scope;
    if (As<Array>(externs_.get())->size() != int64_t{extern_count_}) {
      return Fail("another number of externs than were described");
    }
  }
  const size_t root_at = at_;
  if (!SkipValue()) return false;
  while (nodes_.size() < node_count_) {
    if (!MakeNode()) return false;
    if (vm_.heap().limit_exceeded()) {
      no_room_ = bytes_.size();
      return Fail("no room in the heap");
    }
  }
  if (left() != 0) return Fail("bytes after the last node");
  for (size_t i = 0; i < node_count_; ++i) {
    if (!FillNode(i)) return false;
    if (tags_[i] == kNodeTable && vm_.heap().limit_exceeded()) {
      no_room_ = bytes_.size();
      return Fail("no room in the heap");
    }
  }
  at_ = root_at;
  root_.set(TakeValue());
  at_ = bytes_.size();
  return CheckQuotations();
}

}  // namespace weft::ipc
