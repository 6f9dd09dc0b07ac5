#!/usr/bin/env bash
# Compares hard and soft back-pressure: runs a ring, and a transfer in three forms,
# under the same loads and writes a report with pictures.
#
#   scripts/compare.sh [--quick] [--out DIR]
#
# Writes the report to DIR, a new temporary directory without --out. Needs only Go.
# --quick takes less than a minute, the full run less than ten. Ctrl-C cleans up.
set -euo pipefail

args=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) args+=(-quick) ;;
    --out)
        [ $# -gt 1 ] || { echo "compare.sh: error: --out: a directory is missing" >&2; exit 2; }
        args+=(-out "$(realpath -m "$2")")
        shift
        ;;
    --out=*) args+=(-out "$(realpath -m "${1#--out=}")") ;;
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

cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go compare.sh
echo "building into bin/" >&2
go build -o bin/ ./cmd/... ./scripts/compare
exec bin/compare "${args[@]}"
