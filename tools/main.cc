// The weft binary: reads the command line, maps the image and runs its start-up word; or builds
// the image from the library (--build-image).
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "compiler/compiler.h"
#include "tools/command_line.h"
#include "tools/surroundings.h"
#include "vm/crash.h"
#include "vm/image_io.h"
#include "vm/interpreter.h"
#include "vm/ipc/fork.h"
#include "vm/machine.h"
#include "vm/observer.h"
#include "vm/scheduler.h"
#include "vm/vm.h"

namespace weft {
namespace {

constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "weft: %s\n", std::string(status.message()).c_str());
  return code;
}

// The directory of the running binary.
std::string BinaryDirectory() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return ".";
  const std::string file(path, static_cast<size_t>(size));
  return file.substr(0, file.rfind('/'));
}

// Beside the binary (a build folder), else where `cmake --install` puts it.
std::string DefaultImage() {
  std::string beside = absl::StrCat(BinaryDirectory(), "/weft.image");
  if (access(beside.c_str(), R_OK) == 0) return beside;
  return absl::StrCat(BinaryDirectory(), "/../lib/weft/weft.image");
}

// Runs a word in a fresh main context until the VM ends.
int RunWord(Vm& vm, Word word) WEFT_NO_ANALYSIS {
  gc::Root root(vm.heap(), word);
  gc::Root array(vm.heap(),
                 vm.heap().Allocate(ShapeOf(TypeId::kArray), sizeof(Array) + sizeof(Word)));
  As<Array>(array.get())->length = Word::Fixnum(1);
  vm.heap().Write(gc::ObjectAt(array.get()), &As<Array>(array.get())->elements[0], root.get());
  gc::Root callable(vm.heap(), vm.heap().Allocate(ShapeOf(TypeId::kQuotation), sizeof(Quotation)));
  auto* quotation = As<Quotation>(callable.get());
  quotation->source = quotation->effect = quotation->code = gc::kFalse;
  quotation->dynamic_code = quotation->owner = gc::kFalse;
  vm.heap().Write(quotation, &quotation->array, array.get());

  Scheduler& scheduler = vm.scheduler();
  Context* context = scheduler.NewContext();
  scheduler.set_main_context(context);
  machine::PrepareContext(vm, *context, callable);
  scheduler.StartFirst(context);
  Interpret(vm);
  if (ipc::InForkedChild()) ipc::EndForkedChild(vm);
  scheduler.AccountSlice();
  if (vm.options().sched_hash) {
    std::fprintf(stderr, "sched-hash %016llx\n",
                 static_cast<unsigned long long>(scheduler.switch_hash()));
  }
  if (vm.options().stats) std::fputs(vm.observer().StatsReport().c_str(), stderr);
  if (vm.options().op_stats) std::fputs(vm.observer().OpReport().c_str(), stderr);
  return vm.exit_status;
}

// Words of the library that the VM calls by name.
constexpr struct {
  Special special;
  const char* vocabulary;
  const char* word;
} kLibraryWords[] = {
    {Special::kThrowHandler, "continuations", "throw"},
    {Special::kNoMethod, "generic.single", "no-method"},
    {Special::kNoMathMethod, "generic.math", "no-math-method"},
    {Special::kSqrt, "math.functions", "sqrt"},
    {Special::kWrongValues, "compiler.private", "wrong-effect"},
};

int BuildImage(Options options, Compiler& compiler) WEFT_NO_ANALYSIS {
  if (options.arguments.empty()) {
    return Fail(absl::InvalidArgumentError("--build-image needs the library's folder"), kExitUsage);
  }
  std::string& library = options.arguments[0];
  for (std::string* path : {&library, &options.build_image}) {
    std::error_code error;
    *path = std::filesystem::absolute(*path, error);
    if (error) {
      return Fail(absl::InternalError(absl::StrCat("the current folder: ", error.message())),
                  kExitError);
    }
  }
  absl::StatusOr<Surroundings> surroundings = EnterOwnSurroundings(library);
  if (!surroundings.ok()) return Fail(surroundings.status(), kExitError);
  if (surroundings->exit_status.has_value()) return *surroundings->exit_status;
  absl::StatusOr<std::unique_ptr<Vm>> vm = Vm::Create(options, &compiler);
  if (!vm.ok()) return Fail(vm.status(), kExitError);
  (*vm)->AttachCells(0);
  (*vm)->InitializeStubs();
  BootReader reader(**vm);
  if (absl::Status status = reader.ReadLibrary(library); !status.ok()) {
    return Fail(status, kExitError);
  }
  for (const auto& row : kLibraryWords) {
    const Word word = reader.Find(row.vocabulary, row.word);
    if (word != gc::kFalse) (*vm)->set_special(row.special, word);
  }
  (*vm)->SpecialsChanged();
  const Word main = reader.main_word();
  if (!main.IsPointer()) {
    return Fail(absl::NotFoundError("the library's stage-1 files name no MAIN: word"), kExitError);
  }
  return RunWord(**vm, main);
}

int RunImage(const Options& options, Compiler& compiler, int argc, char** argv) WEFT_NO_ANALYSIS {
  absl::StatusOr<std::unique_ptr<Vm>> vm = Vm::Create(options, &compiler);
  if (!vm.ok()) return Fail(vm.status(), kExitError);
  InstallCrashHandlers(**vm, argc, argv);
  const bool foreign = !options.image.empty();
  const std::string path = foreign ? options.image : DefaultImage();
  if (absl::Status status = LoadVmImage(**vm, path, foreign); !status.ok()) {
    return Fail(status, kExitError);
  }
  const Word startup = (*vm)->special(Special::kStartup);
  if (!startup.IsPointer()) {
    return Fail(absl::DataLossError(absl::StrCat(path, ": the image names no start-up word")),
                kExitError);
  }
  return RunWord(**vm, startup);
}

// A standard stream that was closed would give its number to the next file that is opened, and what
// is meant for it would go there. In its place stands a descriptor that refuses the transfer.
void FillClosedStandardStreams() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (fcntl(number, F_GETFD) != -1) continue;
    const int direction = number == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", direction) != number) _exit(kExitError);
  }
}

int Main(int argc, char** argv) {
  FillClosedStandardStreams();
  signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of the write, never a death
  absl::StatusOr<Options> options = ParseCommandLine(argc, argv);
  if (!options.ok()) {
    Fail(options.status(), kExitUsage);
    std::fprintf(stderr, "weft: see weft --help\n");
    return kExitUsage;
  }
  if (options->help) {
    std::fputs(HelpText().c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::printf(options->json ? "{\"name\": \"weft\", \"version\": \"%s\"}\n" : "weft %s\n",
                WEFT_VERSION);
    return 0;
  }
  Compiler compiler;
  return options->build_image.empty() ? RunImage(*options, compiler, argc, argv)
                                      : BuildImage(*options, compiler);
}

}  // namespace
}  // namespace weft

int main(int argc, char** argv) { return weft::Main(argc, argv); }
