local function random(seed) return (seed * 16807) % 2147483647 end
local function people(n)
  local t, seed = {}, 42
  for i = 1, n do
    seed = random(seed)
    t[i] = { id = seed, age = seed % 80, score = seed % 1000 }
  end
  return t
end
local function by_age(a, b)
  if a.age ~= b.age then return a.age < b.age end
  return a.id < b.id
end
local function by_score(a, b)
  if a.score ~= b.score then return a.score > b.score end
  return a.id < b.id
end
local function by_id(a, b) return a.id < b.id end
local function sorted(t, less)
  local copy = {}
  for i, p in ipairs(t) do copy[i] = p end
  table.sort(copy, less)
  return copy
end
local function checksum(t)
  local n = 0
  for _, p in ipairs(t) do n = (n * 31 + p.id) % 1000003 end
  return n
end
local function inversions(t)
  local n = 0
  for i = 2, #t do if t[i].score < t[i - 1].score then n = n + 1 end end
  return n
end
local all = people(150000)
local s = sorted(all, by_age)
print(string.format("%d", checksum(s)))
print(string.format("%d", inversions(s)))
print(string.format("%d", checksum(sorted(all, by_score))))
print(string.format("%d", checksum(sorted(all, by_id))))
