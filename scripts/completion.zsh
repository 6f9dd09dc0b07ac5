#compdef producer consumer gauge sluice-bridge bin/bridge
# Completes commands, flags, values and names of segments in zsh. Copy it as _sluice into a
# folder of $fpath, or source it after compinit:
#     source scripts/completion.zsh
# The completions come from the command itself (COMMAND --generate-completion).

_sluice() {
    local command=${${(Q)words[1]}/#\~\//$HOME/} before=$words[CURRENT-1] line one takes text value=none
    local -a sub commands flags segments
    local -i named=0
    if [[ $words[CURRENT] == --*=* ]]; then # --flag=va
        before=${words[CURRENT]%%=*}
        compset -P 1 '*='
    fi
    (( CURRENT < 3 )) || sub=("$words[2]")

    # A line has a word, the kind of its value, and its description.
    for line in ${(f)"$($command "${(Q)sub[@]}" --generate-completion 2>/dev/null)"}; do
        read -r one takes text <<<$line
        case $takes in
        name) segments+=($one); continue ;;
        command) commands+=("$one:$text") ;;
        *) [[ $one == NAME ]] && named=1 || flags+=("$one:$text") ;;
        esac
        [[ $one != $before ]] || value=$takes
    done

    case $value in
    none | command)
        (( ! named )) || compadd -a segments
        _describe command commands
        _describe -o flag flags
        ;;
    segment) compadd -a segments ;;
    value) _message 'value' ;;
    file) _files ;;
    *) compadd -- ${(s:|:)value} ;;
    esac
}

if [[ $funcstack[1] == _sluice ]]; then
    _sluice "$@"
else
    compdef _sluice producer consumer gauge sluice-bridge bin/bridge
fi
