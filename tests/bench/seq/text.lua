local seed = 42
local function random() seed = (seed * 16807) % 2147483647 return seed end
local function letters(n)
  local t = {}
  while n > 0 do
    t[#t + 1] = string.char(97 + n % 26)
    n = math.floor(n / 26)
  end
  return table.concat(t):reverse()
end
local rows = {}
for i = 1, 60000 do
  local x = random() % 100000
  local y = random() % 1000
  rows[i] = "name=" .. letters(x) .. ";x=" .. string.format("%d", x) .. ";y=-" .. string.format("%d", y)
end
local text = table.concat(rows, "\n")
print(#text)
local function split(s, sep)
  local t, at = {}, 1
  while true do
    local found = s:find(sep, at, true)
    if not found then t[#t + 1] = s:sub(at) return t end
    t[#t + 1] = s:sub(at, found - 1)
    at = found + #sep
  end
end
local parsed = {}
for i, line in ipairs(split(text, "\n")) do
  local row = {}
  for _, field in ipairs(split(line, ";")) do
    local at = field:find("=", 1, true)
    row[field:sub(1, at - 1)] = field:sub(at + 1)
  end
  parsed[i] = row
end
local function total(key)
  local n = 0
  for _, row in ipairs(parsed) do n = n + tonumber(row[key]) end
  return n
end
print(string.format("%d", total("x")))
print(string.format("%d", total("y")))
local out = {}
for i, row in ipairs(parsed) do
  out[i] = row.x .. ":" .. row.name:gsub("[^a-z]", ""):upper()
end
local report = table.concat(out, ", ")
print(#report)
local n = 0
for i = 1, #report do if report:byte(i) == 65 then n = n + 1 end end
print(n)
