#!/usr/bin/env python3
"""What observes a run does not change it, and observes the same each time.

  observing.py --weft BINARY

A program with threads and tuples is run plainly, sampled, counted, traced, with statistics and without inline
caches: its output and the hash of its schedule are those of the plain run. Two profiles of it are equal to the byte, and the calls that the
program is known to make have the counts that follow from its text.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.dom.minidom

PROGRAM = '''USING: accessors io kernel math prettyprint sequences threads ;
IN: observed
TUPLE: cell value ;
TUPLE: left-cell < cell ; TUPLE: right-cell < cell ; TUPLE: upper-cell < cell ; TUPLE: lower-cell < cell ;
GENERIC: weight ( cell -- n )
M: cell weight value>> ;
M: left-cell weight value>> 2 * ;
: cells ( -- seq )
    { T{ cell f 1 } T{ left-cell f 2 } T{ right-cell f 3 } T{ upper-cell f 4 } T{ lower-cell f 5 } } ;
: fib ( n -- m )
    dup 2 < [ 1 - [ fib ] [ 1 - fib ] bi + ] unless ;
: busy ( n -- ) [ 12 fib drop cells [ [ weight ] [ clone 0 >>value value>> ] bi + ] map-sum drop yield ] times ;
8 <iota> [ '[ _ 5 + busy ] "worker" spawn ] map
drop 100 [ yield ] times
17 fib .
'''.replace('USING: io', 'USING: fry io')


def run(weft, *arguments):
    done = subprocess.run([weft, '--sched-hash', *arguments], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    found = re.search(r'^sched-hash ([0-9a-f]{16})$', done.stderr, re.M)
    assert found, done.stderr
    return done.stdout, done.stderr, found.group(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'observed.weft')
        with open(path, 'w', encoding='ascii') as file:
            file.write(PROGRAM)
        graph = os.path.join(folder, 'flame.svg')
        plain_output, _, plain_hash = run(weft, path)
        assert plain_output == '1597\n', plain_output

        for seed in ('0', '7'):
            _, _, expected = run(weft, '--seed', seed, path)
            for arguments in (['--stats', path], ['--op-stats', path],
                              ['profile', '--every', '97', path],
                              ['profile', '--every', '97', '--flame', graph, path],
                              ['disasm', '--counts', path],
                              ['--trace-gc', path], ['--no-inline-caches', path]):
                output, errors, found = run(weft, '--seed', seed, *arguments)
                assert output.startswith(plain_output), (arguments, output)
                assert found == expected, (arguments, found, expected)
        assert run(weft, path)[2] == plain_hash

        # Twice the same.
        reports = [run(weft, 'profile', '--every', '97', path)[1] for _ in range(2)]
        assert reports[0] == reports[1]
        samples = int(re.match(r'(\d+) samples, one every 97 instructions', reports[0]).group(1))
        assert samples > 100, samples
        row = re.search(r'^ *([0-9.]+)% +([0-9.]+)%  fib$', reports[0], re.M)
        assert row and 50 < float(row.group(1)) <= float(row.group(2)) <= 100, reports[0]
        assert re.search(r'%  \S*observed\.weft:11$', reports[0], re.M), reports[0]

        # A drawing that needs nothing else, with a box for each call that was seen.
        with open(graph, encoding='utf-8') as file:
            text = file.read()
        titles = [t.firstChild.data for t in
                  xml.dom.minidom.parseString(text).getElementsByTagName('title')]
        assert any(title.startswith('fib (') for title in titles), titles
        assert 'href' not in text and '<script' not in text

        # At least one entry of fib for each call (one more where a slice ended there).
        def calls(n):
            return 1 if n < 2 else 1 + calls(n - 1) + calls(n - 2)
        entries = calls(17) + sum(n + 5 for n in range(8)) * calls(12)
        listing = run(weft, 'disasm', '--counts', path)[0]
        body = listing[listing.index('observed:fib\n'):].split('\n')
        first = body[1].split()
        assert first[2] == 'Enter' and int(first[0]) >= entries, (first, entries)
        total = int(re.search(r'^instructions +(\d+)$', run(weft, '--stats', path)[1], re.M).group(1))
        opcodes = run(weft, '--op-stats', path)[1]
        assert int(re.search(r'^opcodes: (\d+) instructions$', opcodes, re.M).group(1)) == total
        counts = [int(n) for n in re.findall(r'^ +(\d+) +[0-9.]+%  \w+$', opcodes, re.M)]
        assert sum(counts) == total, (sum(counts), total)

        # What is asked for wrongly is said so.
        for arguments in (['profile'], ['profile', '--every', 'x', path], ['profile', '--every']):
            done = subprocess.run([weft, *arguments], capture_output=True, text=True, timeout=60)
            assert done.returncode == 2 and done.stderr.startswith('weft: '), (arguments, done.stderr)
    return 0


sys.exit(main())
