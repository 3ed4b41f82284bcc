#include "vm/hashing.h"

#include <bit>
#include <cstring>

#include "vm/number/number.h"

namespace weft {
namespace {

constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * kMultiplier;
  return hash ^ (hash >> 29);
}

// Positive, a fixnum, and not 0, which a fresh object's hash slot reads as.
int64_t Finish(uint64_t hash) {
  hash = (hash ^ (hash >> 32)) & static_cast<uint64_t>(Word::kMaxFixnum);
  return hash == 0 ? 1 : static_cast<int64_t>(hash);
}

// Code points of a string, whatever its width.
class CodePoints {
 public:
  explicit CodePoints(String* string) WEFT_NO_ALLOC : width_(string->width()), data_(string->data) {
    if (width_ == String::kAside) data_ = As<ByteArray>(*string->aside())->bytes;
  }
  [[nodiscard]] uint32_t at(int64_t i) const {
    if (width_ == String::kOne) return data_[i];
    if (width_ == String::kTwo) {
      uint16_t unit;
      std::memcpy(&unit, data_ + 2 * i, 2);
      return unit;
    }
    uint32_t unit;
    std::memcpy(&unit, data_ + 4 * i, 4);
    return unit;
  }
  [[nodiscard]] bool is_bytes() const { return width_ == String::kOne; }
  [[nodiscard]] const uint8_t* bytes() const { return data_; }

 private:
  String::Width width_;
  const uint8_t* data_;
};

}  // namespace

int64_t IdentityHash(gc::Heap& heap, Word word) WEFT_NO_ALLOC {
  Object* object = gc::ObjectAt(word);
  if (object->hash() == 0) object->set_hash(heap.NextIdentityHash());
  return object->hash();
}

int64_t HashString(String* string) WEFT_NO_ALLOC {
  if (string->hash.IsFixnum() && string->hash.AsFixnum() != 0) return string->hash.AsFixnum();
  const CodePoints points(string);
  uint64_t hash = static_cast<uint64_t>(string->size());
  for (int64_t i = 0; i < string->size(); ++i) hash = Mix(hash, points.at(i));
  const int64_t result = Finish(hash);
  string->hash = Word::Fixnum(result);
  return result;
}

TextKey::TextKey(const StringView& text, int64_t from, int64_t to)
    : text_(text), from_(from), to_(to) {
  uint64_t hash = static_cast<uint64_t>(to - from);
  for (int64_t i = from; i < to; ++i) hash = Mix(hash, text.at(i));
  hash_ = Finish(hash);
}

bool TextKey::Equals(const String* string) const {
  if (string->size() != to_ - from_) return false;
  const StringView view(string);
  if (view.width() == String::kOne && text_.width() == String::kOne) {
    return std::memcmp(view.data(), text_.data() + from_, static_cast<size_t>(to_ - from_)) == 0;
  }
  for (int64_t i = from_; i < to_; ++i) {
    if (text_.at(i) != view.at(i - from_)) return false;
  }
  return true;
}

bool StringsEqual(String* a, String* b) WEFT_NO_ALLOC {
  if (a == b) return true;
  const int64_t size = a->size();
  if (size != b->size()) return false;
  const CodePoints left(a), right(b);
  if (left.is_bytes() && right.is_bytes()) {
    return std::memcmp(left.bytes(), right.bytes(), static_cast<size_t>(size)) == 0;
  }
  for (int64_t i = 0; i < size; ++i) {
    if (left.at(i) != right.at(i)) return false;
  }
  return true;
}

int64_t HashBytes(const uint8_t* bytes, int64_t size) {
  uint64_t hash = static_cast<uint64_t>(size);
  for (int64_t i = 0; i < size; ++i) hash = Mix(hash, bytes[i]);
  return Finish(hash);
}

