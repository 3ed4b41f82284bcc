local function random(seed) return (seed * 16807) % 2147483647 end
local function graph(nodes, edges)
  local g, seed = {}, 42
  for _ = 1, edges do
    seed = random(seed)
    local from = seed % nodes
    seed = random(seed)
    local to = seed % nodes
    local list = g[from]
    if list then list[#list + 1] = to else g[from] = { to } end
  end
  return g
end
local none = {}
local function distances(start, g)
  local seen, first, last, queue = { [start] = 0 }, 1, 1, { start }
  while first <= last do
    local node = queue[first]
    first = first + 1
    local d = seen[node] + 1
    for _, next in ipairs(g[node] or none) do
      if not seen[next] then
        seen[next] = d
        last = last + 1
        queue[last] = next
      end
    end
  end
  return seen
end
local function visit(node, g, seen)
  local stack, top = { node }, 1
  while top > 0 do
    node = stack[top]
    top = top - 1
    if not seen[node] then
      seen[node] = true
      for _, next in ipairs(g[node] or none) do
        top = top + 1
        stack[top] = next
      end
    end
  end
end
local function components(nodes, g)
  local seen, count = {}, 0
  for node = 0, nodes - 1 do 
    if not seen[node] then
      visit(node, g, seen)
      count = count + 1
    end
  end
  return count
end
local function unlink(node) node.prev.next, node.next.prev = node.next, node.prev end
local function push_front(list, key)
  local node = { key = key, next = list.next, prev = list }
  list.next.prev = node
  list.next = node
  return node
end
local function lru_hits(n, capacity)
  local cache, list, size, seed, hits = {}, {}, 0, 42, 0
  list.next, list.prev = list, list
  for _ = 1, n do
    seed = random(seed)
    local key = math.min(seed % 400, seed % 600)
    local node = cache[key]
    if node then
      unlink(node)
      hits = hits + 1
    elseif size == capacity then
      local last = list.prev
      unlink(last)
      cache[last.key] = nil
    else
      size = size + 1
    end
    cache[key] = push_front(list, key)
  end
  return hits
end
local g = graph(60000, 200000)
local seen = distances(0, g)
local size, sum = 0, 0
for _, d in pairs(seen) do size = size + 1 sum = sum + d end
print(string.format("%d\n%d\n%d\n%d", size, sum, components(60000, g), lru_hits(400000, 100)))
