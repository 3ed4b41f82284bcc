#!/usr/bin/env python3
"""Starting and joining a thread, passing a message: no more instructions and bytes than they need.

  threads_cost_little.py --weft BINARY

Counts (--stats), so it depends on no clock: what 2,000 of each cost more than none. The limits are a tenth
above what they cost when they were set.
"""
import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../support'))
from counted import run_counted  # noqa: E402  (found by the path above)

PROGRAMS = {
    # name: (source, most instructions, most bytes) of one
    'spawn and join': ("""USING: concurrency.promises kernel locals math threads ;
IN: test
:: one ( -- ) <promise> :> p [ t p fulfill ] "worker" spawn drop p ?promise drop ;
: main ( -- ) {0} [ one ] times ;
main
""", 98, 326),
    'message, there and back': ("""USING: concurrency.mailboxes kernel locals math threads ;
IN: test
:: pong ( in out -- ) in mailbox-get out mailbox-put in out pong ;
:: main ( -- )
    <mailbox> :> a <mailbox> :> b
    [ a b pong ] "pong" spawn drop
    {0} [ f a mailbox-put b mailbox-get drop ] times ;
main
""", 58, 141),
}
COUNT = 2000


def cost(weft, folder, source, count):
    path = os.path.join(folder, 'threads.weft')
    with open(path, 'w', encoding='ascii') as file:
        file.write(source.format(count))
    return run_counted(weft, path)[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (source, *limits) in PROGRAMS.items():
            none, many = (cost(weft, folder, source, n) for n in (0, COUNT))
            for what, base, all_of_them, limit in zip(('instructions', 'bytes'), none, many, limits):
                each = (all_of_them - base) / COUNT
                print(f'{name}: {each:.1f} {what}, at most {limit}')
                failures += each > limit
    return 1 if failures else 0


sys.exit(main())
