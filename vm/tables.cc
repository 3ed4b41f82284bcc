#include "vm/tables.h"

#include <bit>

#include "vm/error_kind.h"
#include "vm/hashing.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/table_operations.h"
#include "vm/vm.h"

namespace weft {
namespace table {

size_t EntriesFor(int64_t n) {
  size_t entries = kMinEntries;
  while (static_cast<int64_t>(entries) * 2 < n * 3) entries *= 2;
  return entries;
}

bool ReadArray(Word word, View* view) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kArray)) return false;
  view->array = As<Array>(word);
  const auto length = static_cast<size_t>(view->array->size());
  // Entries are a power of two, so that the length shows how many words each has.
  const bool pairs = (length & (length - 1)) == 0;
  view->stride = pairs ? 2 : 3;
  view->entries = pairs ? length / 2 : length / 3;
  return view->entries >= kMinEntries && (view->entries & (view->entries - 1)) == 0 &&
         view->entries * view->stride == length;
}

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

bool HashOfWord(Word word, int64_t* hash) WEFT_NO_ALLOC {
  if (word.IsFixnum()) {
    *hash = word.AsFixnum();
    return true;
  }
  if (!IsBignum(word)) return false;
  *hash = static_cast<int64_t>(As<Bignum>(word)->limbs[0]) >> 2;
  return true;
}

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

size_t FindUnused(const View& view, int64_t hash) {
  size_t i = view.Start(hash);
  for (size_t step = 1; step <= view.entries; ++step) {
    if (view.entry(i)[0] == gc::kFalse) return i;
    i = (i + step) & view.mask();
  }
  return view.entries;
}

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

namespace {

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

}  // namespace

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

Place Locate(Vm& vm, Args args, size_t key, size_t table, bool identity, View* view, int64_t* hash,
             size_t* entry) WEFT_NO_ALLOC {
  if (!ReadTable(vm, args.get(table), view)) return Place::kBadTable;
  if (!KeyHash(vm, args.get(key), identity, hash)) return Place::kNotNative;
  const int64_t i = Find(*view, args.get(key), *hash, identity);
  if (i < 0) return Place::kAbsent;
  *entry = static_cast<size_t>(i);
  return Place::kFound;
}

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

}  // namespace table

namespace {

using table::View;

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
  if (!table::ReadTable(vm, table, &view) || !table::KeyHash(vm, key, false, &hash)) return false;
  const int64_t i = table::Find(view, key, hash, false);
  *removed = i >= 0;
  if (*removed) table::Erase(vm, view, static_cast<size_t>(i));
  return true;
}

TextFound FindText(Vm& vm, Word table, const TextKey& key, Word* value) {
  View view;
  if (!table::ReadTable(vm, table, &view) || view.stride != 3) return TextFound::kBadTable;
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
  if (!table::NewArray(vm, table::EntriesFor(static_cast<int64_t>(n)), static_cast<size_t>(kind),
                       &array)) {
    return false;
  }
  gc::NoAlloc no_alloc;
  Object* table = gc::ObjectAt(tuple.get());
  vm.heap().Write(table, table->field(table::kArraySlot), array.get());
  vm.heap().Write(table, table->field(table::kDeletedSlot), Word::Fixnum(0));
  vm.heap().Write(table, table->field(table::kCountSlot), Word::Fixnum(0));
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
  return table::Put(vm, window.args(), false) == Outcome::kNext && window.args().is_true(1);
}

}  // namespace weft
