#!/usr/bin/env bash
# Makes the release of the commit that is checked out twice, from two clones, and compares the files.
# They differ in directory, time zone, umask, locale, home directory and settings of go env -w, and if
# this is root in the user, too.
#
#   scripts/release-check.sh [--quick] [--keep DIR]
#
# --quick     only amd64, one user, and with the caches of Go that there are; a minute in place of ten
# --keep DIR  writes the files of the release to DIR
#
# A commit without a tag gets one in the clones. Needs git and Go, and fetches Go modules: without
# --quick all of them again, for the second user. Changes nothing, and cleans up.
set -euo pipefail

quick=false keep=''
usage() { printf 'release-check.sh: error: %s\nrelease-check.sh: hint: --quick, --keep DIR; see --help\n' "$1" >&2; exit 2; }
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=true ;;
    --keep)
        [ $# -gt 1 ] || usage "--keep: a value is missing"
        keep=$(realpath -m "$2")
        shift
        ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) usage "unknown argument \"$1\"" ;;
    esac
    shift
done
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go release-check.sh

work=$(mktemp -d)
chmod 755 "$work" # for the second user
finish() {
    chmod -R u+w "$work" # the module cache is read-only
    rm -rf "$work"
}
trap finish EXIT

args=()
! $quick || args=(--arch amd64)

mkdir -p "$work/another/folder" "$work/home"
(umask 022 && git clone --quiet --no-hardlinks . "$work/one")
[ -n "$(git -C "$work/one" tag --points-at HEAD)" ] || git -C "$work/one" tag v0.1.0-rc.1
(umask 077 && git clone --quiet --no-hardlinks "$work/one" "$work/another/folder/two") # not of ., which may change meanwhile

echo "release-check.sh: the first release" >&2
(umask 022 && TZ=UTC0 "$work/one/scripts/release.sh" "${args[@]}")

# Settings of another user, which change what Go makes if they are not ignored.
printf 'GOEXPERIMENT=fieldtrack\nGOFLAGS=-tags=another\n' >"$work/env"
chmod 644 "$work/env"
settings=(GOENV="$work/env")
for setting in GOPROXY GOSUMDB GONOPROXY GONOSUMDB GOPRIVATE GOINSECURE GOAUTH GOVCS; do settings+=("$setting=$(go env $setting)"); done

echo "release-check.sh: the second release" >&2
second=(env "${settings[@]}" TZ=Asia/Kathmandu LC_ALL=C.UTF-8 "$work/another/folder/two/scripts/release.sh" "${args[@]}")
if ! $quick && [ "$(id -u)" = 0 ]; then
    user=30034 # an unused id, so that no account must be created
    cp -a "$(go env GOROOT)" "$work/goroot" # it may be in root's home
    chown -R -h $user:$user "$work/another" "$work/home" "$work/goroot"
    second=(setpriv --reuid="$user" --regid="$user" --clear-groups env -i HOME="$work/home" PATH="$work/goroot/bin:$PATH" "${second[@]}")
else
    second=(env HOME="$work/home" GOCACHE="$(go env GOCACHE)" GOMODCACHE="$(go env GOMODCACHE)" "${second[@]}")
fi
(umask 077 && "${second[@]}")

if ! diff "$work/one/dist/SHA256SUMS" "$work/another/folder/two/dist/SHA256SUMS"; then
    printf 'release-check.sh: error: two releases of one commit differ, in the files above\n' >&2
    exit 1
fi
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    cp "$work"/one/dist/* "$keep/"
fi
echo "two releases of one commit are the same, byte for byte"
