// Assembles one Code object: instructions with labels, literals with fixed-up distances, stack
// maps, positions, and what must be kept alive for raw literals (cells, inline caches).
//
// Used for the small bodies that the VM makes itself (vm/word_code.h, dispatch chains) and by the
// compiler. Literals are held in roots until Finish, so the caller may allocate between calls.
// Errors: Finish returns f if an operand does not fit its field (code too large); the caller
// falls back to a smaller piece or reports it.
#ifndef WEFT_VM_CODE_BUILDER_H_
#define WEFT_VM_CODE_BUILDER_H_

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "gc/handle.h"
#include "vm/bytecode.h"
#include "vm/cells.h"
#include "vm/line_table.h"
#include "vm/objects.h"

namespace weft {

class Vm;

// An item of a stack map (vm/stack_map.h).
struct MapItem {
  enum Kind : char {
    kSlot = 'S',
    kLiteral = 'L',
    kInt = 'I',
    kOther = 'O',
    kCurried = 'C',   // the two items after it
    kComposed = 'K',  // the two items after it
    kDropped = 'X',
  };
  Kind kind;
  int32_t value;  // slot, literal number, fixnum or bits
};

// What Code::mode_and_counts holds.
constexpr Word CodeModeWord(CodeMode mode, uint32_t inputs, uint32_t outputs) {
  return Word::Fixnum(static_cast<int64_t>(mode) | int64_t{inputs} << 8 | int64_t{outputs} << 16);
}

class CodeBuilder {
 public:
  using Label = uint32_t;

  explicit CodeBuilder(Vm& vm);

  // Numbers for literals; equal words share one.
  uint32_t Literal(Word word) WEFT_NO_ALLOC;
  // A raw literal: the address of the word's cell. Keeps the word alive.
  uint32_t CellLiteral(Word word) WEFT_NO_ALLOC;
  // A raw literal: a new inline cache for calls of `generic`.
  uint32_t CacheLiteral(Word generic) WEFT_NO_ALLOC;
  // Keeps `word` alive as long as the code.
  void Keep(Word word) WEFT_NO_ALLOC;

  // Index of the next instruction word.
  uint32_t here() const { return static_cast<uint32_t>(words_.size()); }
  void Emit(uint32_t word) { words_.push_back(word); }
  void EmitABC(Op op, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0) {
    Emit(EncodeABC(op, a, b, c));
  }
  void EmitAD(Op op, uint32_t a, uint32_t d) { Emit(EncodeAD(op, a, d)); }
  // An instruction whose D is the distance to a literal.
  void EmitLiteral(Op op, uint32_t a, uint32_t literal);
  // op A B with the literal in Ext (kIsInstance), as a plain distance.
  void EmitExtLiteral(Op op, uint32_t a, uint32_t b, uint32_t literal);

  Label NewLabel();
  void Bind(Label label);
  // A jump whose distance stands in D, or in Ext if the opcode has one.
  void EmitJump(Op op, uint32_t a, uint32_t b, Label target);
  // The same for kJumpIfShape and the like, where D holds a count too.
  void EmitJumpD(Op op, uint32_t a, uint32_t d, Label target);
  void PatchD(uint32_t index, uint32_t d);

  // The stack map of the instruction just emitted. `live`: slots that the collector traces.
  void AddMap(const std::vector<bool>& live, const std::vector<MapItem>& stack,
              const std::vector<MapItem>& retained);
  // Slots 0..n-1 are live and are the items of the stack.
  void AddPlainMap(uint32_t n);

  // The instructions from here on come from this place of the source, inside a call that was
  // followed in place (AddCall), or not (0).
  void SetPosition(uint32_t line, uint32_t column, uint32_t call = 0);
  // Number of a call whose word is followed in place; `parent`: number of the one it stands in, 0:
  // none, -1: a tail call. See vm/line_table.h.
  uint32_t AddCall(Word word, Word path, int32_t parent, uint32_t line,
                   uint32_t column) WEFT_NO_ALLOC;

  // The Code object, or f. If the first instruction is an entry with charge 0, it gets its charge
  // (ChargeOf). `owner`: word or quotation; `path`: string or f (no positions then).
  Word Finish(CodeMode mode, uint32_t inputs, uint32_t outputs, const gc::Root& owner,
              const gc::Root& path) WEFT_ALLOCATES;

 private:
  struct Fixup {
    uint32_t at;      // instruction
    uint32_t target;  // literal or label
    enum Kind : uint8_t { kLiteralD, kLiteralExt, kJumpD, kJumpExt } kind;
  };
  struct Map {
    uint32_t pc;
    uint32_t offset;  // into map_bytes_
  };
  bool ApplyFixups();
  Word MakeLines(const gc::Root& path) WEFT_ALLOCATES;

  Vm& vm_;
  // Room for a word of ordinary size without memory of their own.
  absl::InlinedVector<uint32_t, 64> words_;
  gc::RootVector literals_;
  gc::RootVector keep_;
  absl::InlinedVector<InlineCache*, 8> caches_;
  absl::InlinedVector<Fixup, 16> fixups_;
  absl::InlinedVector<uint32_t, 16> labels_;
  absl::InlinedVector<Map, 16> maps_;
  PackedBytes map_bytes_;
  absl::InlinedVector<uint32_t, 96> positions_;  // index, line, column
  absl::InlinedVector<uint32_t, 16> spans_;      // index, number of the call
  gc::RootVector calls_;                         // word, path, parent, place
};

// The hooks of the code layout (gc::LayoutDescriptor).
size_t CodeObjectSize(const gc::Object* object);
void TraceCode(gc::Object* object, gc::SlotVisitor& visitor);

}  // namespace weft

#endif  // WEFT_VM_CODE_BUILDER_H_
