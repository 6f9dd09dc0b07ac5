#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2154 # paths.sh is not followed
# Installs the commands, their manual pages, completions and units; starts nothing. uninstall.sh removes them.
#
#   [PREFIX=DIR] [DESTDIR=DIR] [BIN=DIR] [NATIVE_BIN=DIR] scripts/systemd/install.sh
#
# PREFIX      where to install (default: /usr/local); not below a home or a temporary directory
# DESTDIR     a directory to use in place of /, for packages
# BIN         directory of the built commands (default: bin/ of this repository)
# NATIVE_BIN  directory of the same commands for this machine, which print their manual pages (default: BIN)
#
# The command bridge is installed as sluice-bridge.
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
bin=${BIN:+$(realpath -m "$BIN")} # of the caller's directory
native=${NATIVE_BIN:+$(realpath -m "$NATIVE_BIN")}
cd "$(dirname "$0")"
. ./paths.sh
bin=${bin:-$(realpath -m ../../bin)}
native=${native:-$bin}

for b in "${binaries[@]}"; do
    [ -x "$bin/$b" ] || die "there is no $b in $bin" "build it first, as yourself: go build -o bin/ ./cmd/..."
done
[ -n "$root" ] || [ "$(id -u)" = 0 ] || die "only root can install into $prefix" "sudo $0, or set DESTDIR"

# put MODE FILE PATH: copies a file, with its paths below /usr/local changed to PREFIX.
put() {
    sed "s#/usr/local/#$prefix/#g" "$2" | install -D -m "$1" /dev/stdin "$root$3"
}

for b in "${binaries[@]}"; do install -D -m 755 -t "$root$lib" "$bin/$b"; done
put 755 producer-first "$lib/producer-first"
# Links for interactive use; the units do not need them. Another program's command is not replaced.
install -d -m 755 "$root$path"
linked=()
for b in "${binaries[@]}"; do
    command=$(command_of "$b")
    if [ "$(readlink "$root$path/$command")" = "../lib/sluice/$b" ] || { [ ! -e "$root$path/$command" ] && [ ! -L "$root$path/$command" ]; }; then
        ln -sfn "../lib/sluice/$b" "$root$path/$command"
        linked+=("$b")
    else
        echo "install.sh: $path/$command is another program and was not replaced; use $lib/$b" >&2
    fi
done
remove_old_names
# Manual pages and completions of those commands. folder DIR creates directories, and records them for uninstall.sh.
folder() {
    [ -d "$root$1" ] || { folder "${1%/*}"; install -d -m 755 "$root$1"; echo "$1" >>"$root$made"; }
}
add() { # PATH; the content is standard input
    if [ -e "$root$1" ] && ! grep -q sluice "$root$1"; then
        echo "install.sh: $1 is another program's and was not replaced" >&2
        return
    fi
    folder "${1%/*}"
    install -m 644 /dev/stdin "$root$1"
}
for b in "${linked[@]}"; do
    command=$(command_of "$b")
    read -r page bash fish <<<"$(shares "$command")"
    # A command for another architecture does not run here.
    if text=$("$native/$b" --generate-man); then add "$page" <<<"$text"; fi
    add "$bash" <../completion.bash
    add "$fish" <../completion.fish
done
[ "${linked[*]}" != "${binaries[*]}" ] || add "$zsh_completion" <../completion.zsh # one file for all commands
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
elif [ -z "$root" ]; then
    echo "install.sh: note: systemd is not running on this machine: its next start creates the user and loads the units" >&2
fi
cat <<NEXT
Installed. The name of a pair is the name of its environment file:

    cp $doc/example.env /etc/sluice/NAME.env
    systemctl enable --now sluice@NAME.target
    systemctl status 'sluice-*@NAME.*'
    $path/gauge watch

For more, see $doc/systemd.md.
NEXT
