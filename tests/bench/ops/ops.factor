! A line for each operation: its name and the nanoseconds that one element takes.
USING: accessors arrays ascii assocs byte-arrays combinators io kernel make math math.functions
math.order math.parser math.statistics namespaces sbufs sequences sets sorting splitting strings
system vectors ;
IN: bench.ops

CONSTANT: n 200000

: random ( seed -- seed' ) 16807 * 2147483647 mod ;

: randoms ( n -- seq ) 42 swap [ random dup ] replicate nip ;

: report ( name nanoseconds -- )
    [ write " " write ] [ n /i number>string print flush ] bi* ;

: measure ( ..a name quot: ( ..a -- ..b ) -- ..b )
    nano-count [ swap [ call ] dip ] dip nano-count swap - report ; inline

TUPLE: person name age ;
C: <person> person

: word-of ( n -- string ) number>string "w" prepend ;

: sorting ( -- )
    n randoms {
        [ "sort-fixnums" [ sort drop ] measure ]
        [ [ >float 7.0 / ] map "sort-floats" [ sort drop ] measure ]
        [ [ word-of ] map "sort-strings" [ sort drop ] measure ]
        [ "sort-with" [ [ swap <=> ] sort-with drop ] measure ]
        [ [ dup 1000 mod <person> ] map "sort-by" [ [ age>> ] sort-by drop ] measure ]
        [ [ dup 1000 mod 2array ] map "sort-values" [ sort-values drop ] measure ]
        [ [ dup 1000 mod 2array ] map "sort-pairs" [ sort drop ] measure ]
    } cleave
    n <iota> >array "sort-sorted" [ sort drop ] measure ;

: numbers ( -- )
    n randoms {
        [ "print-fixnums" [ [ number>string drop ] each ] measure ]
        [ [ number>string ] map "parse-fixnums" [ [ string>number drop ] each ] measure ]
        [ [ >float 1e5 / ] map "print-floats" [ [ number>string drop ] each ] measure ]
        [ [ >float 1e5 / number>string ] map
          "parse-floats" [ [ string>number drop ] each ] measure ]
        [ [ 4 ^ ] map "print-bignums" [ [ number>string drop ] each ] measure ]
        [ [ 4 ^ number>string ] map "parse-bignums" [ [ string>number drop ] each ] measure ]
        [ [ >hex ] map "parse-hex" [ [ hex> drop ] each ] measure ]
        [ "print-hex" [ [ >hex drop ] each ] measure ]
    } cleave ;

: build-sbuf ( n -- string ) [ SBUF" " clone ] dip [ 26 mod CHAR: a + suffix! ] each-integer >string ;

: text ( -- string ) n randoms [ word-of ] map " " join ;

: building ( -- )
    "push-chars" [ n build-sbuf drop ] measure
    "make-chars" [ [ n [ 26 mod CHAR: a + , ] each-integer ] "" make drop ] measure
    "make-strings" [ [ n [ drop "name=" % "x" % ] each-integer ] "" make drop ] measure
    n randoms [ word-of ] map {
        [ "join" [ " " join drop ] measure ]
        [ "concat" [ concat drop ] measure ]
        [ "append" [ [ "tail" append drop ] each ] measure ]
        [ "3append" [ [ "a" swap "tail" 3append drop ] each ] measure ]
        [ "glue" [ [ "tail" ", " glue drop ] each ] measure ]
        [ "reverse" [ [ reverse drop ] each ] measure ]
        [ "map-string" [ [ [ 1 + ] map drop ] each ] measure ]
        [ "filter-string" [ [ [ CHAR: 5 > ] filter drop ] each ] measure ]
        [ "upper" [ [ >upper drop ] each ] measure ]
        [ "index" [ [ [ CHAR: 7 ] dip index drop ] each ] measure ]
        [ "subseq" [ [ 1 4 rot subseq drop ] each ] measure ]
        [ "head-tail" [ [ 2 cut 2drop ] each ] measure ]
        [ "subseq-index" [ [ "77" subseq-index drop ] each ] measure ]
        [ "replace-small" [ [ "1" "one" replace drop ] each ] measure ]
        [ "trim" [ [ [ digit? ] trim drop ] each ] measure ]
    } cleave
    text {
        [ "split" [ " " split drop ] measure ]
        [ "split-words" [ split-words drop ] measure ]
        [ "split-subseq" [ "w1" split-subseq drop ] measure ]
        [ "replace" [ "w1" "word one" replace drop ] measure ]
        [ "upper-text" [ >upper drop ] measure ]
        [ "lower-text" [ >lower drop ] measure ]
        [ "count" [ [ CHAR: w = ] count drop ] measure ]
        [ "hash-text" [ " " split [ hashcode drop ] each ] measure ]
    } cleave ;

: counting ( -- )
    n randoms [ 5000 mod ] map {
        [ "count-fixnums" [ H{ } clone swap [ over inc-at ] each drop ] measure ]
        [ [ word-of ] map "count-strings" [ H{ } clone swap [ over inc-at ] each drop ] measure ]
        [ "histogram" [ histogram drop ] measure ]
        [ "collect-by" [ [ 100 mod ] collect-by drop ] measure ]
        [ "unique" [ members drop ] measure ]
        [ "zip" [ dup zip >alist drop ] measure ]
    } cleave ;

: main ( -- ) sorting numbers building counting ;

MAIN: main
