from functools import reduce
from operator import xor

def squares_of_evens(n): return [x * x for x in range(1, n + 1) if x % 2 == 0]
def pairs(n): return list(zip(range(n), map(lambda x: x + 3, range(n))))
def products(ps): return [x for x in (a * b for a, b in ps) if x % 7 != 0]
def adders(n): return [lambda x, k=k: (x + k) % 1000003 for k in range(n)]
def windows(s, n): return [s[i:i + n] for i in range(len(s) - n + 1)]
def digits(n):
    out = []
    while n > 0:
        n, d = divmod(n, 10)
        out.append(d)
    return out
def lucky(n): return n % 3 == 0 and sum(digits(n)) % 2 == 0

def one_pass(n):
    n += sum(squares_of_evens(4000))
    n += reduce(max, products(pairs(4000)), 0)
    for f in adders(1000): n = f(n)
    n += max(map(sum, windows(list(reversed(range(3000))), 10)))
    n += sum(1 for x in range(1, 3001, 3) if lucky(x))
    squares = [x * x for x in range(1000)]
    last = squares.pop()
    return (n + (reduce(xor, squares, last) & last)) % 1000003

n = 1
for _ in range(60): n = one_pass(n)
print(n)
