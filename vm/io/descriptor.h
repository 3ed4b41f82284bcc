// A descriptor of the system that the program owns: its readiness, its buffers, and the transfers
// that threads wait for.
//
// A thread asks for a whole transfer. It is tried at once; what cannot be done without waiting goes
// on when epoll (or a helper thread, for what epoll refuses) says so, at most kTurnBytes a turn,
// and the thread is woken once, with the result or the error. Readiness is a flag per direction,
// cleared by EAGAIN; for a TCP connection also by a short read, since whatever comes later brings a
// new event (urgent data and hang-ups, which break that rule, switch it off).
//
// Reading: `in_` holds bytes that came and nobody took yet (a time-out, or the rest of a block in
// which a line ended). Large transfers go straight to and from byte-array memory. Writing: `out_`
// collects what streams write; a flush, or too much of it, sends it.
//
// Owned by the Io table; VM thread only. Errors: errno values, or error objects of the language.
#ifndef WEFT_VM_IO_DESCRIPTOR_H_
#define WEFT_VM_IO_DESCRIPTOR_H_

#include <bitset>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "gc/handle.h"
#include "vm/events.h"
#include "vm/io/byte_queue.h"
#include "vm/wait.h"

namespace weft {
struct Context;
class Vm;
}  // namespace weft

namespace weft::io {

class Io;
class Descriptor;
using gc::Word;

enum class FdKind : uint8_t {
  kStream,    // a pipe, a terminal: whatever epoll watches
  kTcp,       // a connection
  kUnix,      // a Unix stream: descriptors may travel on it
  kDatagram,  // UDP, Unix datagrams
  kListener,
  kDevice,  // read and written directly: /dev/null, files the process was born with
  kHelped,  // regular files, and what may block: helper threads read and write
};

enum class TransferKind : uint8_t {
  kNone,
  // reading
  kSome,       // at least a byte, as much as there is now; empty at the end
  kAll,        // exactly so many
  kFill,       // so many, or what there is up to the end
  kUntil,      // a frame with its separator
  kByte,       // one byte as a number, f at the end
  kDelimited,  // up to one of a set of bytes: { bytes separator/f }, or f at the end
  kReadable,
  kAccept,   // { handle address }
  kReceive,  // a datagram: { bytes address }
  kFds,      // { bytes handles }
  // writing
  kSend,  // all of a byte array
  kSendSome,
  kWritable,
  kConnect,
  kSendTo,
  kSendFds,
  kSendFile,
};

// How far a transfer got.
enum class Step : uint8_t {
  kDone,    // `value` is the result
  kFailed,  // `value` is the error
  kWait,    // for readiness
  kTurn,    // its turn is over; there is more to do at once
};

// One transfer that a thread waits for.
struct Transfer final : WaitOperation {
  Descriptor* owner = nullptr;
  TransferKind kind = TransferKind::kNone;
  bool writes = false;
  Context* context = nullptr;
  uint32_t ticket = 0;
  uint32_t root = 0;  // of a heap object it works on (Io::roots); 0: none
  size_t wanted = 0;
  size_t done = 0;
  uint64_t head_end = 0;  // writing: this much of `out_` goes first (a position)
  std::string text;       // separator; address
  std::unique_ptr<std::bitset<256>> set;
  std::vector<int> fds;  // kSendFds: own copies
  uint64_t file = 0;     // kSendFile: a handle, since the program may close it meanwhile

  void Abandon() override;
};

// A thread that waits for its turn, or until so much has been sent.
struct Waiter final : WaitOperation {
  Descriptor* owner = nullptr;
  Context* context = nullptr;
  uint32_t ticket = 0;
  uint64_t position = 0;
  bool writes = false;

  void Abandon() override;
};

class Descriptor final : public Watcher {
 public:
  static constexpr size_t kTurnBytes = 256 << 10;
  static constexpr size_t kMaxFdsPerFrame = 253;   // SCM_MAX_FD
  static constexpr size_t kFlushBytes = 64 << 10;  // a writer waits when so much is unsent

