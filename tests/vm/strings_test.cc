#include "vm/strings.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "vm/hashing.h"
#include "vm/heap_layouts.h"
#include "vm/vm.h"

namespace weft {
namespace {

class StringsTest : public ::testing::Test {
 protected:
  StringsTest() {
    auto vm = Vm::Create(Options(), nullptr);
    EXPECT_TRUE(vm.ok()) << vm.status();
    vm_ = *std::move(vm);
  }
  gc::Heap& heap() { return vm_->heap(); }
  String* At(const gc::Root& root) { return As<String>(root.get()); }
  std::unique_ptr<Vm> vm_;
};

TEST_F(StringsTest, WidthIsTheNarrowestThatHoldsTheContent) {
  const struct {
    const char* text;
    String::Width width;
    int64_t size;
  } kRows[] = {{"", String::kOne, 0},
               {"abc", String::kOne, 3},
               {"\u00e9t\u00e9", String::kOne, 3},
               {"\u0394x", String::kTwo, 2},
               {"a\U0001F600", String::kFour, 2}};
  for (const auto& row : kRows) {
    gc::Root root(heap(), MakeString(heap(), row.text));
    EXPECT_EQ(At(root)->width(), row.width) << row.text;
    EXPECT_EQ(At(root)->size(), row.size) << row.text;
    EXPECT_EQ(ToUtf8(At(root)), row.text);
  }
}

TEST_F(StringsTest, BadUtf8BecomesOneReplacementForEachBadSequence) {
  const struct {
    const char* bytes;
    const char* text;
  } kRows[] = {{"\x80", "\uFFFD"},
               {"a\xC3", "a\uFFFD"},
               {"\xC0\xAF", "\uFFFD\uFFFD"},
               {"\xE2\x82z", "\uFFFDz"},
               {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
               {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
               {"\xF0\x9F\x98", "\uFFFD"}};
  for (const auto& row : kRows) {
    gc::Root root(heap(), MakeString(heap(), row.bytes));
    EXPECT_EQ(ToUtf8(At(root)), row.text);
  }
}

TEST_F(StringsTest, AWideStoreMovesTheContentAsideAndKeepsIt) {
  gc::Root root(heap(), MakeString(heap(), "hello, world"));
  SetStringAt(heap(), root, 4, 0x1F600);
  EXPECT_EQ(At(root)->width(), String::kAside);
  EXPECT_EQ(ToUtf8(At(root)), "hell\U0001F600, world");
  heap().CollectMinor();
  heap().CollectFull();
  EXPECT_EQ(ToUtf8(At(root)), "hell\U0001F600, world");
  SetStringAt(heap(), root, 4, 'o');
  EXPECT_EQ(ToUtf8(At(root)), "hello, world");
}

TEST_F(StringsTest, EqualContentIsEqualAndHashesAlikeInEveryWidth) {
  gc::Root narrow(heap(), MakeString(heap(), "abc"));
  gc::Root wide(heap(), MakeString(heap(), "ab\u0394"));
  gc::Root aside(heap(), MakeString(heap(), "abx"));
  SetStringAt(heap(), aside, 2, 0x394);
  SetStringAt(heap(), wide, 2, 'c');
  SetStringAt(heap(), aside, 2, 'c');
  EXPECT_TRUE(StringsEqual(At(narrow), At(wide)));
  EXPECT_TRUE(StringsEqual(At(aside), At(wide)));
  EXPECT_EQ(HashString(At(narrow)), HashString(At(wide)));
  EXPECT_EQ(HashString(At(narrow)), HashString(At(aside)));
  EXPECT_EQ(CompareStrings(At(narrow), At(aside)), 0);
}

TEST_F(StringsTest, AStoreForgetsTheHash) {
  gc::Root root(heap(), MakeString(heap(), "abc"));
  const int64_t before = HashString(At(root));
  SetStringAt(heap(), root, 0, 'x');
  EXPECT_NE(HashString(At(root)), before);
}

TEST_F(StringsTest, OrderIsByCodePointThenByLength) {
  const struct {
    const char* a;
    const char* b;
    int order;
  } kRows[] = {{"", "", 0},
               {"", "a", -1},
               {"ab", "a", 1},
               {"a", "b", -1},
               {"\u00ff", "\u0100", -1},
               {"\uffff", "\U00010000", -1},
               {"abc", "abd", -1}};
  for (const auto& row : kRows) {
    gc::Root a(heap(), MakeString(heap(), row.a));
    gc::Root b(heap(), MakeString(heap(), row.b));
    EXPECT_EQ(CompareStrings(At(a), At(b)), row.order) << row.a << " " << row.b;
    EXPECT_EQ(CompareStrings(At(b), At(a)), -row.order);
  }
}

TEST_F(StringsTest, ASubstringOfWideTextMayBeNarrow) {
  gc::Root root(heap(), MakeString(heap(), "abc\U0001F600\u0394"));
  gc::Root narrow(heap(), MakeSubstring(heap(), root, 0, 3));
  gc::Root two(heap(), MakeSubstring(heap(), root, 4, 5));
  gc::Root all(heap(), MakeSubstring(heap(), root, 0, 5));
  gc::Root none(heap(), MakeSubstring(heap(), root, 2, 2));
  EXPECT_EQ(At(narrow)->width(), String::kOne);
  EXPECT_EQ(ToUtf8(At(narrow)), "abc");
  EXPECT_EQ(At(two)->width(), String::kTwo);
  EXPECT_TRUE(StringsEqual(At(all), At(root)));
  EXPECT_EQ(At(none)->size(), 0);
}

TEST_F(StringsTest, SurrogatesEncodeAsTheReplacement) {
  const uint32_t kPoints[] = {'a', 0xD800, 'b'};
  gc::Root root(heap(), MakeString(heap(), kPoints, 3));
  EXPECT_EQ(StringAt(At(root), 1), 0xD800U);
  EXPECT_EQ(ToUtf8(At(root)), "a\uFFFDb");
}

TEST_F(StringsTest, ComparesWithUtf8Directly) {
  gc::Root root(heap(), MakeString(heap(), "\u0394x"));
  EXPECT_TRUE(StringEquals(At(root), "\u0394x"));
  EXPECT_FALSE(StringEquals(At(root), "\u0394"));
  EXPECT_FALSE(StringEquals(At(root), "\u0394xy"));
}

}  // namespace
}  // namespace weft
