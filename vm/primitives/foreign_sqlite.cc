// Primitives of SQLite. Whatever may touch a file or take long runs on a helper thread while the
// green thread that asked is parked; the others go on. Bindings are kept here and handed over with
// the next step, so that the VM thread never waits for a statement that is running.
#include <algorithm>
#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "vm/context.h"
#include "vm/ffi/library.h"
#include "vm/ffi/operands.h"
#include "vm/number/number.h"
#include "vm/primitives.h"
#include "vm/primitives/number_operands.h"
#include "vm/scheduler.h"

namespace weft {
namespace {

using ffi::Library;
using ffi::Table;

struct Sqlite {
  Library library{{"libsqlite3.so.0", "libsqlite3.so"}, "libsqlite3-0"};
  int (*open)(const char* path, void** db, int flags, const char* vfs);
  int (*close)(void* db);
  int (*prepare)(void* db, const char* sql, int size, void** statement, const char** tail);
  int (*finalize)(void* statement);
  int (*step)(void* statement);
  int (*reset)(void* statement);
  int (*clear_bindings)(void* statement);
  const char* (*message)(void* db);
  int (*error_code)(void* db);
  int (*column_count)(void* statement);
  const char* (*column_name)(void* statement, int i);
  const char* (*column_declared)(void* statement, int i);
  int (*column_type)(void* statement, int i);
  int64_t (*column_integer)(void* statement, int i);
  double (*column_float)(void* statement, int i);
  const unsigned char* (*column_text)(void* statement, int i);
  const void* (*column_blob)(void* statement, int i);
  int (*column_bytes)(void* statement, int i);
  int (*parameter_count)(void* statement);
  const char* (*parameter_name)(void* statement, int i);
  int (*bind_integer)(void* statement, int i, int64_t value);
  int (*bind_float)(void* statement, int i, double value);
  int (*bind_text)(void* statement, int i, const char* text, int size, void (*release)(void*));
  int (*bind_blob)(void* statement, int i, const void* data, int size, void (*release)(void*));
  int (*bind_null)(void* statement, int i);
  int64_t (*last_row)(void* db);
  int (*changes)(void* db);
  void (*interrupt)(void* db);
  int (*busy_timeout)(void* db, int milliseconds);

