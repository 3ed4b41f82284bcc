#!/usr/bin/env python3
"""Damage programs by one token and see that Weft answers with an error and a place, or runs.

  mutate.py --weft BINARY [--per-file N] [--seed N] [--jobs N] [--keep DIR] PATH...

A PATH is a program or a folder of *.weft files. In each copy one token is deleted, doubled or
swapped with the next. What must never happen: death by a signal, exit status 134, or status 1
without naming a place on standard error: FILE:LINE, or FILE alone where the compilation unit as a whole
is wrong (another file where a damaged library file was run as a program and broke its users; "eval"
for text given to eval). A program that runs too long is ended and counts as running. --keep writes the copies that failed, to be added below tests/regression/.
"""
import argparse
import concurrent.futures
import os
import random
import re
import resource
import subprocess
import sys
import tempfile

TOKEN = re.compile(r'\S+')
SECONDS = 10


def mutants(text, count, chance):
    """Up to `count` damaged copies, each with what was done to it."""
    tokens = [m.span() for m in TOKEN.finditer(text)]
    ways = [(kind, i) for i in range(len(tokens)) for kind in ('delete', 'double', 'swap')
            if kind != 'swap' or i + 1 < len(tokens)]
    for kind, i in chance.sample(ways, min(count, len(ways))):
        begin, end = tokens[i]
        token = text[begin:end]
        line = text.count('\n', 0, begin) + 1
        if kind == 'delete':
            changed = text[:begin] + text[end:]
        elif kind == 'double':
            changed = text[:end] + ' ' + token + text[end:]
        else:
            next_begin, next_end = tokens[i + 1]
            changed = (text[:begin] + text[next_begin:next_end] + text[end:next_begin] + token
                       + text[next_end:])
        yield f'{kind} {token!r} at line {line}', changed


def limits():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 5, SECONDS + 5))


def run(weft, name, text, folder):
    """None, or what went wrong."""
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    try:
        done = subprocess.run([weft, '--heap-limit', '512M', path], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=SECONDS, cwd=folder, preexec_fn=limits,
                              check=False)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode < 0 or done.returncode >= 128:
        return f'status {done.returncode}'
    stderr = done.stderr.decode('utf-8', 'replace')
    if done.returncode == 1 and not re.search(r'(\.weft|^eval):\d+|^\S+\.weft: error', stderr, re.M):
        return 'an error without a place: ' + stderr.split('\n')[0][:200]
    return None


def check(weft, path, changed, what, keep):
    name = os.path.basename(path)
    with tempfile.TemporaryDirectory() as folder:
        problem = run(weft, name, changed, folder)
    if problem and keep:
        os.makedirs(keep, exist_ok=True)
        label = re.sub(r'\W+', '_', f'{os.path.splitext(name)[0]}_{what}')[:80]
        with open(os.path.join(keep, label + '.weft'), 'w', encoding='utf-8') as file:
            file.write(changed)
    return path, what, problem


def files(paths):
    # stdlib/bootstrap is a program of its own, which ends with status 1 whatever it is fed.
    for path in paths:
        if os.path.isdir(path):
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if name != 'bootstrap')
                yield from (os.path.join(folder, name) for name in sorted(names)
                            if name.endswith('.weft'))
        else:
            yield path


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('paths', nargs='+')
    parser.add_argument('--weft', required=True, type=os.path.abspath)
    parser.add_argument('--per-file', type=int, default=10)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--keep')
    options = parser.parse_args()

    total = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = []
        for path in files(options.paths):
            # A seed of its own for each file, so that one file's mutants do not depend on others.
            chance = random.Random(f'{options.seed} {os.path.basename(path)}')
            with open(path, encoding='utf-8') as file:
                text = file.read()
            for what, changed in mutants(text, options.per_file, chance):
                jobs.append(pool.submit(check, options.weft, path, changed, what, options.keep))
        for job in concurrent.futures.as_completed(jobs):
            path, what, problem = job.result()
            total += 1
            if problem:
                failed += 1
                print(f'FAILED {os.path.relpath(path)}: {what}: {problem}', flush=True)
    print(f'seed {options.seed}: {total} damaged programs, {failed} failed')
    return 1 if failed or not total else 0


sys.exit(main())
