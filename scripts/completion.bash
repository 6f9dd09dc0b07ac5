# Completes the flags of producer, consumer and gauge. Source it:
#     source scripts/completion.bash        (zsh: first autoload -U bashcompinit && bashcompinit)

_sluice_segments() {
    find /dev/shm -maxdepth 1 -name 'sluice.*' | sed -n 's/.*\/sluice\.\([A-Za-z0-9._-]*\)$/\1/p'
}

_sluice() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words one
    if [[ $word == '=' ]]; then # --flag=
        word=''
    elif [[ $before == '=' ]]; then # --flag=va
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $before in
    --input | --output | --socket)
        compopt -o filenames 2>/dev/null # quotes, and a slash after folders; zsh does so by itself
        words=$(compgen -f -- "$word")
        ;;
    --framing) words=$'lines\nlength\nraw' ;;
    --on-full) words=$'block\ndrop\nfail' ;;
    --format) words=$'text\njson' ;;
    --mode | -m) words=$'ring\ntransfer' ;;
    --name | -n) words=$(_sluice_segments) ;;
    gauge | */gauge) words=$("${COMP_WORDS[0]}" --generate-bash-completion 2>/dev/null) ;;
    *) # the flags of the command, or of gauge's command
        if [[ ${COMP_WORDS[0]##*/} == gauge ]]; then
            case ${COMP_WORDS[1]}/$word in
            help/*) words=$("${COMP_WORDS[0]}" --generate-bash-completion 2>/dev/null) ;;
            stat/[!-]* | watch/[!-]* | record/[!-]* | rm/[!-]*) words=$(_sluice_segments) ;;
            *)
                words=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" - --generate-bash-completion 2>/dev/null)
                case ${COMP_WORDS[1]} in stat | watch | record | rm) words+=$'\n'$(_sluice_segments) ;; esac
                ;;
            esac
        else
            words=$("${COMP_WORDS[0]}" - --generate-bash-completion 2>/dev/null)
        fi
        ;;
    esac
    # Names of files are data, which compgen -W would take for shell.
    COMPREPLY=()
    while IFS= read -r one; do
        [[ -n $one && $one == "$word"* ]] && COMPREPLY+=("$one")
    done <<<"$words"
}
complete -F _sluice producer consumer gauge bin/producer bin/consumer bin/gauge
