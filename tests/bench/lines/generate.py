#!/usr/bin/env python3
"""A file of words for the programs beside this one:  generate.py FILE BYTES

The same bytes each time: lines of about ten words, few of them common, most of them rare, some not ASCII.
"""
import random
import sys


def main():
    path, size = sys.argv[1], int(sys.argv[2])
    source = random.Random(20)
    letters = 'abcdefghijklmnopqrstuvwxyz'
    words = [''.join(source.choices(letters, k=source.randint(2, 10))) for _ in range(60000)]
    words += ['größe' + w for w in words[:500]] + ['λόγος' + w for w in words[:200]]
    common = words[:200]
    # Enough different lines; repeated in another order, which costs the generator nothing.
    lines = []
    for _ in range(20000):
        line = [source.choice(common if source.random() < 0.6 else words)
                for _ in range(source.randint(5, 15))]
        lines.append((' '.join(line) + '\n').encode())
    written = 0
    with open(path, 'wb') as file:
        while written < size:
            block = b''.join(source.sample(lines, 2000))
            written += file.write(block[:max(block.rfind(b'\n', 0, size - written) + 1, 1)]
                                  if len(block) > size - written else block)


main()
