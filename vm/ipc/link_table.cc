// All links of the VM, and links that move to another.
#include <unistd.h>

#include "vm/ipc/link.h"
#include "vm/vm.h"

namespace weft::ipc {

// --- ends that move ----------------------------------------------------------------------------

bool Link::IsIdle() const { return out_.empty() && waiters_.empty() && !ended_ && pid_ == 0; }

bool Link::Save(State* state) const {
  if (stage_ != Stage::kHeader || !in_.empty() || !notices_.empty()) return false;
  state->outstanding = outstanding_;
  state->owed = credit_owed_;
  for (const Frame& frame : inbox_) {
    const std::vector<uint8_t> header = HeaderOf(frame);
    state->buffered.insert(state->buffered.end(), header.begin(), header.end());
    state->buffered.insert(state->buffered.end(), frame.bytes.begin(), frame.bytes.end());
    state->descriptors.insert(state->descriptors.end(), frame.descriptors.begin(),
                              frame.descriptors.end());
  }
  return true;
}

bool Link::Restore(const State& state) {
  outstanding_ = state.outstanding;
  credit_owed_ = state.owed;
  size_t at = 0;
  size_t next_descriptor = 0;
  const auto refuse = [&] {
    for (; next_descriptor < state.descriptors.size(); ++next_descriptor) {
      close(state.descriptors[next_descriptor]);
    }
    return false;
  };
  while (at < state.buffered.size()) {
    const size_t left = state.buffered.size() - at;
    const uint8_t* header = &state.buffered[at];
    if (left < kFrameHeaderBytes || FaultOfHeader(header) != nullptr) return refuse();
    const auto descriptors = size_t{LoadLittle<uint32_t>(header + 8)};
    const auto length = LoadLittle<uint64_t>(header + 16);
    if (length > left - kFrameHeaderBytes) return refuse();
    if (descriptors > state.descriptors.size() - next_descriptor) return refuse();
    Frame frame;
    frame.beside_kib = LoadLittle<uint32_t>(header + 12);
    frame.bytes.assign(header + kFrameHeaderBytes, header + kFrameHeaderBytes + length);
    const auto first = state.descriptors.begin() + static_cast<ptrdiff_t>(next_descriptor);
    frame.descriptors.assign(first, first + static_cast<ptrdiff_t>(descriptors));
    next_descriptor += descriptors;
    at += kFrameHeaderBytes + length;
    inbox_bytes_ += frame.CreditBytes();
    inbox_.push_back(std::move(frame));
  }
  return next_descriptor == state.descriptors.size() || refuse();
}

// --- the table ---------------------------------------------------------------------------------

// One VM per process (vm/vm.h), and the links end with the process.
LinkTable& LinkTable::Of(Vm&) {
  static LinkTable* const table = new LinkTable();
  return *table;
}

Link* LinkTable::Add(Vm& vm, int data, int control) {
  links_.push_back(std::make_unique<Link>(vm, static_cast<uint32_t>(links_.size()), data, control));
  return links_.back().get();
}

Link* LinkTable::Find(int64_t id) const {
  if (id < 0 || id >= static_cast<int64_t>(links_.size())) return nullptr;
  return links_[static_cast<size_t>(id)].get();
}

void LinkTable::Remove(int64_t id) {
  if (Find(id) != nullptr) links_[static_cast<size_t>(id)].reset();
}

void LinkTable::ForgetAll() {
  for (auto& link : links_) {
    if (link != nullptr) link->Forget();
  }
}

std::vector<int> LinkTable::OwnDescriptors() const {
  std::vector<int> result;
  for (const auto& link : links_) {
    if (link == nullptr) continue;
    if (link->data() >= 0) result.push_back(link->data());
    if (link->control() >= 0) result.push_back(link->control());
  }
  return result;
}

}  // namespace weft::ipc
