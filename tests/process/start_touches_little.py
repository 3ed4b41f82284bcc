#!/usr/bin/env python3
"""A start touches little of the image, and writes to less.

  start_touches_little.py --weft BINARY

Asks the kernel (/proc/PID/smaps) how much of the image's mappings is resident while a program waits for
its input. What a start needs lies together at the image's front (docs/image-format.md); were it strewn
over the image, each touch would bring in 64 KiB.
"""
import argparse
import re
import subprocess
import sys

# KiB, of an image of 40 MB. What the program has written to is anonymous; pages of a file that was just written
# count as dirty for whoever has them mapped.
MOST = {'Rss': 6 << 10, 'Anonymous': 300}

PROGRAM = 'USING: accessors assocs calendar formatting io kernel locals math sequences sorting ; readln print flush readln drop'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft
    failures = 0
    for program in 'readln print flush readln drop', PROGRAM:
        with subprocess.Popen([weft, '-e', program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            process.stdin.write('there\n')
            process.stdin.flush()
            assert process.stdout.readline() == 'there\n'
            with open(f'/proc/{process.pid}/smaps', encoding='utf-8') as file:
                mappings = re.split(r'^(?=[0-9a-f]+-[0-9a-f]+ )', file.read(), flags=re.M)
            process.communicate('\n')
        image = [m for m in mappings if m.partition('\n')[0].endswith('.image')]
        assert image, mappings
        for name, most in MOST.items():
            total = sum(int(n) for m in image for n in re.findall(rf'^{name}: +(\d+) kB', m, re.M))
            print(f'{name} {total} KiB of the image')
            failures += total > most
    return 1 if failures else 0


sys.exit(main())
