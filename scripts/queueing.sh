#!/usr/bin/env bash
# Checks response times against queueing theory: an open-loop load with Poisson arrivals through a
# ring, to a consumer that works on each message for a constant time. The mean response in shared
# memory is compared with Lindley's recursion over the run's own due times and services, and with
# the Pollaczek-Khinchine formula for M/D/1.
#
#   scripts/queueing.sh [--rate N] [--work TIME] [--duration TIME]
#
# The default is 1,000 a second and 800us, a load of 0.8, for two minutes. Needs only Go and two
# processors that do nothing else. The exit code is 1 if the response is more than 2 % off Lindley's
# recursion.
set -euo pipefail

args=()
while [ $# -gt 0 ]; do
    case $1 in
    --rate | --work | --duration)
        [ $# -gt 1 ] || { echo "queueing.sh: error: $1: a value is missing" >&2; exit 2; }
        args+=("-${1#--}" "$2")
        shift
        ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        printf 'queueing.sh: error: unknown argument "%s"\nqueueing.sh: hint: --rate N, --work TIME and --duration TIME; see --help\n' "$1" >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go queueing.sh
echo "building into bin/" >&2
go build -o bin/ ./cmd/producer ./scripts/queueing
exec bin/queueing "${args[@]}"