  Descriptor(Io& io, int fd, FdKind kind);
  ~Descriptor() override;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] FdKind kind() const { return kind_; }
  [[nodiscard]] bool is_socket() const { return is_socket_; }
  [[nodiscard]] uint64_t handle() const { return handle_; }
  void set_handle(uint64_t handle) { handle_ = handle; }
  void set_is_socket(bool is_socket) { is_socket_ = is_socket; }
  // Regular: reads that need not wait for the disk are made at once.
  void set_regular(bool regular) { is_regular_ = regular; }
  void set_nonblocking(bool nonblocking) { is_nonblocking_ = nonblocking; }
  // The end is remembered: a terminal is not asked twice.
  void set_sticky_end() { sticky_end_ = true; }
  // One of the process's own: 0, 1, 2. Its reader's end ends the program quietly.
  void set_standard(int number) { standard_ = number; }
  [[nodiscard]] int standard() const { return standard_; }
  // Standard output to a regular file goes in blocks, to all others line by line.
  [[nodiscard]] bool sends_lines() const { return !is_regular_; }
  // For messages: the path or address as text, or the peer's sockaddr, formatted when needed.
  void set_name(absl::string_view name) { name_ = std::string(name); }
  void set_peer(std::string sockaddr) { peer_ = std::move(sockaddr); }
  [[nodiscard]] std::string Name() const;

  ByteQueue& in() { return in_; }
  ByteQueue& out() { return out_; }
  Transfer& reader() { return reader_; }
  Transfer& writer() { return writer_; }

  // Goes on with the transfer; at most one turn.
  Step ProgressRead(gc::Root& value) WEFT_ALLOCATES;
  Step ProgressWrite(gc::Root& value) WEFT_ALLOCATES;
  // Sends what `out_` holds. kDone: all of it.
  Step ProgressOut(gc::Root& value) WEFT_ALLOCATES;

  // The current thread starts to wait for the transfer, from a primitive.
  void Park(Transfer& transfer, WaitReason reason, Word object, int64_t timeout_ns, Step step);
  // ... for its turn to read, or until out_ is sent up to `position`.
  void ParkTurn(bool writes, WaitReason reason, Word object, int64_t timeout_ns, uint64_t position);
  // In the next turn the transfers go on.
  void ScheduleTurn();

  void OnReady(uint32_t events) override;
  // Both directions go on, as far as they can.
  void RunTurn() WEFT_ALLOCATES;
  // A thread that reads is done: it is the turn of the next in line.
  void WakeNextReader() WEFT_ALLOCATES;
  // A transfer is over; what it held is given back.
  void Release(Transfer& transfer);
  // Wakes everybody with `error`; no transfer is left.
  void FailAll(const gc::Root& error) WEFT_ALLOCATES;
  // A transfer is over without its thread being told.
  void Drop(Transfer& transfer);
  void DropWaiter(Waiter* waiter);
  // Registers with epoll, if that is needed. 0 or errno.
  int EnsureWatched();
  void Unwatch();

  // A helper thread's work for this descriptor came back.
  [[nodiscard]] int jobs() const { return jobs_; }
  void BeginJob() { ++jobs_; }
  void EndJob() { --jobs_; }
  // What a helper has written is no longer to be sent. REQUIRES: jobs() == 0.
  void SettleHelped() {
    if (helped_written_ > 0 && helped_written_ <= out_.size()) out_.Consume(helped_written_);
    helped_written_ = 0;
  }
  // In a forked child: transfers and unsent output are the parent's.
  void StartAgainAfterFork();

  // The next byte, if it is a newline, belongs to a line that was read already.
  void SkipNewline() {
    if (in_.empty()) {
      skip_newline_ = true;
    } else if (*in_.data() == '\n') {
      in_.Consume(1);
    }
  }
  // REQUIRES: in() is not empty.
  // A line of UTF-8 text that has arrived in full, without the carriage return or newline that ends
  // it, which is taken too and answered; -1: none has, or something makes it less simple.
  int TakeLine(gc::Root& line) WEFT_ALLOCATES;
  int TakeByte() {
    const auto byte = static_cast<uint8_t>(*in_.data());
    in_.Consume(1);
    if (!carried_.empty()) DropFdsBefore(in_.position());
    return byte;
  }
  // The connection is under way.
  void BeginConnect() { writable_ = false; }
  // A listener for Unix connections, whose peers often have no name.
  void set_local() { is_local_ = true; }
  // The file position changed.
  void ForgetRead() {
    in_.Clear();
    scanned_ = 0;
    end_seen_ = helped_end_ = skip_newline_ = false;
    helped_error_ = 0;
  }

 private:
  friend struct Transfer;
  enum class Got : uint8_t { kBytes, kEnd, kAgain, kError };

