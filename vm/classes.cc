#include "vm/classes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

// Class graphs are the program's: nesting and work are bounded. Beyond the bounds the answers are
// the careful ones (maybe, not below, may intersect), which cost speed, never correctness.
constexpr int kMaxDepth = 200;
constexpr int kMaxSteps = 200000;
constexpr uint32_t kMaxShapes = 1U << 24;

ClassKind KindOf(const Array* info) WEFT_NO_ALLOC {
  return static_cast<ClassKind>(info->elements[kClassKind].AsFixnum());
}

const Array* PartsOf(const Array* info, ClassInfoSlot slot) WEFT_NO_ALLOC {
  const Word parts = info->elements[slot];
  return IsType(parts, TypeId::kArray) ? As<Array>(parts) : nullptr;
}

bool IsUnion(ClassKind kind) { return kind == ClassKind::kUnion || kind == ClassKind::kMixin; }

// The superclasses of a layout, root first; null if there is none for the shape.
const Array* AncestorsOfShape(Vm& vm, uint32_t shape) WEFT_NO_ALLOC {
  const size_t index = shape - gc::kFirstTupleShape;
  if (shape < gc::kFirstTupleShape || index >= vm.layouts().size()) return nullptr;
  const Word layout = vm.layouts().get(index);
  if (!IsType(layout, TypeId::kLayout)) return nullptr;
  const Word superclasses = As<Layout>(layout)->superclasses;
  return IsType(superclasses, TypeId::kArray) ? As<Array>(superclasses) : nullptr;
}

class Algebra {
 public:
  explicit Algebra(Vm& vm) : vm_(vm) {}

  Containment Contains(Word class_word, uint32_t shape, int depth) WEFT_NO_ALLOC {
    Containment limit = Containment::kYes;  // kMaybe once a predicate class was passed
    while (true) {
      if (depth > kMaxDepth || ++steps_ > kMaxSteps) return Containment::kMaybe;
      const Array* info = ClassInfoOf(class_word);
      if (info == nullptr) return Containment::kNo;
      switch (KindOf(info)) {
        case ClassKind::kBuiltin: {
          const bool same = info->elements[kClassType] == Word::Fixnum(shape);
          return same ? limit : Containment::kNo;
        }
        case ClassKind::kTuple: {
          const Array* ancestors = AncestorsOfShape(vm_, shape);
          if (ancestors == nullptr) return Containment::kNo;
          for (int64_t i = ancestors->size(); i > 0; --i) {
            if (ancestors->elements[i - 1] == class_word) return limit;
          }
          return Containment::kNo;
        }
        case ClassKind::kUnion:
        case ClassKind::kMixin: {
          Containment best = Containment::kNo;
          const Array* members = PartsOf(info, kClassMembers);
          for (int64_t i = 0; members != nullptr && i < members->size(); ++i) {
            best = std::max(best, Contains(members->elements[i], shape, depth + 1));
            if (best == Containment::kYes) break;
          }
          return std::min(best, limit);
        }
        case ClassKind::kIntersection: {
          Containment worst = Containment::kYes;
          const Array* participants = PartsOf(info, kClassParticipants);
          for (int64_t i = 0; participants != nullptr && i < participants->size(); ++i) {
            worst = std::min(worst, Contains(participants->elements[i], shape, depth + 1));
            if (worst == Containment::kNo) break;
          }
          return std::min(worst, limit);
        }
        case ClassKind::kPredicate:
        case ClassKind::kSingleton:
          limit = Containment::kMaybe;
          class_word = info->elements[kClassSuperclass];
          break;
      }
    }
  }

