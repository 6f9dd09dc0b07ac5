#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2154 # paths.sh is not followed
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
[ -n "$root" ] || [ "$(id -u)" = 0 ] || die "only root can uninstall from $prefix" "sudo $0${*:+ $*}"

# segments removes the segments of the services' user, and those that other users share with its group.
segments() {
    local file owner yes=()
    [ "$unread" = keep ] || yes=(--yes)
    for file in /dev/shm/sluice.*; do
        [ -e "$file" ] || continue
        case $(stat -c '%U %G' "$file") in
        "sluice "* | *" sluice") owner=$(stat -c %u "$file") ;;
        *) continue ;;
        esac
        setpriv --reuid="$owner" --regid=sluice --clear-groups "$lib/gauge" rm --name "${file#/dev/shm/sluice.}" "${yes[@]}" ||
            die "nothing was removed" "receive the messages, or discard them with --discard"
    done
}

# streams fails if the server has any.
streams() {
    [ "$unread" = discard ] || ! find /var/lib/sluice-nats/ -path '*/streams/*' 2>/dev/null | grep -q . ||
        die "nothing was removed: sluice-nats.service has streams, in /var/lib/sluice-nats" "remove the streams, or discard them with --discard"
}

if live; then
    # Pairs first, so that consumers receive all messages.
    for these in 'sluice@*.target' 'sluice-producer@*.service' 'sluice-bridge-*@*.service' 'sluice-consumer@*.socket' 'sluice-consumer@*.service' \
        sluice-nats.service sluice-gauge.service; do
        systemctl stop "$these" 2>/dev/null || true # not loaded
    done
    streams
    segments
    rm -rf /var/lib/private/sluice-nats /var/lib/sluice-nats # a link to it, because of DynamicUser=
    for link in /etc/systemd/system/*.wants/sluice[-@]*; do
        [ ! -L "$link" ] || systemctl --quiet disable "${link##*/}"
    done
    systemctl reset-failed 'sluice@*' 'sluice-*' 2>/dev/null || true
fi

for b in "${binaries[@]}"; do
    [ "$(readlink "$root$path/$b")" != "../lib/sluice/$b" ] || rm -f "$root$path/$b"
done
for f in $(for b in "${binaries[@]}"; do shares "$b"; done) "$zsh_completion"; do
    if grep -qs sluice "$root$f"; then rm "$root$f"; fi
done
mapfile -t folders < <(tac "$root$made" 2>/dev/null)
rm -f "$root$made"
for b in "${binaries[@]}" producer-first; do rm -f "$root$lib/$b"; done
for u in "${unit_files[@]}"; do rm -f "$root$units/$u"; done
rm -f "$root$share/sysusers.d/sluice.conf" "$root$share/tmpfiles.d/sluice.conf" "$root$doc/example.env" "$root$doc/systemd.md"
if [ $config = remove ]; then
    rm -rf "$root/etc/sluice"
    for u in sluice@ sluice-producer@ sluice-consumer@ sluice-bridge-out@ sluice-bridge-in@ sluice-nats sluice-gauge; do
        rm -rf "$root"/etc/systemd/system/$u*.d
    done
fi
case $prefix in /usr | /usr/local) ;; *) [ ! -d "$root$path" ] || rmdir --ignore-fail-on-non-empty "$root$path" ;; esac
for d in "$lib" "$doc" "$prefix/share/doc" "$units" "${units%/*}" "$share/sysusers.d" "$share/tmpfiles.d" "${folders[@]}"; do
    [ ! -d "$root$d" ] || rmdir --ignore-fail-on-non-empty "$root$d"
done

if live; then
    rm -rf /run/sluice
    systemctl daemon-reload
    if getent passwd sluice | grep -q ':sluice pairs:'; then # created by sluice.sysusers
        userdel sluice
        ! getent group sluice >/dev/null || groupdel sluice
    fi
fi
