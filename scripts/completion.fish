# Completes commands, flags, values and names of segments in fish. Source it:
#     source scripts/completion.fish
# The completions come from the command itself (COMMAND --generate-completion).

function __sluice_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l before $words[-1]
    set -l front ''
    if string match -qr -- '^--[^=]+=' $word # --flag=va
        set before (string split -m 1 = -- $word)[1]
        set front $before=
        set word (string split -m 1 = -- $word)[2]
    end
    set -l command (string replace -r '^~/' "$HOME/" -- $words[1])
    command -q $command; or return
    set -l sub
    if test (count $words) -gt 1
        set sub $words[2]
    end

    # A line has a word, the kind of its value, and its description.
    set -l value none
    set -l described
    set -l segments
    set -l named no
    for line in ($command $sub --generate-completion 2>/dev/null)
        set -l part (string split -m 2 ' ' -- $line)
        if test "$part[2]" = name
            set -a segments $part[1]
            continue
        end
        if test "$part[1]" = NAME
            set named yes
        else
            set -a described "$part[1]"\t"$part[3]"
        end
        if test "$part[1]" = "$before"
            set value $part[2]
        end
    end

    switch $value
        case none command
            if test $named = yes
                printf '%s\n' $segments
            end
            printf '%s\n' $described
        case segment
            printf '%s\n' $front$segments
        case value
        case file
            printf '%s\n' $front(__fish_complete_path $word)
        case '*'
            printf '%s\n' $front(string split '|' -- $value)
    end
end

for name in producer consumer gauge sluice-bridge
    complete -c $name -f -a '(__sluice_complete)'
end
