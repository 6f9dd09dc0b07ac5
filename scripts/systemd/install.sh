#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2154 # paths.sh is not followed
# Installs the commands and their units; starts nothing. PREFIX and DESTDIR as in paths.sh; BIN is where the built commands
# lie, bin/ of this repository unless said otherwise. uninstall.sh takes it all away again.
set -euo pipefail
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

$doc/systemd.md has the rest.
NEXT
