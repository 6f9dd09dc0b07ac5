#!/usr/bin/env bash
# Tests the units with a separate systemd, which boots as PID 1 in new namespaces over a temporary overlay of / (test/boot.sh) and
# runs the scenarios of test/. Takes 40 seconds; needs root, systemd with dbus, python3 and Go; cleans up.
#
#   scripts/systemd/test.sh
#
# JOURNAL_LINES  lines of the journal to show after a failure (default: 60)
#
# If the test cannot run on this machine, it prints the reason and exits with 77.
set -euo pipefail
case ${1:-} in
'') ;;
-h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    printf 'test.sh: error: unknown argument "%s"\ntest.sh: hint: it has no arguments; see --help\n' "$1" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/../.."

skip() { echo "SKIPPED, NOTHING WAS TESTED: $*" >&2; exit 77; }
[ "$(uname -s)" = Linux ] || skip "this is not Linux"
[ "$(id -u)" = 0 ] || skip "booting systemd needs root"
[ -x /lib/systemd/systemd ] || skip "there is no systemd on this machine"
command -v dbus-daemon >/dev/null || skip "there is no dbus on this machine"
command -v python3 >/dev/null || skip "there is no python3 on this machine"
# shellcheck source=/dev/null
. scripts/go.sh
need_go test.sh

lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT
mkdir -p "$lab/repo/scripts" "$lab/repo/docs"
go build -o "$lab/bin/" ./cmd/... ./cmd/bridge
cp -r scripts/systemd scripts/completion.* "$lab/repo/scripts/"
cp docs/systemd.md "$lab/repo/docs/"

code=0
scripts/systemd/test/boot.sh "$lab" repo/scripts/systemd/test/run.sh 200 || code=$?
case $code in
0) echo "systemd: all good" ;;
77) skip "this machine cannot boot another one" ;;
*)
    echo "systemd: failed; the end of its journal:" >&2
    tail -n "${JOURNAL_LINES:-60}" "$lab/journal.txt" >&2 2>/dev/null || true
    exit 1
    ;;
esac
