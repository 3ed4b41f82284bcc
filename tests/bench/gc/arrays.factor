! Arrays of 1,000 to 100,000 elements, each element a pair, fill the heap up to the given number of
! megabytes. Then elements anywhere are replaced by new pairs, and whole arrays by new arrays.
USING: arrays command-line kernel locals math math.order math.parser namespaces prettyprint sequences ;
IN: bench.gc.arrays

:: make ( n -- array ) n <iota> [ dup 1 + 2array ] map ;

! 8 bytes an element, and 32 bytes its pair
:: fill-up ( megabytes -- arrays )
    megabytes 1048576 * :> wanted
    V{ } clone :> all
    0 :> used!
    [ used wanted < ] [
        all length 100 mod 1 + 1000 * :> n
        n make all push
        used n 40 * + used!
    ] while
    all ;

:: mutate ( arrays rounds -- )
    arrays length :> n
    rounds [| i |
        i 7919 * n mod arrays nth :> array
        200 [| k |
            i k 2array
            i 31 * k 977 * + array length mod
            array set-nth
        ] each-integer
        i 256 mod 0 = [ i 13 * n mod dup arrays nth length make swap arrays set-nth ] when
    ] each-integer ;

: megabytes ( -- n ) command-line get [ 1024 ] [ first string>number ] if-empty ;

:: main ( -- )
    megabytes fill-up :> arrays
    arrays megabytes 100 * mutate
    arrays [ [ length 2 = ] all? ] all? . ;

MAIN: main
