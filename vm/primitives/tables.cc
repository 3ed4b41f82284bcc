// Hash tables, so that one operation is one instruction.
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
#include "vm/tables.h"

#include <bit>

#include "vm/error_kind.h"
#include "vm/hashing.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/vm.h"

namespace weft {
namespace {

constexpr size_t kCountSlot = 0;
constexpr size_t kDeletedSlot = 1;
constexpr size_t kArraySlot = 2;
constexpr size_t kMinEntries = 4;
constexpr int64_t kMaxEntries = int64_t{1} << 40;

// Entries of the array of a table that is to hold n: at most two thirds are used.
size_t EntriesFor(int64_t n) {
  size_t entries = kMinEntries;
  while (static_cast<int64_t>(entries) * 2 < n * 3) entries *= 2;
  return entries;
}

struct View {
  Object* table = nullptr;  // null for a bare array
  Array* array = nullptr;
  size_t stride = 0;
  size_t entries = 0;

  [[nodiscard]] int64_t count() const { return table->field(kCountSlot)->AsFixnum(); }
  [[nodiscard]] int64_t deleted() const { return table->field(kDeletedSlot)->AsFixnum(); }
  [[nodiscard]] Word* entry(size_t i) const { return array->elements + i * stride; }
  [[nodiscard]] size_t mask() const { return entries - 1; }
  // Where the search for a hash begins.
  [[nodiscard]] size_t Start(int64_t hash) const {
    const uint64_t bits = static_cast<uint64_t>(hash);
    return static_cast<size_t>(bits + (((bits >> 12) * 0x9E3779B97F4A7C15) >> 24)) & mask();
  }
};

bool ReadArray(Word word, View* view) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kArray)) return false;
  view->array = As<Array>(word);
  const auto length = static_cast<size_t>(view->array->size());
  view->stride = length % 3 == 0 ? 3 : 2;
  view->entries = length / view->stride;
  return view->entries >= kMinEntries && (view->entries & (view->entries - 1)) == 0 &&
         view->entries * view->stride == length;
}

// False if the word is not a tuple of a table's form (a program can store anything into slots).
bool ReadTable(Vm& vm, Word word, View* view) WEFT_NO_ALLOC {
  if (!IsTuple(word)) return false;
  Object* table = gc::ObjectAt(word);
  const Layout* layout = As<Layout>(vm.layouts().get(table->shape() - gc::kFirstTupleShape));
  if (layout->slot_count.AsFixnum() <= static_cast<int64_t>(kArraySlot)) return false;
  view->table = table;
  return table->field(kCountSlot)->IsFixnum() && table->field(kDeletedSlot)->IsFixnum() &&
         ReadArray(*table->field(kArraySlot), view);
}

Outcome BadTable(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  Word word = gc::kFalse;
  {
    gc::NoAlloc no_alloc;
    word = args.get(i);
  }
  return vm.Throw(ErrorKind::kBadArgument, word, gc::kFalse);
}

bool KeyHash(Vm& vm, Word key, bool identity, int64_t* hash) WEFT_NO_ALLOC {
  if (identity && key.IsPointer()) {
    *hash = IdentityHash(vm.heap(), key);
    return true;
  }
  return NativeHash(vm.heap(), key, hash);
}

// What a program's hashcode* answered, as a fixnum.
bool HashOfWord(Word word, int64_t* hash) WEFT_NO_ALLOC {
  if (word.IsFixnum()) {
    *hash = word.AsFixnum();
    return true;
  }
  if (!IsBignum(word)) return false;
  *hash = static_cast<int64_t>(As<Bignum>(word)->limbs[0]) >> 2;
  return true;
}

// The live entry with this key; -1: none.
int64_t Find(const View& view, Word key, int64_t hash, bool identity) WEFT_NO_ALLOC {
  size_t i = view.Start(hash);
  const Word hash_word = Word::Fixnum(hash);
  for (size_t step = 1; step <= view.entries; ++step) {
    const Word* entry = view.entry(i);
    if (entry[0] == gc::kFalse) return -1;
    if (entry[0] == hash_word && (identity ? entry[1] == key : NativeEquals(key, entry[1]))) {
      return static_cast<int64_t>(i);
    }
    i = (i + step) & view.mask();
  }
  return -1;
}

