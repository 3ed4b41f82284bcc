// Hash tables, so that one operation is one instruction: their form, and the steps of which the
// operations consist (vm/tables.h for the rest of the machine, vm/primitives/tables.cc for
// programs).
//
// A hashtable or hash set is a tuple { count deleted array }. The array holds entries of `stride`
// words: { hash key value } for tables, { hash key } for sets; their number is a power of two.
// Since no 2^k is a multiple of 3, the length of the array tells the stride. The first word of an
// entry is the hash code (a fixnum) while the entry lives, f if it was never used, t if it was
// deleted.
//
// Keys that no method can touch (vm/hashing.h) are found and stored here in one go. For others the
// language calls the program's hashcode* and equal?, which may yield; meanwhile another thread may
// change the table. So such an operation is a search in language code over a snapshot (array and
// count), then one commit here, which refuses a snapshot that has become stale: the language
// starts again. That needs
//   Invariant: while a table keeps its array, `count` only grows (deleted entries stay counted and
//   are never used again), and an entry never changes its key while it lives.
// so that an equal array and count mean that no key was added. Growing makes a new array; entries
// carry their hash, so it calls nobody. Rejected: reusing deleted entries (count would not tell
// inserts apart), locks (a method may throw or be captured in a continuation).
//
// Small integers stand at their own place, so tables of them enumerate in order, as in Factor.
#ifndef WEFT_VM_TABLE_OPERATIONS_H_
#define WEFT_VM_TABLE_OPERATIONS_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "gc/handle.h"
#include "vm/objects.h"
#include "vm/primitives.h"

namespace weft::table {

constexpr size_t kCountSlot = 0;
constexpr size_t kDeletedSlot = 1;
constexpr size_t kArraySlot = 2;
constexpr size_t kMinEntries = 4;

// A table as it lies in the heap; until the next allocation.
struct View {
  Object* table = nullptr;  // null for a bare array
  Array* array = nullptr;
  size_t stride = 0;
  size_t entries = 0;

  [[nodiscard]] int64_t count() const { return table->field(kCountSlot)->AsFixnum(); }
  [[nodiscard]] int64_t deleted() const { return table->field(kDeletedSlot)->AsFixnum(); }
  [[nodiscard]] Word* entry(size_t i) const { return array->elements + i * stride; }
  [[nodiscard]] size_t mask() const { return entries - 1; }
  // Where the search for a hash begins. Numbers that fit are their own places, so that those from 0
  // up never meet. Others keep their place within a line of 16 entries, and lines are spread by
  // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): hashes in a row, as objects
  // have them that were made one after the other, neither meet nor lie far apart, and those with a
  // common factor are spread.
  [[nodiscard]] size_t Start(int64_t hash) const {
    constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
    constexpr int kLineBits = 4;
    constexpr uint64_t kSmall = 1 << 12;
    const auto bits = static_cast<uint64_t>(hash);
    if (bits < kSmall || bits < entries) return static_cast<size_t>(bits) & mask();
    const uint64_t spread = ((bits >> kLineBits) * kGolden) >> (std::countl_zero(entries) + 1);
    return static_cast<size_t>(spread ^ (bits & ((1 << kLineBits) - 1))) & mask();
  }
};

// Entries of the array of a table that is to hold n: at most two thirds are used.
size_t EntriesFor(int64_t n);

// False if no table has an array of this length.
bool ReadArray(Word word, View* view) WEFT_NO_ALLOC;

// False if the word is not a tuple of a table's form (a program can store anything into slots).
bool ReadTable(Vm& vm, Word word, View* view) WEFT_NO_ALLOC;

// False if the key's hash takes a method.
bool KeyHash(Vm& vm, Word key, bool identity, int64_t* hash) WEFT_NO_ALLOC;

// What a program's hashcode* answered, as a fixnum.
bool HashOfWord(Word word, int64_t* hash) WEFT_NO_ALLOC;

// The live entry with this key; -1: none.
int64_t Find(const View& view, Word key, int64_t hash, bool identity) WEFT_NO_ALLOC;

// REQUIRES: the array has an unused entry.
size_t FindUnused(const View& view, int64_t hash);

// A new array of unused entries in `result`; false if the heap has no room for it.
bool NewArray(Vm& vm, size_t entries, size_t stride, gc::Root* result) WEFT_ALLOCATES;

// Throws: args[i] is no table.
Outcome BadTable(Vm& vm, Args args, size_t i) WEFT_ALLOCATES;

// Puts a key that is not in the table args[table] into it.
Outcome Insert(Vm& vm, Args args, size_t value, size_t key, size_t table,
               int64_t hash) WEFT_ALLOCATES;

// Marks the live entry i as deleted.
void Erase(Vm& vm, const View& view, size_t i) WEFT_NO_ALLOC;

// What Locate found.
enum class Place : uint8_t { kBadTable, kNotNative, kAbsent, kFound };

// Looks args[key] up in the table args[table].
Place Locate(Vm& vm, Args args, size_t key, size_t table, bool identity, View* view, int64_t* hash,
             size_t* entry) WEFT_NO_ALLOC;

// ( value key table -- new? native? )
Outcome Put(Vm& vm, Args args, bool identity) WEFT_ALLOCATES;

// ( key table -- removed? native? )
Outcome Remove(Vm& vm, Args args, bool identity) WEFT_ALLOCATES;

}  // namespace weft::table

#endif  // WEFT_VM_TABLE_OPERATIONS_H_
