def matrix(n, seed):
    return [[(i * j + seed) % 10 for j in range(n)] for i in range(n)]

def transpose(m):
    return [list(row) for row in zip(*m)]

def dot(u, v):
    total = 0
    for x, y in zip(u, v): total += x * y
    return total

def multiply(a, b):
    t = transpose(b)
    return [[dot(row, column) for column in t] for row in a]

def safe(row, placed):
    for i, q in enumerate(placed, 1):
        d = abs(row - q)
        if d == i or d == 0: return False
    return True

def queens(placed, n):
    if len(placed) == n: return 1
    return sum(queens([row] + placed, n) for row in range(n) if safe(row, placed))

m = multiply(matrix(240, 1), matrix(240, 3))
c = multiply(m, m)
print(sum(c[i][i] for i in range(len(c))))
print(queens([], 9))
