// Sorting by the natural order of fixnums, floats and strings: a stable merge sort over arrays, for
// elements whose `<=>` is the library's. What anybody else may have a say in is sorted by language
// code (stdlib/sorting).
//
// The sort is done in steps of bounded length, so that other threads get their turns. All of its
// state is one array of the language, checked at each step, because a program could reach it.
#include <algorithm>
#include <cstring>

#include "vm/generic.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/primitives/operands.h"
#include "vm/strings.h"

namespace weft {
namespace {

// An array holds *groups*: a key and, if `stride` is two, what belongs to it.
enum StateSlot : int64_t {
  kSource,      // array; the sorted one at last
  kTarget,      // array of the same length
  kStride,      // 1 or 2
  kDescending,  // t or f
  kWidth,       // groups in a sorted run; 0: runs are still being made
  kFirst,       // where the runs that are made or merged begin; the left one comes first
  kLeft,        // the next group of the left run
  kRight,       // the next group of the right run
  kUnordered,   // t: some run begins before its predecessor ends
  kStateSize,
};

constexpr int64_t kRunLength = 8;
constexpr int64_t kGroupsInStep = 8192;
// What a group costs in a step, in reductions.
constexpr int64_t kCharge = 4;

// May the element be sorted as one of this type?
bool IsKey(Word word, TypeId type) WEFT_NO_ALLOC { return ShapeOfWord(word) == ShapeOf(type); }

struct FixnumOrder {
  static bool Less(Word a, Word b) {
    return static_cast<int64_t>(a.bits) < static_cast<int64_t>(b.bits);
  }
  static bool LessOrEqual(Word a, Word b) { return !Less(b, a); }
};
struct FloatOrder {
  static bool Less(Word a, Word b) WEFT_NO_ALLOC {
    return IsFloat(a) && IsFloat(b) && FloatValue(a) < FloatValue(b);
  }
  // Not the contrary of Less: there are NaNs.
  static bool LessOrEqual(Word a, Word b) WEFT_NO_ALLOC {
    return !IsFloat(a) || !IsFloat(b) || FloatValue(a) <= FloatValue(b);
  }
};
// The first eight bytes of a string of one byte a character, as a number of the same order. Missing
// characters count as zero, so strings whose numbers differ are in the order of these.
inline bool ReadPrefix(Word word, uint64_t* prefix) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kString)) return false;
  const auto* string = As<String>(word);
  if (string->width() != String::kOne || string->size() == 0) return false;
  const uint8_t* data = string->data;
  if (string->size() >= 8) {
    std::memcpy(prefix, data, sizeof(*prefix));
    *prefix = __builtin_bswap64(*prefix);
    return true;
  }
  *prefix = 0;
  for (int64_t i = 0; i < string->size(); ++i) *prefix |= uint64_t{data[i]} << (56 - 8 * i);
  return true;
}

struct StringOrder {
  static bool Less(Word a, Word b) WEFT_NO_ALLOC {
    uint64_t left = 0;
    uint64_t right = 0;
    if (ReadPrefix(a, &left) && ReadPrefix(b, &right) && left != right) return left < right;
    return IsType(a, TypeId::kString) && IsType(b, TypeId::kString) &&
           CompareStrings(As<String>(a), As<String>(b)) < 0;
  }
  static bool LessOrEqual(Word a, Word b) WEFT_NO_ALLOC { return !Less(b, a); }
};

template <class Order>
class Sorter {
 public:
  Sorter(Vm& vm, Array* state) WEFT_NO_ALLOC : vm_(vm),
                                               state_(state),
                                               source_(As<Array>(state->elements[kSource])),
                                               target_(As<Array>(state->elements[kTarget])),
                                               stride_(state->elements[kStride].AsFixnum()),
                                               count_(source_->size() / stride_),
                                               descending_(state->elements[kDescending].IsTrue()) {}

  // One step; true if everything is sorted.
  bool Step() WEFT_NO_ALLOC {
    if (Get(kWidth) > 0) return Merge();
    const int64_t first = Get(kFirst);
    const int64_t end = std::min(first + kGroupsInStep, count_);
    for (int64_t run = first; run < end; run += kRunLength) MakeRun(run);
    Set(kFirst, end);
    if (end < count_) return false;
    if (!state_->elements[kUnordered].IsTrue()) return true;
    StartPass(kRunLength);
    return false;
  }

