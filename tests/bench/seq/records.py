from functools import cmp_to_key

class Person:
    __slots__ = ('id', 'age', 'score')
    def __init__(self, id, age, score):
        self.id, self.age, self.score = id, age, score

def people(n):
    seed, out = 42, []
    for _ in range(n):
        seed = seed * 16807 % 2147483647
        out.append(Person(seed, seed % 80, seed % 1000))
    return out

def compare(a, b): return (a > b) - (a < b)
def by_age(a, b): return compare(a.age, b.age) or compare(a.id, b.id)
def by_score(a, b): return compare(b.score, a.score) or compare(a.id, b.id)

def checksum(people):
    n = 0
    for p in people: n = (n * 31 + p.id) % 1000003
    return n

def inversions(people):
    return sum(1 for a, b in zip(people, people[1:]) if b.score < a.score)

everybody = people(150000)
s = sorted(everybody, key=cmp_to_key(by_age))
print(checksum(s))
print(inversions(s))
print(checksum(sorted(everybody, key=cmp_to_key(by_score))))
print(checksum(sorted(everybody, key=lambda p: p.id)))
