#!/usr/bin/env bash
# Builds the commands and demonstrates a bridge: two rings on this machine, in place of two machines,
# a NATS server between them, and a slow consumer at the far ring, whose pressure arrives at the near
# producer.
#
#   scripts/bridge-demo.sh
#
# Needs only Go. Takes about 20 seconds and cleans up. The first time, Go also downloads and compiles
# the dependencies, which takes a minute or two.
set -euo pipefail

case ${1:-} in
'') ;;
-h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    printf 'bridge-demo.sh: error: unknown argument "%s"\nbridge-demo.sh: hint: it has no arguments; see --help\n' "$1" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go bridge-demo.sh

near=demo-$$-near far=demo-$$-far
work=$(mktemp -d)
declare -A pid
finish() {
    local p
    for p in "${pid[@]}"; do kill -9 "$p" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work" "/dev/shm/sluice.$near" "/dev/shm/sluice.$far"
}
trap finish EXIT
fail() {
    printf 'bridge-demo.sh: error: %s\n' "$1" >&2
    tail -n 5 "$work"/*.txt >&2
    exit 1
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# begin NAME COMMAND...: starts a command whose output goes to a file.
begin() {
    "${@:2}" >"$work/$1.txt" 2>&1 &
    pid[$1]=$!
}
# ends NAME...: waits for the ends of commands, which have to be good.
ends() {
    local name code
    for name; do
        code=0
        wait "${pid[$name]}" || code=$?
        unset "pid[$name]"
        [ $code = 0 ] || fail "$name: exit code $code"
    done
}
# within SECONDS WHAT COMMAND...: repeats it until it succeeds.
within() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -le $until ] || fail "this did not happen: $what"
        sleep 0.02
    done
}

# count SEGMENT SIDE: messages that were put into a ring, or taken from it. With slots of a fixed size
# they are the index of the side (docs/layout.md).
count() { od -An -t u8 -j "$([ "$2" = producer ] && echo 0x100 || echo 0x180)" -N 8 "/dev/shm/sluice.$1" | tr -d ' '; }
arrived() { [ -e "/dev/shm/sluice.$far" ] && [ "$(count $far consumer)" -gt "$1" ]; }
# rates sets sent and taken: messages a second into the near ring and out of the far one, for two seconds.
rates() {
    local before_near before_far
    before_near=$(count $near producer) before_far=$(count $far consumer)
    sleep 2
    sent=$((($(count $near producer) - before_near) / 2)) taken=$((($(count $far consumer) - before_far) / 2))
}
# full SEGMENT: at least nine tenths of a ring are in use.
slots=256
full() { [ $(($(count "$1" producer) - $(count "$1" consumer))) -ge $((slots * 9 / 10)) ]; }
refused() { bin/gauge stat $near --json | grep -q '"bridge":{"out":{"state":"stream-full"'; }
all_full() { full $near && full $far && refused; }

# look shows what gauge says about both rings.
look() {
    local ring
    echo "  gauge ls"
    bin/gauge ls $near $far | sed '/^$/,$d; s/^/  /'
    for ring in $near $far; do
        printf '\n  gauge stat %s\n' "$ring"
        bin/gauge stat "$ring" | awk '/^  [a-z]/ {show = /^  (verdict|bridge)/} show && !/ p50 / {print "  " $0}'
    done
    echo
}
tell() { printf '%s\n' "$*" | fold -s -w 88 | sed 's/^/  /; s/ *$//'; }

say "Building producer, consumer, gauge and bridge into bin/"
go build -o bin/ ./cmd/...

rate=3000
say "1. A near ring, a stream of 1 MiB, and a far ring whose consumer is fast."
begin serve bin/bridge serve --listen 127.0.0.1:0 --store "$work/streams"
within 10 "the server starts" grep -q 'nats://' "$work/serve.txt"
url=$(grep -o 'nats://[0-9.:]*' "$work/serve.txt" | head -n 1)
begin producer bin/producer --name $near --size 1KiB --slots $slots --rate $rate --report 0
begin out bin/bridge out --name $near --nats "$url" --stream DEMO --max-bytes 1MiB --report 0
begin in bin/bridge in --name $far --subject $near --nats "$url" --stream DEMO --report 0
begin consumer bin/consumer --name $far --report 0
cat <<END
  bridge serve --listen 127.0.0.1:0 --store DIR
  producer   --name $near --size 1KiB --slots $slots --rate $rate
  bridge out --name $near --nats $url --stream DEMO --max-bytes 1MiB
  bridge in  --name $far --subject $near --nats $url --stream DEMO
  consumer   --name $far

END
within 20 "messages arrive" arrived 1000
rates
look
tell "The producer asks for $rate messages a second: it sends $sent, and $taken arrive over there. LAG is what was on the way when one bridge last told the other" \
    "how far it is: ten times a second while that changes. --subject is only here: both rings are on one machine, so their names differ."

say "2. The far consumer is slow: 2 ms for each message."
kill "${pid[consumer]}"
ends consumer
begin slow bin/consumer --name $far --report 0 --work 2ms
echo "  consumer   --name $far --work 2ms"
echo
within 20 "both rings and the stream are full" all_full
rates
look
[ "$sent" -lt $((rate / 2)) ] || fail "the near producer sends $sent messages a second: it is not held back"
tell "The consumer takes $taken messages a second. Its ring has filled, then the stream, which refuses what is beyond its limit, then the near ring:" \
    "its producer is blocked, and sends $sent messages a second of the $rate that it asks for. Each queue is bounded, and no message is dropped."

say "3. The far consumer stops (SIGSTOP), and goes on."
kill -STOP "${pid[slow]}"
sleep 1 # what there is room for is sent
rates
kill -CONT "${pid[slow]}"
before=$(count $near producer) began=$EPOCHREALTIME
goes_on() { [ "$(count $near producer)" -gt "$before" ]; }
within 10 "the producer goes on" goes_on
delay=$(((${EPOCHREALTIME/[.,]/} - ${began/[.,]/}) / 1000))
tell "While it was stopped, the near producer sent $sent messages a second and the far consumer took $taken. When it went on, the producer did" \
    "$delay ms later."

say "4. The producer ends. The end follows its messages."
kill "${pid[producer]}"
ends producer out in slow
kill "${pid[serve]}"
ends serve
sum() { sed -n 's/^  '"$1"' *\([0-9,]*\) messages.*/\1/p' "$work/$2.txt" | tr -d , ; }
total=$(($(sum consumed consumer) + $(sum consumed slow)))
tell "The producer sent $(sum produced producer) messages, and both consumers together took $total. Each bridge ended with exit code 0 behind the last message," \
    "and so did the consumer: the stream was complete."
[ "$total" = "$(sum produced producer)" ] || fail "these numbers differ"
for ring in $near $far; do
    [ ! -e "/dev/shm/sluice.$ring" ] || fail "/dev/shm/sluice.$ring was left behind"
done
say "Done. On two machines: bridge out NAME here, bridge in NAME there, and one bridge serve; see docs/bridge.md"
