autocmd BufRead,BufNewFile *.weft setfiletype weft
autocmd BufRead,BufNewFile * if getline(1) =~# '^#!.*\<weft\>' | setfiletype weft | endif
