! So many threads wait for a mailbox while another one allocates: 2,000,000 short lists.
USING: arrays command-line concurrency.mailboxes kernel locals math math.parser namespaces
prettyprint sequences threads ;
IN: bench.gc.parked

: parked ( -- n ) command-line get [ 1000000 ] [ first string>number ] if-empty ;

:: main ( -- )
    <mailbox> :> box
    parked [ [ box mailbox-get drop ] "parked" spawn drop ] times
    yield
    0 2000000 [ dup 1 + 2array first 1 + ] times . ;

MAIN: main
