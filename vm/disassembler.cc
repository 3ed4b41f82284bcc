#include "vm/disassembler.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gc/heap.h"
#include "vm/bytecode.h"
#include "vm/cells.h"
#include "vm/observer.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

std::string NameOf(Word word) WEFT_NO_ALLOC {
  if (!IsType(word, TypeId::kWordObject)) return "?";
  const Word name = As<WordObject>(word)->name;
  return IsType(name, TypeId::kString) ? ToUtf8(name) : "?";
}

// What the raw literal of a call refers to.
std::string DescribeRaw(Op op, uint64_t bits) WEFT_NO_ALLOC {
  if (bits < gc::kCellBase || bits >= gc::kCellBase + gc::kCellSpan) return absl::StrCat(bits);
  switch (op) {
    case Op::kCall:
    case Op::kTailCall:
    case Op::kDynCall:
    case Op::kDynTailCall:
      return NameOf(reinterpret_cast<const WordCell*>(bits)->word);
    default:
      return NameOf(reinterpret_cast<const InlineCache*>(bits)->generic);
  }
}

uint32_t ReadU32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

}  // namespace

std::string DescribeLiteral(const Vm& vm, Word word) {
  (void)vm;
  if (word.IsFixnum()) return absl::StrCat(word.AsFixnum());
  if (word.IsImmediateFloat()) return absl::StrCat(word.AsImmediateFloat());
  if (word == gc::kFalse) return "f";
  if (word == gc::kTrue) return "t";
  if (!word.IsPointer()) return absl::StrCat("marker ", word.bits);
  switch (static_cast<TypeId>(gc::ObjectAt(word)->shape())) {
    case TypeId::kString:
      return absl::StrCat("\"", ToUtf8(word), "\"");
    case TypeId::kWordObject:
      return NameOf(word);
    case TypeId::kQuotation: {
      const Word array = As<Quotation>(word)->array;
      if (!IsType(array, TypeId::kArray)) return "[ ? ]";
      std::string text = "[ ";
      const Array* elements = As<Array>(array);
      for (int64_t i = 0; i < elements->size() && i < 8; ++i) {
        const Word element = elements->elements[i];
        // Nested quotations are not opened.
        absl::StrAppend(
            &text, IsType(element, TypeId::kQuotation) ? "[ ... ]" : DescribeLiteral(vm, element),
            " ");
      }
      return absl::StrCat(text, elements->size() > 8 ? "... ]" : "]");
    }
    case TypeId::kArray:
      return absl::StrCat("array of ", As<Array>(word)->size());
    case TypeId::kFloat:
      return absl::StrCat(static_cast<const FloatBox*>(gc::ObjectAt(word))->value);
    case TypeId::kLayout:
      return absl::StrCat("layout of ", NameOf(As<Layout>(word)->class_word));
    case TypeId::kWrapper:
      return absl::StrCat("\\ ", IsType(As<Wrapper>(word)->wrapped, TypeId::kWordObject)
                                     ? NameOf(As<Wrapper>(word)->wrapped)
                                     : "...");
    default:
      return absl::StrCat("object of shape ", gc::ObjectAt(word)->shape());
  }
}

std::string Disassemble(const Vm& vm, const Code* code, const Observer* counts) {
  std::string out;
  const uint32_t* instructions = code->instructions();
  const int64_t count = code->instruction_count.AsFixnum();
  const auto* literals = reinterpret_cast<const uint64_t*>(code->literals);
  const auto* literals_end = reinterpret_cast<const uint64_t*>(instructions);
  for (int64_t i = 0; i < count;) {
    const uint32_t* at = instructions + i;
    if (DecodeOp(*at) >= Op::kCount) {
      absl::StrAppend(&out, i, " ? ", *at, "\n");
      ++i;
      continue;
    }
    const OpInfo& info = InfoOf(DecodeOp(*at));
    const int64_t next = i + static_cast<int64_t>(info.words());
    if (counts != nullptr) absl::StrAppendFormat(&out, "%12u  ", counts->CountAt(code, i));
    absl::StrAppend(&out, i, " ", info.name);
    std::string note;
    for (int operand = 0; operand < 4; ++operand) {
      if (operand == 3 && next > count) break;
      const Role role = info.roles[operand];
      const int64_t value = role == Role::kNone ? 0 : OperandAt(at, operand);
      switch (role) {
        case Role::kNone:
          break;
        case Role::kJmp:
          absl::StrAppend(&out, " -> ", next + value);
          break;
        case Role::kLit: {
          const uint64_t* literal = LiteralAddress(at, static_cast<uint32_t>(value));
          if (literal < literals || literal >= literals_end) {
            note = absl::StrCat("literal ", value, "?");
          } else if (info.Has(kOpCalls) || DecodeOp(*at) == Op::kTailCall ||
                     DecodeOp(*at) == Op::kTailCallGeneric || DecodeOp(*at) == Op::kDynTailCall) {
            note = DescribeRaw(DecodeOp(*at), *literal);
          } else {
            note = DescribeLiteral(vm, Word::FromBits(*literal));
          }
          break;
        }
        case Role::kPrim:
          note = static_cast<size_t>(value) < kPrimitiveCount
                     ? kPrimitives[static_cast<size_t>(value)].word
                     : absl::StrCat("primitive ", value, "?");
          break;
        case Role::kRaw:
          note = DescribeLiteral(vm, Word::FromBits(static_cast<uint64_t>(value)));
          break;
        case Role::kImm:
          absl::StrAppend(&out, " #", value);
          break;
        default:
          absl::StrAppend(&out, " ", value);
      }
    }
    if (!note.empty()) absl::StrAppend(&out, " ; ", note);
    out += "\n";
    i = next;
  }
  return out;
}

std::string DescribeMaps(const Vm& vm, const Code* code) {
  std::string out;
  if (!IsType(code->maps, TypeId::kByteArray)) return out;
  const uint8_t* bytes = As<ByteArray>(code->maps)->bytes;
  const uint32_t count = ReadU32(bytes);
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t* row = bytes + 4 + size_t{8} * i;
    const uint8_t* at = bytes + ReadU32(row + 4);
    absl::StrAppend(&out, ReadU32(row), ": live");
    const int live_bytes = *at++;
    for (int slot = 0; slot < live_bytes * 8; ++slot) {
      if ((at[slot >> 3] >> (slot & 7) & 1) != 0) absl::StrAppend(&out, " ", slot);
    }
    at += live_bytes;
    for (int list = 0; list < 2; ++list) {
      out += " |";
      int left = *at++;
      while (left > 0) {
        --left;
        const char kind = static_cast<char>(*at++);
        switch (kind) {
          case 'S':
            absl::StrAppend(&out, " S", *at++);
            break;
          case 'O':
            absl::StrAppend(&out, " ", DescribeLiteral(vm, Word::FromBits(*at++)));
            break;
          case 'I':
            absl::StrAppend(&out, " ", static_cast<int16_t>(at[0] | at[1] << 8));
            at += 2;
            break;
          case 'L':
            absl::StrAppend(&out, " ", DescribeLiteral(vm, code->literals[at[0] | at[1] << 8]));
            at += 2;
            break;
          case 'C':
          case 'K':
            absl::StrAppend(&out, kind == 'C' ? " curried" : " composed");
            left += 2;
            break;
          default:
            out += " X";
        }
      }
    }
    out += "\n";
  }
  return out;
}

}  // namespace weft
