#!/usr/bin/env bash
# Compares hard, credit and soft back-pressure under the same open-loop loads, and writes
# a report with pictures.
#
#   scripts/compare.sh [--quick] [--out DIR]
#
# Writes the report to DIR, a new temporary directory without --out. Needs only Go.
# --quick takes less than a minute, the full run less than ten. Ctrl-C cleans up.
set -euo pipefail

args=()
out=
# set_out DIR: where the report goes.
set_out() {
    [ -n "${1:-}" ] || { echo "compare.sh: error: --out: a directory is missing" >&2; exit 2; }
    out=$(realpath -m "$1")
}
while [ $# -gt 0 ]; do
    case $1 in
    --quick) args+=(-quick) ;;
    --out)
        set_out "${2:-}"
        shift
        ;;
    --out=*) set_out "${1#--out=}" ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        printf 'compare.sh: error: unknown argument "%s"\ncompare.sh: hint: --quick and --out DIR; see --help\n' "$1" >&2
        exit 2
        ;;
    esac
    shift
done

# Before minutes of building and measuring.
if [ -n "$out" ]; then
    args+=(-out "$out")
    parent=$out
    until [ -e "$parent" ] || [ "$parent" = / ]; do parent=$(dirname "$parent"); done
    if ! try=$(mktemp -d "$parent/.sluice-report-XXXXXX" 2>/dev/null); then
        printf 'compare.sh: error: cannot write the report to %s\ncompare.sh: hint: choose another --out\n' "$out" >&2
        exit 1
    fi
    rmdir "$try"
fi

cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go compare.sh
echo "building into bin/" >&2
go build -o bin/ ./cmd/... ./scripts/compare
exec bin/compare "${args[@]}"
