// Hash tables from C++: what the boot reader needs to make the literals H{ } and HS{ }.
// The form of a table and its operations stand in vm/table_operations.h.
#ifndef WEFT_VM_TABLES_H_
#define WEFT_VM_TABLES_H_

#include <cstddef>

#include "gc/handle.h"

namespace weft {

class Vm;
class TextKey;

// Looks a piece of text up in a hashtable, without making a string of it.
enum class TextFound : uint8_t { kFound, kAbsent, kBadTable };
TextFound FindText(Vm& vm, gc::Word table, const TextKey& key, gc::Word* value) WEFT_NO_ALLOC;

// Removes a key that needs no methods; false: that is no table, or the key needs them.
[[nodiscard]] bool RemoveFromTable(Vm& vm, gc::Word table, gc::Word key,
                                   bool* removed) WEFT_NO_ALLOC;

enum class TableKind : uint8_t { kMap = 3, kSet = 2 };

// Makes an empty table, with room for n entries, of `tuple`: a tuple whose first three slots are
// count, deleted and array. False: no room in the heap.
[[nodiscard]] bool InitTable(Vm& vm, const gc::Root& tuple, TableKind kind,
                             size_t n) WEFT_ALLOCATES;
// Adds or replaces an entry (sets ignore `value`). False: no room, or a key that needs methods
// (anything but integers, floats, strings, words, f and t).
[[nodiscard]] bool AddToTable(Vm& vm, const gc::Root& table, const gc::Root& key,
                              const gc::Root& value) WEFT_ALLOCATES;

}  // namespace weft

#endif  // WEFT_VM_TABLES_H_
