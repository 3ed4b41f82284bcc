#!/usr/bin/env python3
"""Compare Weft's arithmetic with Python's on random operands that lie near the edges.

  arithmetic.py --weft BINARY [--count N] [--seed N]

One program computes all results; integers and ratios are compared as text, floats by their bits.
"""
import argparse
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
from fractions import Fraction

HEADER = 'USING: io kernel math math.functions math.order math.parser prettyprint sequences ;\n'


def integer(chance):
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randint(-10, 10)
    if kind == 1:  # around the ends of fixnums and of machine words
        return chance.choice([-1, 1]) * ((1 << chance.choice([31, 32, 60, 61, 62, 63, 64, 128]))
                                         + chance.randint(-2, 2))
    if kind == 2:
        return chance.randint(-(1 << 62), 1 << 62)
    return chance.randint(-(1 << 300), 1 << 300) >> chance.randrange(300)


def real(chance):
    kind = chance.randrange(4)
    if kind == 0:
        return chance.uniform(-10, 10)
    if kind == 1:
        return chance.choice([0.0, -0.0, 0.1, 1.0, 1e308, -1e308, 5e-324, 2.0 ** 53, 2.0 ** 61])
    bits = chance.getrandbits(64)
    value = struct.unpack('<d', struct.pack('<Q', bits))[0]
    return value if math.isfinite(value) else 1.5


def bits(value):
    return str(struct.unpack('<Q', struct.pack('<d', value))[0])


def ratio_text(value):
    """As Weft prints it: 7/2 is 3+1/2."""
    if value.denominator == 1:
        return str(value.numerator)
    sign = '-' if value < 0 else ''
    whole, rest = divmod(abs(value.numerator), value.denominator)
    if whole:
        return f'{sign}{whole}{sign or "+"}{rest}/{value.denominator}'
    return f'{sign}{rest}/{value.denominator}'


def truncated(a, b):
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def integer_case(chance):
    a, b = integer(chance), integer(chance)
    operation = chance.choice(['+', '-', '*', '/i', 'mod', 'rem', 'bitand', 'bitor', 'bitxor', 'shift',
                               'gcd', '/', '<', 'number=', '<=', 'max', 'min', 'text', 'hex', 'bits',
                               'even'])
    if operation in ('/i', 'mod', 'rem', '/') and b == 0:
        b = 7
    if operation == 'shift':
        b = chance.randint(-200, 200)
        return f'{a} {b} shift .', str(a << b if b >= 0 else a >> -b)
    if operation == 'gcd':
        return f'{a} {b} gcd nip .', str(math.gcd(a, b))
    if operation == 'text':
        return f'"{a}" string>number number>string print', str(a)
    if operation == 'hex':
        return f'{a} >hex print', f'{a:x}'
    if operation == 'bits':
        return f'{a} abs bit-length .', str(abs(a).bit_length())
    if operation == 'even':
        return f'{a} even? .', 't' if a % 2 == 0 else 'f'
    result = {
        '+': lambda: str(a + b), '-': lambda: str(a - b), '*': lambda: str(a * b),
        '/i': lambda: str(truncated(a, b)), 'mod': lambda: str(a - b * truncated(a, b)),
        'rem': lambda: str(a % abs(b)), 'bitand': lambda: str(a & b), 'bitor': lambda: str(a | b),
        'bitxor': lambda: str(a ^ b), '/': lambda: ratio_text(Fraction(a, b)),
        '<': lambda: 't' if a < b else 'f', '<=': lambda: 't' if a <= b else 'f',
        'number=': lambda: 't' if a == b else 'f', 'max': lambda: str(max(a, b)),
        'min': lambda: str(min(a, b)),
    }[operation]()
    return f'{a} {b} {operation} .', result


def ratio_case(chance):
    a = Fraction(integer(chance), integer(chance) or 3)
    b = Fraction(integer(chance), integer(chance) or 5)
    operation = chance.choice('+-*/<')
    if operation == '/' and b == 0:
        b = Fraction(1, 3)
    left, right = (f'{x.numerator} {x.denominator} /' for x in (a, b))
    if operation == '<':
        return f'{left} {right} < .', 't' if a < b else 'f'
    result = {'+': a + b, '-': a - b, '*': a * b, '/': a / b if b else None}[operation]
    return f'{left} {right} {operation} .', ratio_text(result)


def float_case(chance):
    a, b = real(chance), real(chance)
    operation = chance.choice(['+', '-', '*', '/', '<', 'read', 'print', 'truncate', 'mixed'])
    if operation == 'read':
        return f'"{a!r}" string>number double>bits .', bits(a)
    if operation == 'print':
        return f'{bits(a)} bits>double number>string string>number double>bits .', bits(a)
    if operation == 'truncate':
        return f'{bits(a)} bits>double >integer .', str(int(a))
    if operation == 'mixed':
        n = integer(chance)
        return f'{n} >float double>bits .', bits(float(n))
    left, right = (f'{bits(x)} bits>double' for x in (a, b))
    if operation == '<':
        return f'{left} {right} < .', 't' if a < b else 'f'
    if operation == '/' and b == 0:
        operation = '+'
    result = {'+': a + b, '-': a - b, '*': a * b, '/': a / b if b else 0.0}[operation]
    return f'{left} {right} {operation} double>bits .', bits(result)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weft', required=True, type=os.path.abspath)
    parser.add_argument('--count', type=int, default=3000)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    cases = []
    while len(cases) < options.count:
        code, expected = chance.choice([integer_case, integer_case, ratio_case, float_case])(chance)
        if expected != bits(float('nan')):
            cases.append((code, expected))
    with tempfile.NamedTemporaryFile('w', suffix='.weft', delete=False) as file:
        file.write(HEADER + '\n'.join(code for code, _ in cases) + '\n')
    try:
        done = subprocess.run([options.weft, file.name], capture_output=True, text=True, timeout=300,
                              check=False)
    finally:
        os.unlink(file.name)
    found = done.stdout.split('\n')[:-1]
    failed = 0
    for number, (code, expected) in enumerate(cases):
        got = found[number] if number < len(found) else '(nothing)'
        if got != expected:
            failed += 1
            if failed <= 10:
                print(f'FAILED {code}\n  expected {expected}\n  found    {got}')
    if done.returncode != 0:
        print(f'status {done.returncode}: {done.stderr[:2000]}')
    print(f'seed {options.seed}: {len(cases)} results, {failed} wrong')
    return 1 if failed or done.returncode else 0


sys.exit(main())
