// A small world for tests of the static compiler: the words it must know, read from text by the
// boot reader, and one call that compiles a word and shows what came out.
#ifndef WEFT_TESTS_COMPILER_STATIC_FIXTURE_H_
#define WEFT_TESTS_COMPILER_STATIC_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compiler/boot_reader.h"
#include "compiler/compiler.h"
#include "vm/disassembler.h"
#include "vm/interpreter.h"
#include "vm/machine.h"
#include "vm/primitives.h"
#include "vm/scheduler.h"
#include "vm/strings.h"
#include "vm/verifier.h"
#include "vm/vm.h"
#include "vm/word_code.h"

namespace weft {

// Vocabularies `kernel`, `math` and `effects` as far as the tests need them.
inline constexpr char kPrelude[] = R"(
IN: hashtables
TUPLE: hashtable { count } { deleted } { array } ;
IN: hash-sets
TUPLE: hash-set { count } { deleted } { array } ;
IN: effects
TUPLE: effect { in read-only } { out read-only } { terminated? read-only } { in-var read-only } { out-var read-only } ;
IN: accessors
IN: math
USE: kernel
MATH: + ( x y -- z )
MATH: - ( x y -- z )
MATH: * ( x y -- z )
MATH: < ( x y -- ? )
MATH: <= ( x y -- ? )
MATH: > ( x y -- ? )
MATH: >= ( x y -- ? )
MATH: number= ( x y -- ? )
IN: math
USE: math.private
M: fixnum + fixnum+ ;
M: fixnum - fixnum- ;
M: fixnum * fixnum* ;
M: fixnum < fixnum< ;
M: fixnum <= fixnum<= ;
M: fixnum > fixnum> ;
M: fixnum >= fixnum>= ;
M: fixnum number= eq? ;
IN: kernel
USE: math
GENERIC: boa ( slots... class -- tuple )
TUPLE: curried { obj read-only } { quot read-only } ;
TUPLE: composed { first read-only } { second read-only } ;
: not ( obj -- ? ) [ f ] [ t ] if ; inline
: 2dip ( x y quot -- x y ) swap [ dip ] dip ; inline
: keep ( ..a x quot: ( ..a x -- ..b ) -- ..b x ) over [ call ] dip ; inline
: bi ( x p q -- ) [ keep ] dip call ; inline
: when ( ..a ? true: ( ..a -- ..a ) -- ..a ) [ ] if ; inline
: unless ( ..a ? false: ( ..a -- ..a ) -- ..a ) [ ] swap if ; inline
: loop ( ... pred: ( ... -- ... ? ) -- ... ) [ call ] keep swap [ loop ] [ drop ] if ; inline recursive
: while ( ..a pred: ( ..a -- ..b ? ) body: ( ..b -- ..a ) -- ..b )
    [ [ call ] keep ] dip rot [ [ nip call ] 2keep while ] [ 2drop ] if ; inline recursive
: 3dip ( x y z quot -- x y z ) swap [ 2dip ] dip ; inline
: 3keep ( ..a x y z quot: ( ..a x y z -- ..b ) -- ..b x y z ) [ 3dup ] dip 3dip ; inline
: (each-integer) ( ... i n quot: ( ... i -- ... ) -- ... )
    2over < [ [ nip call ] 3keep [ 1 + ] 2dip (each-integer) ] [ 3drop ] if ; inline recursive
: each-integer ( ... n quot: ( ... i -- ... ) -- ... ) 0 -rot (each-integer) ; inline
: split-range ( ... from to quot: ( ... i -- ... ) -- ... )
    2over - -2 > [ 2over < [ nip call ] [ 3drop ] if ] [
        [ nip [ dup 1 + ] dip split-range ] 3keep
        [ [ 1 + ] dip ] dip split-range
    ] if ; inline recursive
: 2keep ( ..a x y quot: ( ..a x y -- ..b ) -- ..b x y ) [ 2dup ] dip 2dip ; inline
)";

