" Vim syntax of Weft. Words are parted by blanks, so that a match must fill the whole word.
if exists('b:current_syntax')
  finish
endif
syntax case match
syntax match weftComment /\(^\|\s\)\zs!\(\s.*\)\?$/ contains=weftTodo
syntax match weftComment /\%^#!.*$/
syntax keyword weftTodo TODO FIXME contained
syntax match weftDefiner /\(^\|\s\)\zs\(:\{1,2}\|M:\{1,2}\|\u[-A-Z]*:\{1,2}\|<PRIVATE\|PRIVATE>\)\ze\(\s\|$\)/ nextgroup=weftName skipwhite
syntax match weftName /\S\+/ contained
syntax match weftUsing /\(^\|\s\)\zs\(USING:\|USE:\|IN:\|FROM:\|QUALIFIED:\|QUALIFIED-WITH:\|EXCLUDE:\|RENAME:\)\ze\(\s\|$\)/
syntax region weftString start=/\(^\|\s\)\zs[A-Za-z-]*"/ skip=/\\./ end=/"/
syntax match weftCharacter /\(^\|\s\)\zsCHAR:\s\+\S\+/
syntax match weftNumber /\(^\|\s\)\zs[-+]\?\d[0-9,]*\(\.\d*\)\?\([eE][-+]\?\d\+\)\?\(\/\d\+\)\?\ze\(\s\|$\)/
syntax match weftNumber /\(^\|\s\)\zs0[xXbBoO][0-9a-fA-F,]\+\ze\(\s\|$\)/
syntax match weftConstant /\(^\|\s\)\zs[tf]\ze\(\s\|$\)/
syntax match weftConditional /\(^\|\s\)\zs\(if\*\?\|when\*\?\|unless\*\?\|cond\|case\|while\|until\|loop\)\ze\(\s\|$\)/
syntax match weftEffect /\(^\|\s\)\zs(\s[^()]*--[^()]*)/
syntax match weftBracket /\(^\|\s\)\zs\([][{}]\|\S\+[[{]\)\ze\(\s\|$\)/
highlight default link weftComment Comment
highlight default link weftTodo Todo
highlight default link weftDefiner Keyword
highlight default link weftUsing Include
highlight default link weftName Function
highlight default link weftString String
highlight default link weftCharacter Character
highlight default link weftNumber Number
highlight default link weftConstant Constant
highlight default link weftConditional Conditional
highlight default link weftEffect Type
highlight default link weftBracket Delimiter
let b:current_syntax = 'weft'
