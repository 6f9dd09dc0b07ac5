#!/usr/bin/env bash
# Measures and tests bridges between two rings on this machine, through an embedded server: rates and
# response times beside plain NATS, a stopped far consumer, kills and stops of all five processes.
# Takes about 15 minutes, and cleans up.
#
#   scripts/bridge.sh [--quick] [--out FILE]
#
# Prints Markdown, and writes it to FILE. --quick takes two minutes, with fewer rounds, messages and
# kills. No other work should run at the same time.
set -euo pipefail

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }
mistake() {
    printf 'bridge.sh: error: %s\nbridge.sh: hint: see --help\n' "$1" >&2
    exit 2
}
rounds=7 scale=1 messages=10000 kills=100 out=''
while [ $# -gt 0 ]; do
    case $1 in
    --quick) rounds=2 scale=0.2 messages=3000 kills=20 ;;
    --help | -h) usage && exit ;;
    --out)
        [ -n "${2:-}" ] || mistake "--out: a value is missing"
        out=$(realpath -m "$2")
        shift
        ;;
    *) mistake "unknown argument \"$1\"" ;;
    esac
    shift
done
if [ -n "$out" ]; then # fail now, not after minutes of measuring
    if { [ -e "$out" ] && [ ! -f "$out" ]; } || ! try=$(mktemp -p "$(dirname "$out")" 2>/dev/null); then
        printf 'bridge.sh: error: cannot write to %s\nbridge.sh: hint: choose another --out\n' "$out" >&2
        exit 1
    fi
    rm "$try"
fi
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go bridge.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
go build -o "$scratch/bin/" ./cmd/producer ./cmd/consumer ./cmd/bridge
go build -o "$scratch/measure" ./scripts/bridge
part() { # TITLE COMMAND...: runs a part, and says how it goes
    echo "bridge.sh: $1" >&2
    printf '\n## %s\n\n' "$1"
    "$scratch/measure" --bin "$scratch/bin" "${@:2}"
}
{
    echo "# Bridges between rings"
    printf '\n%s\n' "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ *//'), $(nproc) processors, Linux $(uname -r | cut -d. -f1,2). Medians of $rounds interleaved rounds. All processes are on this machine: producer, bridge out, server, bridge in, consumer; with plain NATS a publisher, the server, and a pull consumer."
    part "Rates" throughput --rounds $rounds --scale $scale
    part "Response times, a message due each millisecond" latency --rounds $rounds --messages $messages
    part "The far consumer is stopped" stopped --rounds $rounds
    part "Kills and stops" kills --kills $kills
} | tee "$scratch/bridge.md"
[ -z "$out" ] || cp "$scratch/bridge.md" "$out"
