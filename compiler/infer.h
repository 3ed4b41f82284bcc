// Follows a quotation over abstract stacks and builds the instructions of one procedure: stack
// effect inference and code generation are the same walk.
//
// Tail levels. Level 0 is the procedure, each loop that is open adds one. A position has tail level
// T if nothing is left to do in all levels >= T: at T == 0 it is in tail position of the procedure,
// at T <= k a call of loop k's word may jump back to its header. kNotTail: something is left.
//
// The data stack starts with the inputs. In `infer` mode it starts with more items than can be
// needed, and `low` tells how far down the code really reached.
#ifndef WEFT_COMPILER_INFER_H_
#define WEFT_COMPILER_INFER_H_

#include <climits>
#include <vector>

#include "compiler/unit.h"
#include "vm/primitives.h"

namespace weft::compiler {

inline constexpr int kNotTail = INT_MAX;

struct Retained {
  ValueId value;
  bool is_local;  // load-local; else held by dip
};

// How the path that leads to this state ended.
enum class End : uint8_t {
  kOpen,        // it goes on
  kReturned,    // has left the procedure; its stack still counts for the balance
  kLooped,      // jumped back to a loop header
  kTerminated,  // called a word that never returns
};

struct State {
  Vector<ValueId> data;
  Vector<Retained> retained;
  int block = 0;
  int low = 0;              // the least height the data stack was read down to
  bool others_ran = false;  // code that is not in sight may have run since the entry
  End end = End::kOpen;
};

class Builder {
 public:
  // `register_inputs`: how many registers are inputs.
  Builder(Unit& unit, Procedure& procedure, int register_inputs, bool infer_only);

  // The stacks at the entry, set before Run.
  State& state() { return s_; }
  // Follows the quotation to its end and returns from the procedure (unless infer_only).
  // False: unit.stop says why.
  bool Run(Word quotation, ScopeId scope, int expected_outputs) WEFT_NO_ALLOC;

  // Whether the procedure ran to an end with a number of results other than expected.
  [[nodiscard]] bool wrong_outputs() const { return wrong_outputs_; }

 private:
  friend class SpecialForms;
  struct Undo;

