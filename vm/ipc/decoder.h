// From bytes to an object graph. The bytes are not trusted: counts are held against the bytes that
// are left before anything is made from them, numbers of nodes and externs against how many there
// are, integers and code points against their ranges; what is wrong is said in words.
//
// Two passes: the first makes every object, empty; the second stores the references. So a node may
// refer to any other. Tables are left empty: their keys may need the program's own methods, hence
// language code fills them.
// Heap: allocates; everything is rooted in the Decoder. Refuses what the heap has no room for.
#ifndef WEFT_VM_IPC_DECODER_H_
#define WEFT_VM_IPC_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gc/handle.h"
#include "vm/ipc/message_format.h"
#include "vm/objects.h"

namespace weft {
class Vm;
}

namespace weft::ipc {

class Decoder {
 public:
  // `bytes`: a message, whose preamble is passed over; they must stay where they are. `externs`:
  // array of what the externs stand for here (a Layout where the extern is the class of a tuple).
  Decoder(Vm& vm, absl::Span<const uint8_t> bytes, const gc::Root& externs);

  // False: error() says why, or no_room() tells that the heap refused.
  bool Decode() WEFT_ALLOCATES;
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] size_t no_room() const { return no_room_; }

  [[nodiscard]] const gc::Root& root() const { return root_; }
  // Tables and what is to be stored in each: table, array of keys (and values), alternating.
  [[nodiscard]] const gc::RootVector& tables() const { return tables_; }
  // Tuples of classes whose slots have classes.
  [[nodiscard]] const gc::RootVector& typed() const { return typed_; }

 private:
  enum class Pass { kMake, kFill };

  bool Fail(const char* what);
  bool Take(void* target, size_t size);
  bool Take8(uint8_t* value) { return Take(value, 1); }
  bool Take32(uint32_t* value) { return Take(value, 4); }
  // A count of things that take at least `each` bytes.
  bool TakeCount(uint32_t* count, size_t each);
  [[nodiscard]] size_t left() const { return bytes_.size() - at_; }
  // Checks the value, and moves on.
  bool SkipValue();
  bool SkipValues(uint64_t count);
  // REQUIRES: SkipValue accepted it. Floats may allocate.
  Word TakeValue() WEFT_ALLOCATES;
  void StoreValue(size_t node, size_t slot) WEFT_ALLOCATES;

  bool Room(size_t bytes) WEFT_ALLOCATES;
  bool MakeNode() WEFT_ALLOCATES;
  bool MakeBytes() WEFT_ALLOCATES;
  bool MakeString() WEFT_ALLOCATES;
  bool MakeBignum() WEFT_ALLOCATES;
  bool MakeArray(uint32_t count) WEFT_ALLOCATES;
  bool MakeTuple() WEFT_ALLOCATES;
  bool MakeVector() WEFT_ALLOCATES;
  bool MakeTable() WEFT_ALLOCATES;
  bool MakeQuotation() WEFT_ALLOCATES;
  bool MakeInstance(uint32_t external, uint32_t* slots) WEFT_ALLOCATES;
  bool FillNode(size_t node) WEFT_ALLOCATES;
  bool FillTable(size_t node) WEFT_ALLOCATES;
  bool CheckQuotations() WEFT_ALLOCATES;

  Vm& vm_;
  absl::Span<const uint8_t> bytes_;
  size_t at_ = 0;
  const gc::Root& externs_;
  uint32_t node_count_ = 0;
  uint32_t extern_count_ = 0;
  gc::RootVector nodes_;
  std::vector<size_t> offsets_;  // where each node's first value stands
  std::vector<uint8_t> tags_;
  gc::Root root_;
  gc::RootVector tables_;
  gc::RootVector typed_;
  std::string error_;
  size_t no_room_ = 0;
};

}  // namespace weft::ipc

#endif  // WEFT_VM_IPC_DECODER_H_
