# Types lines into an interactive zsh and prints what it would complete them to, in that
# shell's own order: for each line "== LINE", and then a match a line.
#
#     zsh -f complete.zsh SCRIPT LINE...
zmodload zsh/zpty
matches=$(mktemp) setup=$(mktemp)
cat >$setup <<END
PROMPT= RPROMPT=
setopt no_beep
autoload -Uz compinit && compinit -D -u
source ${(q)1}
compadd() {
    local -a found
    [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] || { builtin compadd -A found "\$@"; print -rl -- \$found >>$matches }
    builtin compadd "\$@"
}
complete-and-tell() { zle complete-word; print -r -- '<done>' >>$matches }
zle-line-init() { print -r -- '<ready>' >>$matches } # the terminal is zle's from here on
zle -N complete-and-tell
zle -N zle-line-init
bindkey '^I' complete-and-tell
END
shift

await() {
    repeat 600; do
        [[ $(tail -n 1 $matches) != $1 ]] || return 0
        sleep 0.05
    done
    print -ru2 -- "zsh does not come to $1"
    exit 1
}

zpty shell "TERM=dumb zsh -f -i"
zpty -w shell "source $setup"
await '<ready>'
for line; do
    : >$matches
    zpty -w -n shell $line$'\t'
    await '<done>'
    zpty -w -n shell $'\025'
    print -r -- "== $line"
    grep -v -e '^<done>$' -e '^$' $matches
done
zpty -d shell
rm -f $matches $setup
