# Completes the flags of producer and consumer. Source it:
#     source scripts/completion.bash        (zsh: first autoload -U bashcompinit && bashcompinit)

_sluice() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    case $before in
    --input | --output) words=$(compgen -f -- "$word") ;;
    --framing) words='lines length raw' ;;
    --on-full) words='block drop fail' ;;
    --format) words='text json' ;;
    --mode | -m) words='ring' ;;
    --name | -n) words=$(find /dev/shm -maxdepth 1 -name 'sluice.*' | sed 's/.*sluice\.//') ;;
    *) words=$("${COMP_WORDS[0]}" - --generate-bash-completion) ;;
    esac
    # shellcheck disable=SC2207 # mapfile is not in zsh, and no word here has blanks
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _sluice producer consumer bin/producer bin/consumer