// REQUIRES: the array has an unused entry.
size_t FindUnused(const View& view, int64_t hash) {
  size_t i = view.Start(hash);
  for (size_t step = 1; step <= view.entries; ++step) {
    if (view.entry(i)[0] == gc::kFalse) return i;
    i = (i + step) & view.mask();
  }
  return view.entries;
}

// A new array of unused entries in `result`; false if the heap has no room for it.
bool NewArray(Vm& vm, size_t entries, size_t stride, gc::Root* result) WEFT_ALLOCATES {
  const size_t length = entries * stride;
  const size_t bytes = sizeof(Array) + length * sizeof(Word);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) return false;
  const Word word = vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes);
  gc::NoAlloc no_alloc;
  auto* array = static_cast<Array*>(gc::ObjectAt(word));
  array->length = Word::Fixnum(static_cast<int64_t>(length));
  for (size_t i = 0; i < length; ++i) array->elements[i] = gc::kFalse;
  vm.heap().CleanNew(word);
  result->set(word);
  return true;
}

// Makes room for one more entry in the table args[i]. With deleted entries about, a quarter more
// than needed, so that a table that adds and deletes in turn does not grow each time.
bool MakeRoom(Vm& vm, Args args, size_t i) WEFT_ALLOCATES {
  size_t entries = 0;
  size_t stride = 0;
  {
    gc::NoAlloc no_alloc;
    View view;
    if (!ReadTable(vm, args.get(i), &view)) return false;
    if ((view.count() + 1) * 3 <= static_cast<int64_t>(view.entries) * 2) return true;
    const int64_t live = view.count() - view.deleted();
    entries = EntriesFor(view.deleted() > 0 ? live + 1 + live / 4 : live + 1);
    stride = view.stride;
  }
  gc::Root fresh(vm.heap());
  if (!NewArray(vm, entries, stride, &fresh)) return false;
  gc::NoAlloc no_alloc;
  gc::Heap& heap = vm.heap();
  View old;
  View view;
  if (!ReadTable(vm, args.get(i), &old) || !ReadArray(fresh.get(), &view)) return false;
  int64_t live = 0;
  for (size_t e = 0; e < old.entries; ++e) {
    const Word* from = old.entry(e);
    if (!from[0].IsFixnum()) continue;
    const size_t free_entry = FindUnused(view, from[0].AsFixnum());
    if (free_entry == view.entries) return false;  // more entries than `count` says
    Word* to = view.entry(free_entry);
    for (size_t w = 0; w < view.stride; ++w) heap.WriteNew(to + w, from[w]);
    ++live;
  }
  heap.Write(old.table, old.table->field(kArraySlot), fresh.get());
  heap.Write(old.table, old.table->field(kDeletedSlot), Word::Fixnum(0));
  heap.Write(old.table, old.table->field(kCountSlot), Word::Fixnum(live));
  return true;
}

// Puts a key that is not in the table args[table] into it.
Outcome Insert(Vm& vm, Args args, size_t value, size_t key, size_t table,
               int64_t hash) WEFT_ALLOCATES {
  if (!MakeRoom(vm, args, table)) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  bool full = false;
  {
    gc::NoAlloc no_alloc;
    View view;
    full = !ReadTable(vm, args.get(table), &view);
    const size_t i = full ? 0 : FindUnused(view, hash);
    full = full || i == view.entries;
    if (!full) {
      gc::Heap& heap = vm.heap();
      Word* entry = view.entry(i);
      heap.Write(view.array, entry, Word::Fixnum(hash));
      heap.Write(view.array, entry + 1, args.get(key));
      if (view.stride == 3) heap.Write(view.array, entry + 2, args.get(value));
      heap.Write(view.table, view.table->field(kCountSlot), Word::Fixnum(view.count() + 1));
    }
  }
  return full ? BadTable(vm, args, table) : Outcome::kNext;
}

void Erase(Vm& vm, const View& view, size_t i) WEFT_NO_ALLOC {
  Word* entry = view.entry(i);
  entry[0] = gc::kTrue;
  entry[1] = gc::kFalse;
  if (view.stride == 3) entry[2] = gc::kFalse;
  vm.heap().Write(view.table, view.table->field(kDeletedSlot), Word::Fixnum(view.deleted() + 1));
}