 private:
  [[nodiscard]] int64_t Get(StateSlot slot) const { return state_->elements[slot].AsFixnum(); }
  // Needs no barrier: it is no object.
  void Set(StateSlot slot, int64_t value) { state_->elements[slot] = Word::Fixnum(value); }

  // Must the group with key b stand before an earlier one with key a?
  [[nodiscard]] bool RightFirst(Word a, Word b) const WEFT_NO_ALLOC {
    return descending_ ? Order::Less(a, b) : !Order::LessOrEqual(a, b);
  }
  [[nodiscard]] Word Key(int64_t group) const { return source_->elements[group * stride_]; }

  void Put(Array* to, int64_t at, Word key, Word value) WEFT_NO_ALLOC {
    vm_.heap().Write(to, &to->elements[at * stride_], key);
    if (stride_ == 2) vm_.heap().Write(to, &to->elements[at * 2 + 1], value);
  }
  void Move(Array* to, int64_t at, int64_t from) WEFT_NO_ALLOC {
    Put(to, at, Key(from), source_->elements[from * stride_ + stride_ - 1]);
  }

  // Insertion, in place.
  void MakeRun(int64_t first) WEFT_NO_ALLOC {
    const int64_t end = std::min(first + kRunLength, count_);
    for (int64_t next = first + 1; next < end; ++next) {
      const Word key = Key(next);
      if (!RightFirst(Key(next - 1), key)) continue;
      const Word value = source_->elements[next * stride_ + stride_ - 1];
      int64_t at = next;
      do {
        Move(source_, at, at - 1);
        --at;
      } while (at > first && RightFirst(Key(at - 1), key));
      Put(source_, at, key, value);
    }
    if (first > 0 && RightFirst(Key(first - 1), Key(first))) {
      state_->elements[kUnordered] = gc::kTrue;
    }
  }

  void StartPass(int64_t width) {
    Set(kWidth, width);
    StartPair(0);
  }
  void StartPair(int64_t first) {
    Set(kFirst, first);
    Set(kLeft, first);
    Set(kRight, std::min(first + Get(kWidth), count_));
  }

  // Groups of the two runs, as many as a step may move; true after the last pass.
  bool Merge() WEFT_NO_ALLOC {
    const int64_t width = Get(kWidth);
    for (int64_t steps = kGroupsInStep; steps > 0;) {
      const int64_t first = Get(kFirst);
      const int64_t middle = std::min(first + width, count_);
      const int64_t end = std::min(middle + width, count_);
      const bool is_begun = Get(kLeft) > first || Get(kRight) > middle;
      if (is_begun || (middle < end && RightFirst(Key(middle - 1), Key(middle)))) {
        if (!MergePair(middle, end, &steps)) return false;
      } else {
        for (int64_t at = first; at < end; ++at) Move(target_, at, at);
        steps -= end - first;
      }
      if (end < count_) {
        StartPair(end);
        continue;
      }
      const Word sorted = state_->elements[kTarget];
      vm_.heap().Write(state_, &state_->elements[kTarget], state_->elements[kSource]);
      vm_.heap().Write(state_, &state_->elements[kSource], sorted);
      StartPass(2 * width);
      return 2 * width >= count_;
    }
    return false;
  }

  // False if the step ended before the runs did.
  bool MergePair(int64_t middle, int64_t end, int64_t* steps) WEFT_NO_ALLOC {
    int64_t left = Get(kLeft);
    int64_t right = Get(kRight);
    int64_t to = left + right - middle;
    while (left < middle && right < end) {
      if ((*steps)-- <= 0) {
        Set(kLeft, left);
        Set(kRight, right);
        return false;
      }
      const bool takes_right = RightFirst(Key(left), Key(right));
      Move(target_, to++, takes_right ? right++ : left++);
    }
    *steps -= end - to;
    while (left < middle) Move(target_, to++, left++);
    while (right < end) Move(target_, to++, right++);
    return true;
  }

  Vm& vm_;
  Array* state_;
  Array* source_;
  Array* target_;
  int64_t stride_;
  int64_t count_;
  bool descending_;
};

