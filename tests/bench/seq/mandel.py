SIZE, LIMIT = 700, 50
def escapes(cr, ci):
    zr = zi = 0.0
    n = 0
    while n < LIMIT and zr * zr + zi * zi <= 4.0:
        zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
        n += 1
    return n
total = 0
for y in range(SIZE):
    ci = 2.0 * y / SIZE - 1.0
    for x in range(SIZE):
        total += escapes(2.0 * x / SIZE - 1.5, ci)
print(total)