enum class Place : uint8_t { kBadTable, kNotNative, kAbsent, kFound };

// Looks args[key] up in the table args[table].
Place Locate(Vm& vm, Args args, size_t key, size_t table, bool identity, View* view, int64_t* hash,
             size_t* entry) WEFT_NO_ALLOC {
  if (!ReadTable(vm, args.get(table), view)) return Place::kBadTable;
  if (!KeyHash(vm, args.get(key), identity, hash)) return Place::kNotNative;
  const int64_t i = Find(*view, args.get(key), *hash, identity);
  if (i < 0) return Place::kAbsent;
  *entry = static_cast<size_t>(i);
  return Place::kFound;
}

// ( key table -- value/f ? native? ); `word` of the entry is the answer.
Outcome At(Vm& vm, Args args, bool identity, size_t word) WEFT_ALLOCATES {
  Place place;
  {
    gc::NoAlloc no_alloc;
    View view;
    int64_t hash = 0;
    size_t i = 0;
    place = Locate(vm, args, 0, 1, identity, &view, &hash, &i);
    if (place == Place::kFound) {
      args.set(0, view.entry(i)[word < view.stride ? word : view.stride - 1]);
    }
  }
  if (place == Place::kBadTable) return BadTable(vm, args, 1);
  if (place != Place::kFound) args.set(0, gc::kFalse);
  args.set(1, Word::Bool(place == Place::kFound));
  args.set(2, Word::Bool(place != Place::kNotNative));
  return Outcome::kNext;
}

// ( value key table -- new? native? )
Outcome Put(Vm& vm, Args args, bool identity) WEFT_ALLOCATES {
  Place place;
  int64_t hash = 0;
  {
    gc::NoAlloc no_alloc;
    View view;
    size_t i = 0;
    place = Locate(vm, args, 1, 2, identity, &view, &hash, &i);
    if (place == Place::kFound && view.stride == 3) {
      vm.heap().Write(view.array, view.entry(i) + 2, args.get(0));
    }
  }
  if (place == Place::kBadTable) return BadTable(vm, args, 2);
  if (place == Place::kAbsent) {
    const Outcome outcome = Insert(vm, args, 0, 1, 2, hash);
    if (outcome != Outcome::kNext) return outcome;
  }
  args.set(0, Word::Bool(place == Place::kAbsent));
  args.set(1, Word::Bool(place != Place::kNotNative));
  return Outcome::kNext;
}

// ( key table -- removed? native? )
Outcome Remove(Vm& vm, Args args, bool identity) WEFT_ALLOCATES {
  Place place;
  {
    gc::NoAlloc no_alloc;
    View view;
    int64_t hash = 0;
    size_t i = 0;
    place = Locate(vm, args, 0, 1, identity, &view, &hash, &i);
    if (place == Place::kFound) Erase(vm, view, i);
  }
  if (place == Place::kBadTable) return BadTable(vm, args, 1);
  args.set(0, Word::Bool(place == Place::kFound));
  args.set(1, Word::Bool(place != Place::kNotNative));
  return Outcome::kNext;
}

// Does an entry's present value agree with `check`: f (anything will do), { } (absent) or
// { value } (present, with this very value)?
bool CheckHolds(Word check, const Word* value) WEFT_NO_ALLOC {
  if (!IsType(check, TypeId::kArray)) return true;
  const Array* array = As<Array>(check);
  if (array->size() == 0) return value == nullptr;
  return value != nullptr && *value == array->elements[0];
}

// Is the snapshot (index/f array count) at args[first...] still that of the table?
bool IsFresh(const View& view, Args args, size_t first) WEFT_NO_ALLOC {
  if (*view.table->field(kArraySlot) != args.get(first + 1)) return false;
  if (args.get(first) == gc::kFalse) {
    return args.get(first + 2) == *view.table->field(kCountSlot);
  }
  if (!args.is_fixnum(first)) return false;
  const int64_t i = args.fixnum(first);
  return i >= 0 && static_cast<size_t>(i) < view.entries &&
         view.entry(static_cast<size_t>(i))[0].IsFixnum();
}

