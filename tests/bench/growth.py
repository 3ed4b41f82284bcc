#!/usr/bin/env python3
"""How time and memory grow with threads and with live heap, and where that is not linear.

  growth.py --weft PATH [--max-threads N] [--max-megabytes N] [--runs N] [--svg FOLDER]

Threads: all there at once, 10^3 to 10^6 (tests/bench/gc/threads.factor). Heap: live trees that are
changed, 10 MB to 2 GB (tests/bench/gc/trees.factor). What an empty program takes is subtracted; each
row then has the cost of one thread, or one megabyte. A cost over 1.3 times the least one of the rows
before counts as worse than linear and is marked with '!'.
"""
import argparse, os, re, statistics, subprocess, sys, tempfile, time
from plot import plot

HERE = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument('--weft', required=True)
ap.add_argument('--max-threads', type=int, default=1000000)
ap.add_argument('--max-megabytes', type=int, default=2048)
ap.add_argument('--runs', type=int, default=3)
ap.add_argument('--svg', help='folder for the plots')
ap.add_argument('--timeout', type=float, default=600)
opt = ap.parse_args()

def once(program, argument):
    """(seconds, peak MiB)"""
    command = ['/usr/bin/time', '-f', 'peak %M', opt.weft, program, str(argument)]
    begin = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=opt.timeout)
    seconds = time.perf_counter() - begin
    peak = re.findall(r'peak (\d+)', done.stderr)
    if done.returncode != 0 or not peak:
        sys.exit(f'{program} {argument} failed:\n' + done.stderr)
    return seconds, int(peak[-1]) / 1024

def median(program, argument):
    runs = [once(program, argument) for _ in range(opt.runs)]
    return statistics.median(s for s, _ in runs), statistics.median(m for _, m in runs)

def table(title, program, sizes, unit, time_unit, time_scale, memory_unit, memory_scale):
    with tempfile.NamedTemporaryFile('w', suffix='.weft') as empty:
        empty.write('USING: kernel ;\n')
        empty.flush()
        base_seconds, base_peak = median(empty.name, '')
    print(f'\n### {title}, medians of {opt.runs}\n')
    print(f'| {unit} | seconds | peak MiB | {time_unit} | {memory_unit} |\n|---|---|---|---|---|')
    least_time = least_memory = None
    time_points, memory_points = [], []
    for n in sizes:
        seconds, peak = median(f'{HERE}/gc/{program}.factor', n)
        each_time = max(seconds - base_seconds, 1e-9) / n * time_scale
        each_memory = max(peak - base_peak, 1e-9) / n * memory_scale
        time_points.append((n, seconds))
        memory_points.append((n, peak))
        bad_time = least_time is not None and each_time > 1.3 * least_time
        bad_memory = least_memory is not None and each_memory > 1.3 * least_memory
        # What starting up takes hides the cost of a small row.
        if seconds > 2 * base_seconds: least_time = min(each_time, least_time or each_time)
        if peak > 2 * base_peak: least_memory = min(each_memory, least_memory or each_memory)
        print(f'| {n} | {seconds:.3f} | {peak:.1f} | {each_time:.2f}{"!" * bad_time} | '
              f'{each_memory:.2f}{"!" * bad_memory} |', flush=True)
    plot(opt.svg, program, title, {'seconds': time_points, 'MiB at the peak': memory_points}, unit, '')

threads = [n for n in (1000, 10000, 100000, 1000000) if n <= opt.max_threads]
table('Threads at once', 'threads', threads, 'threads', 'us a thread', 1e6, 'bytes a thread', 2**20)
heaps = [n for n in (10, 32, 100, 320, 1024, 2048) if n <= opt.max_megabytes]
table('Live heap', 'trees', heaps, 'MB live', 'ms a MB', 1e3, 'MiB a MB', 1)
