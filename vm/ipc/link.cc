#include "vm/ipc/link.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "gc/check.h"
#include "gc/image_format.h"
#include "vm/ipc/frame_value.h"
#include "vm/scheduler.h"
#include "vm/vm.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace weft::ipc {
namespace {

constexpr size_t kTurnBytes = size_t{256} << 10;
constexpr size_t kGrowBytes = size_t{256} << 10;
// Twice what a peer may send that keeps to its credit.
constexpr size_t kMaxInbox = 2 * Link::kWindow;

void CloseAll(std::vector<int>& descriptors) {
  for (const int fd : descriptors) close(fd);
  descriptors.clear();
}

// Of the image that is mapped.
uint64_t OwnBuild() {
  return reinterpret_cast<const gc::ImageHeader*>(gc::kImageBase)->body_checksum;
}

}  // namespace

Link::Link(Vm& vm, uint32_t id, int data, int control)
    : vm_(vm), id_(id), data_(data), control_(control) {
  data_part_.link = control_part_.link = process_part_.link = this;
  data_part_.role = Part::kData;
  control_part_.role = Part::kControl;
  process_part_.role = Part::kProcess;
}

Link::~Link() {
  CloseSockets();
  if (pidfd_ != kNoDescriptor) {
    vm_.scheduler().events().Unwatch(pidfd_, &process_part_);
    close(pidfd_);
  }
  for (std::deque<Frame>* queue : {&inbox_, &system_inbox_}) {
    for (Frame& frame : *queue) CloseAll(frame.descriptors);
  }
  CloseAll(incoming_.descriptors);
  for (auto& outgoing : out_) CloseAll(outgoing->frame.descriptors);
}

void Link::SetProcess(int pid, int pidfd) {
  pid_ = pid;
  pidfd_ = pidfd;
}

int Link::Open() {
  EventLoop& events = vm_.scheduler().events();
  int result = events.Watch(data_, EPOLLIN | EPOLLOUT | EPOLLRDHUP, &data_part_);
  if (result == 0) result = events.Watch(control_, EPOLLIN | EPOLLOUT, &control_part_);
  if (result == 0 && pidfd_ != kNoDescriptor) {
    result = events.Watch(pidfd_, EPOLLIN, &process_part_);
  }
  if (result == 0) Notice(ControlType::kBuild, OwnBuild());
  return result;
}

void Link::Detach() {
  EventLoop& events = vm_.scheduler().events();
  events.Unwatch(data_, &data_part_);
  events.Unwatch(control_, &control_part_);
}

void Link::CloseSockets() {
  EventLoop& events = vm_.scheduler().events();
  if (data_ != kNoDescriptor) {
    events.Unwatch(data_, &data_part_);
    close(data_);
  }
  if (control_ != kNoDescriptor) {
    events.Unwatch(control_, &control_part_);
    close(control_);
  }
  data_ = control_ = kNoDescriptor;
}

void Link::Forget() {
  // The epoll set was the parent's: Unwatch would reach into it, so only this copy is closed.
  if (data_ != kNoDescriptor) close(data_);
  if (control_ != kNoDescriptor) close(control_);
  if (pidfd_ != kNoDescriptor) close(pidfd_);
  data_ = control_ = pidfd_ = kNoDescriptor;
  pid_ = 0;
  ended_ = at_end_ = true;
  waiters_.clear();
  out_.clear();
}

// Called between slices, where allocating is fine (vm/events.h).
void Link::Part::OnReady(uint32_t events) WEFT_NO_ANALYSIS {
  switch (role) {
    case kData:
      if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) link->ReadData();
      if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) link->WriteData();
      break;
    case kControl:
      link->ReadControl();
      link->WriteControl();
      link->WriteData();
      link->CheckEnded();
      break;
    case kProcess:
      link->OnProcessEnd();
      break;
  }
}

// --- waiting -----------------------------------------------------------------------------------

