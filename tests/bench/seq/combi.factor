USING: assocs combinators.short-circuit kernel locals math
math.order prettyprint ranges sequences ;
IN: bench.combi

: squares-of-evens ( n -- seq ) [1..b] [ even? ] filter [ sq ] map ;

: pairs ( n -- pairs ) <iota> dup [ 3 + ] map zip ;

: products ( pairs -- seq )
    [ first2 * ] map [ 7 mod 0 = ] reject ;

: adders ( n -- quots ) <iota> [ [ + 1000003 mod ] curry ] map ;

: apply-all ( x quots -- y ) [ call( x -- y ) ] each ;

:: windows ( seq n -- slices )
    seq length n - 1 + <iota> [ dup n + seq <slice> ] map ;

: digits ( n -- seq ) [ dup 0 > ] [ 10 /mod ] produce nip ;

: lucky? ( n -- ? )
    { [ 3 mod 0 = ] [ digits sum even? ] } 1&& ;

: pass ( n -- n' )
    4000 squares-of-evens sum +
    4000 pairs products 0 [ max ] reduce +
    1000 adders apply-all
    3000 <iota> reverse 10 windows [ sum ] map maximum +
    1 3000 3 <range> [ lucky? ] count +
    1000 <iota> [ sq ] map unclip-last [ [ bitxor ] reduce ] keep bitand +
    1000003 mod ;

: main ( -- ) 1 60 [ pass ] times . ;

MAIN: main
