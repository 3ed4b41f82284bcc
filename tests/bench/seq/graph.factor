USING: assocs deques dlists hash-sets kernel locals math
math.order prettyprint sequences sets vectors ;
IN: bench.graph

: random ( seed -- seed' ) 16807 * 2147483647 mod ;

:: <graph> ( nodes edges -- graph )
    H{ } clone :> graph
    42 edges [
        random dup nodes mod swap
        random [ nodes mod swap graph push-at ] keep
    ] times drop
    graph ;

:: distances ( start graph -- distances )
    H{ } clone :> seen
    <dlist> :> queue
    0 start seen set-at
    start queue push-back
    queue [| node |
        node seen at 1 + :> d
        node graph at [| next |
            next seen key? [
                d next seen set-at
                next queue push-back
            ] unless
        ] each
    ] slurp-deque
    seen ;

:: visit ( node graph seen -- )
    V{ } clone :> stack
    node stack push
    [ stack empty? ] [
        stack pop dup seen ?adjoin
        [ graph at stack push-all ] [ drop ] if
    ] until ;

:: components ( nodes graph -- count )
    0 <hash-set> :> seen
    nodes <iota> [
        dup seen in? [ drop f ] [ graph seen visit t ] if
    ] count ;

:: cached ( key cache order capacity -- hit? )
    key cache key? [
        key cache at order delete-node
        key order push-front* key cache set-at t
    ] [
        cache assoc-size capacity = [ order pop-back cache delete-at ] when
        key order push-front* key cache set-at f
    ] if ;

:: lru-hits ( n capacity -- hits )
    H{ } clone <dlist> :> ( cache order )
    42 0 n [
        swap random [
            dup 400 mod swap 600 mod min cache order capacity cached
            [ 1 + ] when
        ] keep swap
    ] times nip ;

:: main ( -- )
    60000 200000 <graph> :> graph
    0 graph distances :> seen
    seen assoc-size .
    seen values sum .
    60000 graph components .
    400000 100 lru-hits . ;

MAIN: main
