USING: kernel locals math prettyprint ranges sequences ;
IN: bench.mandel

CONSTANT: size 700
CONSTANT: limit 50

: scale ( n -- x ) 2.0 * size / ;

:: escapes ( cr ci -- n )
    0.0 0.0 0 :> ( zr! zi! n! )
    [ n limit < [ zr sq zi sq + 4.0 <= ] [ f ] if ] [
        zr sq zi sq - cr +
        2.0 zr * zi * ci + zi!
        zr!
        n 1 + n!
    ] while
    n ;

: row ( y -- sum )
    scale 1.0 - size <iota> [ scale 1.5 - over escapes ] map-sum nip ;

: main ( -- ) size <iota> [ row ] map-sum . ;

MAIN: main
