# Completes the flags of producer and consumer. Source it:
#     source scripts/completion.bash        (zsh: first autoload -U bashcompinit && bashcompinit)

_sluice() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    if [[ $word == '=' ]]; then # --flag=
        word=''
    elif [[ $before == '=' ]]; then # --flag=va
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $before in
    --input | --output)
        compopt -o filenames 2>/dev/null # a slash after folders; zsh does so by itself
        words=$(compgen -f -- "$word")
        ;;
    --framing) words='lines length raw' ;;
    --on-full) words='block drop fail' ;;
    --format) words='text json' ;;
    --mode | -m) words='ring' ;;
    --name | -n) words=$(find /dev/shm -maxdepth 1 -name 'sluice.*' | sed 's/.*sluice\.//') ;;
    *) words=$("${COMP_WORDS[0]}" - --generate-bash-completion 2>/dev/null) ;;
    esac
    # shellcheck disable=SC2207 # mapfile is not in zsh, and no word here has blanks
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _sluice producer consumer bin/producer bin/consumer
