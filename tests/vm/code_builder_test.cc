#include "vm/code_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vm/primitives.h"
#include "vm/stack_map.h"
#include "vm/strings.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {
namespace {

class CodeBuilderTest : public ::testing::Test {
 protected:
  CodeBuilderTest() {
    auto vm = Vm::Create(Options(), nullptr);
    EXPECT_TRUE(vm.ok()) << vm.status();
    vm_ = *std::move(vm);
    vm_->AttachCells(0);
    vm_->InitializeStubs();
  }
  gc::Heap& heap() { return vm_->heap(); }
  Word MakeWord(const char* name) {
    gc::Root text(heap(), MakeString(heap(), name));
    return NewWord(*vm_, text, text);
  }
  Word Finish(CodeBuilder& builder) {
    gc::Root nothing(heap());
    return builder.Finish(CodeMode::kStatic, 1, 1, nothing, nothing);
  }
  std::unique_ptr<Vm> vm_;
};

TEST_F(CodeBuilderTest, EveryLiteralIsFoundFromItsInstruction) {
  CodeBuilder builder(*vm_);
  for (int i = 0; i < 200; ++i) {
    builder.EmitLiteral(Op::kLoadLiteral, 0, builder.Literal(Word::Fixnum(1000 + i % 90)));
  }
  gc::Root code(heap(), Finish(builder));
  heap().CollectFull();
  const uint32_t* instructions = As<Code>(code.get())->instructions();
  for (int i = 0; i < 200; ++i) {
    const uint64_t bits = *LiteralAddress(instructions + i, DecodeD(instructions[i]));
    EXPECT_EQ(Word::FromBits(bits).AsFixnum(), 1000 + i % 90);
  }
}

TEST_F(CodeBuilderTest, JumpsReachTheirLabels) {
  CodeBuilder builder(*vm_);
  const CodeBuilder::Label back = builder.NewLabel();
  const CodeBuilder::Label ahead = builder.NewLabel();
  builder.Bind(back);
  builder.EmitJump(Op::kJumpIfFalse, 0, 0, ahead);  // 0
  builder.EmitJump(Op::kJumpIfLess, 0, 1, back);    // 1, 2
  builder.EmitABC(Op::kNop);                        // 3
  builder.Bind(ahead);
  builder.EmitABC(Op::kReturn);  // 4
  gc::Root code(heap(), Finish(builder));
  const uint32_t* at = As<Code>(code.get())->instructions();
  EXPECT_EQ(DecodeSignedD(at[0]), 3);
  EXPECT_EQ(static_cast<int32_t>(at[2]), -3);
}

TEST_F(CodeBuilderTest, CodeThatIsTooLongForItsFieldsGivesFalse) {
  CodeBuilder builder(*vm_);
  const CodeBuilder::Label end = builder.NewLabel();
  builder.EmitJump(Op::kJump, 0, 0, end);
  for (int i = 0; i < 40000; ++i) builder.EmitABC(Op::kNop);
  builder.Bind(end);
  builder.EmitABC(Op::kReturn);
  EXPECT_EQ(Finish(builder), gc::kFalse);
}

TEST_F(CodeBuilderTest, AMapTellsLiveSlots) {
  CodeBuilder builder(*vm_);
  builder.EmitABC(Op::kNop);
  builder.EmitAD(Op::kCallPrimitive, 9, 0);
  std::vector<bool> live(10, false);
  live[0] = live[3] = live[9] = true;
  builder.AddMap(live, {{MapItem::kSlot, 3}, {MapItem::kInt, -5}}, {{MapItem::kOther, 5}});
  gc::Root code(heap(), Finish(builder));
  const StackMapView map = FindStackMap(As<Code>(code.get()), 2);
  for (int slot = 0; slot < 12; ++slot) {
    EXPECT_EQ(map.IsLive(slot), slot == 0 || slot == 3 || slot == 9) << slot;
  }
  EXPECT_EQ(map.items[0], 2);
}

TEST_F(CodeBuilderTest, CellsAreLiteralsThatKeepTheirWordAlive) {
  CodeBuilder builder(*vm_);
  builder.EmitLiteral(Op::kTailCall, 0, builder.CellLiteral(MakeWord("callee")));
  gc::Root code(heap(), Finish(builder));
  heap().CollectFull();
  const uint32_t* at = As<Code>(code.get())->instructions();
  const uint64_t cell = *LiteralAddress(at, DecodeD(at[0]));
  ASSERT_TRUE(vm_->cells().IsWordCell(cell));
  const Word word = reinterpret_cast<WordCell*>(cell)->word;
  EXPECT_EQ(ToUtf8(As<WordObject>(word)->name), "callee");
}

TEST_F(CodeBuilderTest, CellsOfDeadWordsAndCachesOfDeadCodeAreUsedAgain) {
  std::set<uint64_t> seen;
  size_t fresh = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 100; ++i) {
      gc::Root word(heap(), MakeWord("w"));
      fresh += seen.insert(As<WordObject>(word.get())->cell.bits).second ? 1U : 0U;
      CodeBuilder builder(*vm_);
      builder.EmitLiteral(Op::kCallGeneric, 0, builder.CacheLiteral(word.get()));
      builder.AddPlainMap(0);
      Finish(builder);
    }
    heap().CollectFull();
  }
  EXPECT_LT(fresh, 300U);
  EXPECT_LT(vm_->cells().bytes_in_use(), 128U * 1024U);
}

