"""A line for each operation: its name and the nanoseconds that one element takes."""
import time
from functools import cmp_to_key
from collections import Counter, defaultdict

N = 200000

def randoms(n):
    seed, out = 42, []
    for _ in range(n):
        seed = seed * 16807 % 2147483647
        out.append(seed)
    return out

def measure(name, f):
    t = time.perf_counter_ns()
    f()
    print(name, (time.perf_counter_ns() - t) // N, flush=True)

class Person:
    __slots__ = 'name', 'age'
    def __init__(self, name, age): self.name, self.age = name, age

def each(f, xs):
    for x in xs: f(x)

def word(n): return 'w' + str(n)

def sorting():
    xs = randoms(N)
    measure('sort-fixnums', lambda: sorted(xs))
    fs = [x / 7.0 for x in xs]; measure('sort-floats', lambda: sorted(fs))
    ss = [word(x) for x in xs]; measure('sort-strings', lambda: sorted(ss))
    def compare(a, b): return -1 if b < a else 1 if b > a else 0
    measure('sort-with', lambda: sorted(xs, key=cmp_to_key(compare)))
    ps = [Person(x, x % 1000) for x in xs]; measure('sort-by', lambda: sorted(ps, key=lambda p: p.age))
    vs = [(x, x % 1000) for x in xs]; measure('sort-values', lambda: sorted(vs, key=lambda v: v[1]))
    measure('sort-pairs', lambda: sorted(vs))
    up = list(range(N)); measure('sort-sorted', lambda: sorted(up))

def numbers():
    xs = randoms(N)
    def go(name, f, values): measure(name, lambda: each(f, values))
    go('print-fixnums', str, xs)
    go('parse-fixnums', int, [str(x) for x in xs])
    go('print-floats', repr, [x / 1e5 for x in xs])
    go('parse-floats', float, [repr(x / 1e5) for x in xs])
    go('print-bignums', str, [x ** 4 for x in xs])
    go('parse-bignums', int, [str(x ** 4) for x in xs])
    go('parse-hex', lambda s: int(s, 16), ['%x' % x for x in xs])
    go('print-hex', lambda x: '%x' % x, xs)

def building():
    def push():
        out = []
        for i in range(N): out.append(chr(i % 26 + 97))
        return ''.join(out)
    measure('push-chars', push)
    measure('make-chars', push)
    def strings():
        out = []
        for i in range(N): out.append('name='); out.append('x')
        return ''.join(out)
    measure('make-strings', strings)
    ws = [word(x) for x in randoms(N)]
    def go(name, f): measure(name, lambda: each(f, ws))
    measure('join', lambda: ' '.join(ws))
    measure('concat', lambda: ''.join(ws))
    go('append', lambda s: s + 'tail')
    go('3append', lambda s: 'a' + s + 'tail')
    go('glue', lambda s: s + ', ' + 'tail')
    go('reverse', lambda s: s[::-1])
    go('map-string', lambda s: ''.join([chr(ord(c) + 1) for c in s]))
    go('filter-string', lambda s: ''.join([c for c in s if c > '5']))
    go('upper', lambda s: s.upper())
    go('index', lambda s: s.find('7'))
    go('subseq', lambda s: s[1:4])
    go('head-tail', lambda s: (s[:2], s[2:]))
    go('subseq-index', lambda s: s.find('77'))
    go('replace-small', lambda s: s.replace('1', 'one'))
    go('trim', lambda s: s.strip('0123456789'))
    text = ' '.join(ws)
    measure('split', lambda: text.split(' '))
    measure('split-words', lambda: text.split())
    measure('split-subseq', lambda: text.split('w1'))
    measure('replace', lambda: text.replace('w1', 'word one'))
    measure('upper-text', lambda: text.upper())
    measure('lower-text', lambda: text.lower())
    measure('count', lambda: text.count('w'))
    measure('hash-text', lambda: each(hash, text.split(' ')))

def counting():
    xs = [x % 5000 for x in randoms(N)]
    def count(values):
        out = {}
        for x in values: out[x] = out.get(x, 0) + 1
    measure('count-fixnums', lambda: count(xs))
    ws = [word(x) for x in xs]; measure('count-strings', lambda: count(ws))
    measure('histogram', lambda: Counter(xs))
    def collect():
        out = defaultdict(list)
        for x in xs: out[x % 100].append(x)
    measure('collect-by', collect)
    measure('unique', lambda: list(dict.fromkeys(xs)))
    measure('zip', lambda: list(zip(xs, xs)))

sorting(); numbers(); building(); counting()