class StaticCompilerTest : public ::testing::Test {
 protected:
  void Load(const std::string& text) {
    // One heap at a time: its addresses are fixed.
    code_.reset();
    report_.reset();
    reader_.reset();
    vm_.reset();
    Options options;
    auto vm = Vm::Create(options, &compiler_);
    ASSERT_TRUE(vm.ok()) << vm.status();
    vm_ = *std::move(vm);
    vm_->AttachCells(0);
    vm_->InitializeStubs();
    reader_ = std::make_unique<BootReader>(*vm_);
    const absl::Status status =
        reader_->ReadSources({{"prelude", kPrelude},
                              {"test",
                               "IN: test\nUSING: kernel math effects locals.backend continuations "
                               "kernel.private continuations.private system system.private ;\n" +
                                   WithSave(text)}});
    ASSERT_TRUE(status.ok()) << status;
  }

  // SAVE ( array -- ) leaves the array for Run.
  static std::string WithSave(std::string text) {
    const std::string word = "SAVE";
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
      text.replace(at, word.size(),
                   absl::StrCat(static_cast<int>(Special::kClassHooks), " set-special-object"));
    }
    return text;
  }

  Word Find(const std::string& name) { return reader_->Find("test", name); }

  // Compiles the word. True if there is code; report_ says the rest.
  bool Compile(const std::string& name) {
    gc::RootVector window(vm_->heap());
    for (const Word word : {Find(name), gc::kFalse, gc::kFalse}) window.push_back(word);
    Word slots[3] = {window.get(0), window.get(1), window.get(2)};
    Args args(slots);
    EXPECT_EQ(compiler_.CompileStatic(*vm_, args), Outcome::kNext);
    code_ = std::make_unique<gc::Root>(vm_->heap(), slots[0]);
    report_ = std::make_unique<gc::Root>(vm_->heap(), slots[1]);
    if (code_->is_false()) return false;
    gc::NoAlloc scope;
    EXPECT_EQ(VerifyCode(*vm_, As<Code>(code_->get())), "") << name;
    return true;
  }

  std::string Listing(const std::string& name) {
    if (!Compile(name)) return "error " + Kind();
    gc::NoAlloc scope;
    return Disassemble(*vm_, As<Code>(code_->get()));
  }
  std::string Maps(const std::string& name) {
    if (!Compile(name)) return "error " + Kind();
    gc::NoAlloc scope;
    return DescribeMaps(*vm_, As<Code>(code_->get()));
  }
  // The kind of the last error, "" after a success.
  std::string Kind() {
    gc::NoAlloc scope;
    if (!code_->is_false()) return "";
    return ToUtf8(As<Array>(report_->get())->elements[0]);
  }

  // Runs the dynamic code of `name` ( -- ... ) and shows the items it leaves. With `compiled`,
  // every word named there has its static code installed first.
  std::string Run(const std::string& name, const std::vector<std::string>& compiled = {}) {
    for (const std::string& word : compiled) {
      EXPECT_TRUE(Compile(word)) << word << ": " << Kind();
      if (code_->is_false()) return "error " + Kind();
      gc::Root root(vm_->heap(), Find(word));
      InstallStaticCode(*vm_, root, *code_);
    }
    Context* context = vm_->scheduler().NewContext();
    vm_->scheduler().set_main_context(context);
    gc::Root quotation(vm_->heap());
    {
      gc::NoAlloc scope;
      quotation.set(As<WordObject>(Find(name))->def);
    }
    machine::PrepareContext(*vm_, *context, quotation);
    vm_->scheduler().StartFirst(context);
    vm_->exiting = false;
    Interpret(*vm_);
    gc::NoAlloc scope;
    const Word left = vm_->special(Special::kClassHooks);
    if (!IsType(left, TypeId::kArray)) return "nothing";
    std::string out;
    const Array* items = As<Array>(left);
    for (int64_t i = 0; i < items->size(); ++i) {
      absl::StrAppend(&out, i == 0 ? "" : " ", DescribeLiteral(*vm_, items->elements[i]));
    }
    return out;
  }

  Compiler compiler_;
  std::unique_ptr<Vm> vm_;
  std::unique_ptr<BootReader> reader_;
  std::unique_ptr<gc::Root> code_;
  std::unique_ptr<gc::Root> report_;
};

}  // namespace weft

#endif  // WEFT_TESTS_COMPILER_STATIC_FIXTURE_H_
