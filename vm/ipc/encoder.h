// From an object graph to bytes.
//
// Objects are numbered in the order of a breadth-first walk, so the walk's queue is the list of
// nodes and no stack is needed. What language code must describe (words, the classes of tuples,
// objects under ClassRule::kExtern, and everything that cannot travel) is collected as externs.
// Nothing here allocates in the heap: raw words stay valid for as long as an Encoder lives.
// Errors: a graph of more than the given limit of bytes is refused.
#ifndef WEFT_VM_IPC_ENCODER_H_
#define WEFT_VM_IPC_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "vm/ipc/message_format.h"
#include "vm/objects.h"

namespace weft {
class Vm;
}

namespace weft::ipc {

// What an extern stands for.
enum class ExternKind : uint8_t { kWord, kClass, kObject };

struct Extern {
  ExternKind kind;
  Word word;  // kClass: the layout
};

class Encoder {
 public:
  // `rules`: array of class word and ClassRule number, alternating; a class has the rule of its
  // nearest ancestor that has one. After `f` stands the length from which on a byte array is an
  // extern; without it none is.
  Encoder(Vm& vm, Word rules) WEFT_NO_ALLOC;

  // False if it takes more than `limit` bytes. The graph follows the 4 zero bytes of a message
  // without a preamble.
  bool Encode(Word root, size_t limit) WEFT_NO_ALLOC;
  std::vector<uint8_t> TakeBytes() { return std::move(bytes_); }
  [[nodiscard]] const std::vector<Extern>& externs() const { return externs_; }

  // The objects on a shortest way from root to target, both included; empty: there is none.
  std::vector<Word> FindPath(Word root, Word target) WEFT_NO_ALLOC;

 private:
  void Put8(uint8_t value) { bytes_.push_back(value); }
  void Put16(uint16_t value) { PutBytes(&value, sizeof value); }
  void Put32(uint32_t value) { PutBytes(&value, sizeof value); }
  void Put64(uint64_t value) { PutBytes(&value, sizeof value); }
  void PutBytes(const void* data, size_t size);
  void PutFixnum(int64_t value);
  void PutIndex(ValueTag tag8, uint32_t index);
  void PutValue(Word word) WEFT_NO_ALLOC;
  void PutNode(Word word) WEFT_NO_ALLOC;
  void PutString(Word word) WEFT_NO_ALLOC;
  void PutTuple(Word word) WEFT_NO_ALLOC;
  void PutTable(Word word, Word class_layout, ClassRule rule) WEFT_NO_ALLOC;
  bool PutVector(Word word, const Layout* layout) WEFT_NO_ALLOC;
  void NoteFound();
  uint32_t NodeNumber(Word word) WEFT_NO_ALLOC;
  uint32_t ExternNumber(ExternKind kind, Word word) WEFT_NO_ALLOC;
  bool IsNode(Word word) WEFT_NO_ALLOC;
  const Layout* LayoutOf(Word tuple) WEFT_NO_ALLOC;
  ClassRule RuleOf(const Layout* layout) WEFT_NO_ALLOC;
  bool Walk(Word root, size_t limit, Word stop_at) WEFT_NO_ALLOC;

  Vm& vm_;
  const Array* rules_;
  int64_t extern_bytes_ = INT64_MAX;
  std::vector<uint8_t> bytes_;
  std::vector<Word> nodes_;
  std::vector<uint32_t> parents_;  // of nodes, while a path is sought
  std::vector<Extern> externs_;
  absl::flat_hash_map<uint64_t, uint32_t> node_numbers_;    // looked up, never iterated
  absl::flat_hash_map<uint64_t, uint32_t> extern_numbers_;  // the same
  absl::flat_hash_map<uint32_t, ClassRule> rule_of_shape_;  // the same
  uint32_t current_ = 0;
  bool wants_parents_ = false;
  bool found_ = false;
  uint32_t found_at_ = 0;
  Word stop_at_{0};
};

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_ENCODER_H_