namespace {

// Keys of a few coordinates or names are native too; longer ones would hold up other threads.
constexpr int64_t kMaxNativeArray = 16;
// How deep `hashcode` looks into arrays.
constexpr int kHashDepth = 3;

// As sequences' hash-step in the library: the product wraps to the 62 bits of a fixnum.
int64_t HashStep(int64_t hash, int64_t element) {
  constexpr uint64_t kStep = 0x1E3779B97F4A7C15;
  const uint64_t product = static_cast<uint64_t>(hash ^ element) * kStep;
  const int64_t wrapped = static_cast<int64_t>(product << 2) >> 2;
  return wrapped ^ (wrapped >> 29);
}

bool HashArray(gc::Heap& heap, const Array* array, int depth, int64_t* hash) WEFT_NO_ALLOC {
  if (depth == 0 || array->size() > kMaxNativeArray) return false;
  int64_t mixed = 0;
  for (int64_t i = 0; i < array->size(); ++i) {
    const Word element = array->elements[i];
    int64_t step = 0;
    bool native = !element.IsFalse() && element != gc::kTrue;
    if (IsType(element, TypeId::kArray)) {
      native = HashArray(heap, As<Array>(element), depth - 1, &step);
    } else if (native) {
      native = NativeHash(heap, element, &step);
    }
    if (!native) return false;
    mixed = HashStep(mixed, step);
  }
  *hash = mixed & Word::kMaxFixnum;
  return true;
}

}  // namespace

bool NativeHash(gc::Heap& heap, Word word, int64_t* hash) WEFT_NO_ALLOC {
  if (word.IsFixnum()) {
    *hash = word.AsFixnum();
    return true;
  }
  if (IsFloat(word)) {
    const double value = FloatValue(word);
    *hash = Finish(Mix(1, std::bit_cast<uint64_t>(value == 0 ? 0.0 : value)));
    return true;
  }
  if (!word.IsPointer()) {
    *hash = static_cast<int64_t>(word.bits);
    return true;
  }
  switch (static_cast<TypeId>(gc::ObjectAt(word)->shape())) {
    case TypeId::kString:
      *hash = HashString(As<String>(word));
      return true;
    case TypeId::kWordObject:
      *hash = IdentityHash(heap, word);
      return true;
    case TypeId::kBignum: {
      const Bignum* number = As<Bignum>(word);
      const int64_t size = number->size.AsFixnum();
      uint64_t mixed = static_cast<uint64_t>(size);
      for (int64_t i = 0; i < (size < 0 ? -size : size); ++i) mixed = Mix(mixed, number->limbs[i]);
      *hash = Finish(mixed);
      return true;
    }
    case TypeId::kArray:
      return HashArray(heap, As<Array>(word), kHashDepth, hash);
    default:
      return false;
  }
}

bool NativeEquals(Word a, Word b) WEFT_NO_ALLOC {
  if (a == b) return true;
  if (IsFloat(a)) return IsFloat(b) && FloatValue(a) == FloatValue(b);
  if (!a.IsPointer() || !b.IsPointer()) return false;
  const uint32_t shape = gc::ObjectAt(a)->shape();
  if (shape != gc::ObjectAt(b)->shape()) return false;
  if (shape == ShapeOf(TypeId::kString)) return StringsEqual(As<String>(a), As<String>(b));
  if (shape == ShapeOf(TypeId::kBignum)) {
    const Bignum* left = As<Bignum>(a);
    const Bignum* right = As<Bignum>(b);
    const int64_t size = left->size.AsFixnum();
    if (size != right->size.AsFixnum()) return false;
    for (int64_t i = 0; i < (size < 0 ? -size : size); ++i) {
      if (left->limbs[i] != right->limbs[i]) return false;
    }
    return true;
  }
  if (shape == ShapeOf(TypeId::kArray)) {
    // At most kHashDepth arrays in each other: NativeHash accepted them.
    const Array* left = As<Array>(a);
    const Array* right = As<Array>(b);
    if (left->size() != right->size()) return false;
    for (int64_t i = 0; i < left->size(); ++i) {
      if (!NativeEquals(left->elements[i], right->elements[i])) return false;
    }
    return true;
  }
  return false;
}

}  // namespace weft
