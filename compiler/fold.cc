// Calls whose result is known: arithmetic of literals is done here, other words that are declared
// foldable are run by the language (compiler.weft, folded-quot), which answers with the results as
// literals, or f if the call throws or leaves something large. Then nothing is folded.
#include <cmath>

#include "compiler/infer.h"

namespace weft::compiler {
namespace {

template <class T>
bool FoldComparison(Op op, T a, T b, Word* result) {
  switch (op) {
    case Op::kLess:
      *result = Word::Bool(a < b);
      return true;
    case Op::kLessEq:
      *result = Word::Bool(a <= b);
      return true;
    case Op::kNumEq:
      *result = Word::Bool(a == b);
      return true;
    default:
      return false;
  }
}

bool FoldFloats(Op op, double a, double b, Word* result) {
  double value = 0;
  switch (op) {
    case Op::kAdd:
      value = a + b;
      break;
    case Op::kSub:
      value = a - b;
      break;
    case Op::kMul:
      value = a * b;
      break;
    case Op::kDiv:
      value = a / b;
      break;
    default:
      return FoldComparison(op, a, b, result);
  }
  // What would trap, or what a NaN's payload is, is left to run time.
  if (!std::isfinite(value)) return false;
  *result = Word::FloatBits(value);
  return result->IsImmediateFloat();
}

// Numbers and truth values have no identity, so that a program cannot tell when they were made.
bool IsPlainValue(const Vm& vm, Word word) WEFT_NO_ALLOC {
  if (!word.IsPointer()) {
    return word.IsFixnum() || word.IsImmediateFloat() || word == gc::kTrue || word.IsFalse();
  }
  const uint32_t shape = gc::ObjectAt(word)->shape();
  if (shape == ShapeOf(TypeId::kBignum) || shape == ShapeOf(TypeId::kFloat)) return true;
  for (const Special special : {Special::kRatioLayout, Special::kComplexLayout}) {
    const Layout* layout = SpecialLayout(vm, special);
    if (layout != nullptr && shape == static_cast<uint32_t>(layout->shape.AsFixnum())) return true;
  }
  return false;
}

}  // namespace

bool FoldNatively(Op op, const Word* x, Word* result) {
  if (op == Op::kNot) {
    *result = Word::Bool(x[0].IsFalse());
    return true;
  }
  if (op == Op::kEq) {
    // Distinct literal objects are distinct; of equal bits they are the same.
    *result = Word::Bool(x[0] == x[1]);
    return true;
  }
  if (x[0].IsImmediateFloat() && x[1].IsImmediateFloat()) {
    return FoldFloats(op, x[0].AsImmediateFloat(), x[1].AsImmediateFloat(), result);
  }
  if (!x[0].IsFixnum() || !x[1].IsFixnum()) return false;
  const int64_t a = x[0].AsFixnum();
  const int64_t b = x[1].AsFixnum();
  int64_t value = 0;
  switch (op) {
    case Op::kAdd:
      value = a + b;
      break;
    case Op::kSub:
      value = a - b;
      break;
    case Op::kMul:
      if (__builtin_mul_overflow(a, b, &value)) return false;
      break;
    case Op::kIntDiv:
      if (b <= 0) return false;
      value = a / b;
      break;
    case Op::kMod:
      if (b <= 0) return false;
      value = a % b;
      break;
    case Op::kBitAnd:
      value = a & b;
      break;
    case Op::kBitOr:
      value = a | b;
      break;
    case Op::kBitXor:
      value = a ^ b;
      break;
    default:
      return FoldComparison(op, a, b, result);
  }
  if (!Word::FitsFixnum(value)) return false;
  *result = Word::Fixnum(value);
  return true;
}

bool Builder::ApplyFolded(Word word, int tail, bool* done) {
  constexpr int kMaxInputs = 4;
  *done = false;
  if ((As<WordObject>(word)->flags.AsFixnum() & kFlagFoldable) == 0) return true;
  EffectCount effect;
  if (word == unit_.subject || !ReadEffect(unit_.vm, As<WordObject>(word)->effect, &effect) ||
      effect.terminated || effect.has_rows || effect.inputs < 1 || effect.inputs > kMaxInputs ||
      static_cast<size_t>(effect.inputs) > s_.data.size()) {
    return true;
  }
  for (int i = 0; i < effect.inputs; ++i) {
    const Value& value = At(Peek(i));
    if (!value.is_literal() || !IsPlainValue(unit_.vm, value.literal)) return true;
  }
  if (!IsInImage(word)) unit_.DependOn(word, Dependency::kFolded);
  return ApplyKnownArguments(word, effect.inputs, tail, done);
}

}  // namespace weft::compiler