Link::Waiter* Link::NewWaiter(decltype(Waiter::role) role) {
  waiters_.push_back(std::make_unique<Waiter>());
  Waiter* waiter = waiters_.back().get();
  waiter->link = this;
  waiter->role = role;
  return waiter;
}

void Link::Drop(Waiter* waiter) {
  const auto place = std::find_if(waiters_.begin(), waiters_.end(),
                                  [waiter](const auto& other) { return other.get() == waiter; });
  if (place != waiters_.end()) waiters_.erase(place);
}

uint32_t Link::Park(WaitReason reason, Word object, int64_t timeout_ns, Waiter* waiter) {
  waiter->context_id = vm_.current()->id;
  waiter->ticket = vm_.scheduler().BeginWait(reason, object, timeout_ns, waiter);
  return waiter->ticket;
}

// The wait ended in another way. A frame that has not begun to go is taken back.
void Link::Waiter::Abandon() {
  for (auto place = link->out_.begin(); place != link->out_.end(); ++place) {
    if ((*place)->waiter != this) continue;
    (*place)->waiter = nullptr;
    if (!(*place)->started) {
      CloseAll((*place)->frame.descriptors);
      link->out_.erase(place);
      link->PostTurn();  // what stood behind it may fit
    }
    break;
  }
  link->Drop(this);
}

void Link::Wake(Waiter* waiter, Word value) {
  const uint32_t context_id = waiter->context_id;
  const uint32_t ticket = waiter->ticket;
  Drop(waiter);
  vm_.scheduler().EndWait(context_id, ticket, value);
}

// --- sending -----------------------------------------------------------------------------------

bool Link::Send(Frame frame, Word object, int* result) {
  if (data_ == kNoDescriptor || ended_ || fault_ != nullptr) {
    CloseAll(frame.descriptors);
    *result = EPIPE;
    return true;
  }
  auto outgoing = std::make_unique<Outgoing>();
  outgoing->frame = std::move(frame);
  outgoing->header = HeaderOf(outgoing->frame);
  Outgoing* entry = outgoing.get();
  const bool is_first = out_.empty();
  out_.push_back(std::move(outgoing));
  if (is_first) {
    const int status = WriteHead();
    if (status != EAGAIN) {
      CloseAll(entry->frame.descriptors);
      out_.pop_front();
      *result = status;
      return true;
    }
  }
  entry->waiter = NewWaiter(Waiter::kSender);
  Park(WaitReason::kVmCredit, object, -1, entry->waiter);
  return false;
}

// As much of the first frame as goes: 0 all of it, EAGAIN not yet, else the error.
int Link::WriteHead() {
  Outgoing& head = *out_.front();
  const size_t size = head.frame.WireBytes();
  if (!head.started) {
    if (head.frame.kind == FrameKind::kMessage) {
      const size_t credit = head.frame.CreditBytes();
      if (outstanding_ != 0 && outstanding_ + credit > kWindow) return EAGAIN;
      outstanding_ += credit;
    }
    head.started = true;
  }
  const size_t marks = MarksFor(head.frame.descriptors.size());
  const size_t body_at = kFrameHeaderBytes + marks;
  while (head.sent < size) {
    iovec parts[2] = {};
    msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = 1;
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(kDescriptorsPerMark * sizeof(int))];
    uint8_t mark = kDescriptorMark;
    if (head.sent < kFrameHeaderBytes) {
      parts[0] = {head.header.data() + head.sent, kFrameHeaderBytes - head.sent};
      if (marks == 0 && !head.frame.bytes.empty()) {
        parts[1] = {head.frame.bytes.data(), head.frame.bytes.size()};
        message.msg_iovlen = 2;
      }
    } else if (head.sent < body_at) {
      const size_t first = (head.sent - kFrameHeaderBytes) * kDescriptorsPerMark;
      const size_t count = std::min(kDescriptorsPerMark, head.frame.descriptors.size() - first);
      parts[0] = {&mark, 1};
      std::memset(control, 0, sizeof control);
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(count * sizeof(int));
      cmsghdr* item = CMSG_FIRSTHDR(&message);
      item->cmsg_level = SOL_SOCKET;
      item->cmsg_type = SCM_RIGHTS;
      item->cmsg_len = CMSG_LEN(count * sizeof(int));
      std::memcpy(CMSG_DATA(item), &head.frame.descriptors[first], count * sizeof(int));
    } else {
      const size_t at = head.sent - body_at;
      parts[0] = {head.frame.bytes.data() + at, head.frame.bytes.size() - at};
    }
    const ssize_t sent = sendmsg(data_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      // Too many descriptors on their way: the other side must take some first.
      if (errno == ETOOMANYREFS) return EAGAIN;
      return errno == EWOULDBLOCK ? EAGAIN : errno;
    }
    head.sent += static_cast<size_t>(sent);
  }
  return 0;
}