  // One read of at most `size` bytes; kBytes: *got of them.
  Got Read(char* to, size_t size, size_t* got);
  Got ReadWithFds(char* to, size_t size, size_t* got);
  // One read into in_, of about `size` bytes.
  Got Fill(size_t size, size_t* got);
  Got FillHelped(size_t size, size_t* got);
  void Arrived(const char* bytes, size_t size);
  // One write; *sent bytes went.
  Got Write(const char* from, size_t size, size_t* sent);
  Got WriteHelped(const char* from, size_t size, size_t* sent);

  Step ReadSome(gc::Root& value) WEFT_ALLOCATES;
  Step ReadAll(gc::Root& value) WEFT_ALLOCATES;
  Step ReadInPlace(gc::Root& value) WEFT_ALLOCATES;
  Step ReadFill(gc::Root& value) WEFT_ALLOCATES;
  Step ReadByte(gc::Root& value) WEFT_ALLOCATES;
  Step ReadUntil(gc::Root& value) WEFT_ALLOCATES;
  Step ReadDelimited(gc::Root& value) WEFT_ALLOCATES;
  Step ReadReadable(gc::Root& value) WEFT_ALLOCATES;
  Step Accept(gc::Root& value) WEFT_ALLOCATES;
  Step Receive(gc::Root& value) WEFT_ALLOCATES;
  Step ReceiveFds(gc::Root& value) WEFT_ALLOCATES;
  Step Send(gc::Root& value) WEFT_ALLOCATES;
  Step SendFds(gc::Root& value) WEFT_ALLOCATES;
  Step SendTo(gc::Root& value) WEFT_ALLOCATES;
  Step SendFile(gc::Root& value) WEFT_ALLOCATES;
  Step Connect(gc::Root& value) WEFT_ALLOCATES;
  // So many bytes of in_ as a byte array.
  Step TakeBytes(size_t size, gc::Root& value) WEFT_ALLOCATES;
  Step Fail(int error, absl::string_view operation, gc::Root& value,
            int64_t count = -1) WEFT_ALLOCATES;
  Step ShortRead(gc::Root& value) WEFT_ALLOCATES;
  // The in-flight part of an in-place transfer goes back to in_.
  void ReturnBytes(Transfer& transfer);
  void Finish(Transfer& transfer, Step step, const gc::Root& value) WEFT_ALLOCATES;
  void WakeFlushed() WEFT_ALLOCATES;
  void DropFdsBefore(uint64_t position);
  void NoteAgain(bool reading);

  Io& io_;
  int fd_;
  FdKind kind_;
  bool is_socket_ = false;
  bool is_nonblocking_ = false;
  bool is_regular_ = false;
  bool sticky_end_ = false;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;  // hang-up, error or urgent data were seen: a short read proves nothing
  bool watched_ = false;
  bool turn_pending_ = false;
  bool end_seen_ = false;
  bool reading_job_ = false;
  bool writing_job_ = false;
  bool helped_end_ = false;
  bool no_nowait_ = false;  // the file system knows no RWF_NOWAIT
  int standard_ = -1;
  int jobs_ = 0;
  int read_error_ = 0;    // of the last Got::kError
  int helped_error_ = 0;  // that a helper's read met
  int helped_write_error_ = 0;
  size_t helped_written_ = 0;
  bool helped_end_write_ = false;
  uint32_t write_generation_ = 0;  // of transfers, for what helpers bring back
  size_t scanned_ = 0;             // of in_, for separators
  uint64_t handle_ = 0;
  std::string name_, peer_;
  ByteQueue in_, out_;
  Transfer reader_, writer_;
  std::vector<std::unique_ptr<Waiter>> turns_;    // threads whose turn to read comes later
  std::vector<std::unique_ptr<Waiter>> flushes_;  // threads that wait for out_ to be sent
  // Descriptors that came, with the position of the first byte they came with.
  struct Carried {
    uint64_t position;
    std::vector<int> fds;
  };
  std::deque<Carried> carried_;
  struct Accepted {
    int fd;
    std::string peer;
  };
  std::deque<Accepted> accepted_;
  bool is_local_ = false;
  bool skip_newline_ = false;
  bool carried_cut_ = false;  // some did not fit: the next kFds says so
};

}  // namespace weft::io

#endif  // WEFT_VM_IO_DESCRIPTOR_H_
