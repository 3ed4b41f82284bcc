#!/usr/bin/env python3
"""Run programs with the real binary and compare what they print with what they say they print.

  run_language_tests.py --weft BINARY [--mode MODE] [--jobs N] [--update] PATH...

A PATH is a program or a folder (searched for *.weft, deeply). Three kinds of programs:

1. With expectations in comments, on the line that causes them:
     ! expect: TEXT                one line of standard output, in order
     ! expect error: TEXT          a line of standard error contains TEXT; exit status 1. Behind code
                                   on its line, standard error must also name this FILE:LINE
     ! expect compile error: TEXT  the same for a program that must be refused
2. With a golden file (--golden DIR; default: beside the program): NAME.expected holds exit status,
   standard output and standard error, whole. --update writes it.
3. Test files of the library (--library): passed to `weft test`, which must exit with 0.

Further comments:
     ! args: --slice 1 -- a b      options, and behind `--` the program's own arguments
     ! command: test --tap         what stands before the file's name (default: nothing)
     ! stdin: TEXT                 a line of standard input
     ! exit: N                     exit status (default 0, or 1 where an error is expected)
     ! timeout: SECONDS            (default 30, times ten in the slow modes)
     ! skip: WHY                   not run;  `! skip stress: WHY` not run in that mode

Modes: plain; stress[=RATE,SEED]; slice1; seed=N; dynamic; uncached; verify. The output must be the same in each.
Programs run in their own folder, named without it, so that places read NAME.weft:LINE:COLUMN.
Exit status: 0 all passed, 1 something failed, 2 wrong use.
"""
import argparse
import concurrent.futures
import difflib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

DIRECTIVE = re.compile(
    r'(?:^|\s)!\s(expect|expect error|expect compile error|args|command|stdin|exit|timeout|'
    r'skip(?: [a-z0-9-]+)?):(?: (.*))?$')
SLOW = {'stress', 'slice1', 'verify'}


def without_times(text):
    "how long a thread has waited is not the program's to say"
    return re.sub(r'since \d+ ms', 'since N ms', text)


def mode_arguments(mode):
    name, _, value = mode.partition('=')
    table = {
        'plain': [],
        'stress': ['--gc-stress=' + (value or '100,1')],
        'slice1': ['--slice', '1'],
        'seed': ['--seed', value or '1'],
        'dynamic': ['--dynamic-only'],
        'uncached': ['--no-inline-caches'],
        'verify': ['--verify-heap', '--gc-stress=' + (value or '1000,1')],
    }
    if name not in table:
        raise SystemExit(f'no mode {mode!r}; there are: {", ".join(table)}')
    return table[name]


class Program:
    """One test file and what its comments ask for."""

    def __init__(self, path):
        self.path = path
        self.stdout, self.errors, self.stdin = [], [], []
        self.args, self.command, self.own_args = [], [], []
        self.exit, self.timeout, self.skips = None, 30.0, {}
        with open(path, encoding='utf-8', errors='surrogateescape') as file:
            for number, line in enumerate(file, 1):
                found = DIRECTIVE.search(line.rstrip('\n'))
                if found:
                    behind_code = bool(line[:found.start()].strip())
                    self.take(found[1], found[2] or '', number, behind_code)

    def take(self, kind, text, number, behind_code):
        if kind == 'expect':
            self.stdout.append(text)
        elif kind in ('expect error', 'expect compile error'):
            self.errors.append((text, number if behind_code else None))
        elif kind == 'args':
            words = shlex.split(text)
            if '--' in words:
                cut = words.index('--')
                words, self.own_args = words[:cut], words[cut + 1:]
            self.args += words
        elif kind == 'command':
            self.command = shlex.split(text)
        elif kind == 'stdin':
            self.stdin.append(text)
        elif kind == 'exit':
            self.exit = int(text)
        elif kind == 'timeout':
            self.timeout = float(text)
        else:
            self.skips[kind[5:]] = text

    def why_skipped(self, mode):
        return self.skips.get('') or self.skips.get(mode.partition('=')[0])


class Run:
    def __init__(self, weft, program, mode, extra):
        folder, name = os.path.split(os.path.abspath(program.path))
        self.line = ([weft] + mode_arguments(mode) + extra + program.args + program.command + [name]
                     + program.own_args)
        self.folder = folder
        slow = 10 if mode.partition('=')[0] in SLOW else 1
        limit = program.timeout * slow * float(os.environ.get('WEFT_TEST_PATIENCE', '1'))
        stdin = ''.join(line + '\n' for line in program.stdin).encode()
        self.timed_out = False
        # A folder of its own for what it writes, as others may run the same file in another mode meanwhile; and
        # a session of its own, so that a program that spawns others can be ended with them.
        with tempfile.TemporaryDirectory(prefix='weft-', ignore_cleanup_errors=True) as temporary:
            process = subprocess.Popen(self.line, cwd=folder, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env=dict(os.environ, TMPDIR=temporary),
                                       start_new_session=True)
            try:
                out, err = process.communicate(stdin, limit)
            except subprocess.TimeoutExpired:
                self.timed_out = True
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
        self.status = process.returncode
        self.stdout = out.decode('utf-8', 'backslashreplace')
        self.stderr = err.decode('utf-8', 'backslashreplace')

    def replay(self):
        return f'cd {shlex.quote(self.folder)} && {shlex.join(self.line)}'