void Link::FinishHead(int result) {
  const std::unique_ptr<Outgoing> head = std::move(out_.front());
  out_.pop_front();
  CloseAll(head->frame.descriptors);
  if (head->waiter != nullptr) Wake(head->waiter, Word::Fixnum(result));
}

void Link::WriteData() {
  while (!out_.empty() && data_ != kNoDescriptor) {
    const int status = WriteHead();
    if (status == EAGAIN) return;
    // What follows half a frame would not be understood.
    if (status != 0 && out_.front()->sent > 0) fault_ = "a message that could not be sent whole";
    FinishHead(status);
  }
}

void Link::FailSenders(int result) {
  while (!out_.empty()) FinishHead(result);
}

// --- receiving ---------------------------------------------------------------------------------

void Link::Fault(const char* what) {
  if (fault_ == nullptr) fault_ = what;
  CloseAll(incoming_.descriptors);
  at_end_ = true;
}

// Descriptors that came with the last bytes.
bool Link::TakeDescriptors(msghdr* header) {
  bool fits = (header->msg_flags & MSG_CTRUNC) == 0;
  for (cmsghdr* item = CMSG_FIRSTHDR(header); item != nullptr; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = 0;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof fd);
      incoming_.descriptors.push_back(fd);
    }
    fits = fits && stage_ == Stage::kMarks;
  }
  if (!fits) Fault("descriptors that were cut off or came out of place");
  return fits;
}

// One receive of at most what the stage wants; false: nothing more for now.
bool Link::ReadSome(size_t* budget) {
  const size_t have = in_.size();
  size_t room = static_cast<size_t>(std::min<uint64_t>(wanted_ - have, kGrowBytes));
  // Each mark is read by itself: descriptors of two would not fit.
  if (stage_ == Stage::kMarks) room = 1;
  in_.resize(have + room);
  iovec part = {in_.data() + have, room};
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(kDescriptorsPerMark * sizeof(int))];
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t count = recvmsg(data_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  const int error = errno;
  in_.resize(have + (count > 0 ? static_cast<size_t>(count) : 0));
  if (count < 0) {
    if (error == EINTR) return true;
    if (error != EAGAIN && error != EWOULDBLOCK) at_end_ = true;
    return false;
  }
  if (count == 0) {
    if (stage_ != Stage::kHeader || have != 0) fault_ = "a message that was cut off";
    at_end_ = true;
    return false;
  }
  *budget -= std::min(*budget, static_cast<size_t>(count));
  if (message.msg_controllen > 0 && !TakeDescriptors(&message)) return false;
  return in_.size() < wanted_ || EndOfStage();
}

