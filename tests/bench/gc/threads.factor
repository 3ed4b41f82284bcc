! Starts so many threads that are all there at once, then lets them end.
USING: command-line concurrency.count-downs concurrency.mailboxes kernel locals math math.parser
namespaces prettyprint sequences threads ;
IN: bench.gc.threads

: threads-wanted ( -- n ) command-line get [ 100000 ] [ first string>number ] if-empty ;

:: main ( -- )
    threads-wanted :> n
    <mailbox> :> box
    n <count-down> :> done
    n [ [ box mailbox-get drop done count-down ] "one" spawn drop ] times
    yield
    n [ f box mailbox-put ] times
    done await n . ;

MAIN: main
