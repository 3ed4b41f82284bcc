// Classes as the machine sees them: ClassInfo arrays, which shapes a class contains, the partial
// order and Factor's linear order, layouts.
//
// A class word's facts stand in WordObject::class_info (docs/hacking.md, 5). Whether a class
// contains a shape has three answers, because predicate and singleton classes depend on the value.
// Malformed infos cannot harm: they are checked when they are set, and class graphs are walked with
// explicit stacks and a bound on steps.
// Errors: none here; primitives check and throw. Words are pinned, so raw class words may be kept.
#ifndef WEFT_VM_CLASSES_H_
#define WEFT_VM_CLASSES_H_

#include <cstdint>
#include <vector>

#include "gc/handle.h"
#include "vm/objects.h"

namespace weft {

class Vm;

// Indices of the ClassInfo array.
enum ClassInfoSlot : int {
  kClassKind,
  kClassSuperclass,
  kClassMembers,
  kClassParticipants,
  kClassPredicate,
  kClassLayout,
  kClassType,
  kClassSpare,
  kClassInfoSize,
};
enum class ClassKind : int64_t {
  kBuiltin,
  kTuple,
  kUnion,
  kMixin,
  kIntersection,
  kPredicate,
  kSingleton,
};

enum class Containment : uint8_t { kNo, kMaybe, kYes };

// The class word of a value: the built-in class, or the tuple's.
Word ClassOf(Vm& vm, Word object) WEFT_NO_ALLOC;

// Does the class contain all, some or no values of this shape?
Containment ContainsShape(Vm& vm, Word class_word, uint32_t shape) WEFT_NO_ALLOC;
// Every instance of `first` is one of `second`, as far as the structure of classes tells.
bool ClassLessEqual(Vm& vm, Word first, Word second) WEFT_NO_ALLOC;
// False only if no value can be an instance of both.
bool ClassesIntersect(Vm& vm, Word first, Word second) WEFT_NO_ALLOC;
// Sorts class words so that no class stands behind one that contains it; unrelated ones by kind
// (predicate and singleton classes first), then by name.
void SortClasses(Vm& vm, std::vector<Word>& classes) WEFT_NO_ALLOC;

// Null unless the word has a well-formed ClassInfo.
const Array* ClassInfoOf(Word class_word) WEFT_NO_ALLOC;
// Checks the form: size, kinds, members that are words.
bool IsClassInfo(Word info) WEFT_NO_ALLOC;

// A new layout with its own shape. `superclasses`: array of class words, root first, this class
// last. False: too many slots or shapes.
bool MakeLayout(Vm& vm, const gc::Root& class_word, int64_t slot_count,
                const gc::Root& superclasses, gc::Root& layout) WEFT_ALLOCATES;
// The layout of a tuple. REQUIRES: IsTuple(tuple).
Layout* LayoutOf(Vm& vm, Word tuple) WEFT_NO_ALLOC;

// Longest tuple: the window of its constructor has one slot for each.
inline constexpr int64_t kMaxTupleSlots = 250;

}  // namespace weft

#endif  // WEFT_VM_CLASSES_H_
