USING: accessors combinators kernel math math.order prettyprint
sequences sorting ;
IN: bench.records

TUPLE: person id age score ;
C: <person> person

: random ( seed -- seed' ) 16807 * 2147483647 mod ;

: next-person ( seed -- seed' person )
    random dup dup 80 mod over 1000 mod <person> ;

: people ( n -- seq ) 42 swap [ next-person ] replicate nip ;

: <=>-by-age ( a b -- <=> )
    2dup [ age>> ] compare dup +eq+ =
    [ drop [ id>> ] compare ] [ 2nip ] if ;

: <=>-by-score ( a b -- <=> )
    2dup [ score>> ] compare
    { { +lt+ [ 2drop +gt+ ] } { +gt+ [ 2drop +lt+ ] } { +eq+ [ [ id>> ] compare ] } } case ;

: checksum ( people -- n )
    0 [ id>> swap 31 * + 1000003 mod ] reduce ;

: inversions ( people -- n )
    0 swap [ rest-slice ] keep [ [ score>> ] bi@ < [ 1 + ] when ] 2each ;

: main ( -- )
    150000 people
    [ [ <=>-by-age ] sort-with [ checksum . ] [ inversions . ] bi ]
    [ [ <=>-by-score ] sort-with checksum . ]
    [ [ id>> ] sort-by checksum . ] tri ;

MAIN: main
