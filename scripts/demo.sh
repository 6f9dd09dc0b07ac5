#!/usr/bin/env bash
# Builds the commands and shows what they are for: a producer that is held back
# by a slow consumer, and a file that goes through a small ring unharmed.
#
#   scripts/demo.sh
#
# Needs Go and nothing else. Takes about 15 seconds and cleans up; the first time, Go
# also downloads and compiles what the commands import, which takes about a minute.
set -euo pipefail

case ${1:-} in
'') ;;
-h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    printf 'demo.sh: error: unknown argument "%s"\ndemo.sh: hint: it takes none; see --help\n' "$1" >&2
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

# pair PRODUCER-FLAGS -- CONSUMER-FLAGS: runs both, shows what the producer says.
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

say "1. A free consumer. 200 messages a second, at most 8 in flight."
pair --slots 8 --rate 200 --duration 3s --
cat <<'EOF'

  The queue stays empty. The consumer sleeps nearly all the time (consumer waits)
  and is woken once a message: the producer is the slower side.
EOF

say "2. A slow consumer, 20 ms a message. The producer is held back."
pair --slots 8 --rate 200 --duration 4s -- --work 20ms
cat <<'EOF'

  200 a second were asked for, 50 arrive: the producer sleeps until a slot is
  free (producer waits), the queue never holds more than its 8. Nothing is lost
  and no memory grows; that is hard back-pressure. A larger ring would fill up
  as well, only later. A message waits for the seven before it: see the latency.
EOF

say "3. As fast as it goes, every message checked."
pair --duration 3s -- --verify
cat <<'EOF'

  Numbered messages of 8 bytes, each published for itself; the consumer has
  checked order, number and content. Whoever has nothing to do sleeps.
EOF

say "4. A file of 64 MiB through a ring of 1 MiB."
head -c 67108864 /dev/urandom >"$work/in"
pair --input "$work/in" --report 0 -- --output "$work/out"
cmp "$work/in" "$work/out"
echo
echo "  $(cksum <"$work/in")  before"
echo "  $(cksum <"$work/out")  after"

if [ -e "/dev/shm/sluice.$name" ]; then
    echo "demo: /dev/shm/sluice.$name was left behind" >&2
    exit 1
fi
say "Done. Now try it in two terminals: bin/producer, and bin/consumer --work 1ms"
