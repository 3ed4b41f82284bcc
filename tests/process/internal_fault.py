#!/usr/bin/env python3
"""U36: an internal fault prints what to report, writes one crash file and ends with status 134."""
import argparse
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile

PROGRAM = '''USING: io kernel threads.private ;
IN: faulty
: inner ( -- ) %d (raise-signal) 1 drop ;
: outer ( -- ) inner 1 drop ;
"before" print outer "behind" print
'''


def run(weft, folder, number, **environment):
    path = os.path.join(folder, 'faulty.weft')
    with open(path, 'w') as file:
        file.write(PROGRAM % number)
    return subprocess.run([weft, path, 'an argument'], capture_output=True, text=True, timeout=60, cwd=folder,
                          env=dict(os.environ, **environment), preexec_fn=no_core)


def no_core():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def check(weft, number):
    with tempfile.TemporaryDirectory() as folder:
        done = run(weft, folder, number)
        assert done.returncode == 134, done
        assert 'behind' not in done.stdout
        lines = done.stderr.splitlines()
        name = signal.Signals(number).name
        assert lines[0] == f'weft: internal fault: signal {number} ({name})', done.stderr
        files = glob.glob(os.path.join(folder, 'weft-crash-*.txt'))
        assert len(files) == 1 and os.path.basename(files[0]) in lines[1] and 'report' in lines[1], done.stderr
        assert len(lines) == 2, done.stderr
        with open(files[0]) as file:
            text = file.read()
        assert re.match(r'weft [0-9.]+: internal fault: signal', text), text
        assert 'faulty.weft an argument' in text, text
        assert text.index('in inner') < text.index('in outer') and 'faulty.weft:3' in text, text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weft', required=True)
    weft = os.path.abspath(parser.parse_args().weft)
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT):
        check(weft, number)
    print('passed')


if __name__ == '__main__':
    sys.exit(main())
