USING: arrays ascii assocs io kernel make math math.parser sequences
splitting strings ;
IN: bench.text

: random ( seed -- seed' ) 16807 * 2147483647 mod ;

: letters ( n -- string )
    [ dup 0 > ] [ 26 /mod CHAR: a + ] "" produce-as nip reverse ;

: row ( seed -- seed' string )
    random dup 100000 mod [ number>string ] [ letters ] bi
    [ random dup 1000 mod number>string ] 2dip rot
    [ [ "name=" % % ] dip ";x=" % swap % ";y=-" % % ] "" make ;

: table ( n -- text )
    42 swap [ row ] replicate nip "\n" join ;

: field ( string -- pair ) "=" split1 2array ;

: parse-row ( line -- assoc ) ";" split [ field ] map ;

: shout ( string -- string' ) [ letter? ] filter >upper ;

: total ( rows key -- n ) [ swap at string>number ] curry map-sum ;

: report ( rows -- text )
    [ [ "x" of ] [ "name" of shout ] bi ":" glue ] map ", " join ;

: main ( -- )
    60000 table dup length number>string print
    split-lines [ parse-row ] map
    dup "x" total number>string print
    dup "y" total number>string print
    report dup length number>string print
    [ CHAR: A = ] count number>string print ;

MAIN: main