// An array of words of the live entries: 1: keys, 2: values, 0: pairs (made here).
Outcome Snapshot(Vm& vm, Args args, size_t word) WEFT_ALLOCATES {
  size_t live = 0;
  size_t entries = 0;
  bool good;
  {
    gc::NoAlloc no_alloc;
    View view;
    good = ReadTable(vm, args.get(0), &view) && word < view.stride;
    entries = good ? view.entries : 0;
    for (size_t i = 0; i < entries; ++i) {
      if (view.entry(i)[0].IsFixnum()) ++live;
    }
  }
  if (!good) return BadTable(vm, args, 0);
  const size_t bytes = sizeof(Array) + live * sizeof(Word);
  if (bytes >= gc::kLargeBytes && !vm.heap().Reserve(bytes)) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  gc::Root result(vm.heap(), vm.heap().Allocate(ShapeOf(TypeId::kArray), bytes));
  {
    gc::NoAlloc no_alloc;
    As<Array>(result.get())->length = Word::Fixnum(static_cast<int64_t>(live));
  }
  size_t next = 0;
  for (size_t i = 0; i < entries; ++i) {
    {
      gc::NoAlloc no_alloc;
      View view;
      if (!ReadTable(vm, args.get(0), &view) || !view.entry(i)[0].IsFixnum()) continue;
      if (word != 0) {
        auto* array = As<Array>(result.get());
        vm.heap().Write(array, array->elements + next, view.entry(i)[word]);
        ++next;
        continue;
      }
    }
    const Word pair = vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + 2 * sizeof(Word));
    gc::NoAlloc no_alloc;
    View view;
    if (!ReadTable(vm, args.get(0), &view)) continue;
    auto* both = static_cast<Array*>(gc::ObjectAt(pair));
    both->length = Word::Fixnum(2);
    both->elements[0] = view.entry(i)[1];
    both->elements[1] = view.entry(i)[view.stride - 1];
    auto* array = As<Array>(result.get());
    vm.heap().Write(array, array->elements + next, pair);
    ++next;
  }
  gc::NoAlloc no_alloc;
  args.set(0, result.get());
  return Outcome::kNext;
}

// The window of a primitive called from C++.
class LocalWindow : public gc::RootBase {
 public:
  explicit LocalWindow(gc::Heap& heap) : RootBase(heap, words_, 3) {}
  Args args() { return Args(words_); }

 private:
  Word words_[3] = {gc::kFalse, gc::kFalse, gc::kFalse};
};

}  // namespace

bool RemoveFromTable(Vm& vm, Word table, Word key, bool* removed) {
  View view;
  int64_t hash = 0;
  if (!ReadTable(vm, table, &view) || !KeyHash(vm, key, false, &hash)) return false;
  const int64_t i = Find(view, key, hash, false);
  *removed = i >= 0;
  if (*removed) Erase(vm, view, static_cast<size_t>(i));
  return true;
}

TextFound FindText(Vm& vm, Word table, const TextKey& key, Word* value) {
  View view;
  if (!ReadTable(vm, table, &view) || view.stride != 3) return TextFound::kBadTable;
  const Word hash = Word::Fixnum(key.hash());
  size_t i = view.Start(key.hash());
  for (size_t step = 1; step <= view.entries; ++step) {
    const Word* entry = view.entry(i);
    if (entry[0] == gc::kFalse) break;
    if (entry[0] == hash && IsType(entry[1], TypeId::kString) && key.Equals(As<String>(entry[1]))) {
      *value = entry[2];
      return TextFound::kFound;
    }
    i = (i + step) & view.mask();
  }
  return TextFound::kAbsent;
}

bool InitTable(Vm& vm, const gc::Root& tuple, TableKind kind, size_t n) {
  gc::Root array(vm.heap());
  if (!NewArray(vm, EntriesFor(static_cast<int64_t>(n)), static_cast<size_t>(kind), &array)) {
    return false;
  }
  gc::NoAlloc no_alloc;
  Object* table = gc::ObjectAt(tuple.get());
  vm.heap().Write(table, table->field(kArraySlot), array.get());
  vm.heap().Write(table, table->field(kDeletedSlot), Word::Fixnum(0));
  vm.heap().Write(table, table->field(kCountSlot), Word::Fixnum(0));
  return true;
}

