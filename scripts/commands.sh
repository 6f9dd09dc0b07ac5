#!/usr/bin/env bash
# Measures the commands against what a shell offers for the same: generated messages against
# a queue in C++ that only spins, lines and files against cat, and what an idle pair uses.
# Each side is pinned to a processor. Prints a page in Markdown. Takes a minute or two, needs
# a gigabyte in /dev/shm, and cleans up.
#
#   scripts/commands.sh [--rounds N] [--cpus A,B]
#
# No other work should run at the same time.
set -euo pipefail

rounds=5 cpus=()
while [ $# -gt 0 ]; do
    case $1,${2:-} in
    --help, | -h,)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit
        ;;
    --rounds,[1-9] | --rounds,[1-9][0-9]) rounds=$2 ;;
    --cpus,*,*) IFS=, read -r -a cpus <<<"$2" ;;
    *)
        printf 'commands.sh: error: unknown argument "%s"\ncommands.sh: hint: --rounds N and --cpus A,B; see --help\n' "$1" >&2
        exit 2
        ;;
    esac
    shift 2
done
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go commands.sh
# shellcheck source=/dev/null
. scripts/peers/page.sh
[ ${#cpus[@]} -gt 0 ] || read -r -a cpus <<<"$(two_processors)"
[ ${#cpus[@]} = 2 ] || { echo "commands.sh: error: needs two processors, one for each side" >&2 && exit 1; }

work=$(mktemp -d /dev/shm/commands-XXXXXX)
name=commands-$$
pids=()
finish() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
    rm -rf "$work" "/dev/shm/sluice.$name"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "building" >&2
go build -o "$work/" ./cmd/producer ./cmd/consumer
g++ -O3 -std=c++17 scripts/peers/boost_spsc.cpp -o "$work/boost_spsc" 2>"$work/complaint" ||
    echo "without boost::lockfree::spsc_queue, which does not build here: $(head -n 1 "$work/complaint")" >&2
cd "$work"
mkfifo fifo
lines=5000000
{ yes 'a line of a hundred bytes, with its newline at the end: it is what a program prints into its log ..' || true; } | head -n $lines >input
megabytes=$(($(stat -c %s input) / 1000000)) messages=200000000

a() { taskset -c "${cpus[0]}" "$@"; }
b() { taskset -c "${cpus[1]}" "$@"; }
producer() { a ./producer --name "$name" "$@" 2>>complaint; }
consumer() { b ./consumer --name "$name" "$@" 2>>complaint; }

generated() {
    producer --count $messages &
    consumer
    wait $!
}
spsc() { ./boost_spsc throughput 8 $messages "${cpus[@]}" >/dev/null; }
lines() {
    a cat input | producer --input - &
    consumer --output - >output
    wait $!
}
lines_cat() { a cat input | b cat >output; }
file() {
    producer --input input &
    consumer --output output
    wait $!
}
file_cat() {
    a cat input >fifo &
    b cat fifo >output
    wait $!
}

# measure FUNCTION runs one of these and adds its seconds to $work/FUNCTION.
measure() {
    local began
    rm -f output
    began=${EPOCHREALTIME/./}
    "$1" || { printf 'commands.sh: error: %s failed: %s\n' "$1" "$(tail -n 1 complaint)" >&2 && exit 1; }
    began=$((${EPOCHREALTIME/./} - began))
    [ ! -e output ] || cmp input output >&2
    echo "$began" >>"$1.us"
}

# row WHAT AMOUNT UNIT OURS OTHERS LABEL prints a row of the table: amounts per us, and the
# median of the rounds' ratios.
row() {
    [ -s "$5.us" ] || return 0
    paste -d ' ' "$4.us" "$5.us" | awk -v what="$1" -v amount="$2" -v unit="$3" -v label="$6" '
        function middle(v, n,    i, j, t) {
            for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
            return (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2
        }
        { ours[NR] = amount / $1; others[NR] = amount / $2; ratio[NR] = $2 / $1 } # per us
        END {
            times = middle(ratio, NR)
            printf "| %s | %.3g %s | %s | %.3g %s | %.2f (%.2f to %.2f) |\n", what, middle(ours, NR), unit, label, middle(others, NR), unit, times, ratio[1], ratio[NR]
        }'
}

# idle ARGUMENTS prints the processor time, ms, of a pair that waits for ten seconds.
idle() {
    exec 3<>fifo # nobody writes to it
    taskset -c "${cpus[0]}" ./producer --name "$name" --input - "$@" <fifo 2>>complaint &
    pids=($!)
    taskset -c "${cpus[1]}" ./consumer --name "$name" "$@" 2>>complaint &
    pids+=($!)
    sleep 1
    local before after
    before=$(used)
    sleep 10
    after=$(used)
    kill "${pids[@]}"
    wait "${pids[@]}" || true
    pids=()
    exec 3>&-
    rm -f "/dev/shm/sluice.$name" # or the next pair goes on where this one was killed
    awk "BEGIN {printf \"%.1f\", ($after - $before) / 1e6}"
}
used() { cat "/proc/${pids[0]}"/task/*/schedstat "/proc/${pids[1]}"/task/*/schedstat | awk '{ns += $1} END {printf "%d", ns}'; }

for ((round = 1; round <= rounds; round++)); do
    echo "round $round of $rounds" >&2
    for each in generated lines lines_cat file file_cat; do measure $each; done
    [ ! -x boost_spsc ] || measure spsc
done
echo "an idle pair" >&2

cat <<END
# The commands

Measured by \`scripts/commands.sh\`: medians of $rounds rounds in which all take turns, the start of the processes included.
The producer and \`cat\` before it are pinned to one core, the consumer to the other. Files are in memory (tmpfs).

| | sluice | | | times |
|---|---|---|---|---|
END
row "generated messages of 8 B, default flags" $messages "M msg/s" generated spsc "boost::lockfree::spsc_queue"
row "lines of 100 B: \`cat F \\| producer --input -\`, \`consumer --output - >G\`" $lines "M lines/s" lines lines_cat "\`cat F \\| cat >G\`"
row "a file: \`producer --input F\`, \`consumer --output G\`" "${megabytes}000" "GB/s" file file_cat "\`cat F >FIFO\`, \`cat FIFO >G\`"
cat <<END

An idle pair uses $(idle) ms of processor time in ten seconds, with \`--report 0\` $(idle --report 0) ms.
END
