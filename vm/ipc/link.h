// A link: one end of the connection between two VMs. Frames of messages go over the data socket,
// descriptors with them; credit and notices over the control socket, which is always drained.
//
// Both sockets are watched by the event loop; frames that came wait in an inbox. A sender may have
// kWindow bytes under way that the other program has not taken; then it waits in its own VM. A
// frame larger than that goes when nothing else is under way.
//
// Threads: the VM thread only. Ownership: links own their descriptors and those in frames that
// nobody took. Errors: errno values.
#ifndef WEFT_VM_IPC_LINK_H_
#define WEFT_VM_IPC_LINK_H_

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "vm/events.h"
#include "vm/ipc/frame.h"
#include "vm/objects.h"
#include "vm/wait.h"

namespace weft {
class Vm;
}

namespace weft::ipc {

// A control packet: u32 type, u32 0, u64 value.
enum class ControlType : uint32_t {
  kCredit = 1,  // so many bytes of messages were taken
  kJoined = 2,  // value 1: somebody waits for the sibling's end
  kBuild = 3,   // the first packet: checksum of the image
};
inline constexpr size_t kControlBytes = 16;

class Link {
 public:
  static constexpr size_t kWindow = size_t{1} << 20;
  static constexpr int kNoDescriptor = -1;

  Link(Vm& vm, uint32_t id, int data, int control);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // The process at the other end, whose exit is awaited here.
  void SetProcess(int pid, int pidfd);
  // What the record of a wait in Receive says.
  void set_receive_reason(WaitReason reason) { receive_reason_ = reason; }
  // Begins to watch. 0 or errno.
  int Open();

  // --- the sender's side
  // Takes the frame over. True: it has gone already; result 0 or the errno. Else the current
  // context is parked until it has (its wait's value is the same number).
  bool Send(Frame frame, Word object, int* result) WEFT_ALLOCATES;
  // --- the receiver's side
  // True: `*value` is the frame as an array { kind bytes descriptors }, or f as no more will come.
  // Else the current context is parked until then. Negative time-out: none.
  bool Receive(bool system, Word object, int64_t timeout_ns, Word* value) WEFT_ALLOCATES;
  [[nodiscard]] bool HasFrame() const { return !inbox_.empty(); }
  // True if the other end is gone and everything it sent is here. Else parks until then.
  bool WaitForEnd(Word object, int64_t timeout_ns) WEFT_ALLOCATES;

  void Notice(ControlType type, uint64_t value);
  // Nothing comes in or goes out until Open: while an end is on its way to another VM.
  void Detach();
  // 0 or errno; 0 as well if there is no process any more.
  int Kill(int signal);
  // Closes both sockets; the process, if there is one, is still awaited.
  void Close() WEFT_ALLOCATES;
  // In a forked child: gives up everything without telling anybody.
  void Forget();

