#!/usr/bin/env python3
"""--strict-exit tells which threads and siblings a program left, and which error nobody heard of."""
import argparse
import re
import subprocess
import sys

CASES = [
    ('nothing is left', '1 drop', 0, []),
    ('a thread that was joined', '[ 1 ] "one" spawn join-thread drop', 0, []),
    ('a thread that waits', '[ 100 seconds sleep ] "sleeper" spawn drop yield', 4,
     ['weft: threads were left at the end:', r'.*"?sleeper"?.*']),
    ('a thread that died and was joined', '[ [ 1 0 / ] "bad" spawn join-thread drop ] [ drop ] recover', 0, []),
    ('a thread that died unheard', '[ 1 0 / ] "bad" spawn drop yield yield', 4, [r'.*bad.*']),
    ('a sibling', '[ 100 seconds sleep ] H{ { "name" "helper" } } spawn-vm* drop', 4,
     ['weft: sibling VMs were left at the end:', r'the sibling VM helper \(process \d+\)']),
    ('a sibling that was joined', '[ 1 ] spawn-vm join-vm drop', 0, []),
    ('a thread and a sibling', '[ 9 seconds sleep ] "t" spawn drop yield [ 9 seconds sleep ] spawn-vm drop', 4,
     ['weft: threads were left at the end:', 'weft: sibling VMs were left at the end:']),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft
    failed = 0
    for name, code, status, patterns in CASES:
        text = f'USING: calendar continuations kernel math threads threads.join vms ; {code}'
        run = subprocess.run([weft, '--strict-exit', '-e', text], capture_output=True, text=True, timeout=120)
        lines = run.stderr.splitlines()
        missing = [p for p in patterns if not any(re.fullmatch(p, line) for line in lines)]
        if run.returncode != status or missing or (not patterns and lines):
            failed += 1
            print(f'{name}: status {run.returncode}, wanted {status}; not found: {missing}\n{run.stderr}')
        plain = subprocess.run([weft, '-e', text], capture_output=True, text=True, timeout=120)
        if plain.returncode != 0:
            failed += 1
            print(f'{name}: without the option, status {plain.returncode}')
    print(f'{len(CASES) * 2 - failed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
