// Static code against text: what the compiler makes of small words.
#include "tests/compiler/static_fixture.h"

namespace weft {
namespace {

TEST_F(StaticCompilerTest, Show) {
  Load(R"(
: a ( x y -- z ) swap - ;
: b ( x -- y ) dup 2 < [ 1 + ] [ 2 * ] if ;
: fib ( n -- m ) dup 2 < [ [ 1 - fib ] [ 2 - fib ] bi + ] unless ;
: count ( n -- m ) 0 swap [ dup 0 > ] [ [ 1 + ] dip 1 - ] while drop ;
: curried-use ( x y -- z ) [ + ] curry call ;
: esc ( x -- q ) [ + ] curry ;
: rec ( q -- x ) [ 1 ] [ drop 2 ] recover swap drop ;
: main ( -- ) 20 fib 10 count 3 4 a get-datastack SAVE 0 (exit) ;
)");
  EXPECT_EQ(Run("main"), "6765 10 1");
  EXPECT_EQ(Run("main", {"fib", "count", "a"}), "6765 10 1");
  for (const char* name : {"a", "b", "fib", "count", "curried-use", "esc", "rec"}) {
    std::printf("--- %s\n%s%s", name, Listing(name).c_str(), Maps(name).c_str());
  }
}

}  // namespace
}  // namespace weft
