#include "compiler/boot_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "compiler/compiler.h"
#include "vm/classes.h"
#include "vm/generic.h"
#include "vm/primitives.h"
#include "vm/strings.h"
#include "vm/vm.h"

namespace weft {
namespace {

constexpr char kEffects[] =
    "IN: effects TUPLE: effect in out terminated? in-var out-var ;\n"
    "IN: hashtables TUPLE: hashtable count deleted array ;\n"
    "IN: hash-sets TUPLE: hash-set count deleted array ;\n"
    "IN: vectors TUPLE: vector underlying length ;\n"
    "IN: math UNION: integer fixnum bignum ; TUPLE: ratio numerator denominator ;\n"
    "TUPLE: complex real imaginary ; UNION: real integer float ratio ;\n"
    "UNION: number real complex ;\n";

class BootReaderTest : public ::testing::Test {
 protected:
  absl::Status Read(const std::vector<std::string>& texts) {
    reader_.reset();
    vm_.reset();
    auto vm = Vm::Create(Options(), &compiler_);
    EXPECT_TRUE(vm.ok()) << vm.status();
    vm_ = *std::move(vm);
    vm_->AttachCells(0);
    vm_->InitializeStubs();
    reader_ = std::make_unique<BootReader>(*vm_);
    std::vector<std::pair<std::string, std::string>> sources = {{"base", kEffects}};
    for (const std::string& text : texts) {
      sources.emplace_back(absl::StrCat("file", sources.size()), text);
    }
    return reader_->ReadSources(sources);
  }
  void Load(const std::string& text) {
    const absl::Status status = Read({"IN: test USING: kernel math vectors ;\n" + text});
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string ErrorOf(const std::string& text) {
    return std::string(Read({"IN: test USING: kernel math ;\n" + text}).message());
  }
  WordObject* At(const std::string& name) { return As<WordObject>(reader_->Find("test", name)); }
  const Array* Body(const std::string& name) {
    return As<Array>(As<Quotation>(At(name)->def)->array);
  }
  uint32_t ShapeOfClass(absl::string_view vocabulary, const std::string& name) {
    const Array* info = ClassInfoOf(reader_->Find(vocabulary, name));
    return static_cast<uint32_t>(As<Layout>(info->elements[kClassLayout])->shape.AsFixnum());
  }
  // Name of the method word that `generic` runs for the shape; "none" without one.
  std::string MethodFor(const std::string& generic, uint32_t shape) {
    const WordCell* cell = FindMethod(*vm_, reader_->Find("test", generic), shape);
    return cell == nullptr ? "none" : ToUtf8(As<WordObject>(cell->word)->name);
  }
  bool Below(const std::string& a, const std::string& b) {
    return ClassLessEqual(*vm_, reader_->Find("test", a), reader_->Find("test", b));
  }

  Compiler compiler_;
  std::unique_ptr<Vm> vm_;
  std::unique_ptr<BootReader> reader_;
};

TEST_F(BootReaderTest, FilesMayReferToLaterOnes) {
  const absl::Status status =
      Read({"IN: first USING: second kernel ; : a ( -- ) b ; TUPLE: low < high x ;",
            "IN: second USING: first kernel ; : b ( -- ) a ; TUPLE: high y z ;"});
  ASSERT_TRUE(status.ok()) << status;
  const Word low = reader_->Find("first", "low");
  const auto* layout = As<Layout>(ClassInfoOf(low)->elements[kClassLayout]);
  EXPECT_EQ(layout->slot_count.AsFixnum(), 3);
  const auto* ancestors = As<Array>(layout->superclasses);
  ASSERT_EQ(ancestors->size(), 3);
  EXPECT_EQ(ancestors->elements[0], reader_->Find("kernel", "tuple"));
  EXPECT_EQ(ancestors->elements[1], reader_->Find("second", "high"));
  EXPECT_EQ(ancestors->elements[2], low);
}

TEST_F(BootReaderTest, LiteralsBecomeTheirObjects) {
  Load(
      ": w ( -- ) 7 -3 0x10 1.5 \"a\\tb\" CHAR: ! { 1 { t f } } [ dup ] \\ dup W{ 4 } V{ 1 2 } "
      "H{ { \"k\" 1 } } B{ 1 255 } 1267650600228229401496703205376 ;");
  const Array* body = Body("w");
  ASSERT_EQ(body->size(), 14);
  EXPECT_EQ(body->elements[0].AsFixnum(), 7);
  EXPECT_EQ(body->elements[1].AsFixnum(), -3);
  EXPECT_EQ(body->elements[2].AsFixnum(), 16);
  EXPECT_EQ(body->elements[3].AsImmediateFloat(), 1.5);
  EXPECT_EQ(ToUtf8(body->elements[4]), "a\tb");
  EXPECT_EQ(body->elements[5].AsFixnum(), '!');
  const auto* inner = As<Array>(As<Array>(body->elements[6])->elements[1]);
  EXPECT_EQ(inner->elements[0], gc::kTrue);
  EXPECT_EQ(inner->elements[1], gc::kFalse);
  EXPECT_TRUE(IsType(body->elements[7], TypeId::kQuotation));
  EXPECT_EQ(As<Wrapper>(body->elements[8])->wrapped, reader_->Find("kernel", "dup"));
  EXPECT_EQ(As<Wrapper>(body->elements[9])->wrapped.AsFixnum(), 4);
  EXPECT_EQ(ShapeOfWord(body->elements[10]), ShapeOfClass("vectors", "vector"));
  EXPECT_EQ(ShapeOfWord(body->elements[11]), ShapeOfClass("hashtables", "hashtable"));
  EXPECT_EQ(As<ByteArray>(body->elements[12])->bytes[1], 255);
  EXPECT_TRUE(IsType(body->elements[13], TypeId::kBignum));
}

TEST_F(BootReaderTest, ElementsCarryLineAndColumn) {
  Load(": w ( x -- x )\n    dup\n  drop ;");
  const auto* source = As<Array>(As<Quotation>(At("w")->def)->source);
  EXPECT_EQ(ToUtf8(source->elements[0]), "file1");
  const auto* positions = As<ByteArray>(source->elements[1]);
  uint32_t places[4];
  ASSERT_EQ(positions->size(), 16);
  std::memcpy(places, positions->bytes, 16);
  EXPECT_EQ(places[0], 3U);
  EXPECT_EQ(places[1], 5U);
  EXPECT_EQ(places[2], 4U);
  EXPECT_EQ(places[3], 3U);
}

TEST_F(BootReaderTest, ErrorsNameTheirPlace) {
  const struct {
    const char* text;
    const char* message;
  } kRows[] = {
      {": w ( -- ) nonsense ;", "file1:2:12: error: no word named nonsense here"},
      {": w ( -- ) iota> ;", "no vocabulary has it"},
      {": w dup ;", "needs a declared stack effect"},
      {": w ( -- ) [ dup ;", "file1:2:12: error: unfinished ["},
      {": w ( -- ) { ] } ;", "found ] where } is expected"},
      {": w ( -- ) \"a\\q\" ;", "file1:2:14: bad escape"},
      {": w ( -- ) \"abc ;", "unfinished string"},
      {": w ( -- )", "without its ;"},
      {": w ( x -- ( y ) ;", "stack effect"},
      {"M: fixnum w ;", "no word named w"},
      {": w ( -- ) ; M: fixnum w ;", "w is not a generic word"},
      {"GENERIC: w ( x -- ) M: dup w ;", "dup is not a class"},
      {": w ( -- ) ; : w ( -- ) ;", "defined already, at file1:2:3"},
      {"TUPLE: a < fixnum ;", "the superclass is no tuple class"},
      {"TUPLE: a < b ; TUPLE: b < a ;", "the superclass is no tuple class"},
      {"TUPLE: a { x odd even } ;", "no word named odd"},
      {"USING: nowhere ;", "no vocabulary named nowhere"},
      {"2 2 +", "is not a form"},
      {"GENERIC#: w 3 ( x -- )", "does not fit the generic"},
      {"CONSTANT: c dup", "wants a literal"},
      {"PRIVATE>", "PRIVATE> without <PRIVATE"},
      {"INSTANCE: fixnum integer", "wants a mixin"},
      {": w ( -- ) CHAR: ab ;", "no character: ab"},
      {": w ( -- ) T{ fixnum } ;", "T{ wants a tuple class first"},
      {"C: <x> dup", "dup is no tuple class"},
  };
  for (const auto& row : kRows) {
    EXPECT_TRUE(absl::StrContains(ErrorOf(row.text), row.message))
        << row.text << "\n  gave: " << ErrorOf(row.text);
  }
}

TEST_F(BootReaderTest, AllErrorsAreReported) {
  const std::string errors = ErrorOf(": a ( -- ) one ;\n: b ( -- ) two ;\n");
  EXPECT_TRUE(absl::StrContains(errors, "one")) << errors;
  EXPECT_TRUE(absl::StrContains(errors, "two")) << errors;
}

TEST_F(BootReaderTest, AmbiguousNamesMustBeResolved) {
  const std::vector<std::string> files = {"IN: a USING: kernel ; : w ( -- ) ;",
                                          "IN: b USING: kernel ; : w ( -- ) ;"};
  std::vector<std::string> bad = files;
  bad.push_back("IN: c USING: a b ; : x ( -- ) w ;");
  EXPECT_TRUE(absl::StrContains(Read(bad).message(), "w is ambiguous: a and b"));
  std::vector<std::string> good = files;
  good.push_back("IN: c USING: a b ; FROM: a => w ; : x ( -- ) w ;");
  EXPECT_TRUE(Read(good).ok());
}

TEST_F(BootReaderTest, TheMostSpecificMethodWins) {
  Load(
      "GENERIC: g ( x -- y )\n"
      "M: object g ; M: number g ; M: integer g ; M: tuple g ; M: ratio g ;\n"
      "TUPLE: a ; TUPLE: b < a ; TUPLE: c < b ; M: a g ; M: c g ;");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kFixnum)), "integer=>g");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kBignum)), "integer=>g");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kFloat)), "number=>g");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kString)), "object=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("math", "ratio")), "ratio=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("math", "complex")), "number=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("test", "a")), "a=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("test", "b")), "a=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("test", "c")), "c=>g");
}

