#!/usr/bin/env bash
# Hard against soft back-pressure, measured: runs a ring and a transfer in three
# forms under the same loads, and writes a report with pictures.
#
#   scripts/compare.sh [--quick] [--out DIR]
#
# The report goes to DIR, a new temporary folder unless DIR is given.
# Needs Go and nothing else. --quick takes under a minute, the full run under ten.
# Ctrl-C leaves nothing behind.
set -euo pipefail

args=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) args+=(-quick) ;;
    --out)
        [ $# -gt 1 ] || { echo "compare.sh: error: --out: a folder is missing" >&2; exit 2; }
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
