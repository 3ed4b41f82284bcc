#!/usr/bin/env python3
"""Signals sent by another process: handlers, Ctrl-C in a tight loop and in a wait, Ctrl-\\, defaults.

  signals_from_outside.py --weft BINARY
"""
import argparse
import signal
import subprocess
import sys
import time

READY = '"ready" print flush '
USING = ('USING: continuations io kernel math prettyprint sequences signals system threads threads.join '
         'weft.errors ;\nIN: test\n')


def check(condition, *what):
    if not condition:
        print('wrong:', *what)
        sys.exit(1)


def start(weft, program):
    process = subprocess.Popen([weft, '-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdin.write((USING + program).encode())
    process.stdin.close()
    check(process.stdout.readline() == b'ready\n', 'the program did not get going',
          process.stderr.read() if process.poll() is not None else '')
    return process


def run(weft, program, number):
    """Starts the program, sends the signal once it says that it is ready, and waits for its end."""
    process = start(weft, program)
    process.send_signal(number)
    out = process.stdout.read().decode()
    errors = process.stderr.read().decode()
    return process.wait(timeout=60), out.splitlines(), errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    weft = parser.parse_args().weft

    # Ctrl-C: an error of the main thread, in a tight loop, in a sleep and in a join.
    for body in ('[ t ] loop', '3600000000000 sleep',
                 '[ 3600000000000 sleep ] "s" spawn join-thread drop'):
        status, lines, errors = run(weft, READY + body, signal.SIGINT)
        check(status == 130, 'status after Ctrl-C in', body, status, errors)
        check('Interrupted' in errors, errors)

    # It can be handled, and the program goes on.
    status, lines, errors = run(
        weft, f'[ {READY} [ t ] loop ] [ interrupted? . ] recover "on" print', signal.SIGINT)
    check(status == 0 and lines == ['t', 'on'], status, lines, errors)

    # A handler runs on top of a tight loop, and of a wait.
    for body in ('[ t ] loop', '3600000000000 sleep'):
        status, lines, errors = run(
            weft, '[ "got it" print 7 exit ] "SIGUSR1" on-signal ' + READY + body, signal.SIGUSR1)
        check(status == 7 and lines == ['got it'], status, lines, errors)

    # wait-signal: sent again until it was heard, since only the program knows when it listens.
    process = start(weft, '[ ] "SIGUSR1" on-signal\n'
                    '[ 2 [ "SIGUSR1" f wait-signal ] times 5 ] "waiter" spawn ' + READY + 'join-thread .')
    while process.poll() is None:
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.02)
    check(process.stdout.read() == b'5\n' and process.returncode == 0, process.returncode)

    # Without a handler the system's default stands.
    status, lines, errors = run(weft, READY + '[ t ] loop', signal.SIGTERM)
    check(status == -signal.SIGTERM, status)

    # Ctrl-\ shows what all threads do, and the program goes on.
    process = start(weft, '[ 3600000000000 sleep ] "a sleeper" spawn drop\n'
                    '[ "on" print flush 0 exit ] "SIGUSR1" on-signal yield ' + READY + '[ t ] loop')
    process.send_signal(signal.SIGQUIT)
    shown = b''
    while b'a sleeper' not in shown:
        row = process.stderr.readline()
        check(row != b'', 'no table of threads', shown)
        shown += row
    check(b'Initial' in shown and b'sleeps' in shown, shown)
    process.send_signal(signal.SIGUSR1)
    check(process.stdout.read() == b'on\n' and process.wait(timeout=60) == 0, 'after the table')
    return 0


sys.exit(main())
