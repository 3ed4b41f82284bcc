-- A line for each operation: its name and the nanoseconds that one element takes. (Rows that Lua's
-- library has no word for are missing.)
local N = 200000

local function randoms(n)
  local seed, out = 42, {}
  for i = 1, n do
    seed = seed * 16807 % 2147483647
    out[i] = seed
  end
  return out
end

local function measure(name, f)
  local t = os.clock()
  f()
  print(name, math.floor((os.clock() - t) * 1e9 / N))
end

local function map(xs, f)
  local out = {}
  for i = 1, #xs do out[i] = f(xs[i]) end
  return out
end

local function each(xs, f) for i = 1, #xs do f(xs[i]) end end

local function word(x) return 'w' .. x end

local function sort_row(name, xs, before)
  local copy = map(xs, function(x) return x end)
  measure(name, function() table.sort(copy, before) end)
end

local xs = randoms(N)
sort_row('sort-fixnums', xs)
sort_row('sort-floats', map(xs, function(x) return x / 7 end))
sort_row('sort-strings', map(xs, word))
sort_row('sort-with', xs, function(a, b) return b < a end)
local people = map(xs, function(x) return { name = x, age = x % 1000 } end)
sort_row('sort-by', people, function(a, b) return a.age < b.age end)
local pairs_of = map(xs, function(x) return { x, x % 1000 } end)
sort_row('sort-values', pairs_of, function(a, b) return a[2] < b[2] end)
sort_row('sort-pairs', pairs_of, function(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end)
local up = {}
for i = 1, N do up[i] = i end
sort_row('sort-sorted', up)

local digits = map(xs, tostring)
measure('print-fixnums', function() each(xs, tostring) end)
measure('parse-fixnums', function() each(digits, tonumber) end)
local floats = map(xs, function(x) return x / 1e5 end)
measure('print-floats', function() each(floats, function(x) return ('%.17g'):format(x) end) end)
local shown = map(floats, function(x) return ('%.17g'):format(x) end)
measure('parse-floats', function() each(shown, tonumber) end)
local hex = map(xs, function(x) return ('%x'):format(x) end)
measure('parse-hex', function() each(hex, function(s) return tonumber(s, 16) end) end)
measure('print-hex', function() each(xs, function(x) return ('%x'):format(x) end) end)

local function push()
  local out = {}
  for i = 0, N - 1 do out[#out + 1] = string.char(i % 26 + 97) end
  return table.concat(out)
end
measure('push-chars', push)
measure('make-chars', push)
measure('make-strings', function()
  local out = {}
  for i = 1, N do
    out[#out + 1] = 'name='
    out[#out + 1] = 'x'
  end
  return table.concat(out)
end)
local words = map(xs, word)
local function go(name, f) measure(name, function() each(words, f) end) end
measure('join', function() return table.concat(words, ' ') end)
measure('concat', function() return table.concat(words) end)
go('append', function(s) return s .. 'tail' end)
go('3append', function(s) return 'a' .. s .. 'tail' end)
go('glue', function(s) return s .. ', ' .. 'tail' end)
go('reverse', function(s) return s:reverse() end)
go('map-string', function(s) return (s:gsub('.', function(c) return string.char(c:byte() + 1) end)) end)
go('filter-string', function(s) return (s:gsub('.', function(c) return c > '5' and c or '' end)) end)
go('upper', function(s) return s:upper() end)
go('index', function(s) return s:find('7', 1, true) end)
go('subseq', function(s) return s:sub(2, 4) end)
go('head-tail', function(s) return s:sub(1, 2), s:sub(3) end)
go('subseq-index', function(s) return s:find('77', 1, true) end)
go('replace-small', function(s) return (s:gsub('1', 'one')) end)
local text = table.concat(words, ' ')
local function split()
  local out = {}
  for piece in text:gmatch('[^ ]+') do out[#out + 1] = piece end
  return out
end
measure('split', split)
measure('split-words', split)
measure('replace', function() return (text:gsub('w1', 'word one')) end)
measure('upper-text', function() return text:upper() end)
measure('lower-text', function() return text:lower() end)

local small = map(xs, function(x) return x % 5000 end)
local function count(values)
  local out = {}
  for i = 1, #values do out[values[i]] = (out[values[i]] or 0) + 1 end
  return out
end
measure('count-fixnums', function() count(small) end)
local small_words = map(small, word)
measure('count-strings', function() count(small_words) end)
measure('histogram', function() count(small) end)
measure('collect-by', function()
  local out = {}
  for i = 1, #small do
    local key = small[i] % 100
    local group = out[key]
    if not group then group = {}; out[key] = group end
    group[#group + 1] = small[i]
  end
end)