// The stage is complete: on to the next, or the frame is.
bool Link::EndOfStage() {
  switch (stage_) {
    case Stage::kHeader: {
      const char* fault = FaultOfHeader(in_.data());
      if (fault != nullptr) {
        Fault(fault);
        return false;
      }
      incoming_.kind = static_cast<FrameKind>(in_[6]);
      descriptors_wanted_ = LoadLittle<uint32_t>(&in_[8]);
      incoming_.beside_kib = LoadLittle<uint32_t>(&in_[12]);
      const auto length = LoadLittle<uint64_t>(&in_[16]);
      in_.clear();
      incoming_.bytes.clear();
      stage_ = Stage::kMarks;
      wanted_ = MarksFor(descriptors_wanted_);
      if (wanted_ == 0) {
        stage_ = Stage::kBody;
        wanted_ = length;
        if (length == 0) return EndOfStage();
      } else {
        AppendLittle(incoming_.bytes, length);  // kept until the marks are read
      }
      return true;
    }
    case Stage::kMarks: {
      if (incoming_.descriptors.size() != descriptors_wanted_) {
        Fault("another number of descriptors than was announced");
        return false;
      }
      wanted_ = LoadLittle<uint64_t>(incoming_.bytes.data());
      stage_ = Stage::kBody;
      in_.clear();
      return wanted_ != 0 || EndOfStage();
    }
    case Stage::kBody: {
      incoming_.bytes = std::move(in_);
      in_ = std::vector<uint8_t>();
      const bool is_message = incoming_.kind == FrameKind::kMessage;
      if (is_message) inbox_bytes_ += incoming_.CreditBytes();
      (is_message ? inbox_ : system_inbox_).push_back(std::move(incoming_));
      incoming_ = Frame();
      stage_ = Stage::kHeader;
      wanted_ = kFrameHeaderBytes;
      return true;
    }
  }
  return false;
}

void Link::ReadData() {
  size_t budget = kTurnBytes;
  while (data_ != kNoDescriptor && !at_end_ && budget > 0) {
    if (inbox_bytes_ > kMaxInbox && inbox_.size() > 1) {
      Fault("more messages than there was credit for");
      break;
    }
    if (!ReadSome(&budget)) break;
  }
  Deliver();
  if (budget == 0 && !at_end_) {
    PostTurn();  // others have theirs first
  }
  CheckEnded();
}

// Goes on a little later; the number finds the link if it still is there.
void Link::PostTurn() {
  Vm& vm = vm_;
  const uint32_t id = id_;
  vm_.scheduler().events().Post([&vm, id]() WEFT_NO_ANALYSIS {
    Link* link = LinkTable::Of(vm).Find(id);
    if (link == nullptr) return;
    link->ReadData();
    link->WriteData();
  });
}

Word Link::TakeFrame(std::deque<Frame>& queue) {
  Frame frame = std::move(queue.front());
  queue.pop_front();
  if (frame.kind == FrameKind::kMessage) {
    const size_t size = frame.CreditBytes();
    inbox_bytes_ -= size;
    credit_owed_ += size;
    WriteControl();
  }
  return MakeFrameValue(vm_, frame);
}

// Hands what came to those who wait, in order; f if no more can come.
void Link::Deliver() {
  size_t i = 0;
  while (i < waiters_.size()) {
    Waiter* waiter = waiters_[i].get();
    const bool is_receiver =
        waiter->role == Waiter::kReceiver || waiter->role == Waiter::kSystemReceiver;
    std::deque<Frame>& queue = waiter->role == Waiter::kReceiver ? inbox_ : system_inbox_;
    if (!is_receiver || (queue.empty() && !ended_)) {
      ++i;
      continue;
    }
    Wake(waiter, queue.empty() ? gc::kFalse : TakeFrame(queue));
  }
}

bool Link::Receive(bool system, Word object, int64_t timeout_ns, Word* value) {
  std::deque<Frame>& queue = system ? system_inbox_ : inbox_;
  if (!queue.empty()) {
    *value = TakeFrame(queue);
    return true;
  }
  if (ended_) {
    *value = gc::kFalse;
    return true;
  }
  Park(receive_reason_, object, timeout_ns,
       NewWaiter(system ? Waiter::kSystemReceiver : Waiter::kReceiver));
  return false;
}

bool Link::WaitForEnd(Word object, int64_t timeout_ns) {
  if (ended_) return true;
  Park(WaitReason::kVmEnd, object, timeout_ns, NewWaiter(Waiter::kEnd));
  return false;
}

