USING: arrays kernel locals math prettyprint sequences ;
IN: bench.matmul

:: <matrix> ( n seed -- matrix )
    n <iota> [| i | n <iota> [| j | i j * seed + 10 mod ] map ] map ;

: transpose ( matrix -- matrix' )
    dup first length <iota> [ [ swap nth ] curry map ] with map ;

: dot ( u v -- n ) 0 [ * + ] 2reduce ;

: matrix* ( a b -- c )
    transpose [ [ dot ] with map ] curry map ;

: trace ( matrix -- n ) [ swap nth ] map-index sum ;

: attacks? ( row queen distance -- ? )
    [ - abs ] dip over = [ drop t ] [ 0 = ] if ;

: safe? ( row queens -- ? )
    dup length <iota> [ [ dupd ] dip 1 + attacks? ] 2any? nip not ;

:: queens ( placed n -- count )
    placed length n = [ 1 ] [
        n <iota> [| row |
            row placed safe? [ placed row prefix n queens ] [ 0 ] if
        ] map-sum
    ] if ;

: main ( -- )
    240 1 <matrix> 240 3 <matrix> matrix* dup matrix* trace .
    { } 9 queens . ;

MAIN: main