  Sqlite() {
    library.Bind(&open, "sqlite3_open_v2");
    library.Bind(&close, "sqlite3_close_v2");
    library.Bind(&prepare, "sqlite3_prepare_v2");
    library.Bind(&finalize, "sqlite3_finalize");
    library.Bind(&step, "sqlite3_step");
    library.Bind(&reset, "sqlite3_reset");
    library.Bind(&clear_bindings, "sqlite3_clear_bindings");
    library.Bind(&message, "sqlite3_errmsg");
    library.Bind(&error_code, "sqlite3_extended_errcode");
    library.Bind(&column_count, "sqlite3_column_count");
    library.Bind(&column_name, "sqlite3_column_name");
    library.Bind(&column_declared, "sqlite3_column_decltype");
    library.Bind(&column_type, "sqlite3_column_type");
    library.Bind(&column_integer, "sqlite3_column_int64");
    library.Bind(&column_float, "sqlite3_column_double");
    library.Bind(&column_text, "sqlite3_column_text");
    library.Bind(&column_blob, "sqlite3_column_blob");
    library.Bind(&column_bytes, "sqlite3_column_bytes");
    library.Bind(&parameter_count, "sqlite3_bind_parameter_count");
    library.Bind(&parameter_name, "sqlite3_bind_parameter_name");
    library.Bind(&bind_integer, "sqlite3_bind_int64");
    library.Bind(&bind_float, "sqlite3_bind_double");
    library.Bind(&bind_text, "sqlite3_bind_text");
    library.Bind(&bind_blob, "sqlite3_bind_blob");
    library.Bind(&bind_null, "sqlite3_bind_null");
    library.Bind(&last_row, "sqlite3_last_insert_rowid");
    library.Bind(&changes, "sqlite3_changes");
    library.Bind(&interrupt, "sqlite3_interrupt");
    library.Bind(&busy_timeout, "sqlite3_busy_timeout");
  }
};

Sqlite& TheSqlite() {
  static auto* const sqlite = new Sqlite;
  return *sqlite;
}

// Numbers of SQLite's interface.
constexpr int kOk = 0;
constexpr int kRow = 100;
constexpr int kDone = 101;
constexpr int kMisuse = 21;
constexpr int kInteger = 1;
constexpr int kFloat = 2;
constexpr int kText = 3;
constexpr int kBlob = 4;

// A value of a column or a parameter.
struct Value {
  int type = 5;  // NULL
  int64_t integer = 0;
  double real = 0;
  std::string bytes;
};

// The mutex is held by whoever works with the connection or its statements: helper threads.
struct Database {
  std::mutex mutex;
  void* db = nullptr;
  // Of the last step, for the VM thread.
  int64_t last_row = 0;
  int64_t changes = 0;
  ~Database() {
    if (db != nullptr) TheSqlite().close(db);
  }
};

struct Statement {
  std::shared_ptr<Database> database;
  void* statement = nullptr;
  std::vector<std::string> columns;
  std::vector<std::string> declared;
  std::vector<std::string> parameters;
  // Set by the VM thread, taken by the next job.
  bool reset = false;
  bool clear = false;
  std::vector<std::pair<int, Value>> bindings;
  ~Statement() {
    if (statement == nullptr) return;
    const std::lock_guard<std::mutex> lock(database->mutex);
    TheSqlite().finalize(statement);
  }
};

Table<Database>& Databases() {
  static auto* const table = new Table<Database>;
  return *table;
}
Table<Statement>& Statements() {
  static auto* const table = new Table<Statement>;
  return *table;
}

// One piece of work for a helper thread.
struct Job {
  int code = kOk;
  std::string text;  // of an error
  std::shared_ptr<Database> database;
  std::shared_ptr<Statement> statement;
  std::vector<Value> row;
  enum class Kind { kOpen, kPrepare, kStep, kRelease } kind = Kind::kStep;
};

struct JobWait final : WaitOperation {
  Context* context = nullptr;  // null: nobody waits any more
  uint32_t ticket = 0;
  Job job;
  void Abandon() override {
    context = nullptr;
    if (job.kind == Job::Kind::kStep && job.database != nullptr) {
      TheSqlite().interrupt(job.database->db);
    }
  }
};

void NoteError(Job& job, int code) {
  job.code = code;
  job.text = job.database->db == nullptr ? "out of memory" : TheSqlite().message(job.database->db);
}

Value ColumnValue(void* statement, int i) {
  const Sqlite& sqlite = TheSqlite();
  Value value;
  value.type = sqlite.column_type(statement, i);
  switch (value.type) {
    case kInteger:
      value.integer = sqlite.column_integer(statement, i);
      break;
    case kFloat:
      value.real = sqlite.column_float(statement, i);
      break;
    case kText:
    case kBlob: {
      const void* data = value.type == kText
                             ? static_cast<const void*>(sqlite.column_text(statement, i))
                             : sqlite.column_blob(statement, i);
      const int size = sqlite.column_bytes(statement, i);
      if (data != nullptr && size > 0) {
        value.bytes.assign(static_cast<const char*>(data), static_cast<size_t>(size));
      }
      break;
    }
    default:
      break;
  }
  return value;
}

// SQLITE_TRANSIENT: SQLite makes its own copy.
void (*const kTransient)(void*) = reinterpret_cast<void (*)(void*)>(intptr_t{
    -1});  // NOLINT(performance-no-int-to-ptr)

int Bind(void* statement, int index, const Value& value) {
  const Sqlite& sqlite = TheSqlite();
  const int size = static_cast<int>(std::min<size_t>(value.bytes.size(), INT_MAX));
  switch (value.type) {
    case kInteger:
      return sqlite.bind_integer(statement, index, value.integer);
    case kFloat:
      return sqlite.bind_float(statement, index, value.real);
    case kText:
      return sqlite.bind_text(statement, index, value.bytes.data(), size, kTransient);
    case kBlob:
      return sqlite.bind_blob(statement, index, value.bytes.data(), size, kTransient);
    default:
      return sqlite.bind_null(statement, index);
  }
}

struct StepInput {
  bool reset = false;
  bool clear = false;
  std::vector<std::pair<int, Value>> bindings;
};

void RunStep(Job& job, const StepInput& input) {
  const Sqlite& sqlite = TheSqlite();
  const std::lock_guard<std::mutex> lock(job.database->mutex);
  void* const statement = job.statement->statement;
  if (input.reset) sqlite.reset(statement);
  if (input.clear) sqlite.clear_bindings(statement);
  for (const auto& [index, value] : input.bindings) {
    const int code = Bind(statement, index, value);
    if (code != kOk) return NoteError(job, code);
  }
  const int code = sqlite.step(statement);
  job.code = code;
  if (code == kRow) {
    const int count = sqlite.column_count(statement);
    for (int i = 0; i < count; ++i) job.row.push_back(ColumnValue(statement, i));
  } else if (code == kDone) {
    job.database->last_row = sqlite.last_row(job.database->db);
    job.database->changes = sqlite.changes(job.database->db);
  } else {
    NoteError(job, sqlite.error_code(job.database->db));
    job.code = code;
  }
}

void RunPrepare(Job& job, const std::string& sql) {
  const Sqlite& sqlite = TheSqlite();
  const std::lock_guard<std::mutex> lock(job.database->mutex);
  auto statement = std::make_shared<Statement>();
  statement->database = job.database;
  const char* tail = nullptr;
  const int code = sqlite.prepare(job.database->db, sql.data(), static_cast<int>(sql.size()),
                                  &statement->statement, &tail);
  if (code != kOk) return NoteError(job, code);
  if (statement->statement == nullptr) {
    job.code = kMisuse;
    job.text = "The text holds no statement";
    return;
  }
  const auto text = [](const char* name) { return std::string(name == nullptr ? "" : name); };
  for (int i = 0; i < sqlite.column_count(statement->statement); ++i) {
    statement->columns.push_back(text(sqlite.column_name(statement->statement, i)));
    statement->declared.push_back(text(sqlite.column_declared(statement->statement, i)));
  }
  for (int i = 1; i <= sqlite.parameter_count(statement->statement); ++i) {
    statement->parameters.push_back(text(sqlite.parameter_name(statement->statement, i)));
  }
  job.statement = std::move(statement);
}

Word WordOf(Vm& vm, const Value& value, bool* ok) WEFT_ALLOCATES {
  switch (value.type) {
    case kInteger:
      return MakeInteger(vm, value.integer);
    case kFloat:
      return MakeFloat(vm, value.real);
    case kText:
      *ok = *ok && HasRoom(vm, value.bytes.size() * 4 + 64);
      return *ok ? MakeString(vm.heap(), value.bytes) : gc::kFalse;
    case kBlob:
      return io::MakeBytes(vm, value.bytes.data(), value.bytes.size(), ok);
    default:
      return gc::kFalse;
  }
}

// { code text }: an error.  A number: of what was opened or prepared.  Else a row, or f.
Word AnswerOf(Vm& vm, Job& job, bool* ok) WEFT_ALLOCATES {
  gc::RootVector items(vm.heap());
  if (job.code != kOk && job.code != kRow && job.code != kDone) {
    items.push_back(gc::kTrue);
    items.push_back(Word::Fixnum(job.code));
    items.push_back(MakeString(vm.heap(), job.text));
    return io::MakeArray(vm, items);
  }
  switch (job.kind) {
    case Job::Kind::kOpen:
      return Word::Fixnum(Databases().Add(job.database));
    case Job::Kind::kPrepare:
      return Word::Fixnum(Statements().Add(job.statement));
    case Job::Kind::kRelease:
      return gc::kFalse;
    case Job::Kind::kStep:
      break;
  }
  if (job.code != kRow) return gc::kFalse;
  // The first item tells a row from an error.
  items.push_back(gc::kFalse);
  for (const Value& value : job.row) {
    items.push_back(WordOf(vm, value, ok));
    if (!*ok) return gc::kFalse;
  }
  return io::MakeArray(vm, items);
}

// Parks the thread until `run` has worked on the job.
Outcome Submit(Vm& vm, Args args, Job job, std::function<void(Job&)> run,
               size_t object) WEFT_ALLOCATES {
  auto* wait = new JobWait;
  wait->job = std::move(job);
  wait->context = vm.current();
  {
    const gc::NoAlloc scope;
    wait->ticket = vm.scheduler().BeginWait(WaitReason::kFile, args.get(object), -1, wait);
  }
  vm.io().helpers().Submit(
      vm.scheduler().events(), [wait, run = std::move(run)] { run(wait->job); },
      [&vm, wait]() WEFT_NO_ANALYSIS {
        const std::unique_ptr<JobWait> owner(wait);
        if (wait->context == nullptr) return;
        bool ok = true;
        gc::Root value(vm.heap(), AnswerOf(vm, wait->job, &ok));
        if (!ok) value.set(io::MakeOutOfMemory(vm, 0));
        const gc::NoAlloc scope;
        if (ok) {
          (void)vm.scheduler().EndWait(wait->context, wait->ticket, value.get());
        } else {
          (void)vm.scheduler().FailWait(wait->context, wait->ticket, value.get());
        }
      });
  return Outcome::kBlock;
}

bool TextAt(Args args, size_t i, std::string* text) WEFT_ALLOCATES {
  if (!Is(args, i, TypeId::kString)) return false;
  *text = StringAt(args, i);
  return text->find('\0') == std::string::npos && text->size() < INT_MAX;
}

}  // namespace

// ( -- problem/f )
Outcome PrimSqliteProblem(Vm& vm, Args args) {
  const std::string& problem = TheSqlite().library.problem();
  if (!problem.empty()) return ffi::Problem(vm, args, problem);
  args.set(0, gc::kFalse);
  return Outcome::kNext;
}

// ( path flags busy-ms object -- db/error ): SQLite's flags
Outcome PrimSqliteOpen(Vm& vm, Args args) {
  std::string path;
  if (!TextAt(args, 0, &path)) return BadArgument(vm, args, 0);
  for (size_t i = 1; i < 3; ++i) {
    if (!args.is_fixnum(i) || args.fixnum(i) < 0 || args.fixnum(i) > INT_MAX) {
      return BadArgument(vm, args, i);
    }
  }
  if (!TheSqlite().library.problem().empty()) return BadArgument(vm, args, 0);
  constexpr int kFullMutex = 0x10000;
  const int flags = static_cast<int>(args.fixnum(1)) | kFullMutex;
  const int busy = static_cast<int>(args.fixnum(2));
  Job job;
  job.kind = Job::Kind::kOpen;
  job.database = std::make_shared<Database>();
  return Submit(
      vm, args, std::move(job),
      [path, flags, busy](Job& j) {
        const int code = TheSqlite().open(path.c_str(), &j.database->db, flags, nullptr);
        if (code != kOk) return NoteError(j, code);
        TheSqlite().busy_timeout(j.database->db, busy);
      },
      3);
}

// ( sql db object -- statement/error )
Outcome PrimSqlitePrepare(Vm& vm, Args args) {
  Job job;
  job.kind = Job::Kind::kPrepare;
  job.database = ffi::ObjectAt(Databases(), args, 1);
  if (job.database == nullptr) return BadArgument(vm, args, 1);
  std::string sql;
  if (!TextAt(args, 0, &sql)) return BadArgument(vm, args, 0);
  return Submit(
      vm, args, std::move(job), [sql](Job& j) { RunPrepare(j, sql); }, 2);
}

// ( value index statement -- ): a string, byte array, integer, float, or f for NULL; at the next
// step
Outcome PrimSqliteBind(Vm& vm, Args args) {
  const auto statement = ffi::ObjectAt(Statements(), args, 2);
  if (statement == nullptr) return BadArgument(vm, args, 2);
  if (!args.is_fixnum(1) || args.fixnum(1) < 1 ||
      args.fixnum(1) > static_cast<int64_t>(statement->parameters.size())) {
    return BadArgument(vm, args, 1);
  }
  Value value;
  if (Is(args, 0, TypeId::kString)) {
    value.type = kText;
    value.bytes = StringAt(args, 0);
  } else if (Is(args, 0, TypeId::kByteArray)) {
    value.type = kBlob;
    value.bytes = BytesAt(args, 0);
  } else if (args.is_fixnum(0)) {
    value.type = kInteger;
    value.integer = args.fixnum(0);
  } else if (ReadFloat(args, 0, &value.real)) {
    value.type = kFloat;
  } else if (args.is_true(0)) {
    return BadArgument(vm, args, 0);
  }
  if (value.bytes.size() >= INT_MAX) return BadArgument(vm, args, 0);
  statement->bindings.emplace_back(static_cast<int>(args.fixnum(1)), std::move(value));
  return Outcome::kNext;
}

// ( low high index statement -- ): an integer of 64 bits, in halves of 32
Outcome PrimSqliteBindWide(Vm& vm, Args args) {
  const auto statement = ffi::ObjectAt(Statements(), args, 3);
  if (statement == nullptr) return BadArgument(vm, args, 3);
  for (size_t i = 0; i < 3; ++i) {
    if (!args.is_fixnum(i)) return BadArgument(vm, args, i);
  }
  if (args.fixnum(2) < 1 || args.fixnum(2) > static_cast<int64_t>(statement->parameters.size())) {
    return BadArgument(vm, args, 2);
  }
  Value value;
  value.type = kInteger;
  value.integer = static_cast<int64_t>((static_cast<uint64_t>(args.fixnum(1)) << 32) |
                                       (static_cast<uint64_t>(args.fixnum(0)) & 0xffffffff));
  statement->bindings.emplace_back(static_cast<int>(args.fixnum(2)), std::move(value));
  return Outcome::kNext;
}

// ( statement object -- row/error/f ): a row is { f value ... }, an error { t code text }
Outcome PrimSqliteStep(Vm& vm, Args args) {
  Job job;
  job.statement = ffi::ObjectAt(Statements(), args, 0);
  if (job.statement == nullptr) return BadArgument(vm, args, 0);
  job.database = job.statement->database;
  StepInput input{job.statement->reset, job.statement->clear, std::move(job.statement->bindings)};
  job.statement->reset = false;
  job.statement->clear = false;
  job.statement->bindings.clear();
  return Submit(
      vm, args, std::move(job), [input = std::move(input)](Job& j) { RunStep(j, input); }, 1);
}

// ( clear? statement -- ): before the next step; `clear?` forgets what is bound
Outcome PrimSqliteReset(Vm& vm, Args args) {
  const auto statement = ffi::ObjectAt(Statements(), args, 1);
  if (statement == nullptr) return BadArgument(vm, args, 1);
  statement->reset = true;
  if (args.is_true(0)) {
    statement->clear = true;
    statement->bindings.clear();
  }
  return Outcome::kNext;
}

// ( statement -- columns declared parameters )
Outcome PrimSqliteNames(Vm& vm, Args args) {
  const auto statement = ffi::ObjectAt(Statements(), args, 0);
  if (statement == nullptr) return BadArgument(vm, args, 0);
  const gc::Root columns(vm.heap(), io::MakeStrings(vm, statement->columns));
  const gc::Root declared(vm.heap(), io::MakeStrings(vm, statement->declared));
  const gc::Root parameters(vm.heap(), io::MakeStrings(vm, statement->parameters));
  const gc::NoAlloc scope;
  args.set(0, columns.get());
  args.set(1, declared.get());
  args.set(2, parameters.get());
  return Outcome::kNext;
}

// ( db -- last-row changes )
Outcome PrimSqliteInfo(Vm& vm, Args args) {
  const auto database = ffi::ObjectAt(Databases(), args, 0);
  if (database == nullptr) return BadArgument(vm, args, 0);
  args.set(0, MakeInteger(vm, database->last_row));
  args.set(1, Word::Fixnum(database->changes));
  return Outcome::kNext;
}

namespace {

// Work under way keeps what it works with; the last to let go, a helper, releases it.
template <class T>
Outcome Release(Vm& vm, Args args, Table<T>& table, std::shared_ptr<T> object) WEFT_ALLOCATES {
  table.Remove(args.fixnum(0));
  Job job;
  job.kind = Job::Kind::kRelease;
  auto held = std::make_shared<std::shared_ptr<T>>(std::move(object));
  return Submit(
      vm, args, std::move(job), [held](Job&) { held->reset(); }, 1);
}

}  // namespace

// ( statement object -- f )
Outcome PrimSqliteFinalize(Vm& vm, Args args) {
  auto statement = ffi::ObjectAt(Statements(), args, 0);
  if (statement == nullptr) return BadArgument(vm, args, 0);
  return Release(vm, args, Statements(), std::move(statement));
}

// ( db object -- f )
Outcome PrimSqliteClose(Vm& vm, Args args) {
  auto database = ffi::ObjectAt(Databases(), args, 0);
  if (database == nullptr) return BadArgument(vm, args, 0);
  return Release(vm, args, Databases(), std::move(database));
}

}  // namespace weft
