#!/usr/bin/env bash
# Builds the commands and demonstrates them: a slow consumer blocks its producer, and a
# file is copied through a small ring.
#
#   scripts/demo.sh
#
# Needs only Go. Takes about 15 seconds and cleans up. The first time, Go also downloads
# and compiles the dependencies, which takes about a minute.
set -euo pipefail

case ${1:-} in
'') ;;
-h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    printf 'demo.sh: error: unknown argument "%s"\ndemo.sh: hint: it has no arguments; see --help\n' "$1" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go demo.sh

name=demo-$$
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$work" "/dev/shm/sluice.$name"
}
trap finish EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

# pair PRODUCER-FLAGS -- CONSUMER-FLAGS: runs both and shows the producer's output.
pair() {
    local producer=() consumer=()
    while [ "$1" != -- ]; do producer+=("$1"); shift; done
    shift
    consumer=("$@")
    echo "  producer ${producer[*]}"
    echo "  consumer ${consumer[*]}"
    echo
    bin/consumer --name "$name" --report 0 "${consumer[@]}" 2>"$work/consumer.txt" &
    pids+=($!)
    bin/producer --name "$name" "${producer[@]}" 2>&1
    if ! wait "${pids[-1]}"; then
        cat "$work/consumer.txt"
        exit 1
    fi
    pids=()
}

say "Building producer, consumer and gauge into bin/"
go build -o bin/ ./cmd/...

say "1. A fast consumer: 200 messages per second, at most 8 in flight."
pair --slots 8 --rate 200 --duration 3s --
cat <<'EOF'

  The queue stays empty. The consumer sleeps most of the time (consumer waits) and is
  woken for each message: the producer is the slower side.
EOF

say "2. A slow consumer, 20 ms per message, blocks the producer."
pair --slots 8 --rate 200 --duration 4s -- --work 20ms
cat <<'EOF'

  The producer asks for 200 messages per second, but only 50 arrive: it sleeps until a
  slot is free (producer waits), and the queue never has more than 8 messages. No
  message is lost and memory does not grow: this is hard back-pressure. A larger ring
  would also fill up, only later. Each message waits for seven others: see the latency.
EOF

say "3. As fast as possible, every message verified."
pair --duration 3s -- --verify
cat <<'EOF'

  Numbered messages of 8 bytes, each published separately; the consumer has checked
  order, number and content. A side that has to wait sleeps.
EOF

say "4. A file of 64 MiB is copied through a ring of 1 MiB."
head -c 67108864 /dev/urandom >"$work/in"
pair --input "$work/in" --report 0 -- --output "$work/out"
cmp "$work/in" "$work/out"
echo
echo "  $(cksum <"$work/in")  before"
echo "  $(cksum <"$work/out")  after"

if [ -e "/dev/shm/sluice.$name" ]; then
    echo "demo.sh: error: /dev/shm/sluice.$name was left behind" >&2
    exit 1
fi
say "Done. Now try it in two terminals: bin/producer, and bin/consumer --work 1ms"
