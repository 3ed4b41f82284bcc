// Abstract values: what the compiler knows about each item of the stacks while it follows a
// quotation. A value is known (a literal), computed (a virtual register), or a callable made of
// other values that need no object until it escapes (curry, compose).
//
// Literals are raw heap words: analysis runs under gc::NoAlloc and ends before anything moves.
#ifndef WEFT_COMPILER_VALUES_H_
#define WEFT_COMPILER_VALUES_H_

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "gc/no_alloc.h"
#include "vm/objects.h"

namespace weft::compiler {

// What is made for one unit is thrown away with it: its memory comes from the resource that is the
// default one while the unit is compiled (static_compiler.cc). Vectors that grow anew in a loop
// without a bound stand outside of it, as nothing is given back before the end.
template <class T>
using Vector = std::pmr::vector<T>;

using VReg = int32_t;
inline constexpr VReg kNoReg = -1;
using ValueId = int32_t;
using ScopeId = int32_t;
inline constexpr ScopeId kNoScope = -1;

// Nothing is known about the shape of a value.
inline constexpr uint32_t kNoShape = 0xFFFFFFFF;

struct Value {
  enum Kind : uint8_t { kLiteral, kReg, kCurried, kComposed };
  Kind kind = kLiteral;
  Word literal = gc::kFalse;  // kLiteral
  // kLiteral: where it was pushed (which inline words enclose it there). See infer.h, Scope.
  ScopeId scope = kNoScope;
  VReg reg = kNoReg;          // kReg
  uint32_t shape = kNoShape;  // kReg: the shape that the value surely has
  ValueId first = -1;         // kCurried: object; kComposed: first callable
  ValueId second = -1;        // kCurried: callable; kComposed: second callable
  int depth = 0;              // of nesting, for virtual values

  [[nodiscard]] bool is_literal() const { return kind == kLiteral; }
  [[nodiscard]] bool is_reg() const { return kind == kReg; }
  // Made of other values; only exists as an object once it escapes.
  [[nodiscard]] bool is_virtual() const { return kind == kCurried || kind == kComposed; }
};

// A source operand of an instruction: a register or a constant.
struct Operand {
  VReg reg = kNoReg;
  Word constant = gc::kFalse;

  static Operand Reg(VReg r) { return Operand{r, gc::kFalse}; }
  static Operand Constant(Word word) { return Operand{kNoReg, word}; }
  [[nodiscard]] bool is_reg() const { return reg != kNoReg; }
  [[nodiscard]] bool is_constant() const { return reg == kNoReg; }
  bool operator==(const Operand& other) const = default;
};

}  // namespace weft::compiler

#endif  // WEFT_COMPILER_VALUES_H_
