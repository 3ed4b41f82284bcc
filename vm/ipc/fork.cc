#include "vm/ipc/fork.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "vm/io/io.h"
#include "vm/ipc/link.h"
#include "vm/ipc/shared_memory.h"
#include "vm/ipc/spawn.h"
#include "vm/line_table.h"
#include "vm/machine.h"
#include "vm/scheduler.h"
#include "vm/stack_walker.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft::ipc {
namespace {

constexpr int64_t kNoLink = -1;

// Everything the protocol keeps for itself.
struct State {
  // Links of children that were given up and may not be gone yet.
  std::vector<uint32_t> ending;
  int64_t link_to_parent = kNoLink;
  std::vector<std::pair<uint32_t, ForkPlace*>> places;  // of the children, by link
};

void FreePlace(ForkPlace* place) {
  if (place != nullptr) munmap(place, sizeof(ForkPlace));
}

State& TheState() {
  static State* const state = new State();
  return *state;
}

// A link without sockets whose process is gone is of no use to anybody.
void SweepEnding(Vm& vm) {
  LinkTable& links = LinkTable::Of(vm);
  std::vector<uint32_t>& ending = TheState().ending;
  std::erase_if(ending, [&links](uint32_t id) {
    const Link* link = links.Find(id);
    if (link != nullptr && !link->reaped()) return false;
    links.Remove(id);
    return true;
  });
}

// The first thing that happens in the child.
void BecomeChild(Vm& vm, pid_t parent, int data, int control) {
  // Without its parent nobody waits for the result. It may have died before this took effect.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(127);
  State& state = TheState();
  // First of all: what is closed or woken below must not reach into the parent's epoll set.
  vm.scheduler().StartAgainAfterFork();
  LinkTable::Of(vm).ForgetAll();
  state.ending.clear();
  SharedMemory::Of(vm).StartAgainAfterFork();
  vm.io().StartAgainAfterFork();
  state.link_to_parent = LinkTable::Of(vm).Add(vm, data, control)->id();
}

// The context in which the child runs the callable.
void StartMain(Vm& vm, const gc::Root& callable, Word namestack) WEFT_NO_ANALYSIS {
  Scheduler& scheduler = vm.scheduler();
  Context* context = scheduler.NewContext();
  context->namestack = namestack;
  scheduler.set_main_context(context);
  machine::PrepareContext(vm, *context, callable);
  scheduler.StartFirst(context);
}

int OpenPidfd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

ForkPlace* own_place = nullptr;

// The innermost frame of the program's own: code outside the image.
void WritePlace(Vm& vm) WEFT_NO_ANALYSIS {
  static const Code* last_code = nullptr;
  static uint32_t last_index = 0;
  constexpr int kFrames = 64;
  StackWalker walker(vm, StackState::Of(*vm.current()));
  for (int frames = 0; frames < kFrames;) {
    const StackWalker::Event event = walker.Next();
    if (event == StackWalker::Event::kEnd) return;
    if (event != StackWalker::Event::kStaticFrame && event != StackWalker::Event::kDynamicFrame) {
      continue;
    }
    ++frames;
    const Code* code = walker.code();
    if (reinterpret_cast<uint64_t>(code) - gc::kImageBase < gc::kImageSpan) continue;
    if (code == last_code && walker.pc_index() == last_index) return;
    const SourcePosition position = FindPosition(code, walker.pc_index());
    if (!IsType(position.path, TypeId::kString) || position.line == 0) continue;
    last_code = code;
    last_index = walker.pc_index();
    const std::string text = ToUtf8(position.path) + ":" + std::to_string(position.line) + ":" +
                             std::to_string(position.column);
    const uint32_t next = 1 - own_place->current;
    if (text.size() >= sizeof own_place->text[next]) return;
    std::memcpy(own_place->text[next], text.c_str(), text.size() + 1);
    __atomic_store_n(&own_place->current, next, __ATOMIC_RELEASE);
    return;
  }
}

std::string PlaceOf(uint32_t link) {
  for (const auto& [id, place] : TheState().places) {
    if (id == link && place != nullptr) return place->text[place->current & 1];
  }
  return "";
}

bool InForkedChild() { return TheState().link_to_parent != kNoLink; }
uint32_t LinkToParent() { return static_cast<uint32_t>(TheState().link_to_parent); }

void EndForkedChild(Vm& vm) {
  vm.io().FlushStandard();
  _exit(vm.exit_status);
}

int Fork(Vm& vm, const gc::Root& callable, Link** link, const char** failed) WEFT_NO_ANALYSIS {
  SweepEnding(vm);
  *link = nullptr;
  int data[2];
  int control[2];
  *failed = "socketpair";
  int error = MakeSockets(data, control);
  if (error != 0) return error;
  State& state = TheState();
  // SharedMemory's first use installs a handler: not between here and the child.
  (void)SharedMemory::Of(vm);
  const gc::Root namestack(vm.heap(), vm.current()->namestack);
  const pid_t parent = getpid();
  // Without it nothing is lost but a place in a report.
  void* memory =
      mmap(nullptr, sizeof(ForkPlace), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ForkPlace* place = memory == MAP_FAILED ? nullptr : new (memory) ForkPlace();
  vm.io().helpers().ParkAll();
  // A signal that came now would be noted by both.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork();
  error = errno;
  if (pid == 0) {
    own_place = place;
    state.places.clear();
    close(data[0]);
    close(control[0]);
    BecomeChild(vm, parent, data[1], control[1]);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    const int opened = LinkTable::Of(vm).Find(state.link_to_parent)->Open();
    if (opened != 0) _exit(126);
    StartMain(vm, callable, namestack.get());
    return 0;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  vm.io().helpers().ReleaseAll();
  close(data[1]);
  close(control[1]);
  int pidfd = -1;
  if (pid < 0) {
    *failed = "fork";
  } else {
    pidfd = OpenPidfd(pid);
    error = pidfd < 0 ? errno : 0;
    *failed = "pidfd_open";
  }
  Link* made = nullptr;
  if (error == 0) {
    made = LinkTable::Of(vm).Add(vm, data[0], control[0]);
    made->SetProcess(pid, pidfd);
    made->set_receive_reason(WaitReason::kFork);
    error = made->Open();
    *failed = "epoll_ctl";
    if (error == 0) {
      *link = made;
      state.places.emplace_back(made->id(), place);
      return 0;
    }
    LinkTable::Of(vm).Remove(made->id());
  } else {
    close(data[0]);
    close(control[0]);
  }
  FreePlace(place);
  if (pid > 0) {
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  return error;
}

void EndFork(Vm& vm, uint32_t id) WEFT_NO_ANALYSIS {
  std::erase_if(TheState().places, [id](const std::pair<uint32_t, ForkPlace*>& entry) {
    if (entry.first != id) return false;
    FreePlace(entry.second);
    return true;
  });
  Link* link = LinkTable::Of(vm).Find(id);
  if (link == nullptr) return;
  (void)link->Kill(SIGKILL);
  link->Close();
  TheState().ending.push_back(id);
  SweepEnding(vm);
}

}  // namespace weft::ipc
