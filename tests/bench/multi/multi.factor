! Sibling VMs and forked children: one line for each figure, medians; the same work as its neighbours'.
USING: arrays byte-arrays command-line io kernel locals math math.functions math.parser namespaces ranges sequences sorting
system vms vms.fork vms.shared ;
IN: bench.multi

: median ( seq -- x ) natural-sort dup length 2/ swap nth ;

! Nanoseconds a run.
:: lap ( quot: ( -- ) n -- ns )
    n [ nano-count quot call( -- ) nano-count swap - ] replicate median ;

: fixed ( x -- string ) 100 * round >integer 100 /f number>string ;

: row ( ns unit-ns unit name -- )
    "weft " write write ": " write [ / fixed write " " write ] dip print flush ;

: us ( ns name -- ) [ 1000 "us" ] dip row ;
: ms ( ns name -- ) [ 1000000 "ms" ] dip row ;

: collatz ( n -- steps )
    0 swap [ dup 1 = ] [ [ 1 + ] dip dup even? [ 2/ ] [ 3 * 1 + ] if ] until drop ;

: chunk ( range -- steps ) first2 [a..b) 0 [ collatz + ] reduce ;

:: chunks ( n -- seq ) n 16 /i :> size 16 <iota> [ size * 1 + dup size + 2array ] map ;

: echo ( -- ) [ parent-vm vm-receive parent-vm vm-send t ] loop ;

: first-byte ( -- ) [ parent-vm vm-receive first parent-vm vm-send t ] loop ;

:: round-trips ( object quot name n -- )
    quot spawn-vm :> vm
    20 [ object vm vm-send vm vm-receive drop ] times
    [ object vm vm-send vm vm-receive drop ] n lap name us
    vm kill-vm ;

:: parallel ( -- )
    80000 chunks :> work
    [ work [ chunk ] map drop ] 3 lap :> alone
    1 fork-chunk-size set-global
    [ work [ chunk ] parallel-fork-map drop ] 3 lap :> together
    "weft pmap fork-map: " write alone together / fixed write "x on " write
    "all processors" print flush ;

: main ( -- )
    [ [ ] spawn-vm join-vm drop ] 20 lap "spawn-vm, join-vm" ms
    [ 1 [ 1 + ] fork-map drop ] 200 lap "fork-map, small heap" ms
    300 1048576 * <byte-array> 1 over [ length 1 - ] keep set-nth
    [ 1 [ 1 + ] fork-map drop ] 100 lap "fork-map, 300 MiB more" ms drop
    [ f [ drop 16 1048576 * <byte-array> ] fork-map drop ] 10 lap "fork-map, 16 MiB of result" ms
    [ f [ drop 256 1048576 * <shared-bytes> ] fork-map drop ] 10 lap "fork-map, 256 MiB shared result" ms
    64 <byte-array> [ echo ] "message and answer, 64 B" 5000 round-trips
    1048576 <shared-bytes> [ first-byte ] "1 MiB of shared bytes, read" 500 round-trips
    256 1048576 * <shared-bytes> 1 over fill-bytes [ first-byte ] "256 MiB of shared bytes, read" 500 round-trips
    parallel ;

MAIN: main
