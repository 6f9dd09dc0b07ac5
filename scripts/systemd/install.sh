#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2154 # paths.sh is not followed
# Installs the commands, their manual pages, completions and units; starts nothing. uninstall.sh removes it all again.
#
#   [PREFIX=DIR] [DESTDIR=DIR] [BIN=DIR] scripts/systemd/install.sh
#
# PREFIX   where to install, /usr/local unless set; not below a home or a temporary directory
# DESTDIR  a directory that stands for /, to make a package in
# BIN      where the built commands are, bin/ of this repository unless set
set -euo pipefail
case ${1:-} in
'') ;;
-h | --help)
    sed -n '3,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    printf 'install.sh: error: unknown argument "%s"\ninstall.sh: hint: see --help\n' "$1" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")"
. ./paths.sh
bin=${BIN:-../../bin}

for b in "${binaries[@]}"; do
    [ -x "$bin/$b" ] || die "$bin/$b is not there; build it first: go build -o bin/ ./cmd/..."
done
[ -n "$root" ] || [ "$(id -u)" = 0 ] || die "only root can install into $prefix; or set DESTDIR"

# put MODE FILE PLACE: copies a file that names places under /usr/local.
put() {
    sed "s#/usr/local/#$prefix/#g" "$2" | install -D -m "$1" /dev/stdin "$root$3"
}

for b in "${binaries[@]}"; do install -D -m 755 -t "$root$lib" "$bin/$b"; done
put 755 producer-first "$lib/producer-first"
# For people, by name; the units do not need it. A command of that name that is not ours stays.
install -d -m 755 "$root$path"
linked=()
for b in "${binaries[@]}"; do
    if [ "$(readlink "$root$path/$b")" = "../lib/sluice/$b" ] || { [ ! -e "$root$path/$b" ] && [ ! -L "$root$path/$b" ]; }; then
        ln -sfn "../lib/sluice/$b" "$root$path/$b"
        linked+=("$b")
    else
        echo "install.sh: $path/$b is something else and stays; this one is $lib/$b" >&2
    fi
done
# Manual pages and completions of those commands. folder DIR makes it, and remembers what was not there.
folder() {
    [ -d "$root$1" ] || { folder "${1%/*}"; install -d -m 755 "$root$1"; echo "$1" >>"$root$made"; }
}
add() { # PLACE, and the file as standard input
    if [ -e "$root$1" ] && ! grep -q sluice "$root$1"; then
        echo "install.sh: $1 is something else and stays" >&2
        return
    fi
    folder "${1%/*}"
    install -m 644 /dev/stdin "$root$1"
}
for b in "${linked[@]}"; do
    read -r page bash fish <<<"$(shares "$b")"
    # A package for another kind of machine is made without pages: its commands do not run here.
    if text=$("$bin/$b" --generate-man); then add "$page" <<<"$text"; fi
    add "$bash" <../completion.bash
    add "$fish" <../completion.fish
done
[ "${linked[*]}" != "${binaries[*]}" ] || add "$zsh_completion" <../completion.zsh # one file for all of them
for u in "${unit_files[@]}"; do put 644 "$u" "$units/$u"; done
put 644 sluice.sysusers "$share/sysusers.d/sluice.conf"
put 644 sluice.tmpfiles "$share/tmpfiles.d/sluice.conf"
put 644 example.env "$doc/example.env"
put 644 ../../docs/systemd.md "$doc/systemd.md"
install -d -m 755 "$root/etc/sluice"

if live; then
    systemd-sysusers "$share/sysusers.d/sluice.conf"
    systemd-tmpfiles --create "$share/tmpfiles.d/sluice.conf"
    systemctl daemon-reload
fi
cat <<NEXT
Installed. A pair is named by its file of flags:

    cp $doc/example.env /etc/sluice/NAME.env
    systemctl enable --now sluice@NAME.target
    systemctl status 'sluice-*@NAME.*'
    $path/gauge watch

$doc/systemd.md has the rest.
NEXT