  // infer.cc: elements, callables, operands
  bool RunQuotation(Word quotation, ScopeId scope, int tail) WEFT_NO_ALLOC;
  void NoteSite(Word element) WEFT_NO_ALLOC;
  void AddPieces(ValueId callable, Site::Pieces* pieces) WEFT_NO_ALLOC;
  bool RunElement(Word element, int tail) WEFT_NO_ALLOC;
  bool RunCallable(ValueId callable, int tail, Word who) WEFT_NO_ALLOC;
  bool RunCallableParts(ValueId callable, int tail, Word who) WEFT_NO_ALLOC;
  void NoteDeclaredHeights(const WordObject* word) WEFT_NO_ALLOC;
  bool ApplyWord(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyShuffle(const EffectCounts& counts) WEFT_NO_ALLOC;
  bool ApplyKnownEffect(Word word) WEFT_NO_ALLOC;
  bool FollowAside(ValueId callable, Word word, EffectCount* effect) WEFT_NO_ALLOC;
  [[nodiscard]] bool IsCallable(ValueId id) const WEFT_NO_ALLOC;
  bool RestIsDropLocals(const Array* array, int64_t from) const WEFT_NO_ALLOC;

  // calls.cc
  [[nodiscard]] const Word* FindAnswer(Word word, const Vector<Word>& literals) const WEFT_NO_ALLOC;
  bool ApplyKnownArguments(Word word, int count, int tail, bool* done) WEFT_NO_ALLOC;
  bool ApplyMacro(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyByEffect(Word word, int tail) WEFT_NO_ALLOC;
  [[nodiscard]] bool IsTailCall(const EffectCount& effect, int tail) const;
  // Calls a word for which nothing better was found.
  void EmitWordCall(Word word, const EffectCount& effect, int tail) WEFT_NO_ALLOC;
  bool Expand(Word word, int literal_count, int tail) WEFT_NO_ALLOC;

  // intrinsics.cc
  bool ApplyIntrinsic(Word word, int tail, bool* done) WEFT_NO_ALLOC;
  bool ApplyPair(Value::Kind kind) WEFT_NO_ALLOC;
  bool ApplyTypeTest(const Primitive& primitive, Word word) WEFT_NO_ALLOC;
  void EmitBothFixnums() WEFT_NO_ALLOC;
  bool ApplyBoa(Word word, int tail, bool* done) WEFT_NO_ALLOC;

  // special_forms.cc
  bool ApplyBody(Word word, Op body, const EffectCounts& counts, int tail) WEFT_NO_ALLOC;
  bool ApplyIf(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyDip(Word word) WEFT_NO_ALLOC;
  bool ApplyExecute(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyLocals(Op op, Word word) WEFT_NO_ALLOC;
  bool ApplyRecover(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyDispatch(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyCallEffect(Word word, int tail) WEFT_NO_ALLOC;
  // Follows one branch from a copy of the stacks, in a block of its own (block < 0: goes on in the
  // current one).
  bool RunBranch(const State& start, int block, ValueId callable, int tail, Word who,
                 State* end) WEFT_NO_ALLOC;
  // Continues where the branches meet. `start`: the state they were entered with; `taken` >= 0: the
  // only one that can run.
  bool Merge(const State& start, Vector<State>& ends, int taken, Word word) WEFT_NO_ALLOC;
  bool Unbalanced(const State& start, const Vector<State>& ends, Word word);

  // methods.cc
  bool ApplyChosenMethod(Word word, int tail, bool* done) WEFT_NO_ALLOC;
  bool ApplyLikelyMethod(Word word, int tail, bool* done) WEFT_NO_ALLOC;

  // fold.cc
  bool ApplyFolded(Word word, int tail, bool* done) WEFT_NO_ALLOC;

  // splice.cc
  [[nodiscard]] bool CanSplice(Word word, const EffectCount& effect) const WEFT_NO_ALLOC;
  bool ApplySplice(Word word, const EffectCount& effect, int tail, bool* done) WEFT_NO_ALLOC;

  // inline.cc
  bool ApplyInline(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyInlineRecursive(Word word, int tail) WEFT_NO_ALLOC;
  bool ApplyLoop(Word word, int tail, bool* restart) WEFT_NO_ALLOC;
  bool ApplySubroutine(Word word) WEFT_NO_ALLOC;
  bool CallSubroutine(Frame& frame, int arity, const Vector<ValueId>& statics) WEFT_NO_ALLOC;
  bool JumpToHeader(int frame_id) WEFT_NO_ALLOC;
  ValueId HeaderValue(ValueId id, bool forced, const Frame& frame, Vector<VReg>* phis,
                      Vector<Operand>* entries) WEFT_NO_ALLOC;
  bool MatchHeader(ValueId header, ValueId now, Frame& frame, Vector<VReg>* phis,
                   Vector<Operand>* operands) WEFT_NO_ALLOC;
  ValueId CloneInto(Builder& inner, ValueId id, Vector<Operand>* captures) WEFT_NO_ALLOC;
  bool CollectCaptures(ValueId pattern, ValueId now, Vector<Operand>* captures) WEFT_NO_ALLOC;
  int FindFrame(Word word, bool* plain_inline) const WEFT_NO_ALLOC;

  // Stacks.
  bool Need(int count, Word word);
  void Push(ValueId id) { s_.data.push_back(id); }
  ValueId Pop();
  [[nodiscard]] ValueId Peek(int from_top) const {
    return s_.data[s_.data.size() - 1 - static_cast<size_t>(from_top)];
  }
  void Touch(int count);
  [[nodiscard]] const Value& At(ValueId id) const { return unit_.values[static_cast<size_t>(id)]; }

  // The shape that a value surely has, or kNoShape.
  [[nodiscard]] uint32_t ShapeOfValue(ValueId id) const WEFT_NO_ALLOC;
  // Says what shape the item on top, just computed, has.
  void MarkTop(uint32_t shape) { unit_.values[static_cast<size_t>(Peek(0))].shape = shape; }

  // Instructions.
  Inst& Emit(InstKind kind, Op op);
  int NewBlock();
  void StartBlock(int block);
  VReg NewRegister();
  int TakeSnapshot(bool keep_all = false);
  // For what may collect but never shows the stacks to anybody.
  int EmptySnapshot();
  // The value as an operand; makes the object of a virtual one (everywhere on the stacks).
  Operand OperandOf(ValueId id) WEFT_NO_ALLOC;
  // Takes the top `inputs` items as operands, calls, pushes `outputs` results.
  Inst& EmitCall(Op op, int inputs, int outputs, Word literal, int imm,
                 bool keep_all = false) WEFT_NO_ALLOC;
  void EmitReturn() WEFT_NO_ALLOC;
  void EmitJump(int target);
  // A value that should be known is not.
  bool FailInput(ValueId id, Word word);
  bool Fail(const char* kind, Word word) { return unit_.Fail(kind, word, position_); }

  Unit& unit_;
  Procedure& procedure_;
  const bool infer_only_;
  const int register_inputs_;
  State s_;
  ScopeId scope_ = kNoScope;
  Position position_;
  int level_ = 0;
  int handler_ = -1;  // innermost handler block of what is being built
  int expected_outputs_ = -1;
  bool wrong_outputs_ = false;
};

// The result of an operation on literals (fold.cc), if it is certain and immediate.
bool FoldNatively(Op op, const Word* x, Word* result) WEFT_NO_ALLOC;

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_INFER_H_
