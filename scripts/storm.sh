#!/usr/bin/env bash
# Kills the sides of transfers again and again, and holds what arrived against what was
# sent: finite, numbered streams, one buffer a message, packed, recycled, and with a limit.
#
#   scripts/storm.sh [--kills N] [--seed N]
#
# 1,000 kills unless said otherwise; they take about five minutes. It needs Go and
# nothing else, uses segments and sockets of its own, and leaves nothing behind. The
# exit code is 1 when a message is missing that nobody has counted as lost.
set -euo pipefail

args=()
while [ $# -gt 0 ]; do
    case $1 in
    --kills | --seed)
        [ $# -gt 1 ] || { echo "storm.sh: error: $1: a number is missing" >&2; exit 2; }
        args+=("-${1#--}" "$2")
        shift
        ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        printf 'storm.sh: error: unknown argument "%s"\nstorm.sh: hint: --kills N and --seed N; see --help\n' "$1" >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go storm.sh
echo "building into bin/" >&2
go build -o bin/ ./cmd/producer ./cmd/consumer ./scripts/storm
exec bin/storm "${args[@]}"
