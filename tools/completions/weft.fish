# Completion of weft's command line for fish. The options are what `weft --help` lists.
function __weft_options
    weft --help 2>/dev/null | string match -rag '(?:^|\s)(-(?:-[a-z-]+|[a-zA-Z]))' | sort -u
end
set -l commands run test help check fmt new doc profile disasm repl
complete -c weft -n "not __fish_seen_subcommand_from $commands" -a "(__weft_options)"
complete -c weft -n __fish_use_subcommand -a run -d 'run the main word of a vocabulary'
complete -c weft -n __fish_use_subcommand -a test -d 'run tests'
complete -c weft -n __fish_use_subcommand -a help -d 'what a word or vocabulary does'
complete -c weft -n __fish_use_subcommand -a check -d 'report errors and what nothing uses'
complete -c weft -n __fish_use_subcommand -a fmt -d 'indent source text'
complete -c weft -n __fish_use_subcommand -a new -d 'begin a vocabulary'
complete -c weft -n __fish_use_subcommand -a doc -d 'write the help as HTML'
complete -c weft -n __fish_use_subcommand -a profile -d 'say which words take the time'
complete -c weft -n __fish_use_subcommand -a disasm -d 'show bytecode'
complete -c weft -n __fish_use_subcommand -a repl -d 'open the prompt'
complete -c weft -n '__fish_seen_subcommand_from test' -l jobs -l seed -l timeout -l tap
complete -c weft -n '__fish_seen_subcommand_from check' -l strict
complete -c weft -n '__fish_seen_subcommand_from fmt' -l check
complete -c weft -n '__fish_seen_subcommand_from doc' -l to
complete -c weft -n '__fish_seen_subcommand_from profile' -l every -l flame -l reading
complete -c weft -n '__fish_seen_subcommand_from disasm' -l counts
