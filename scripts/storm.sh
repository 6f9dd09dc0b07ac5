#!/usr/bin/env bash
# Kills the sides of pairs repeatedly, and compares the received messages with those sent:
# finite, numbered streams. Transfers with one buffer per message, packed, recycled, limited,
# and waiting at the limit, and rings of fixed slots. With --credit only transfers that wait,
# whose memory is looked at every 10 ms; with --ring only rings.
#
#   scripts/storm.sh [--kills N] [--seed N] [--credit | --ring]
#
# The default is 1,000 kills, which take about five minutes. Needs only Go, uses its own
# segments and sockets, and cleans up. The exit code is 1 if more messages are missing
# than were counted as lost; of a ring, if any is.
set -euo pipefail

args=()
while [ $# -gt 0 ]; do
    case $1 in
    --kills | --seed)
        [ $# -gt 1 ] || { echo "storm.sh: error: $1: a number is missing" >&2; exit 2; }
        args+=("-${1#--}" "$2")
        shift
        ;;
    --credit | --ring) args+=("-${1#--}") ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        printf 'storm.sh: error: unknown argument "%s"\nstorm.sh: hint: --kills N, --seed N, --credit and --ring; see --help\n' "$1" >&2
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