bool AddToTable(Vm& vm, const gc::Root& table, const gc::Root& key, const gc::Root& value) {
  LocalWindow window(vm.heap());
  {
    gc::NoAlloc no_alloc;
    window.args().set(0, value.get());
    window.args().set(1, key.get());
    window.args().set(2, table.get());
  }
  return Put(vm, window.args(), false) == Outcome::kNext && window.args().is_true(1);
}

Outcome PrimNativeHash(Vm& vm, Args args) {
  gc::NoAlloc no_alloc;
  int64_t hash = 0;
  const bool native = NativeHash(vm.heap(), args.get(0), &hash);
  args.set(0, native ? Word::Fixnum(hash) : gc::kFalse);
  return Outcome::kNext;
}

Outcome PrimTableArray(Vm& vm, Args args) {
  if (!args.is_fixnum(0) || !args.is_fixnum(1) || args.fixnum(0) < 0 ||
      args.fixnum(0) > kMaxEntries || (args.fixnum(1) != 2 && args.fixnum(1) != 3)) {
    Word n = gc::kFalse;
    {
      gc::NoAlloc no_alloc;
      n = args.get(0);
    }
    return vm.Throw(ErrorKind::kArraySize, n, gc::kFalse);
  }
  gc::Root array(vm.heap());
  if (!NewArray(vm, EntriesFor(args.fixnum(0)), static_cast<size_t>(args.fixnum(1)), &array)) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  gc::NoAlloc no_alloc;
  args.set(0, array.get());
  return Outcome::kNext;
}

Outcome PrimTableAt(Vm& vm, Args args) { return At(vm, args, false, 2); }
Outcome PrimTableKey(Vm& vm, Args args) { return At(vm, args, false, 1); }
Outcome PrimTablePut(Vm& vm, Args args) { return Put(vm, args, false); }
Outcome PrimTableRemove(Vm& vm, Args args) { return Remove(vm, args, false); }
Outcome PrimIdentityTableAt(Vm& vm, Args args) { return At(vm, args, true, 2); }
Outcome PrimIdentityTablePut(Vm& vm, Args args) { return Put(vm, args, true); }
Outcome PrimIdentityTableRemove(Vm& vm, Args args) { return Remove(vm, args, true); }

Outcome PrimTableAdd(Vm& vm, Args args) {
  Place place;
  int64_t hash = 0;
  bool is_done = false;
  {
    gc::NoAlloc no_alloc;
    View view;
    size_t i = 0;
    place = Locate(vm, args, 1, 2, false, &view, &hash, &i);
    if (!args.is_fixnum(0)) {
      place = Place::kNotNative;
    } else if (place == Place::kFound && view.stride == 3 && view.entry(i)[2].IsFixnum()) {
      const int64_t sum = view.entry(i)[2].AsFixnum() + args.fixnum(0);
      if (Word::FitsFixnum(sum)) {
        view.entry(i)[2] = Word::Fixnum(sum);
        args.set(0, Word::Fixnum(sum));
        is_done = true;
      }
    }
  }
  if (place == Place::kBadTable) return BadTable(vm, args, 2);
  if (place == Place::kAbsent) {
    const Outcome outcome = Insert(vm, args, 0, 1, 2, hash);
    if (outcome != Outcome::kNext) return outcome;
    is_done = true;
  }
  if (!is_done) args.set(0, gc::kFalse);
  return Outcome::kNext;
}

Outcome PrimTableCompareAndSet(Vm& vm, Args args) {
  Place place;
  int64_t hash = 0;
  bool holds = false;
  {
    gc::NoAlloc no_alloc;
    View view;
    size_t i = 0;
    place = Locate(vm, args, 2, 3, false, &view, &hash, &i);
    if (place == Place::kFound && view.stride == 3) {
      holds = CheckHolds(args.get(1), view.entry(i) + 2);
      if (holds) vm.heap().Write(view.array, view.entry(i) + 2, args.get(0));
    } else if (place == Place::kAbsent) {
      holds = CheckHolds(args.get(1), nullptr);
    }
  }
  if (place == Place::kBadTable) return BadTable(vm, args, 3);
  if (place == Place::kAbsent && holds) {
    const Outcome outcome = Insert(vm, args, 0, 2, 3, hash);
    if (outcome != Outcome::kNext) return outcome;
  }
  args.set(0, Word::Bool(holds));
  args.set(1, Word::Bool(place != Place::kNotNative));
  return Outcome::kNext;
}

