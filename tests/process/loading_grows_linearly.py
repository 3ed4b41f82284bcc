#!/usr/bin/env python3
"""Reading source, and printing what is wrong with it, costs each line the same however many there are.

  loading_grows_linearly.py --weft BINARY

Counts instructions and allocated bytes (--stats), so it depends on no clock. Four times the lines may cost
at most five times as much, start-up apart.
"""
import argparse
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../support'))
from counted import run_counted  # noqa: E402  (found by the path above)

LINES = {
    'good': ': word{0} ( x y -- z ) over + {0} * nip dup 3 > [ drop 7 ] [ 2 + ] if ;',
    'bad': ': word{0} ( x y -- z ) over + {0} * nip dup 3 > [ drop 7 ] [ 2 + ] if dup ;',
    'tuples': 'TUPLE: tuple{0} a {{ b integer }} ; M: tuple{0} length a>> ;',
    'literals': '{{ {0} "a\\tb" f }} [ dup {0}.5 swap ] 2drop H{{ {{ {0} V{{ 1 }} }} }} drop',
}


def cost(weft, folder, kind, count):
    path = os.path.join(folder, 'lines.weft')
    with open(path, 'w', encoding='ascii') as file:
        file.write('USING: accessors arrays hashtables kernel math sequences vectors ;\nIN: lines\n')
        file.writelines(LINES[kind].format(n) + '\n' for n in range(count))
    counts, errors = run_counted(weft, path, status=1 if kind == 'bad' else 0)
    if kind == 'bad':
        assert len(re.findall(r'is wrong', errors)) == count
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in LINES:
            none, few, many = (cost(weft, folder, kind, n) if n or kind != 'bad' else
                               cost(weft, folder, 'good', 0) for n in (0, 200, 800))
            for what, base, small, large in zip(('instructions', 'bytes'), none, few, many):
                ratio = (large - base) / (small - base)
                print(f'{kind}: {(large - base) / 800:.0f} {what} a line, ratio {ratio:.2f}')
                failures += ratio > 5
    return 1 if failures else 0


sys.exit(main())
