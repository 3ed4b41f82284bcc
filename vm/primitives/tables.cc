// The primitives of hash tables; their form and invariant stand in vm/table_operations.h.
#include "vm/error_kind.h"
#include "vm/hashing.h"
#include "vm/primitives.h"
#include "vm/table_operations.h"
#include "vm/vm.h"

namespace weft {

namespace {

using table::BadTable;
using table::EntriesFor;
using table::Erase;
using table::Find;
using table::HashOfWord;
using table::Insert;
using table::kArraySlot;
using table::kCountSlot;
using table::kDeletedSlot;
using table::kMinEntries;
using table::Locate;
using table::NewArray;
using table::Place;
using table::Put;
using table::ReadArray;
using table::ReadTable;
using table::Remove;
using table::View;

constexpr int64_t kMaxEntries = int64_t{1} << 40;

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

}  // namespace

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
