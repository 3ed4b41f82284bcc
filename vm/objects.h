// Structs of the heap's object types, one per row of types.def with a heap form.
// As<T>(word) is the only cast from a word to a struct; it needs the no-alloc capability.
#ifndef WEFT_VM_OBJECTS_H_
#define WEFT_VM_OBJECTS_H_

#include <cstdint>

#include "gc/object.h"

namespace weft {

using gc::Object;
using gc::Word;

enum class TypeId : uint32_t {
#define TYPE(name, class_name, vocabulary, rule, fixed, traced) k##name,
#include "vm/types.def"
#undef TYPE
  kCount,
};

constexpr uint32_t ShapeOf(TypeId type) { return static_cast<uint32_t>(type); }

// The class of immediates and objects alike: the key of every inline cache.
inline uint32_t ShapeOfWord(Word w) WEFT_NO_ALLOC {
  if (w.IsPointer()) return gc::ObjectAt(w)->shape();
  if (w.IsFixnum()) return ShapeOf(TypeId::kFixnum);
  if (w.IsImmediateFloat()) return ShapeOf(TypeId::kFloat);
  if (w == gc::kFalse) return ShapeOf(TypeId::kFalse);
  if (w == gc::kTrue) return ShapeOf(TypeId::kTrue);
  return ShapeOf(TypeId::kMarker);
}
inline bool IsType(Word w, TypeId type) WEFT_NO_ALLOC {
  return w.IsPointer() && gc::ObjectAt(w)->shape() == ShapeOf(type);
}
inline bool IsTuple(Word w) WEFT_NO_ALLOC {
  return w.IsPointer() && gc::ObjectAt(w)->shape() >= gc::kFirstTupleShape;
}

struct Array : Object {
  Word length;  // fixnum
  Word elements[];
  static constexpr TypeId kType = TypeId::kArray;
  [[nodiscard]] int64_t size() const { return length.AsFixnum(); }
};

struct ByteArray : Object {
  Word length;  // fixnum, bytes
  uint8_t bytes[];
  static constexpr TypeId kType = TypeId::kByteArray;
  [[nodiscard]] int64_t size() const { return length.AsFixnum(); }
};

// Sign and magnitude: the sign of `size` is the number's, its magnitude the number of limbs (64
// bits, least significant first, no leading zero limb). Never a value that fits a fixnum.
struct Bignum : Object {
  Word size;  // fixnum
  uint64_t limbs[];
  static constexpr TypeId kType = TypeId::kBignum;
};

struct FloatBox : Object {
  double value;
  static constexpr TypeId kType = TypeId::kFloat;
};

// Code points, 1, 2 or 4 bytes each by content. A string that was made narrow and then got a wide
// code point keeps its data area, whose first word then refers to a byte array with 4 bytes each.
struct String : Object {
  enum Width : int64_t { kOne = 0, kTwo = 1, kFour = 2, kAside = 3 };
  Word length_and_width;  // fixnum: code points * 4 + Width
  Word hash;              // fixnum; f: not computed yet
  uint8_t data[];         // at least 8 bytes
  static constexpr TypeId kType = TypeId::kString;
  [[nodiscard]] int64_t size() const { return length_and_width.AsFixnum() >> 2; }
  [[nodiscard]] Width width() const { return static_cast<Width>(length_and_width.AsFixnum() & 3); }
  Word* aside() { return reinterpret_cast<Word*>(data); }
};

// A word cell: outside the heap (pages of its own), never moves, callers go through it.
struct WordCell {
  uint64_t entry;  // static entry: always valid for callers with a window (kEnterDynamic if the
                   // word has only dynamic code)
  Word word;       // the WordObject (pinned)
  uint8_t mode;    // CodeMode
  uint8_t inputs;  // of the entry, in static mode
  uint8_t outputs;
  uint8_t spare[5];
  uint64_t dynamic_entry;  // for mode kDynamic: first instruction of the dynamic code
};
static_assert(sizeof(WordCell) == 32);

enum class CodeMode : uint8_t {
  kStatic,   // windowed; inputs and outputs known; dynamic callers use `entry` too
  kDynamic,  // dynamic callers use `dynamic_entry` (w is the top of the stack)
  kGeneric,  // entry is kDispatch(Math); dynamic callers look the method up themselves
  kLazy,     // no code yet: dynamic code is made on the first call; entry is kEnterDynamic
  kBroken,   // entry is kUndefined: throws, in either mode
};

struct WordObject : Object {  // pinned
  Word name;                  // string
  Word vocabulary;            // string or f
  Word def;                   // quotation (or f)
  Word props;                 // language: hashtable or f
  Word class_info;            // ClassInfo array (vm/classes.h) or f
  Word generic_info;          // GenericInfo array (vm/generic.h) or f
  Word effect;                // declared stack effect (tuple effect) or f
  Word code;                  // Code that the cell's entry lies in
  Word location;              // array { path line column } or f
  Word hash;                  // fixnum
  Word flags;                 // fixnum: WordFlag bits, primitive and intrinsic ids
  Word cell;                  // raw address of its WordCell (reads as a fixnum)
  static constexpr TypeId kType = TypeId::kWordObject;
  [[nodiscard]] WordCell* word_cell() const { return reinterpret_cast<WordCell*>(cell.bits); }
};

// Bits of WordObject::flags. set-word-prop keeps them in step with the properties of these names.
enum WordFlag : int64_t {
  kFlagPrimitiveMask = 0xFFF,  // row of primitives.def + 1; 0: not a primitive
  kFlagIntrinsicShift = 12,    // row of intrinsics.def + 1, 12 bits
  kFlagInline = int64_t{1} << 24,
  kFlagRecursive = int64_t{1} << 25,
  kFlagFoldable = int64_t{1} << 26,
  kFlagFlushable = int64_t{1} << 27,
  kFlagParsing = int64_t{1} << 28,
  kFlagMacro = int64_t{1} << 29,
  kFlagSymbol = int64_t{1} << 30,
  kFlagDelimiter = int64_t{1} << 31,
  kFlagDeferred = int64_t{1} << 32,
  kFlagReadsSlot = int64_t{1} << 34,   // a method that is an untyped reader of slot kFlagSlotShift
  kFlagWritesSlot = int64_t{1} << 35,  // or an untyped writer ( value object -- )
  kFlagSlotShift = 36,                 // slot number, 8 bits
  kFlagBoaCheck = int64_t{1} << 44,    // a tuple class whose slots have classes: `boa` checks them
  kFlagTransformShift = 45,  // "transform-n" + 1, 8 bits: literals a macro takes; 0: its inputs
  kFlagUncompiled =
      int64_t{1} << 33,  // does not infer: dynamic callers may run it, static ones get not-compiled
};

struct Quotation : Object {
  Word array;         // array of its elements
  Word source;        // array { path positions } or f; positions: byte-array, 8 bytes per element:
                      // uint32 line, uint32 column (from 1), little endian
  Word effect;        // f: not inferred yet; fixnum inputs * 256 + outputs; t: does not infer
  Word code;          // static Code or f
  Word dynamic_code;  // dynamic Code or f
  Word owner;         // word it was written in, or f (for traces)
  static constexpr TypeId kType = TypeId::kQuotation;
};

struct Wrapper : Object {
  Word wrapped;
  static constexpr TypeId kType = TypeId::kWrapper;
};

// Layout of a tuple class. Shapes are never reused while an instance can exist.
struct Layout : Object {
  Word class_word;
  Word slot_count;    // fixnum
  Word shape;         // fixnum
  Word superclasses;  // array of class words, root first, this class last
  Word spare;
  static constexpr TypeId kType = TypeId::kLayout;
};

// Bytecode (pinned; its space never moves, frames hold bare return addresses into it).
// Literals lie below the instructions; kLit operands count down from the instruction.
struct Code : Object {
  Word owner;              // word or quotation
  Word keep;               // array of what raw literals (cells, caches) refer to, or f
  Word maps;               // byte-array: stack maps (vm/stack_map.h)
  Word lines;              // array { path rows }: vm/line_table.h
  Word mode_and_counts;    // fixnum: CodeMode | inputs << 8 | outputs << 16
  Word literal_count;      // fixnum
  Word instruction_count;  // fixnum, in 32-bit words
  Word literals[];         // then uint32_t instructions[]
  static constexpr TypeId kType = TypeId::kCode;
  static constexpr size_t kTracedFixed = 4;
  uint32_t* instructions() {
    return reinterpret_cast<uint32_t*>(literals + literal_count.AsFixnum());
  }
  [[nodiscard]] const uint32_t* instructions() const {
    return reinterpret_cast<const uint32_t*>(literals + literal_count.AsFixnum());
  }
};

// Both stacks of a context, captured (a continuation) or to be restored. `words` holds the data
// stack from its bottom, then the call stack from its top of stack; see vm/continuation.h.
struct CallStack : Object {
  Word data_words;   // fixnum
  Word call_words;   // fixnum
  Word base_offset;  // fixnum, bytes from the data stack's start
  Word handler_offset;
  Word resume;  // raw pc
  Word window_offset;
  Word namestack;  // traced
  Word words[];
  static constexpr TypeId kType = TypeId::kCallStack;
};

struct WeakRef : Object {
  Word target;  // not traced; f once it is dead
  static constexpr TypeId kType = TypeId::kWeakRef;
};

// A green thread's stacks as a value; the Context itself lives outside the heap.
struct ContextRef : Object {
  Word id;      // fixnum: index of the context; -1 once it has ended
  Word thread;  // the language's thread object
  Word result;
  Word spawned;  // where: array { code instruction-index ... }, innermost frame first, or f
  static constexpr TypeId kType = TypeId::kContextRef;
};

// REQUIRES: the word points to an object of type T (checked in debug builds).
template <class T>
T* As(Word word) WEFT_NO_ALLOC {
  WEFT_DCHECK(word.IsPointer() && gc::ObjectAt(word)->shape() == ShapeOf(T::kType));
  return static_cast<T*>(gc::ObjectAt(word));
}

}  // namespace weft

#endif  // WEFT_VM_OBJECTS_H_
