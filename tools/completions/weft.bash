# Completion of weft's command line for bash. The options are what `weft --help` lists.
_weft() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local commands='run test help check fmt new doc profile disasm repl'
  case $previous in
    -I|--to) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    -e|new) COMPREPLY=(); return ;;
  esac
  case ${COMP_WORDS[1]} in
    test) [[ $current == -* ]] && {
        mapfile -t COMPREPLY < <(compgen -W '--jobs --seed --timeout --tap' -- "$current"); return; } ;;
    check) [[ $current == -* ]] && { mapfile -t COMPREPLY < <(compgen -W '--strict' -- "$current"); return; } ;;
    fmt) [[ $current == -* ]] && { mapfile -t COMPREPLY < <(compgen -W '--check' -- "$current"); return; } ;;
    profile) [[ $current == -* ]] && {
        mapfile -t COMPREPLY < <(compgen -W '--every --flame --reading' -- "$current"); return; } ;;
    disasm) [[ $current == -* ]] && { mapfile -t COMPREPLY < <(compgen -W '--counts' -- "$current"); return; } ;;
    doc) [[ $current == -* ]] && { mapfile -t COMPREPLY < <(compgen -W '--to' -- "$current"); return; } ;;
  esac
  if [[ $current == -* ]]; then
    local options
    options=$("${COMP_WORDS[0]}" --help 2>/dev/null | grep -oE '(^|[[:space:]])-(-[a-z-]+|[a-zA-Z])' | sort -u)
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
  if ((COMP_CWORD == 1)); then
    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$commands" -- "$current")
  fi
}
complete -o filenames -F _weft weft
