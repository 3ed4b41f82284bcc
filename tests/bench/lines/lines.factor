! Counts lines and words of a UTF-8 file: lines.factor FILE
USING: arrays assocs command-line formatting io io.encodings.utf8 io.files kernel locals math namespaces
sequences sorting splitting ;
FROM: namespaces => set ;
IN: lines

:: count-file ( path -- counts lines )
    H{ } clone :> counts
    0 path utf8 [
        [ " " split [ counts inc-at ] each 1 + ] each-line
    ] with-file-reader
    counts swap ;

: top ( counts -- pairs )
    >alist [ [ second neg ] [ first ] bi 2array ] sort-by 5 head ;

: main ( -- )
    command-line get first count-file over
    [ values sum ] [ assoc-size ] bi "%d lines, %d words, %d different\n" printf
    top [ first2 "%s %d\n" printf ] each ;

main
