#!/usr/bin/env bash
# Runs the commands of the pages as a reader pastes them, each page on a temporary machine with a systemd of its own (see
# scripts/systemd/test/boot.sh), where nothing of this machine can be changed. Takes about two minutes; needs root, systemd
# with dbus, sudo and Go; cleans up. CONTRIBUTING.md says how to annotate commands that do not end or cannot be run.
#
#   scripts/docs/test.sh [PAGE...]     default: all pages
#
# If the test cannot run on this machine, it prints the reason and exits with 77.
set -euo pipefail
case ${1:-} in
-h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
-*)
    printf 'test.sh: error: unknown flag "%s"\ntest.sh: hint: its arguments are pages; see --help\n' "$1" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/../.."

skip() { echo "SKIPPED, NO PAGE WAS TESTED: $*" >&2; exit 77; }
[ "$(uname -s)" = Linux ] || skip "this is not Linux"
[ "$(id -u)" = 0 ] || skip "booting systemd needs root"
[ -x /lib/systemd/systemd ] || skip "there is no systemd on this machine"
for tool in dbus-daemon sudo; do
    command -v $tool >/dev/null || skip "there is no $tool on this machine"
done
# shellcheck source=/dev/null
. scripts/go.sh
need_go test.sh

lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT
CGO_ENABLED=0 go build -o "$lab/docs" ./scripts/docs
go build -o "$lab/bin/" ./cmd/...
cp scripts/docs/page.sh "$lab/"

if [ $# = 0 ]; then
    mapfile -t pages < <(find . -name '*.md' ! -path '*/.*/*' ! -path './docs/results/*' ! -path './build/*' ! -path './dist/*' -printf '%P\n' | sort)
else
    pages=("$@")
fi
for page in "${pages[@]}"; do "$lab/docs" --list "$page"; done >"$lab/plan"

# What a clone would have, with changes that are not committed.
if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
else
    find . -type f ! -path './.git/*' ! -path './bin/*' ! -path './build/*' ! -path './dist/*' -print0
fi | tar -c --null --ignore-failed-read -T - -f "$lab/tree.tar" 2>/dev/null

# The machine has Go's caches, so that a build does not take minutes.
OVERLAYS="$(go env GOROOT) $(go env GOMODCACHE) $(go env GOCACHE)"
# And what can be called here, if it is not on the file system of /: the machine sees no other.
IFS=: read -ra path <<<"$PATH"
for dir in "${path[@]}"; do
    [ ! -d "$dir" ] || [ "$(stat -c %d "$dir")" = "$(stat -c %d /)" ] || OVERLAYS+=" $dir"
done
for name in PATH GOFLAGS GOTOOLCHAIN GOPROXY GOSUMDB http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || printf 'export %s=%q\n' $name "${!name}"
done >"$lab/environment"
printf 'export GOMODCACHE=%q GOCACHE=%q\n' "$(go env GOMODCACHE)" "$(go env GOCACHE)" >>"$lab/environment"
export OVERLAYS NETWORK=yes

# run PAGE: on a machine of its own; what it prints comes when it ends.
run() {
    local own code=0 began=$SECONDS
    own=$(mktemp -d --tmpdir="$lab/machines")
    cp -l "$lab"/{docs,page.sh,tree.tar,environment} "$own/"
    cp -rl "$lab/bin" "$own/"
    scripts/systemd/test/boot.sh "$own" "page.sh $1" 600 >"$own/printed" 2>&1 || code=$?
    cat "$own/printed"
    case $code in
    0) echo "ok   $1 ($((SECONDS - began)) s)" ;;
    77) touch "$lab/cannot" ;;
    *) echo "$1" | tee -a "$lab/failed" | sed 's/^/FAIL /' ;;
    esac
    rm -rf "$own"
}

# Two at a time: the commands of a page wait more than they compute.
mkdir "$lab/machines"
touch "$lab/failed"
for page in "${pages[@]}"; do
    grep -q "^run	$page:" "$lab/plan" || continue
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    run "$page" &
done
wait
[ ! -e "$lab/cannot" ] || skip "this machine cannot boot another one"

printf '\n%s blocks of commands were run, %s were NOT run:\n' "$(grep -c '^run' "$lab/plan")" "$(grep -c '^not run' "$lab/plan")"
sed -n 's/^not run	\(.*\)	\(.*\)/  \1  \2/p' "$lab/plan"
if [ -s "$lab/failed" ]; then
    echo "pages whose commands fail: $(tr '\n' ' ' <"$lab/failed")" >&2
    exit 1
fi
