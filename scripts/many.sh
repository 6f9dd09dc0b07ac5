#!/usr/bin/env bash
# Measures and tests sides that have several rings: rates of fan-in and fan-out, wake-ups, idle
# rings, shares, events, kills. Takes about 25 minutes, most of it for 10 million cycles of an event,
# and cleans up.
#
#   scripts/many.sh [--quick] [--cpus A,B] [--out FILE]
#
# Prints Markdown, and writes it to FILE. --quick takes two minutes, with fewer rounds, kills and
# cycles. No other work should run at the same time.
set -euo pipefail

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }
mistake() {
    printf 'many.sh: error: %s\nmany.sh: hint: see --help\n' "$1" >&2
    exit 2
}
rounds=7 kills=500 cycles=10000000 time=10s out='' cpus=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick) rounds=2 kills=60 cycles=200000 time=2s ;;
    --help | -h) usage && exit ;;
    --cpus | --out)
        [ -n "${2:-}" ] || mistake "$1: a value is missing"
        case $1 in
        --cpus) IFS=, read -r -a cpus <<<"$2" ;;
        --out) out=$(realpath -m "$2") ;;
        esac
        shift
        ;;
    *) mistake "unknown argument \"$1\"" ;;
    esac
    shift
done
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go many.sh
# shellcheck source=/dev/null
. scripts/peers/page.sh
choose_processors many.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
go build -o "$scratch/many" ./scripts/many
many() { "$scratch/many" --cpu-producers "${cpus[0]}" --cpu-consumer "${cpus[1]}" "$@"; }
part() { # TITLE COMMAND...: runs a part, and says how it goes
    echo "many.sh: $1" >&2
    printf '\n## %s\n\n' "$1"
    many "${@:2}"
}
{
    echo "# Sides that have several rings"
    printf '\n%s\n' "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ *//'), $(nproc) processors, Linux $(uname -r | cut -d. -f1,2). Medians of $rounds interleaved rounds."
    part "Eight producers into one consumer, against one ring of the same memory" throughput --rounds $rounds
    part "A consumer that sleeps before each message" wake --rounds $rounds
    part "Idle rings" idle --time $time
    part "Shares while the consumer is the bottleneck" share --time $time
    part "One producer into four rings, the fourth of which drops" stopped --rounds $rounds
    part "Kills" kills --kills $kills
    part "Events" ready --cycles $cycles
} | tee "$scratch/many.md"
[ -z "$out" ] || cp "$scratch/many.md" "$out"
