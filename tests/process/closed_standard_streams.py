#!/usr/bin/env python3
"""Standard streams that are closed when the program starts give an error, and nothing else takes their numbers."""
import argparse
import subprocess
import sys

CASES = [
    ('output, read from a pipe', '>&-', 'USING: io kernel ; [ print ] each-line', 1, 'standard output'),
    ('output, one line', '>&-', 'USING: io ; readln print', 1, 'standard output'),
    ('output, nothing printed', '>&-', 'USING: io kernel ; readln drop', 0, ''),
    ('input', '<&-', 'USING: io prettyprint ; readln .', 1, 'standard input'),
    ('error', '2>&-', 'USING: io ; readln print', 0, ''),
    ('all', '<&- >&- 2>&-', 'USING: io ; readln print', 1, ''),
    ('output of a program that opens files', '>&-',
     'USING: io io.encodings.utf8 io.files kernel ; "/dev/null" utf8 <file-writer> drop "lost" print', 1,
     'standard output'),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft
    failed = 0
    for name, redirection, code, status, subject in CASES:
        run = subprocess.run(['sh', '-c', f'"$0" -e "$1" {redirection}', weft, code], input='a line\n',
                             capture_output=True, text=True, timeout=60)
        if run.returncode != status or subject not in run.stderr or bool(subject) != bool(run.stderr):
            failed += 1
            print(f'{name}: status {run.returncode}, wanted {status}\n{run.stderr}')
    print(f'{len(CASES) - failed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
