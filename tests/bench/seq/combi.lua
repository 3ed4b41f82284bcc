local bit = rawget(_G, 'bit')
local bxor = bit and bit.bxor or load('return function(a, b) return a ~ b end')()
local band = bit and bit.band or load('return function(a, b) return a & b end')()
local function map(t, f) local r = {} for i = 1, #t do r[i] = f(t[i]) end return r end
local function filter(t, f)
  local r = {}
  for i = 1, #t do local x = t[i] if f(x) then r[#r + 1] = x end end
  return r
end
local function reduce(t, x, f) for i = 1, #t do x = f(x, t[i]) end return x end
local function range(a, b, step)
  local r = {}
  for i = a, b, step or 1 do r[#r + 1] = i end
  return r
end
local function zip(a, b) local r = {} for i = 1, #a do r[i] = { a[i], b[i] } end return r end
local function add(a, b) return a + b end
local function sum(t) return reduce(t, 0, add) end
local function max(a, b) if a > b then return a else return b end end
local function reverse(t) local r = {} for i = #t, 1, -1 do r[#r + 1] = t[i] end return r end
local function squares_of_evens(n)
  return map(filter(range(1, n), function(x) return x % 2 == 0 end), function(x) return x * x end)
end
local function pairs_of(n)
  local r = range(0, n - 1)
  return zip(r, map(r, function(x) return x + 3 end))
end
local function products(ps)
  return filter(map(ps, function(p) return p[1] * p[2] end), function(x) return x % 7 ~= 0 end)
end
local function adders(n)
  return map(range(0, n - 1), function(k) return function(x) return (x + k) % 1000003 end end)
end
local function slice(t, from, to) local r = {} for i = from, to do r[#r + 1] = t[i] end return r end
local function windows(t, n)
  return map(range(1, #t - n + 1), function(i) return slice(t, i, i + n - 1) end)
end
local function digits(n)
  local r = {}
  while n > 0 do r[#r + 1] = n % 10 n = math.floor(n / 10) end
  return r
end
local function lucky(n) return n % 3 == 0 and sum(digits(n)) % 2 == 0 end
local function pass(n)
  n = n + sum(squares_of_evens(4000))
  n = n + reduce(products(pairs_of(4000)), 0, max)
  for _, f in ipairs(adders(1000)) do n = f(n) end
  n = n + reduce(map(windows(reverse(range(0, 2999)), 10), sum), 0, max)
  n = n + #filter(range(1, 3000, 3), lucky)
  local squares = map(range(0, 999), function(x) return x * x end)
  local last = table.remove(squares)
  return (n + band(reduce(squares, last, bxor), last)) % 1000003
end
local n = 1
for _ = 1, 60 do n = pass(n) end
print(string.format("%d", n))
