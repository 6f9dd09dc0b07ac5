# Completes commands, flags, values and names of segments in bash. Source it:
#     source scripts/completion.bash
# The completions come from the command itself (COMMAND --generate-completion).

_sluice() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} sub=()
    if [[ $word == '=' ]]; then # --flag=
        word=''
    elif [[ $before == '=' ]]; then # --flag=va
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    [[ $COMP_CWORD -lt 2 ]] || sub=("${COMP_WORDS[1]}")

    # A line has a word, the kind of its value, and its description.
    local one takes value=none words=() segments=() named=false
    while read -r one takes _; do
        case $takes in
        name) segments+=("$one") ;;
        segment)
            if [[ $one == NAME ]]; then named=true; else words+=("$one"); fi
            ;;
        *) words+=("$one") ;;
        esac
        [[ $takes == name || $one != "$before" ]] || value=$takes
    done < <("${COMP_WORDS[0]/#\~\//$HOME/}" "${sub[@]}" --generate-completion 2>/dev/null)

    case $value in
    none | command) ! $named || words+=("${segments[@]}") ;;
    segment) words=("${segments[@]}") ;;
    value) words=() ;;
    file)
        compopt -o filenames 2>/dev/null # quotes, and a slash after folders
        mapfile -t words < <(compgen -f -- "$word")
        ;;
    *) IFS='|' read -r -a words <<<"$value" ;;
    esac
    # Not compgen -W, which would expand the names of files as shell words.
    COMPREPLY=()
    for one in "${words[@]}"; do
        [[ $one != "$word"* ]] || COMPREPLY+=("$one")
    done
}
complete -F _sluice producer consumer gauge sluice-bridge bin/producer bin/consumer bin/gauge bin/bridge
