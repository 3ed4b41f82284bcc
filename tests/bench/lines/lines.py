import sys

counts = {}
lines = 0
with open(sys.argv[1], encoding='utf-8') as file:
    for line in file:
        lines += 1
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
print(f'{lines} lines, {sum(counts.values())} words, {len(counts)} different')
for word, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:5]:
    print(word, n)
