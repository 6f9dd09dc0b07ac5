#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2154 # paths.sh and leave.sh are not followed
# Stops the pairs and removes everything that install.sh has installed, and the user and the configuration.
#
#   [PREFIX=DIR] [DESTDIR=DIR] scripts/systemd/uninstall.sh [--keep-config] [--discard]
#
#   PREFIX, DESTDIR as for install.sh
#   --keep-config   keep /etc/sluice and the drop-ins of the units
#   --discard       discard unread messages in segments, and the streams of sluice-nats.service; without it, nothing is
#                   removed if there are any
set -euo pipefail

config=remove unread=keep
for arg in "$@"; do
    case $arg in
    --keep-config) config=keep ;;
    --discard) unread=discard ;;
    -h | --help)
        sed -n '3,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        printf 'uninstall.sh: error: unknown argument "%s"\nuninstall.sh: hint: --keep-config, --discard; see --help\n' "$arg" >&2
        exit 2
        ;;
    esac
done
cd "$(dirname "$0")"
. ./paths.sh
. ./leave.sh
[ -n "$root" ] || [ "$(id -u)" = 0 ] || die "only root can uninstall from $prefix" "sudo $0${*:+ $*}"

# is_shared FILE reports whether it is a segment that is shared with the group: a unit with another User= makes such.
is_shared() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %G "$1")" = sluice ]; }

# segments removes all segments.
segments() {
    local file
    for file in /dev/shm/sluice.*; do
        is_segment "$file" || is_shared "$file" || continue
        remove_segment "$lib/gauge" "$file" "${yes[@]}" || die "nothing was removed" "receive the messages, or discard them with --discard"
    done
}

if live; then
    stop_units systemctl
    [ "$unread" = discard ] || ! has_streams ||
        die "nothing was removed: sluice-nats.service has streams, in /var/lib/sluice-nats" "remove the streams, or discard them with --discard"
    yes=()
    [ "$unread" = keep ] || yes=(--yes)
    segments
    remove_streams
    disable_units ""
fi

for b in "${binaries[@]}"; do
    command=$(command_of "$b")
    [ "$(readlink "$root$path/$command")" != "../lib/sluice/$b" ] || rm -f "$root$path/$command"
done
remove_old_names
for f in $(for b in "${binaries[@]}"; do shares "$(command_of "$b")"; done) "$zsh_completion"; do
    if grep -qs sluice "$root$f"; then rm "$root$f"; fi
done
mapfile -t folders < <(tac "$root$made" 2>/dev/null)
rm -f "$root$made"
for b in "${binaries[@]}" producer-first; do rm -f "$root$lib/$b"; done
for u in "${unit_files[@]}"; do rm -f "$root$units/$u"; done
rm -f "$root$share/sysusers.d/sluice.conf" "$root$share/tmpfiles.d/sluice.conf" "$root$doc/example.env" "$root$doc/systemd.md"
another=''
if [ -z "$root" ] && another=$(another_installation); then
    echo "uninstall.sh: kept: /etc/sluice and the user, for the installation that has $another" >&2
elif [ $config = remove ]; then
    remove_configuration "$root"
fi
case $prefix in /usr | /usr/local) ;; *) [ ! -d "$root$path" ] || rmdir --ignore-fail-on-non-empty "$root$path" ;; esac
for d in "$lib" "$doc" "$prefix/share/doc" "$units" "${units%/*}" "$share/sysusers.d" "$share/tmpfiles.d" "${folders[@]}"; do
    [ ! -d "$root$d" ] || rmdir --ignore-fail-on-non-empty "$root$d"
done

if live; then
    systemctl daemon-reload
    if [ -z "$another" ]; then
        rm -rf /run/sluice
        remove_user
    fi
fi