def shown(status):
    if status < 0:
        try:
            return f'killed by {signal.Signals(-status).name}'
        except ValueError:
            return f'killed by signal {-status}'
    return f'exit status {status}'


def diff(expected, found):
    lines = difflib.unified_diff(expected, found, 'expected', 'found', lineterm='', n=2)
    return '\n'.join('    ' + line for line in list(lines)[:60])


def check_expectations(program, run):
    problems = []
    expected_status = program.exit if program.exit is not None else (1 if program.errors else 0)
    if run.status != expected_status:
        problems.append(f'{shown(run.status)}, expected {expected_status}')
    found = without_times(run.stdout).split('\n')
    if found and found[-1] == '':
        found.pop()
    if found != program.stdout:
        problems.append('standard output differs:\n' + diff(program.stdout, found))
    name = os.path.basename(program.path)
    for text, line in program.errors:
        if not any(text in row for row in run.stderr.split('\n')):
            problems.append(f'standard error does not contain: {text}')
        if line and not re.search(re.escape(f'{name}:{line}') + r'\b', run.stderr):
            problems.append(f'standard error does not name the place {name}:{line}')
    if problems and run.stderr:
        problems.append('standard error was:\n'
                        + '\n'.join('    ' + row for row in run.stderr.split('\n')[:40]))
    return problems


def golden_text(run):
    run.stdout, run.stderr = without_times(run.stdout), without_times(run.stderr)
    return (f'exit: {run.status}\n--- stdout\n{run.stdout}'
            + ('' if run.stdout.endswith('\n') or not run.stdout else '\n(no newline)\n')
            + f'--- stderr\n{run.stderr}')


def check_golden(run, golden, update):
    text = golden_text(run)
    if run.status < 0 or run.status > 127:
        return [f'{shown(run.status)}: a crash, whatever the golden file says\n{text}']
    if update:
        with open(golden, 'w', encoding='utf-8') as file:
            file.write(text)
        return []
    if not os.path.exists(golden):
        return [f'no `! expect: ...` in it and no golden file {golden} (--update writes it)']
    with open(golden, encoding='utf-8') as file:
        expected = file.read()
    if expected == text:
        return []
    return ['differs from ' + os.path.basename(golden) + ':\n'
            + diff(expected.split('\n'), text.split('\n'))]


def golden_path(options, path):
    if options.golden is None:
        return os.path.splitext(path)[0] + '.expected'
    return os.path.join(options.golden, os.path.splitext(os.path.basename(path))[0] + '.expected')


def check(options, path):
    """(path, seconds, problems or None when skipped, note)"""
    started = time.monotonic()
    program = Program(path)
    why = program.why_skipped(options.mode)
    if why:
        return path, 0.0, None, why
    if options.library and not program.command:
        program.command = ['test']
    run = Run(options.weft, program, options.mode, options.extra)
    if run.timed_out:
        problems = ['did not end in time']
    elif options.library:
        problems = [] if run.status == 0 else [
            f'{shown(run.status)}\n' + (run.stdout + run.stderr)[-4000:]]
    elif options.update or not (program.stdout or program.errors):
        problems = check_golden(run, golden_path(options, path), options.update)
    else:
        problems = check_expectations(program, run)
    if problems:
        problems.append('again: ' + run.replay())
    return path, time.monotonic() - started, problems, len(program.stdout) + len(program.errors)


def programs(paths, library):
    for path in paths:
        if not os.path.exists(path):
            raise SystemExit(f'there is no {path}')
        if os.path.isdir(path):
            for folder, folders, files in os.walk(path):
                folders.sort()
                # Vocabularies that tests use, and files that tests load, are not tests.
                folders[:] = [name for name in folders if name not in ('vocabs', 'files')]
                for name in sorted(files):
                    if name.endswith('-tests.weft' if library else '.weft'):
                        yield os.path.join(folder, name)
        else:
            yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('paths', nargs='+', metavar='PATH')
    parser.add_argument('--weft', required=True)
    parser.add_argument('--mode', default='plain')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--golden', help='folder of the golden files')
    parser.add_argument('--update', action='store_true', help='write golden files')
    parser.add_argument('--library', action='store_true', help='files of `weft test`')
    parser.add_argument('--extra', type=shlex.split, default=[], help='further options of weft')
    parser.add_argument('--verbose', action='store_true', help='name and time each program')
    options = parser.parse_args()
    mode_arguments(options.mode)
    options.weft = os.path.abspath(options.weft)

    passed = failed = skipped = expectations = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = programs(options.paths, options.library)
        for path, seconds, problems, note in pool.map(lambda p: check(options, p), found):
            name = os.path.relpath(path)
            if problems is None:
                skipped += 1
                print(f'skipped {name}: {note}')
            elif problems:
                failed += 1
                print(f'FAILED {name} ({options.mode})')
                print('\n'.join('  ' + problem for problem in problems), flush=True)
            else:
                passed += 1
                expectations += note
                if options.verbose:
                    print(f'passed {name} {seconds:.2f} s')
    print(f'{options.mode}: {passed} passed, {failed} failed, {skipped} skipped; '
          f'{expectations} expectations held')
    return 1 if failed or not passed + skipped else 0


sys.exit(main())
