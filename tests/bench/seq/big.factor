USING: io kernel locals math math.parser prettyprint ranges
sequences ;
IN: bench.big

: factorial ( n -- n! ) [1..b] 1 [ * ] reduce ;

: fib ( n -- f ) [ 0 1 ] dip [ tuck + ] times drop ;

:: pi-digits ( n -- digits )
    1 0 1 1 3 3 :> ( q! r! t! k! m! x! )
    V{ } clone :> digits
    [ digits length n < ] [
        4 q * r + t - m t * < [
            m digits push
            10 r m t * - *
            10 3 q * r + * t /i 10 m * - m!
            r!
            10 q * q!
        ] [
            2 q * r + x *
            7 k * 2 + q * r x * + t x * /i m!
            q k * q!
            t x * t!
            r!
            k 1 + k!
            x 2 + x!
        ] if
    ] while
    digits ;

: main ( -- )
    4000 factorial number>string [ length . ] [ last CHAR: 0 - . ] bi
    5000 factorial 2500 factorial /i 1000000007 mod .
    100000 fib 1000000007 mod .
    2000 pi-digits 0 [ swap 31 * + 1000003 mod ] reduce . ;

MAIN: main