// Whatever the numbers in it, a step of a state for which this holds stays inside its arrays.
bool IsState(Word word) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kArray)) return false;
  const auto* state = As<Array>(word);
  if (state->size() != kStateSize) return false;
  for (const StateSlot slot : {kStride, kWidth, kFirst, kLeft, kRight}) {
    if (!state->elements[slot].IsFixnum()) return false;
  }
  const auto get = [state](StateSlot slot) { return state->elements[slot].AsFixnum(); };
  if (!IsType(state->elements[kSource], TypeId::kArray) ||
      !IsType(state->elements[kTarget], TypeId::kArray)) {
    return false;
  }
  const int64_t size = As<Array>(state->elements[kSource])->size();
  if (size == 0 || As<Array>(state->elements[kTarget])->size() != size) return false;
  const int64_t stride = get(kStride);
  if (stride < 1 || stride > 2 || size % stride != 0) return false;
  const int64_t count = size / stride;
  const int64_t width = get(kWidth);
  const int64_t first = get(kFirst);
  if (width < 0 || width > count || first < 0 || first > count) return false;
  if (width == 0) return true;
  const int64_t middle = std::min(first + width, count);
  const int64_t end = std::min(middle + width, count);
  return get(kLeft) >= first && get(kLeft) <= middle && get(kRight) >= middle && get(kRight) <= end;
}

bool StepOf(Vm& vm, Word word) WEFT_NO_ALLOC {
  auto* state = As<Array>(word);
  const Word key = As<Array>(state->elements[kSource])->elements[0];
  if (key.IsFixnum()) return Sorter<FixnumOrder>(vm, state).Step();
  if (IsFloat(key)) return Sorter<FloatOrder>(vm, state).Step();
  return Sorter<StringOrder>(vm, state).Step();
}

}  // namespace

// ( generic real-method string-method stride array -- ? )
Outcome PrimSortsNaturally(Vm& vm, Args args) {
  enum : size_t { kGeneric, kRealMethod, kStringMethod, kStrideArg, kArray };
  for (const size_t i : {size_t{kGeneric}, size_t{kRealMethod}, size_t{kStringMethod}}) {
    if (!Is(args, i, TypeId::kWordObject)) return BadType(vm, TypeId::kWordObject, args, i);
  }
  if (!args.is_fixnum(kStrideArg)) return BadType(vm, TypeId::kFixnum, args, kStrideArg);
  if (!Is(args, kArray, TypeId::kArray)) return BadType(vm, TypeId::kArray, args, kArray);
  const int64_t stride = args.fixnum(kStrideArg);
  Word generic = gc::kFalse;
  Word method = gc::kFalse;
  uint32_t shape = 0;
  {
    const gc::NoAlloc scope;
    const auto* array = As<Array>(args.get(kArray));
    TypeId type = TypeId::kInvalid;
    if (array->size() > 0) {
      for (const TypeId candidate : {TypeId::kFixnum, TypeId::kFloat, TypeId::kString}) {
        if (IsKey(array->elements[0], candidate)) type = candidate;
      }
    }
    bool alike = type != TypeId::kInvalid && stride >= 1 && stride <= 2;
    for (int64_t i = 0; alike && i < array->size(); i += stride) {
      alike = IsKey(array->elements[i], type);
    }
    generic = args.get(kGeneric);
    if (!alike || !IsGenericInfo(As<WordObject>(generic)->generic_info)) {
      args.set(0, gc::kFalse);
      return Outcome::kNext;
    }
    shape = ShapeOf(type);
    method = args.get(type == TypeId::kString ? kStringMethod : kRealMethod);
  }
  // Words are pinned.
  const WordCell* cell = FindMethod(vm, generic, shape);
  const gc::NoAlloc scope;
  args.set(0, Word::Bool(cell == As<WordObject>(method)->word_cell()));
  return Outcome::kNext;
}

// ( state -- ? )
Outcome PrimSortStep(Vm& vm, Args args) {
  int64_t groups = 0;
  {
    const gc::NoAlloc scope;
    const Word state = args.get(0);
    if (IsState(state)) {
      groups = As<Array>(As<Array>(state)->elements[kSource])->size();
      args.set(0, Word::Bool(StepOf(vm, state)));
    }
  }
  if (groups == 0) return BadType(vm, TypeId::kArray, args, 0);
  vm.budget -= std::min(groups, kGroupsInStep) * kCharge;
  return Outcome::kReload;
}

}  // namespace weft