  bool LessEqual(Word first, Word second, int depth) WEFT_NO_ALLOC {
    while (true) {
      if (first == second) return true;
      if (depth > kMaxDepth || ++steps_ > kMaxSteps) return false;
      const Array* left = ClassInfoOf(first);
      const Array* right = ClassInfoOf(second);
      if (left == nullptr || right == nullptr) return false;
      const ClassKind left_kind = KindOf(left);
      const ClassKind right_kind = KindOf(right);
      if (IsUnion(left_kind)) {
        const Array* members = PartsOf(left, kClassMembers);
        bool all = left_kind == ClassKind::kUnion || (members != nullptr && members->size() > 0);
        for (int64_t i = 0; all && members != nullptr && i < members->size(); ++i) {
          all = LessEqual(members->elements[i], second, depth + 1);
        }
        if (all) return true;
      }
      if (right_kind == ClassKind::kIntersection) {
        const Array* parts = PartsOf(right, kClassParticipants);
        bool all = true;
        for (int64_t i = 0; all && parts != nullptr && i < parts->size(); ++i) {
          all = LessEqual(first, parts->elements[i], depth + 1);
        }
        if (all) return true;
      }
      if (left_kind == ClassKind::kIntersection) {
        const Array* parts = PartsOf(left, kClassParticipants);
        for (int64_t i = 0; parts != nullptr && i < parts->size(); ++i) {
          if (LessEqual(parts->elements[i], second, depth + 1)) return true;
        }
      }
      if (IsUnion(right_kind)) {
        const Array* members = PartsOf(right, kClassMembers);
        for (int64_t i = 0; members != nullptr && i < members->size(); ++i) {
          if (LessEqual(first, members->elements[i], depth + 1)) return true;
        }
      }
      const Word superclass = left->elements[kClassSuperclass];
      if (!IsType(superclass, TypeId::kWordObject)) return false;
      first = superclass;
    }
  }

  bool Intersect(Word first, Word second, int depth) WEFT_NO_ALLOC {
    while (true) {
      if (first == second) return true;
      if (depth > kMaxDepth || ++steps_ > kMaxSteps) return true;
      const Array* left = ClassInfoOf(first);
      const Array* right = ClassInfoOf(second);
      if (left == nullptr || right == nullptr) return false;
      ClassKind left_kind = KindOf(left);
      const ClassKind right_kind = KindOf(right);
      // Take the composite one apart; if only the second is, exchange them.
      const auto is_simple = [](ClassKind kind) {
        return kind == ClassKind::kBuiltin || kind == ClassKind::kTuple;
      };
      if (left_kind == ClassKind::kSingleton && right_kind == ClassKind::kSingleton) return false;
      if (is_simple(left_kind) && !is_simple(right_kind)) {
        std::swap(first, second);
        left = right;
        left_kind = right_kind;
      } else if (is_simple(left_kind)) {
        return left_kind == ClassKind::kTuple && right_kind == ClassKind::kTuple &&
               (LessEqual(first, second, depth + 1) || LessEqual(second, first, depth + 1));
      }
      if (IsUnion(left_kind)) {
        const Array* members = PartsOf(left, kClassMembers);
        for (int64_t i = 0; members != nullptr && i < members->size(); ++i) {
          if (Intersect(members->elements[i], second, depth + 1)) return true;
        }
        return false;
      }
      if (left_kind == ClassKind::kIntersection) {
        const Array* parts = PartsOf(left, kClassParticipants);
        for (int64_t i = 0; parts != nullptr && i < parts->size(); ++i) {
          if (!Intersect(parts->elements[i], second, depth + 1)) return false;
        }
        return true;
      }
      first = left->elements[kClassSuperclass];
    }
  }

 private:
  Vm& vm_;
  int steps_ = 0;
};

bool IsWordArrayOrFalse(Word word) WEFT_NO_ALLOC {
  if (word == gc::kFalse) return true;
  if (!IsType(word, TypeId::kArray)) return false;
  const auto* array = As<Array>(word);
  for (int64_t i = 0; i < array->size(); ++i) {
    if (!IsType(array->elements[i], TypeId::kWordObject)) return false;
  }
  return true;
}

bool IsWordOrFalse(Word word) WEFT_NO_ALLOC {
  return word == gc::kFalse || IsType(word, TypeId::kWordObject);
}

}  // namespace

Layout* LayoutOf(Vm& vm, Word tuple) {
  return As<Layout>(vm.layouts().get(gc::ObjectAt(tuple)->shape() - gc::kFirstTupleShape));
}

Word ClassOf(Vm& vm, Word object) {
  if (IsTuple(object)) return LayoutOf(vm, object)->class_word;
  const Word classes = vm.special(Special::kBuiltinClasses);
  const uint32_t shape = ShapeOfWord(object);
  if (!IsType(classes, TypeId::kArray) || shape >= As<Array>(classes)->size()) return gc::kFalse;
  return As<Array>(classes)->elements[shape];
}

const Array* ClassInfoOf(Word class_word) {
  if (!IsType(class_word, TypeId::kWordObject)) return nullptr;
  const Word info = As<WordObject>(class_word)->class_info;
  if (!IsType(info, TypeId::kArray)) return nullptr;
  const auto* array = As<Array>(info);
  if (array->size() < kClassInfoSize || !array->elements[kClassKind].IsFixnum()) return nullptr;
  const int64_t kind = array->elements[kClassKind].AsFixnum();
  return kind >= 0 && kind <= static_cast<int64_t>(ClassKind::kSingleton) ? array : nullptr;
}