  [[nodiscard]] uint32_t id() const { return id_; }
  [[nodiscard]] int pid() const { return pid_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool closed() const { return data_ == kNoDescriptor; }
  [[nodiscard]] bool reaped() const { return pid_ != 0 && pidfd_ == kNoDescriptor; }
  // Exit code, or minus the signal. REQUIRES: reaped().
  [[nodiscard]] int status() const { return status_; }
  // Somebody at the other end waits for this process to end.
  [[nodiscard]] bool peer_joins() const { return peer_joins_; }
  // The other end has said that it runs another image.
  [[nodiscard]] bool is_other_build() const;
  // Takes what has come on the control socket.
  void ReadControl();
  // What was wrong with what came; null: nothing.
  [[nodiscard]] const char* fault() const { return fault_; }

  // An end that is to move to another VM: nobody waits here and nothing is on its way out.
  [[nodiscard]] bool IsIdle() const;
  [[nodiscard]] int data() const { return data_; }
  [[nodiscard]] int control() const { return control_; }
  struct State {
    uint64_t outstanding;           // bytes sent and not taken by the other side
    uint64_t owed;                  // credit that could not be sent yet
    std::vector<uint8_t> buffered;  // frames that came and nobody took, without their marks
    std::vector<int> descriptors;   // that came with them, in this order
  };
  // Only when no frame is in part here. The descriptors stay the link's.
  bool Save(State* state) const;
  // False: the bytes are no whole frames. Takes the descriptors over.
  bool Restore(const State& state);

 private:
  struct Part : Watcher {
    void OnReady(uint32_t events) override;
    Link* link = nullptr;
    enum { kData, kControl, kProcess } role = kData;
  };
  struct Waiter : WaitOperation {
    void Abandon() override;
    Link* link = nullptr;
    uint32_t context_id = 0;
    uint32_t ticket = 0;
    enum { kSender, kReceiver, kSystemReceiver, kEnd } role = kReceiver;
  };
  struct Outgoing {
    Frame frame;
    std::vector<uint8_t> header;
    size_t sent = 0;       // bytes on the wire
    bool started = false;  // credit was taken
    Waiter* waiter = nullptr;
  };

  uint32_t Park(WaitReason reason, Word object, int64_t timeout_ns, Waiter* waiter) WEFT_ALLOCATES;
  Waiter* NewWaiter(decltype(Waiter::role) role);
  void Drop(Waiter* waiter);
  void Wake(Waiter* waiter, Word value) WEFT_ALLOCATES;

  void ReadData() WEFT_ALLOCATES;
  void PostTurn();
  bool ReadSome(size_t* budget);
  bool EndOfStage();
  bool TakeDescriptors(msghdr* header);
  void WriteData() WEFT_ALLOCATES;
  int WriteHead();
  void WriteControl();
  void FinishHead(int result) WEFT_ALLOCATES;
  void FailSenders(int result) WEFT_ALLOCATES;
  void OnProcessEnd() WEFT_ALLOCATES;
  void CheckEnded() WEFT_ALLOCATES;
  void Deliver() WEFT_ALLOCATES;
  Word TakeFrame(std::deque<Frame>& queue) WEFT_ALLOCATES;
  void Fault(const char* what);
  void CloseSockets();

  Vm& vm_;
  uint32_t id_;
  int data_;
  int control_;
  int pid_ = 0;
  int pidfd_ = kNoDescriptor;
  int status_ = 0;
  bool at_end_ = false;  // the data socket has given everything
  bool control_ended_ = false;
  bool ended_ = false;
  bool peer_joins_ = false;
  const char* fault_ = nullptr;
  WaitReason receive_reason_ = WaitReason::kVmMessage;
  Part data_part_, control_part_, process_part_;

  // The frame that is coming in.
  enum class Stage { kHeader, kMarks, kBody };
  Stage stage_ = Stage::kHeader;
  std::vector<uint8_t> in_;  // of this stage
  uint64_t wanted_ = kFrameHeaderBytes;
  Frame incoming_;
  uint32_t descriptors_wanted_ = 0;
  std::deque<Frame> inbox_, system_inbox_;
  size_t inbox_bytes_ = 0;

  std::deque<std::unique_ptr<Outgoing>> out_;
  uint64_t outstanding_ = 0;
  uint64_t credit_owed_ = 0;
  uint64_t peer_build_ = 0;  // 0: not known
  std::deque<std::pair<ControlType, uint64_t>> notices_;
  std::deque<std::unique_ptr<Waiter>> waiters_;
};

// All links of the VM. Numbers are not used again.
class LinkTable {
 public:
  static LinkTable& Of(Vm& vm);
  Link* Add(Vm& vm, int data, int control);
  [[nodiscard]] Link* Find(int64_t id) const;
  // Takes a closed link without a process out.
  void Remove(int64_t id);
  // In a forked child: its links are the parent's.
  void ForgetAll();
  // Descriptors that belong to links: for the fork protocol and leak tests.
  [[nodiscard]] std::vector<int> OwnDescriptors() const;

 private:
  std::deque<std::unique_ptr<Link>> links_;
};

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_LINK_H_