TEST_F(CodeBuilderTest, UnitsOfTheCellSpaceNeverOverlap) {
  gc::RootVector words(heap());
  std::vector<std::pair<uint64_t, uint64_t>> spans;
  for (int i = 0; i < 1000; ++i) {
    words.push_back(MakeWord("w"));
    spans.emplace_back(As<WordObject>(words.get(words.size() - 1))->cell.bits, 32);
    if (i % 3 == 0) {
      const auto cache = vm_->cells().NewInlineCache(words.get(words.size() - 1));
      spans.emplace_back(reinterpret_cast<uint64_t>(cache), 96);
    }
  }
  std::sort(spans.begin(), spans.end());
  for (size_t i = 1; i < spans.size(); ++i) {
    EXPECT_LE(spans[i - 1].first + spans[i - 1].second, spans[i].first);
  }
  for (const auto& span : spans) {
    EXPECT_EQ(span.first / 4096, (span.first + span.second - 1) / 4096);
    EXPECT_EQ(span.second == 32, vm_->cells().IsWordCell(span.first));
    EXPECT_EQ(span.second == 96, vm_->cells().IsInlineCache(span.first));
  }
}

TEST(PrimitivesTest, CountsComeFromTheEffectString) {
  const struct {
    const char* effect;
    int inputs, outputs;
    bool terminates, valid;
  } kRows[] = {
      {"( -- )", 0, 0, false, true},
      {"( x y -- z )", 2, 1, false, true},
      {"( x: fixnum y -- z: integer )", 2, 1, false, true},
      {"( ..a x quot: ( ..a x -- ..b ) -- ..b y )", 2, 1, false, true},
      {"( error -- * )", 1, 0, true, true},
      {"( x y", 0, 0, false, false},
      {"x -- y", 0, 0, false, false},
      {"( x )", 1, 0, false, false},
  };
  for (const auto& row : kRows) {
    const EffectCounts counts = ParseEffectCounts(row.effect);
    EXPECT_EQ(counts.is_valid, row.valid) << row.effect;
    if (!row.valid) continue;
    EXPECT_EQ(counts.inputs, row.inputs) << row.effect;
    EXPECT_EQ(counts.outputs, row.outputs) << row.effect;
    EXPECT_EQ(counts.terminates, row.terminates) << row.effect;
  }
}

TEST(PrimitivesTest, NoTwoRowsNameOneWord) {
  std::set<std::string> names;
  for (const Primitive& row : kPrimitives) {
    EXPECT_TRUE(names.insert(std::string(row.vocabulary) + ":" + row.word).second)
        << row.vocabulary << ":" << row.word;
  }
}

}  // namespace
}  // namespace weft
