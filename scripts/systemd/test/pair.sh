# shellcheck shell=bash disable=SC2154 # repo is of tools.sh
# A running pair: start, order, stop, kept messages and leftovers.

unitsAreSound() {
    local out unit
    out=$(systemd-analyze verify --recursive-errors=yes sluice@x.target sluice-{producer,consumer}@x.service sluice-consumer@x.socket sluice-bridge-{out,in}@x.service \
        sluice-{nats,gauge}.service 2>&1)
    [ -z "$out" ] || fail "systemd-analyze verify: $out"
    for unit in sluice-{producer,consumer,bridge-out,bridge-in}@x.service sluice-{nats,gauge}.service; do
        out=$(systemd-analyze security --no-pager --threshold=20 "$unit") || fail "$unit is exposed: $(tail -1 <<<"$out")"
        note "$(tail -1 <<<"$out")"
    done
}

# aPairThatRuns NAME MODE: start of the target returns when both sides are ready, and stop leaves no files.
aPairThatRuns() {
    local name=$1 mode=$2 side before
    pair "$name" SLUICE_MODE="$mode" SLUICE_VERIFY=true producer SLUICE_RATE=500
    expect "the target starts" start "sluice@$name.target"
    for side in producer consumer; do
        expect "the $side is active when start returns" systemctl --quiet is-active "sluice-$side@$name"
        is "$side has its role when start returns" "$(header "$name" "$side" Generation)" 1
        # 1, or 3 once it has woken the other often; 2 is where membarrier is refused.
        [ "$mode" = transfer ] || expect "the $side can do without fences (membarrier)" test "$(header "$name" "$side" Fence)" != 2
    done
    before=$(consumed "$name")
    within 10 "messages move" moved "$name" "$before" 100
    for side in producer consumer; do
        within 10 "status of the $side" says "$side" "$name" '^(balanced|producer-bound|consumer-bound): [0-9]+ msg/s, '
        note "$side: $(status "$side" "$name")"
    done
    stop_pair "$name"
    is "nothing is left in /dev/shm" "$(find /dev/shm -name "sluice.$name" | wc -l)" 0
    expect "nothing is left in /run/sluice" test ! -e "/run/sluice/$name.sock"
    verified "$name"
}

aRingRuns() { aPairThatRuns ring ring; }

aTransferRuns() { aPairThatRuns transfer transfer; }

eitherOrder() {
    pair first SLUICE_VERIFY=true producer SLUICE_RATE=500
    systemctl start --no-block sluice-consumer@first
    within 10 "the consumer says what it waits for" says consumer first 'waiting for a producer'
    is "a consumer without a segment" "$(state consumer first)" activating
    expect "the producer starts" start sluice-producer@first
    within 10 "the consumer gets ready" systemctl --quiet is-active sluice-consumer@first
    within 10 "messages move" moved first 0 100
    systemctl stop sluice-consumer@first
    within 10 "the producer says that it is alone" says producer first '^no-consumer: .*no consumer'
    expect "the consumer starts second" start sluice-consumer@first
    within 10 "messages move again" moved first "$(consumed first)" 100
    stop_pair first
    verified first
}

stopDrains() {
    pair drain SLUICE_SLOTS=64 SLUICE_VERIFY=true consumer SLUICE_WORK=20ms
    start sluice@drain.target
    within 10 "a full ring" queued drain 60
    stop_pair drain
    expect "nothing is left in /dev/shm" test ! -e /dev/shm/sluice.drain
    verified drain
    is "messages that the consumer has verified" "$(journalctl -q -u sluice-consumer@drain -o cat | sed -n 's/.*verified \([0-9,]*\) messages.*/\1/p')" \
        "$(journalctl -q -u sluice-producer@drain -o cat | sed -n 's/^ *produced *\([0-9,]*\) messages.*/\1/p')"
    expect "STOPPING was told" logged producer drain 'Deactivated successfully'
}