bool IsClassInfo(Word info) {
  if (!IsType(info, TypeId::kArray) || As<Array>(info)->size() < kClassInfoSize) return false;
  const auto* array = As<Array>(info);
  const Word kind = array->elements[kClassKind];
  if (!kind.IsFixnum() || kind.AsFixnum() < 0 ||
      kind.AsFixnum() > static_cast<int64_t>(ClassKind::kSingleton)) {
    return false;
  }
  const Word layout = array->elements[kClassLayout];
  const Word type = array->elements[kClassType];
  return IsWordOrFalse(array->elements[kClassSuperclass]) &&
         IsWordArrayOrFalse(array->elements[kClassMembers]) &&
         IsWordArrayOrFalse(array->elements[kClassParticipants]) &&
         IsWordOrFalse(array->elements[kClassPredicate]) &&
         (layout == gc::kFalse || IsType(layout, TypeId::kLayout)) &&
         (type == gc::kFalse || type.IsFixnum());
}

Containment ContainsShape(Vm& vm, Word class_word, uint32_t shape) {
  return Algebra(vm).Contains(class_word, shape, 0);
}

bool ClassLessEqual(Vm& vm, Word first, Word second) {
  return Algebra(vm).LessEqual(first, second, 0);
}

bool ClassesIntersect(Vm& vm, Word first, Word second) {
  return Algebra(vm).Intersect(first, second, 0);
}

namespace {

// Of two classes that are equal as sets, such as a mixin and its only member, the plainer kind is
// the more specific one; in the order of classes.algebra.
int Rank(Word class_word) WEFT_NO_ALLOC {
  switch (KindOf(ClassInfoOf(class_word))) {
    case ClassKind::kBuiltin:
      return 0;
    case ClassKind::kSingleton:
      return 1;
    case ClassKind::kPredicate:
      return 2;
    case ClassKind::kTuple:
      return 3;
    case ClassKind::kIntersection:
      return 4;
    case ClassKind::kMixin:
      return 5;
    case ClassKind::kUnion:
      return 6;
  }
  return 7;
}

}  // namespace

void SortClasses(Vm& vm, std::vector<Word>& classes) {
  std::vector<std::pair<std::string, Word>> left;
  left.reserve(classes.size());
  for (const Word word : classes) {
    left.emplace_back(ToUtf8(As<WordObject>(word)->name), word);
  }
  std::stable_sort(left.begin(), left.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // Factor's order: again and again the last by name of those that no other one is above; most
  // specific first is that order from its end.
  std::vector<Word> largest_first;
  while (!left.empty()) {
    size_t pick = left.size() - 1;
    for (size_t i = left.size(); i > 0; --i) {
      const Word candidate = left[i - 1].second;
      bool is_below = false;
      for (const auto& other : left) {
        if (other.second == candidate) continue;
        if (ClassLessEqual(vm, candidate, other.second) &&
            (!ClassLessEqual(vm, other.second, candidate) ||
             Rank(candidate) < Rank(other.second))) {
          is_below = true;
          break;
        }
      }
      if (!is_below) {
        pick = i - 1;
        break;
      }
    }
    largest_first.push_back(left[pick].second);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(pick));
  }
  classes.assign(largest_first.rbegin(), largest_first.rend());
}

bool MakeLayout(Vm& vm, const gc::Root& class_word, int64_t slot_count,
                const gc::Root& superclasses, gc::Root& layout) {
  if (slot_count < 0 || slot_count > kMaxTupleSlots || vm.layouts().size() >= kMaxShapes) {
    return false;
  }
  layout.set(vm.heap().AllocatePinned(ShapeOf(TypeId::kLayout), 8 + 5 * 8));
  const gc::NoAlloc scope;
  auto* object = static_cast<Layout*>(gc::ObjectAt(layout.get()));
  for (size_t i = 0; i < 5; ++i) *object->field(i) = gc::kFalse;
  vm.heap().Write(object, &object->class_word, class_word.get());
  vm.heap().Write(object, &object->superclasses, superclasses.get());
  object->slot_count = Word::Fixnum(slot_count);
  object->shape = Word::Fixnum(vm.NewShape(static_cast<uint32_t>(slot_count), layout.get()));
  return true;
}

}  // namespace weft