TEST_F(BootReaderTest, NoMethodIsNull) {
  Load("GENERIC: g ( x -- y ) M: fixnum g ;");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kString)), "none");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kString)), "none");  // from the cache
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kFixnum)), "fixnum=>g");
}

TEST_F(BootReaderTest, PredicateClassesMakeAChain) {
  Load(
      "PREDICATE: small < fixnum 10 eq? ; SINGLETON: only\n"
      "GENERIC: g ( x -- y ) M: object g ; M: small g ; M: only g ;");
  // The chain is a hidden word with the generic's name.
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kFixnum)), "g");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kBignum)), "object=>g");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kWordObject)), "g");
}

TEST_F(BootReaderTest, MixinsAndIntersectionsTakePartInDispatch) {
  Load(
      "MIXIN: m TUPLE: a ; TUPLE: b ; INSTANCE: a m INSTANCE: fixnum m\n"
      "INTERSECTION: both m tuple ;\n"
      "GENERIC: g ( x -- y ) M: m g ; M: both g ;");
  EXPECT_EQ(MethodFor("g", ShapeOf(TypeId::kFixnum)), "m=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("test", "a")), "both=>g");
  EXPECT_EQ(MethodFor("g", ShapeOfClass("test", "b")), "none");
}

TEST_F(BootReaderTest, ClassesAreOrderedBySetInclusion) {
  Load(
      "USE: strings TUPLE: a ; TUPLE: b < a ; UNION: u a fixnum ; UNION: v u string ; MIXIN: m "
      "INSTANCE: b m\n"
      "PREDICATE: p < b drop t ; SINGLETON: s INTERSECTION: i a m ; UNION: none ;\n"
      "MIXIN: empty ");
  const struct {
    const char* below;
    const char* above;
    bool expected;
  } kRows[] = {{"b", "a", true},     {"a", "b", false},   {"a", "u", true},     {"b", "u", true},
               {"u", "v", true},     {"v", "u", false},   {"p", "m", true},     {"p", "u", true},
               {"b", "p", false},    {"i", "a", true},    {"i", "m", true},     {"b", "i", true},
               {"a", "i", false},    {"none", "s", true}, {"s", "none", false}, {"a", "a", true},
               {"empty", "s", false}};
  for (const auto& row : kRows) {
    EXPECT_EQ(Below(row.below, row.above), row.expected) << row.below << " " << row.above;
  }
  const auto intersect = [&](const char* x, const char* y) {
    return ClassesIntersect(*vm_, reader_->Find("test", x), reader_->Find("test", y));
  };
  EXPECT_TRUE(intersect("u", "m"));
  EXPECT_TRUE(intersect("p", "u"));
  EXPECT_FALSE(intersect("s", "a"));
  EXPECT_FALSE(intersect("none", "a"));
}

TEST_F(BootReaderTest, UnrelatedClassesSortByName) {
  Load("TUPLE: z ; TUPLE: a ; TUPLE: k < z ; UNION: all a z ;");
  std::vector<Word> classes;
  for (const char* name : {"z", "all", "a", "k"}) classes.push_back(reader_->Find("test", name));
  SortClasses(*vm_, classes);
  std::string order;
  for (const Word word : classes) order += ToUtf8(As<WordObject>(word)->name) + " ";
  EXPECT_EQ(order, "a k z all ");
}

TEST_F(BootReaderTest, NextMethodIsTheOneAbove) {
  Load(
      "TUPLE: a ; TUPLE: b < a ; TUPLE: c < b ;\n"
      "GENERIC: g ( x -- y ) M: object g ; M: a g ; M: c g ;");
  const auto next = [&](const char* name) {
    const Word method = NextMethod(*vm_, reader_->Find("test", name), reader_->Find("test", "g"));
    return method == gc::kFalse ? std::string("none") : ToUtf8(As<WordObject>(method)->name);
  };
  EXPECT_EQ(next("c"), "a=>g");
  EXPECT_EQ(next("b"), "a=>g");
  EXPECT_EQ(next("a"), "object=>g");
}

TEST_F(BootReaderTest, MathMethodsCoerceToTheGreaterClass) {
  Load(
      "MATH: plus ( x y -- z ) M: fixnum plus ; M: bignum plus ; M: ratio plus ;\n"
      "M: float plus ; M: complex plus ;");
  const uint32_t fixnum = ShapeOf(TypeId::kFixnum);
  const uint32_t bignum = ShapeOf(TypeId::kBignum);
  const uint32_t floating = ShapeOf(TypeId::kFloat);
  const uint32_t ratio = ShapeOfClass("math", "ratio");
  const uint32_t complex = ShapeOfClass("math", "complex");
  const MathCoercion none = MathCoercion::kNone;
  const struct {
    uint32_t left, right;
    const char* method;
    MathCoercion left_coercion, right_coercion;
  } kRows[] = {
      {fixnum, fixnum, "fixnum=>plus", none, none},
      {fixnum, bignum, "bignum=>plus", MathCoercion::kToBignum, none},
      {ratio, fixnum, "ratio=>plus", none, none},
      {ratio, floating, "float=>plus", MathCoercion::kToFloat, none},
      {floating, bignum, "float=>plus", none, MathCoercion::kToFloat},
      {complex, floating, "complex=>plus", none, none},
  };
  const Word generic = reader_->Find("test", "plus");
  for (const auto& row : kRows) {
    const MathMethod method = FindMathMethod(*vm_, generic, row.left, row.right);
    ASSERT_NE(method.cell, nullptr);
    EXPECT_EQ(ToUtf8(As<WordObject>(method.cell->word)->name), row.method);
    EXPECT_EQ(method.left, row.left_coercion) << row.method;
    EXPECT_EQ(method.right, row.right_coercion) << row.method;
  }
  EXPECT_EQ(FindMathMethod(*vm_, generic, fixnum, ShapeOf(TypeId::kString)).cell, nullptr);
}

TEST_F(BootReaderTest, AChangeOfClassesVoidsCachedMethods) {
  Load("MIXIN: m TUPLE: a ; GENERIC: g ( x -- y ) M: object g ; M: m g ;");
  const uint32_t shape = ShapeOfClass("test", "a");
  EXPECT_EQ(MethodFor("g", shape), "object=>g");
  // INSTANCE: a m, as the language does it.
  gc::Root members(vm_->heap(), vm_->heap().Allocate(ShapeOf(TypeId::kArray), 24));
  As<Array>(members.get())->length = Word::Fixnum(1);
  vm_->heap().Write(gc::ObjectAt(members.get()), As<Array>(members.get())->elements,
                    reader_->Find("test", "a"));
  auto* info = As<Array>(At("m")->class_info);
  vm_->heap().Write(info, &info->elements[kClassMembers], members.get());
  EXPECT_EQ(MethodFor("g", shape), "object=>g");
  vm_->cells().InvalidateDispatch();
  EXPECT_EQ(MethodFor("g", shape), "m=>g");
}

TEST_F(BootReaderTest, AccessorsAreMarkedWithTheirSlot) {
  Load("TUPLE: base x ; TUPLE: point < base { y read-only } ;");
  const Word reader = reader_->Find("accessors", "y>>");
  const WordCell* cell = FindMethod(*vm_, reader, ShapeOfClass("test", "point"));
  ASSERT_NE(cell, nullptr);
  const int64_t flags = As<WordObject>(cell->word)->flags.AsFixnum();
  EXPECT_NE(flags & kFlagReadsSlot, 0);
  EXPECT_EQ(flags >> kFlagSlotShift & 0xFF, 1);
  EXPECT_EQ(reader_->Find("accessors", "y<<"), gc::kFalse);
  EXPECT_NE(reader_->Find("accessors", "x<<"), gc::kFalse);
  EXPECT_NE(reader_->Find("accessors", "change-x"), gc::kFalse);
}

TEST_F(BootReaderTest, EffectsBecomeTuples) {
  Load(": w ( ..a x: fixnum quot: ( ..a -- ..b ) -- ..b * ) drop drop ;");
  const Object* effect = gc::ObjectAt(At("w")->effect);
  EXPECT_EQ(effect->shape(), ShapeOfClass("effects", "effect"));
  const auto* in = As<Array>(*effect->field(0));
  ASSERT_EQ(in->size(), 2);
  EXPECT_EQ(As<Array>(in->elements[0])->elements[1], reader_->Find("math", "fixnum"));
  EXPECT_EQ(*effect->field(2), gc::kTrue);
  EXPECT_EQ(ToUtf8(*effect->field(3)), "a");
  EXPECT_EQ(ToUtf8(*effect->field(4)), "b");
}

TEST_F(BootReaderTest, EveryPrimitiveHasItsWordAndCounts) {
  Load("");
  for (const Primitive& row : kPrimitives) {
    const Word word = reader_->Find(row.vocabulary, row.word);
    ASSERT_NE(word, gc::kFalse) << row.word;
    const WordCell* cell = As<WordObject>(word)->word_cell();
    EXPECT_EQ(cell->inputs, row.counts.inputs) << row.word;
    EXPECT_EQ(cell->outputs, row.counts.outputs) << row.word;
    EXPECT_NE(cell->entry, 0U) << row.word;
  }
}

}  // namespace
}  // namespace weft
