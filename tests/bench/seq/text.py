seed = 42
def random():
    global seed
    seed = seed * 16807 % 2147483647
    return seed

def letters(n):
    t = []
    while n > 0:
        n, d = divmod(n, 26)
        t.append(chr(97 + d))
    return ''.join(reversed(t))

def row():
    x = random() % 100000
    y = random() % 1000
    return f'name={letters(x)};x={x};y=-{y}'

text = '\n'.join(row() for _ in range(60000))
print(len(text))
rows = [dict(field.split('=') for field in line.split(';')) for line in text.split('\n')]
print(sum(int(r['x']) for r in rows))
print(sum(int(r['y']) for r in rows))
report = ', '.join(r['x'] + ':' + ''.join(c for c in r['name'] if c.islower()).upper() for r in rows)
print(len(report))
print(sum(1 for c in report if c == 'A'))