restartKeepsUnread() {
    local created oldest
    pair keep SLUICE_SLOTS=100 SLUICE_VERIFY=true SLUICE_DRAIN=0s consumer SLUICE_WORK=200ms
    start sluice@keep.target
    within 10 "a full ring" queued keep 90
    created=$(header keep producer CreatedAt) oldest=$(consumed keep)
    expect "the target restarts" systemctl restart sluice@keep.target
    is "the segment after the restart" "$(header keep producer CreatedAt)" "$created"
    is "times that the producer's role was taken" "$(header keep producer Generation)" 2
    expect "its messages were kept" [ $(($(consumed keep) - oldest)) -lt 50 ]
    stop_pair keep
    sleep 0.5
    is "the segment after a stop" "$(header keep producer CreatedAt)" "$created"
    start sluice@keep.target
    pair keep SLUICE_SLOTS=100 SLUICE_VERIFY=true
    systemctl restart sluice-consumer@keep
    within 10 "they are received" moved keep "$oldest" 200
    stop_pair keep
    verified keep
}

socketActivation() {
    local inode pid
    pair socket SLUICE_MODE=transfer SLUICE_VERIFY=true producer SLUICE_RATE=500
    start sluice-consumer@socket.socket
    inode=$(stat -c '%i %a %U' /run/sluice/socket.sock)
    is "the socket" "${inode#* }" "600 sluice"
    is "the consumer before a connection" "$(state consumer socket)" inactive
    start sluice-producer@socket
    within 10 "the consumer is started by a connection" systemctl --quiet is-active sluice-consumer@socket
    within 10 "messages move" moved socket 0 200
    killed socket consumer
    is "the socket after a kill" "$(stat -c '%i %a %U' /run/sluice/socket.sock)" "$inode"
    systemctl stop sluice-producer@socket
    pid=$(main_pid consumer socket)
    start sluice-producer@socket
    within 10 "messages of the next producer" moved socket "$(consumed socket)" 200
    is "the consumer followed" "$(main_pid consumer socket)" "$pid"
    systemctl stop sluice-consumer@socket sluice-producer@socket
    is "the socket when both sides are gone" "$(stat -c '%i %a %U' /run/sluice/socket.sock)" "$inode"
    verified socket
    systemctl stop sluice-consumer@socket.socket
    expect "no socket is left" test ! -e /run/sluice/socket.sock
}

# As in docs/systemd.md: systemd opens the output, and a restarted consumer appends to it.
aFileGoesThrough() {
    local pid
    seq 20000 >/var/tmp/numbers
    pair file SLUICE_INPUT=- SLUICE_FRAMING=lines producer SLUICE_RATE=10000
    drop_in sluice-producer@file.service '[Service]' StandardInput=file:/var/tmp/numbers
    drop_in sluice-consumer@file.service '[Service]' Environment=SLUICE_OUTPUT=- StandardOutput=append:/var/tmp/copy
    start sluice@file.target
    within 10 "some are written" moved file 0 3000
    pid=$(main_pid consumer file)
    systemctl kill --kill-who=main --signal=STOP sluice-consumer@file # so that it is not killed inside a write
    systemctl kill --kill-who=main --signal=KILL sluice-consumer@file
    within 10 "the consumer is back" back consumer file "$pid"
    within 10 "the end of the input" ended producer file
    stop_pair file
    expect "every line arrived" cmp /var/tmp/numbers <(sort -n -u /var/tmp/copy)
    note "$(($(wc -l </var/tmp/copy) - 20000)) lines came again after the kill"
}

theJournalHasOneTime() {
    local lines
    pair log SLUICE_REPORT=200ms producer SLUICE_RATE=100
    start sluice@log.target
    sleep 1
    is "units that the pattern of docs/systemd.md finds" "$(systemctl list-units --no-legend 'sluice-*@log.*' | wc -l)" 2
    stop_pair log
    lines=$(journalctl -q -u sluice-producer@log -o cat)
    expect "reports are there" grep -q 'msg/s, ' <<<"$lines"
    ! grep -En '^[0-9]{4}[-/][0-9]{2}|[0-9]{2}:[0-9]{2}:[0-9]{2}|^producer +[0-9.]+ s|time +msg/s' <<<"$lines" || fail "lines with a timestamp"
    is "errors of a pair that runs well" "$(journalctl -q -u 'sluice-*@log.*' -p err -o cat | grep -c .)" 0
}

theGaugeServes() {
    pair seen producer SLUICE_RATE=500
    start sluice@seen.target
    expect "sluice-gauge starts" start sluice-gauge
    within 10 "metrics of the pair" scraped 'sluice_.*seen'
    systemctl stop sluice-gauge
    is "sluice-gauge after stop" "$(show_unit sluice-gauge Result)" success
    stop_pair seen
}
