#!/usr/bin/env python3
"""A thousand waiting threads use no processor time and make no system call while nothing happens.

  idle_threads_cost_nothing.py --weft BINARY

The kernel's own counters of the process are read twice, two seconds apart: a thread that was woken in
between shows as a context switch, whatever the machine's speed.
"""
import argparse
import re
import subprocess
import sys
import time

PROGRAM = '''
USING: io kernel math sequences threads threads.wait threads.reasons threads.private ;
IN: idle
: waits-forever ( -- ) <wait-queue> "nothing" reason: condition f wait-in drop ;
: sleeps ( -- ) 3600000000000 sleep ;
500 [ [ waits-forever ] "waiter" spawn drop [ sleeps ] "sleeper" spawn drop ] times
yield yield
"ready" print flush
3600000000000 sleep
'''


def counters(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        switches = sum(int(n) for n in re.findall(r'ctxt_switches:\s+(\d+)', file.read()))
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return switches, int(fields[11]) + int(fields[12])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    options = parser.parse_args()
    process = subprocess.Popen([options.weft, '-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdin.write(PROGRAM.encode())
        process.stdin.close()
        line = process.stdout.readline()
        assert line == b'ready\n', line
        time.sleep(0.5)
        before = counters(process.pid)
        time.sleep(2)
        after = counters(process.pid)
    finally:
        process.kill()
        process.wait()
    print(f'context switches and ticks before {before}, after {after}')
    if before != after:
        print('the waiting process was woken')
        return 1
    return 0


sys.exit(main())
