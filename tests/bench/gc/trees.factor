! Binary trees of 32,767 nodes fill the heap up to the given number of megabytes. Then trees are
! replaced by new ones, one after another, and branches of old ones are exchanged.
USING: accessors arrays command-line io kernel locals math math.order math.parser namespaces prettyprint
sequences vectors ;
IN: bench.gc.trees

TUPLE: node left right ;

: make-tree ( depth -- node )
    dup zero? [ drop f f node boa ] [
        1 - [ make-tree ] [ make-tree ] bi node boa
    ] if ;

: count-tree ( node -- n )
    dup [ [ left>> count-tree ] [ right>> count-tree ] bi + 1 + ] [ drop 0 ] if ;

! 24 bytes a node
: trees-for ( megabytes -- n ) 1048576 * 32767 24 * /i 1 max ;

:: exchange ( a b -- )
    a left>> :> left
    b right>> a left<<
    left b right<< ;

:: mutate ( trees rounds -- )
    trees length :> n
    rounds [| i |
        14 make-tree i 7 * n mod trees set-nth
        100 [| k |
            i k + 13 * n mod trees nth :> a
            i k + 29 * 3 + n mod trees nth :> b
            a b eq? [ a b exchange ] unless
        ] each-integer
    ] each-integer ;

: megabytes ( -- n ) command-line get [ 1024 ] [ first string>number ] if-empty ;

:: main ( -- )
    megabytes trees-for :> n
    n [ 14 make-tree ] replicate :> trees
    trees n 2 * 4000 min mutate
    trees [ count-tree ] map sum 32767 n * = . ;

MAIN: main
