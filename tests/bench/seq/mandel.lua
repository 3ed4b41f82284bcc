local size, limit = 700, 50
local function escapes(cr, ci)
  local zr, zi, n = 0.0, 0.0, 0
  while n < limit and zr * zr + zi * zi <= 4.0 do
    zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
    n = n + 1
  end
  return n
end
local sum = 0
for y = 0, size - 1 do
  local ci = 2.0 * y / size - 1.0
  for x = 0, size - 1 do sum = sum + escapes(2.0 * x / size - 1.5, ci) end
end
print(sum)
