// Static code against text: what the compiler makes of small words, what their stack maps say, and
// how it refuses.
#include "tests/compiler/static_fixture.h"

namespace weft {
namespace {

struct Row {
  const char* source;  // of one word named w
  const char* expected;
};

TEST_F(StaticCompilerTest, ShufflesRenameAndLiteralsStayInInstructions) {
  const Row rows[] = {
      {": w ( x y -- z ) swap - ;", "0 Enter 3 3\n1 Sub 0 1 0\n2 Return\n"},
      {": w ( x y -- y x ) swap ;", "0 Enter 3 5\n1 Move 2 1\n2 Move 1 0\n3 Move 0 2\n4 Return\n"},
      {": w ( x -- y ) 1 + 3 * ;", "0 Enter 2 4\n1 AddImm 0 0 #1\n2 MulImm 0 0 #3\n3 Return\n"},
      {": w ( -- x ) 2 3 + ;", "0 Enter 2 3\n1 LoadInt 0 #5\n2 Return\n"},
      {": w ( x y -- z ) [ + ] curry call ;", "0 Enter 3 3\n1 Add 0 0 1\n2 Return\n"},
      {": w ( x y -- z w ) [ 1 + ] dip 2 * ;",
       "0 Enter 3 4\n1 AddImm 0 0 #1\n2 MulImm 1 1 #2\n3 Return\n"},
  };
  for (const Row& row : rows) {
    Load(row.source);
    EXPECT_EQ(Listing("w"), row.expected) << row.source;
  }
}

TEST_F(StaticCompilerTest, ComparisonsFuseWithBranches) {
  Load(": w ( x -- y ) dup 2 < [ 1 + ] [ 2 * ] if ;");
  EXPECT_EQ(Listing("w"),
            "0 Enter 2 4\n1 JumpIfNotLessImm 0 #2 -> 5\n3 AddImm 0 0 #1\n4 Return\n"
            "5 MulImm 0 0 #2\n6 Return\n");
}

TEST_F(StaticCompilerTest, ConditionsMadeOfConditionsDissolve) {
  Load(
      ": and ( x y -- z ) over [ nip ] [ drop ] if ; inline\n"
      ": w ( x y -- z ) [ 1 < ] dip 2 < and [ 3 ] [ 4 ] if ;");
  const std::string listing = Listing("w");
  EXPECT_EQ(listing.find("LoadOther"), std::string::npos) << listing;
}

TEST_F(StaticCompilerTest, CallArgumentsAreComputedInTheWindow) {
  Load(": w ( n -- m ) dup 2 < [ [ 1 - w ] [ 2 - w ] bi + ] unless ;");
  EXPECT_EQ(Listing("w"),
            "0 Enter 4 8\n1 JumpIfNotLessImm 0 #2 -> 4\n3 Return\n4 SubImm 1 0 #1\n5 Call 1 ; w\n"
            "6 SubImm 2 0 #2\n7 Call 2 ; w\n8 Add 0 1 2\n9 Return\n");
}

TEST_F(StaticCompilerTest, CallsInTailPositionAreJumps) {
  Load(": g ( x -- y ) w ;\n: w ( x -- y ) dup 0 < [ 1 - g ] [ 1 + g ] if ;");
  const std::string listing = Listing("w");
  EXPECT_NE(listing.find("TailCall ; g"), std::string::npos) << listing;
  EXPECT_EQ(listing.find(" Call "), std::string::npos) << listing;
}

TEST_F(StaticCompilerTest, InlineRecursiveWordsAreLoops) {
  Load(": w ( n -- m ) 0 swap [ dup 0 > ] [ [ 1 + ] dip 1 - ] while drop ;");
  EXPECT_EQ(Listing("w"),
            "0 Enter 3 7\n1 Move 1 0\n2 LoadInt 0 #0\n3 JumpIfNotGreaterImm 1 #0 -> 8\n"
            "5 AddImm 0 0 #1\n6 SubImm 1 1 #1\n7 Loop -> 3\n8 Return\n");
}

TEST_F(StaticCompilerTest, LoopsThatCountUseOneInstruction) {
  Load(": w ( n -- m ) 0 swap [ + ] each-integer ;");
  const std::string listing = Listing("w");
  EXPECT_NE(listing.find("LoopIfLess"), std::string::npos) << listing;
}

TEST_F(StaticCompilerTest, CallsThatAreNotLastMakeASubroutine) {
  Load(
      ": w ( a n -- b ) [ + ] curry 0 8 rot split-range ;\n"
      ": v ( a -- b ) dup [ + drop ] curry 0 3 rot split-range ;");
  EXPECT_FALSE(Compile("w"));
  const std::string listing = Listing("v");
  EXPECT_NE(listing.find("CallLocal"), std::string::npos) << listing;
}

TEST_F(StaticCompilerTest, MapsShowTheStacksAsTheyWouldBe) {
  Load(": g ( x -- y ) dup 0 < [ 1 + ] when ;\n: w ( a b -- c d ) [ 7 swap g ] dip drop ;");
  const std::string maps = Maps("w");
  // At the call of g: 7 is on the data stack, b is retained.
  EXPECT_NE(maps.find("| 7 |"), std::string::npos) << maps;
}

TEST_F(StaticCompilerTest, EscapingCallablesBecomeObjects) {
  Load(": w ( x -- q ) [ + ] curry ;");
  EXPECT_EQ(Listing("w"),
            "0 Enter 3 4\n1 LoadLiteral 1 ; [ + ]\n2 NewTuple 0 ; layout of curried\n3 Return\n");
}

TEST_F(StaticCompilerTest, ErrorsHaveKinds) {
  const Row rows[] = {
      {": w ( x -- ) ;", "effect-mismatch"},
      {": w ( x -- y ) drop drop ;", "effect-mismatch"},
      {": w ( x -- y ) [ 1 ] [ 2 3 ] if ;", "unbalanced-branches"},
      {": w ( q -- x ) call ;", "unknown-macro-input"},
      {": w ( x -- y ) 1 + call ;", "bad-macro-input"},
      {": i ( x -- y ) i ; inline\n: w ( x -- y ) i ;", "undeclared-recursion"},
      {": w ( -- ) [ dup call ] dup call ;", "recursive-quotation"},
      {": r ( ... q: ( ... -- ... ) -- ... ) dup dip r ; inline recursive\n"
       ": w ( -- ) [ 1 ] r ;",
       "unbalanced-recursion"},
      {": w ( x -- ) clear ;", "needs-dynamic"},
  };
  for (const Row& row : rows) {
    Load(row.source);
    EXPECT_FALSE(Compile("w")) << row.source;
    EXPECT_EQ(Kind(), row.expected) << row.source;
  }
}

TEST_F(StaticCompilerTest, WordsThatNeverReturnFitEveryDeclaration) {
  Load(": w ( x -- y z ) (unwind) ;");
  EXPECT_TRUE(Compile("w")) << Kind();
}

TEST_F(StaticCompilerTest, DeepNestingFallsBackToDynamicMode) {
  std::string text = ": w ( x -- y ) ";
  for (int i = 0; i < 5000; ++i) text += "[ 1 + ";
  for (int i = 0; i < 5000; ++i) text += "] call ";
  Load(text + ";\n: main ( -- ) 5 w get-datastack SAVE 0 (exit) ;");
  EXPECT_NE(Listing("w").find("CallDynamic"), std::string::npos);
  EXPECT_EQ(Run("main", {"w"}), "5005");
}

TEST_F(StaticCompilerTest, TheVerifierSeesDamage) {
  Load(": w ( n -- m ) dup 2 < [ [ 1 - w ] [ 2 - w ] bi + ] unless ;");
  ASSERT_TRUE(Compile("w"));
  gc::NoAlloc scope;
  Code* code = As<Code>(code_->get());
  uint32_t* words = code->instructions();
  const struct {
    size_t at;
    uint32_t word;
  } damages[] = {
      {4, EncodeABC(Op::kSubImm, 77, 0, 1)},         // slot outside the frame
      {4, 0xFF},                                     // no instruction
      {5, EncodeAD(Op::kCall, 1, 500)},              // literal outside the pool
      {5, EncodeAD(Op::kCallPrimitive, 1, 0xFFFF)},  // no such primitive
      {2, 1000},                                     // jump distance
      {3, EncodeAD(Op::kDynReturn, 0, 0)},           // dynamic mode
      {9, EncodeABC(Op::kMove, 0, 1)},               // runs off the end
      {3, EncodeABC(Op::kAdd, 0, 0, 0)},             // safepoint without a map
  };
  for (const auto& damage : damages) {
    const uint32_t good = words[damage.at];
    words[damage.at] = damage.word;
    EXPECT_NE(VerifyCode(*vm_, code), "") << damage.at;
    words[damage.at] = good;
  }
  EXPECT_EQ(VerifyCode(*vm_, code), "");
}

TEST_F(StaticCompilerTest, CompiledWordsRun) {
  Load(R"(
: fib ( n -- m ) dup 2 < [ [ 1 - fib ] [ 2 - fib ] bi + ] unless ;
: sum ( n -- m ) 0 swap [ + ] each-integer ;
: safe ( x -- y ) [ (unwind) ] [ drop 2 + ] recover ;
: main ( -- ) 20 fib 10 sum 5 safe get-datastack SAVE 0 (exit) ;
)");
  EXPECT_EQ(Run("main"), "6765 45 7");
  EXPECT_EQ(Run("main", {"fib", "sum", "safe"}), "6765 45 7");
}

}  // namespace
}  // namespace weft