// --- control -----------------------------------------------------------------------------------

void Link::ReadControl() {
  while (control_ != kNoDescriptor && !control_ended_) {
    uint8_t packet[kControlBytes];
    const ssize_t count = recv(control_, packet, sizeof packet, MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) control_ended_ = true;
      return;
    }
    if (count == 0) {
      control_ended_ = true;
      return;
    }
    if (count != static_cast<ssize_t>(kControlBytes)) continue;
    const auto value = LoadLittle<uint64_t>(packet + 8);
    switch (static_cast<ControlType>(LoadLittle<uint32_t>(packet))) {
      case ControlType::kCredit:
        outstanding_ -= std::min(outstanding_, value);
        break;
      case ControlType::kJoined:
        peer_joins_ = value != 0;
        break;
      case ControlType::kBuild:
        peer_build_ = value;
        break;
      default:
        break;  // of a later version: no harm
    }
  }
}

void Link::WriteControl() {
  while (control_ != kNoDescriptor && (credit_owed_ > 0 || !notices_.empty())) {
    const bool is_credit = credit_owed_ > 0;
    std::vector<uint8_t> packet;
    AppendLittle(packet,
                 static_cast<uint32_t>(is_credit ? ControlType::kCredit : notices_.front().first));
    AppendLittle(packet, uint32_t{0});
    AppendLittle(packet, is_credit ? credit_owed_ : notices_.front().second);
    const ssize_t sent = send(control_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        credit_owed_ = 0;
        notices_.clear();
      }
      return;  // EPOLLOUT tells when there is room
    }
    if (is_credit) {
      credit_owed_ = 0;
    } else {
      notices_.pop_front();
    }
  }
}

void Link::Notice(ControlType type, uint64_t value) {
  notices_.emplace_back(type, value);
  WriteControl();
}

// --- ends --------------------------------------------------------------------------------------

bool Link::is_other_build() const { return peer_build_ != 0 && peer_build_ != OwnBuild(); }

int Link::Kill(int signal) {
  if (pidfd_ == kNoDescriptor) return 0;
  if (syscall(SYS_pidfd_send_signal, pidfd_, signal, nullptr, 0) == 0) return 0;
  return errno == ESRCH ? 0 : errno;
}

void Link::OnProcessEnd() {
  if (pidfd_ == kNoDescriptor) return;
  siginfo_t info = {};
  int result;
  do {
    result =
        waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_), &info, WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result == 0 && info.si_pid == 0) return;  // not yet
  status_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
  vm_.scheduler().events().Unwatch(pidfd_, &process_part_);
  close(pidfd_);
  pidfd_ = kNoDescriptor;
  // What it sent is in the socket; a descriptor of it may live on in a child of its own.
  ReadData();
}

// Ended: everything that was sent is here, and the process, if there is one, is gone.
void Link::CheckEnded() {
  if (ended_) return;
  if (fault_ != nullptr && pid_ != 0) Kill(SIGKILL);
  if (at_end_ || control_ended_) FailSenders(EPIPE);
  if (pid_ != 0 && pidfd_ != kNoDescriptor) return;
  if (pid_ == 0 && !at_end_) return;
  if (!at_end_ && data_ != kNoDescriptor && fault_ == nullptr) {
    // The process is gone: is there more to read?
    uint8_t byte;
    if (recv(data_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0) return;
    if (stage_ != Stage::kHeader || !in_.empty()) fault_ = "a message that was cut off";
  }
  ended_ = true;
  FailSenders(EPIPE);
  CloseSockets();
  Deliver();
  for (size_t i = 0; i < waiters_.size();) {
    Waiter* waiter = waiters_[i].get();
    if (waiter->role == Waiter::kEnd) {
      Wake(waiter, gc::kTrue);
    } else {
      ++i;
    }
  }
}

void Link::Close() {
  at_end_ = true;
  CloseSockets();
  CheckEnded();
  Deliver();
}

}  // namespace weft::ipc
