#!/usr/bin/env bash
# Hard against soft back-pressure, measured: runs a ring and a transfer in three
# forms under the same loads, and writes a report with pictures.
#     scripts/compare.sh [--quick] [--out DIR]
# Needs Go and nothing else. --quick takes under a minute, the full run under ten.
# Ctrl-C leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

args=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) args+=(-quick) ;;
    --out)
        [ $# -gt 1 ] || { echo "compare.sh: --out: a folder is missing" >&2; exit 2; }
        args+=(-out "$2")
        shift
        ;;
    --out=*) args+=(-out "${1#--out=}") ;;
    -h | --help)
        sed -n '2,6s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "compare.sh: there is no $1; --quick and --out DIR are what there is" >&2
        exit 2
        ;;
    esac
    shift
done

echo "building into bin/" >&2
go build -o bin/ ./cmd/... ./scripts/compare
exec bin/compare "${args[@]}"
