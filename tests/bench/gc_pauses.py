#!/usr/bin/env python3
"""Pauses of the collector on large heaps: tests/bench/gc/{trees,arrays,tables,parked}.factor.

  gc_pauses.py --weft PATH [--megabytes N] [--threads N] [--runs N] [--only a,b]

Each program holds N megabytes (default 1024), in another form each, and changes them while it
allocates. It is run with the old heap collected in steps, as usual, and in one pause (--gc-stop):
the ratio of their times is what the steps cost. `parked` allocates beside 0 and beside a million
parked threads. Milliseconds of wall time, as the VM's own clock measures them: on a machine with
other work, an interruption counts as a pause.
"""
import argparse, os, re, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument('--weft', required=True)
ap.add_argument('--megabytes', type=int, default=1024)
ap.add_argument('--threads', type=int, default=1000000)
ap.add_argument('--runs', type=int, default=3)
ap.add_argument('--only')
ap.add_argument('--timeout', type=float, default=600)
opt = ap.parse_args()

ROW = re.compile(r'gc: (minor collections|steps of cycles|ends of cycles and full collections): (\d+), '
                 r'([\d.]+) ms together; p50 ([\d.]+) p99 ([\d.]+) longest ([\d.]+) ms')

def run(program, argument, stop):
    """(seconds, {kind: (count, total, p50, p99, longest)})"""
    command = [opt.weft, '--trace-gc'] + (['--gc-stop'] if stop else [])
    begin = time.perf_counter()
    done = subprocess.run(command + [f'{HERE}/gc/{program}.factor', str(argument)], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=opt.timeout)
    seconds = time.perf_counter() - begin
    rows = {m[1].split()[0]: (int(m[2]), *map(float, m.groups()[2:])) for m in ROW.finditer(done.stderr)}
    if done.returncode != 0 or len(rows) != 3:
        sys.exit(f'{program} {argument} failed:\n' + '\n'.join(done.stderr.splitlines()[-5:]))
    return seconds, rows

def median_of(runs, kind, column):
    return statistics.median(rows[kind][column] for _, rows in runs)

def measure(program, argument, label):
    both = {}
    for stop in (False, True):
        both[stop] = []
    for _ in range(opt.runs):   # in turn, so that a drift of the machine touches both alike
        for stop in (False, True):
            both[stop].append(run(program, argument, stop))
    for stop, runs in both.items():
        seconds = statistics.median(s for s, _ in runs)
        ratio = seconds / statistics.median(s for s, _ in both[True])
        longest = max(median_of(runs, kind, 4) for kind in ('steps', 'ends'))
        cells = [label, 'one pause' if stop else 'steps', f'{seconds:.2f} (x{ratio:.2f})',
                 f'{median_of(runs, "minor", 0):.0f}'] + \
                [f'{median_of(runs, "minor", c):.3f}' for c in (2, 3, 4)] + \
                [f'{median_of(runs, "ends", 0):.0f}', f'{longest:.2f}',
                 f'{median_of(runs, "steps", 3):.3f}']
        print('| ' + ' | '.join(cells) + ' |', flush=True)

programs = [p for p in ('trees', 'arrays', 'tables', 'parked') if not opt.only or p in opt.only.split(',')]
print(f'### Pauses, medians of {opt.runs}\n')
head = ['program', 'old heap collected in', 'seconds', 'nursery collections', 'p50 ms', 'p99 ms',
        'longest ms', 'cycles', 'longest pause for the old heap, ms', 'p99 of its steps, ms']
print('| ' + ' | '.join(head) + ' |\n|' + '---|' * len(head))
for program in programs:
    if program == 'parked':
        for n in (0, opt.threads):
            measure(program, n, f'parked, {n} threads')
    else:
        measure(program, opt.megabytes, f'{program}, {opt.megabytes} MB')