Outcome PrimTableState(Vm& vm, Args args) {
  {
    gc::NoAlloc no_alloc;
    View view;
    if (ReadTable(vm, args.get(0), &view)) {
      args.set(0, *view.table->field(kArraySlot));
      args.set(1, *view.table->field(kCountSlot));
      return Outcome::kNext;
    }
  }
  return BadTable(vm, args, 0);
}

Outcome PrimTableProbe(Vm& vm, Args args) {
  {
    gc::NoAlloc no_alloc;
    View view;
    int64_t hash = 0;
    if (HashOfWord(args.get(0), &hash) && ReadArray(args.get(2), &view) && args.is_fixnum(3) &&
        args.fixnum(3) >= 0) {
      // The i-th place of the sequence is Start + i (i + 1) / 2.
      auto step = static_cast<uint64_t>(args.fixnum(3));
      Word found = gc::kFalse;
      Word key = gc::kFalse;
      for (; step < view.entries; ++step) {
        const size_t i = (view.Start(hash) + step * (step + 1) / 2) & view.mask();
        const Word* entry = view.entry(i);
        if (entry[0] == gc::kFalse) break;
        if (entry[0] == Word::Fixnum(hash)) {
          found = Word::Fixnum(static_cast<int64_t>(i));
          key = entry[1];
          ++step;
          break;
        }
      }
      args.set(3, Word::Fixnum(static_cast<int64_t>(step)));
      args.set(4, found);
      args.set(5, args.get(1));
      args.set(6, key);
      return Outcome::kNext;
    }
  }
  return BadTable(vm, args, 2);
}

Outcome PrimTableFetch(Vm& vm, Args args) {
  {
    gc::NoAlloc no_alloc;
    View view;
    if (ReadTable(vm, args.get(3), &view)) {
      const bool fresh = IsFresh(view, args, 0);
      const bool found = fresh && args.get(0) != gc::kFalse;
      args.set(
          0, found ? view.entry(static_cast<size_t>(args.fixnum(0)))[view.stride - 1] : gc::kFalse);
      args.set(1, Word::Bool(found));
      args.set(2, Word::Bool(fresh));
      return Outcome::kNext;
    }
  }
  return BadTable(vm, args, 3);
}

// What PrimTableStore answers; hashtables.private reads these numbers.
enum StoreStatus : int64_t { kStale = 0, kReplaced = 1, kInserted = 2, kRefused = 3 };

Outcome PrimTableStore(Vm& vm, Args args) {
  int64_t hash = 0;
  bool good;
  StoreStatus status = kStale;
  {
    gc::NoAlloc no_alloc;
    View view;
    good = ReadTable(vm, args.get(4), &view) && HashOfWord(args.get(2), &hash);
    if (good && IsFresh(view, args, 5)) {
      if (args.get(5) == gc::kFalse) {
        status = CheckHolds(args.get(1), nullptr) ? kInserted : kRefused;
      } else {
        Word* entry = view.entry(static_cast<size_t>(args.fixnum(5)));
        status = view.stride == 2 || CheckHolds(args.get(1), entry + 2) ? kReplaced : kRefused;
        if (status == kReplaced && view.stride == 3) {
          vm.heap().Write(view.array, entry + 2, args.get(0));
        }
      }
    }
  }
  if (!good) return BadTable(vm, args, 4);
  if (status == kInserted) {
    const Outcome outcome = Insert(vm, args, 0, 3, 4, hash);
    if (outcome != Outcome::kNext) return outcome;
  }
  args.set(5, Word::Fixnum(status));
  return Outcome::kNext;
}

