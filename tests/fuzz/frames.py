#!/usr/bin/env python3
"""Damaged frames, descriptors and control packets to the sockets of a sibling VM.

    frames.py --weft BINARY [--count N] [--seed N]

Plays the parent of N siblings. What must never happen: death by a signal, or a sibling that does not
end after its sockets have.
"""
import argparse
import os
import random
import socket
import struct
import subprocess
import sys

EXAMPLE = bytes.fromhex('00000000 01000000 03000000 00000000 0800 0403000000870801 0802'
                        '020102000000 6869 040100000087'.replace(' ', ''))


def header(kind, descriptors, length):
    return struct.pack('<4sHBBIIQ', b'WFTM', 1, kind, 0, descriptors, (kind * 7919 + length) % 3 << 20, length)


def damage(data, chance):
    data = bytearray(data)
    for _ in range(chance.randrange(4)):
        way = chance.randrange(4)
        if not data or way == 3:
            at = chance.randrange(len(data) + 1)
            data[at:at] = chance.randbytes(chance.randrange(5))
        elif way == 0:
            data[chance.randrange(len(data))] = chance.randrange(256)
        elif way == 1:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        else:
            del data[chance.randrange(len(data)):]
    return bytes(data)


def play(ours, control, chance):
    spare = os.open('/dev/null', os.O_RDONLY)
    try:
        for _ in range(chance.randrange(1, 6)):
            count = chance.choice([0, 0, 0, 1, 3, 253, 254, 300])
            body = damage(EXAMPLE, chance) if chance.random() < 0.7 else chance.randbytes(chance.randrange(400))
            ours.sendall(damage(header(chance.choice([0, 0, 3]), count, len(body)), chance)
                         if chance.random() < 0.5 else header(chance.choice([0, 3]), count, len(body)))
            while count > 0:
                part = min(count, chance.choice([253, 253, 253, 100]))
                socket.send_fds(ours, [b'F'], [spare] * part)
                count -= part
            ours.sendall(body)
            if chance.random() < 0.5:
                control.send(chance.randbytes(chance.choice([16, 16, 1, 40])))
            if chance.random() < 0.3:
                control.send(struct.pack('<IIQ', chance.randrange(4), 0, chance.getrandbits(64)))
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        os.close(spare)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weft', required=True)
    parser.add_argument('--count', type=int, default=300)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    bad = 0
    for number in range(options.count):
        chance = random.Random(f'{options.seed}.{number}')
        ours, data = socket.socketpair()
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def place(data=data, their_control=their_control):
            os.dup2(os.dup2(data.fileno(), 20), 3)
            os.dup2(os.dup2(their_control.fileno(), 21), 4)

        child = subprocess.Popen([os.path.abspath(options.weft), '--sibling=fuzzed'], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=place, close_fds=False)
        data.close()
        their_control.close()
        play(ours, control, chance)
        ours.close()
        control.close()
        try:
            _, errors = child.communicate(timeout=120)
            wrong = child.returncode < 0 or child.returncode > 3
        except subprocess.TimeoutExpired:
            child.kill()
            _, errors = child.communicate()
            wrong = True
        if wrong:
            bad += 1
            print(f'--seed {options.seed}, number {number}: status {child.returncode}\n{errors.decode()}')
    print(f'{options.count - bad} passed, {bad} failed')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
