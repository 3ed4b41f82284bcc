from collections import deque, OrderedDict

def random(seed): return seed * 16807 % 2147483647

def graph(nodes, edges):
    g, seed = {}, 42
    for _ in range(edges):
        seed = random(seed)
        a = seed % nodes
        seed = random(seed)
        g.setdefault(a, []).append(seed % nodes)
    return g

def distances(start, g):
    seen, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()
        d = seen[node] + 1
        for n in g.get(node, ()):
            if n not in seen:
                seen[n] = d
                queue.append(n)
    return seen

def visit(node, g, seen):
    stack = [node]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(g.get(node, ()))

def components(nodes, g):
    seen = set()
    count = 0
    for node in range(nodes):
        if node not in seen:
            visit(node, g, seen)
            count += 1
    return count

def lru_hits(n, capacity):
    cache, seed, hits = OrderedDict(), 42, 0
    for _ in range(n):
        seed = random(seed)
        key = min(seed % 400, seed % 600)
        if key in cache:
            cache.move_to_end(key)
            hits += 1
        else:
            if len(cache) == capacity: cache.popitem(last=False)
            cache[key] = True
    return hits

def main():
    g = graph(60000, 200000)
    seen = distances(0, g)
    print(len(seen), sum(seen.values()), components(60000, g), lru_hits(400000, 100), sep='\n')

main()
