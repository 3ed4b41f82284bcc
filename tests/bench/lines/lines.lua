local counts, lines, words, different = {}, 0, 0, 0
for line in io.lines(arg[1]) do
  lines = lines + 1
  for word in line:gmatch("[^ ]+") do
    counts[word] = (counts[word] or 0) + 1
  end
end
local all = {}
for word, n in pairs(counts) do
  words = words + n
  different = different + 1
  all[#all + 1] = word
end
table.sort(all, function(a, b)
  if counts[a] ~= counts[b] then return counts[a] > counts[b] end
  return a < b
end)
print(string.format("%d lines, %d words, %d different", lines, words, different))
for i = 1, 5 do print(all[i] .. " " .. counts[all[i]]) end
