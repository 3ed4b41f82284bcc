import sys
if hasattr(sys, 'set_int_max_str_digits'): sys.set_int_max_str_digits(0)

def factorial(n):
    x = 1
    for i in range(1, n + 1): x *= i
    return x

def fib(n):
    a, b = 0, 1
    for _ in range(n): a, b = b, a + b
    return a

def pi_digits(n):
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    digits = []
    while len(digits) < n:
        if 4 * q + r - t < m * t:
            digits.append(m)
            r, m, q = 10 * (r - m * t), 10 * (3 * q + r) // t - 10 * m, 10 * q
        else:
            r, m, q, t, k, x = (2 * q + r) * x, ((7 * k + 2) * q + r * x) // (t * x), q * k, t * x, k + 1, x + 2
    return digits

s = str(factorial(4000))
print(len(s))
print(int(s[-1]))
print(factorial(5000) // factorial(2500) % 1000000007)
print(fib(100000) % 1000000007)
n = 0
for d in pi_digits(2000): n = (n * 31 + d) % 1000003
print(n)
