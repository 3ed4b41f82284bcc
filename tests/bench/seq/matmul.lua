local function matrix(n, seed)
  local m = {}
  for i = 1, n do
    local row = {}
    for j = 1, n do row[j] = ((i - 1) * (j - 1) + seed) % 10 end
    m[i] = row
  end
  return m
end
local function transpose(m)
  local t = {}
  for i = 1, #m[1] do
    local row = {}
    for j = 1, #m do row[j] = m[j][i] end
    t[i] = row
  end
  return t
end
local function dot(u, v)
  local sum = 0
  for i = 1, #u do sum = sum + u[i] * v[i] end
  return sum
end
local function multiply(a, b)
  local t, c = transpose(b), {}
  for i = 1, #a do
    local row = {}
    for j = 1, #t do row[j] = dot(a[i], t[j]) end
    c[i] = row
  end
  return c
end
local function trace(m)
  local sum = 0
  for i = 1, #m do sum = sum + m[i][i] end
  return sum
end
local function safe(row, placed)
  for i = 1, #placed do
    local d = math.abs(row - placed[i])
    if d == i or d == 0 then return false end
  end
  return true
end
local function queens(placed, n)
  if #placed == n then return 1 end
  local count = 0
  for row = 0, n - 1 do
    if safe(row, placed) then
      local new = { row }
      for i = 1, #placed do new[i + 1] = placed[i] end
      count = count + queens(new, n)
    end
  end
  return count
end
local m = multiply(matrix(240, 1), matrix(240, 3))
print(string.format("%d", trace(multiply(m, m))))
print(queens({}, 9))