Outcome PrimTableErase(Vm& vm, Args args) {
  {
    gc::NoAlloc no_alloc;
    View view;
    if (ReadTable(vm, args.get(2), &view)) {
      const bool fresh = IsFresh(view, args, 3);
      const bool found = fresh && args.get(3) != gc::kFalse;
      if (found) Erase(vm, view, static_cast<size_t>(args.fixnum(3)));
      args.set(3, Word::Bool(found));
      args.set(4, Word::Bool(fresh));
      return Outcome::kNext;
    }
  }
  return BadTable(vm, args, 2);
}

Outcome PrimTablePairs(Vm& vm, Args args) { return Snapshot(vm, args, 0); }
Outcome PrimTableKeys(Vm& vm, Args args) { return Snapshot(vm, args, 1); }
Outcome PrimTableValues(Vm& vm, Args args) { return Snapshot(vm, args, 2); }

Outcome PrimTableAssign(Vm& vm, Args args) {
  size_t entries = 0;
  size_t stride = 0;
  bool good;
  {
    gc::NoAlloc no_alloc;
    View view;
    good = ReadTable(vm, args.get(0), &view) && ReadTable(vm, args.get(1), &view);
    entries = view.entries;
    stride = view.stride;
  }
  if (!good) return BadTable(vm, args, 0);
  gc::Root array(vm.heap());
  if (!NewArray(vm, entries, stride, &array)) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  gc::NoAlloc no_alloc;
  View to;
  View from;
  if (ReadTable(vm, args.get(0), &to) && ReadTable(vm, args.get(1), &from)) {
    gc::Heap& heap = vm.heap();
    auto* copy = As<Array>(array.get());
    for (size_t i = 0; i < entries * stride; ++i) {
      heap.WriteNew(copy->elements + i, from.array->elements[i]);
    }
    heap.Write(to.table, to.table->field(kArraySlot), array.get());
    heap.Write(to.table, to.table->field(kDeletedSlot), *from.table->field(kDeletedSlot));
    heap.Write(to.table, to.table->field(kCountSlot), *from.table->field(kCountSlot));
  }
  return Outcome::kNext;
}

Outcome PrimTableClear(Vm& vm, Args args) {
  size_t stride = 0;
  {
    gc::NoAlloc no_alloc;
    View view;
    if (ReadTable(vm, args.get(0), &view)) stride = view.stride;
  }
  if (stride == 0) return BadTable(vm, args, 0);
  gc::Root array(vm.heap());
  if (!NewArray(vm, kMinEntries, stride, &array)) {
    return vm.Throw(ErrorKind::kOutOfMemory, gc::kFalse, gc::kFalse);
  }
  gc::NoAlloc no_alloc;
  Object* table = gc::ObjectAt(args.get(0));
  vm.heap().Write(table, table->field(kArraySlot), array.get());
  vm.heap().Write(table, table->field(kDeletedSlot), Word::Fixnum(0));
  vm.heap().Write(table, table->field(kCountSlot), Word::Fixnum(0));
  return Outcome::kNext;
}

Outcome PrimVariable(Vm& vm, Args args) {
  gc::NoAlloc no_alloc;
  const Word key = args.get(0);
  int64_t hash = 0;
  bool native = NativeHash(vm.heap(), key, &hash);
  const Word layout = vm.special(Special::kHashtableLayout);
  native = native && IsType(layout, TypeId::kLayout);
  const Word table_shape = native ? As<Layout>(layout)->shape : gc::kFalse;
  const Word stack = vm.current()->namestack;
  const bool has_scopes = IsType(stack, TypeId::kArray);
  int64_t scope = has_scopes ? As<Array>(stack)->size() : 1;
  Word value = gc::kFalse;
  while (native && scope > 0) {
    --scope;
    const Word table =
        has_scopes ? As<Array>(stack)->elements[scope] : vm.special(Special::kGlobals);
    View view;
    native = IsTuple(table) && Word::Fixnum(gc::ObjectAt(table)->shape()) == table_shape &&
             ReadTable(vm, table, &view) && view.stride == 3;
    const int64_t i = native ? Find(view, key, hash, false) : -1;
    if (i >= 0) {
      value = view.entry(static_cast<size_t>(i))[2];
      break;
    }
  }
  args.set(0, native ? value : gc::kFalse);
  args.set(1, Word::Bool(native));
  return Outcome::kNext;
}

}  // namespace weft
