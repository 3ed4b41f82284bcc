! Hashtables of 10,000 entries, strings to arrays, fill the heap up to the given number of
! megabytes. Then entries are added, changed and deleted, and whole tables replaced.
USING: arrays assocs command-line hashtables kernel locals math math.order math.parser namespaces
prettyprint sequences ;
IN: bench.gc.tables

:: make ( n -- table )
    n <hashtable> :> table
    n [| i | i i 1 + 2array i number>string table set-at ] each-integer
    table ;

! about 130 bytes an entry
:: fill-up ( megabytes -- tables ) megabytes 1048576 * 1300000 /i 1 max [ 10000 make ] replicate ;

:: mutate ( tables rounds -- )
    tables length :> n
    rounds [| i |
        i 7919 * n mod tables nth :> table
        100 [| k |
            i 31 * k 977 * + 10000 mod number>string :> key
            k 3 mod 0 = [ key table delete-at ] [ i k 2array key table set-at ] if
        ] each-integer
        i 512 mod 0 = [ 10000 make i 13 * n mod tables set-nth ] when
    ] each-integer ;

: megabytes ( -- n ) command-line get [ 1024 ] [ first string>number ] if-empty ;

:: main ( -- )
    megabytes fill-up :> tables
    tables megabytes 60 * mutate
    tables [ assoc-size 10000 <= ] all? . ;

MAIN: main
