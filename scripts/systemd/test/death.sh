# shellcheck shell=bash disable=SC2154 # repo is of tools.sh
# Sides that die or hang, one at a time: by kill -9, and by the watchdog.

# killed NAME SIDE: after kill -9 only that side is restarted, and the stream continues.
killed() {
    local name=$1 side=$2 other=producer pid peer
    [ "$side" = consumer ] || other=consumer
    pid=$(main_pid "$side" "$name") peer=$(main_pid "$other" "$name")
    systemctl kill --kill-who=main --signal=KILL "sluice-$side@$name"
    within 10 "the killed $side is back" back "$side" "$name" "$pid"
    is "the $other stayed when the $side was killed" "$(main_pid "$other" "$name")" "$peer"
    is "restarts of the $other" "$(show "$other" "$name" NRestarts)" "${3:-0}"
    within 10 "messages move after the $side was killed" moved "$name" "$(consumed "$name")" 200
}

aRingSurvivesKills() {
    pair kills SLUICE_VERIFY=true producer SLUICE_RATE=2000
    start sluice@kills.target
    within 10 "messages move" moved kills 0 200
    killed kills consumer
    killed kills producer 1
    stop_pair kills
    verified kills
}

aTransferSurvivesKills() {
    local lost
    pair tkills SLUICE_MODE=transfer SLUICE_VERIFY=true producer SLUICE_RATE=500
    start sluice@tkills.target
    within 10 "messages move" moved tkills 0 200
    killed tkills consumer
    is "messages lost with the consumer" "$(header tkills consumer Lost)" 0
    killed tkills producer 1
    # Messages in the memory of the killed producer are lost and counted.
    lost=$(header tkills consumer Lost)
    note "lost with the killed producer: $lost"
    stop_pair tkills
    verified tkills
}

# No file descriptor store is needed: the producer keeps sent buffers until they are released.
aKilledConsumerLosesNothingThatWasSent() {
    pair store SLUICE_MODE=transfer SLUICE_VERIFY=true producer SLUICE_RATE=2000 consumer SLUICE_WORK=5ms
    start sluice@store.target
    within 10 "a queue" queued store 500
    killed store consumer
    killed store consumer
    is "descriptors in systemd's store" "$(show consumer store NFileDescriptorStore)" 0
    pair store SLUICE_MODE=transfer SLUICE_VERIFY=true producer SLUICE_RATE=2000
    systemctl restart sluice-consumer@store
    stop_pair store
    verified store
}

slowIsHealthy() {
    local name
    pair slow SLUICE_SLOTS=8 SLUICE_DRAIN=0s consumer SLUICE_WORK=7s # the producer waits for space, the consumer works
    pair quiet producer SLUICE_RATE=0.01             # the producer waits for its turn, the consumer for a message
    pair alone
    for name in slow quiet alone; do watchdog "$name" 3s; done
    start sluice@slow.target sluice@quiet.target sluice-producer@alone
    sleep 12
    for name in producer@slow consumer@slow producer@quiet consumer@quiet producer@alone; do
        is "restarts of $name, which is slow" "$(show "${name%@*}" "${name#*@}" NRestarts)" 0
        expect "$name is active" systemctl --quiet is-active "sluice-$name"
    done
    within 10 "the slow one says so" says producer slow '^consumer-bound'
    note "$(status producer slow)"
    systemctl stop sluice-consumer@slow sluice-producer@{slow,alone} sluice@quiet.target
}

# aborted NAME SIDE PID: the watchdog aborts a side, with its stacks in the journal, and systemd restarts it.
aborted() {
    local name=$1 side=$2 pid=$3
    within 20 "the watchdog sees that the $side hangs" logged "$side" "$name" 'Watchdog timeout'
    within 10 "the $side is back" back "$side" "$name" "$pid"
    expect "the stacks of the $side are in the journal" logged "$side" "$name" '^goroutine '
    within 10 "messages move again" moved "$name" "$(consumed "$name")" 100
}

aStoppedSideIsRestarted() {
    local side pid
    pair dog SLUICE_VERIFY=true producer SLUICE_RATE=500
    watchdog dog 3s
    start sluice@dog.target
    within 10 "messages move" moved dog 0 100
    for side in consumer producer; do
        pid=$(main_pid $side dog)
        systemctl kill --kill-who=main --signal=STOP sluice-$side@dog
        aborted dog $side "$pid"
    done
    is "restarts of the producer" "$(show producer dog NRestarts)" 1
    is "restarts of the consumer" "$(show consumer dog NRestarts)" 1
    stop_pair dog
    verified dog
}

# Only the loop hangs: other threads, reports and timers keep running.
aHungLoopIsRestarted() {
    local pid holder
    pair hung SLUICE_REPORT=500ms producer SLUICE_RATE=5
    watchdog hung 3s
    start sluice@hung.target
    within 10 "messages move" moved hung 0 5
    pid=$(main_pid consumer hung)
    python3 /lab/repo/scripts/systemd/test/freeze-loop.py "$pid" &
    holder=$!
    sleep 1.5
    expect "the process lives and reports" reported_since consumer hung -1s
    within 20 "the watchdog sees that the loop hangs" logged consumer hung 'Watchdog timeout'
    within 20 "the consumer is back" back consumer hung "$pid"
    kill $holder 2>/dev/null
    within 10 "messages move again" moved hung "$(consumed hung)" 5
    is "restarts of the producer, which waited" "$(show producer hung NRestarts)" 0
    stop_pair hung
}

aCrashLoopEnds() {
    pair loop SLUICE_CAPACITY=1GiB # more than /dev/shm has here
    drop_in sluice-producer@loop.service '[Service]' RestartSec=100ms
    start sluice-producer@loop && fail "it starts"
    within 20 "systemd gives up" logged producer loop 'Start request repeated too quickly'
    is "the producer then" "$(state producer loop)" failed
    is "attempts" "$(journalctl -q -u sluice-producer@loop -p err -o cat | grep -c 'no room in /dev/shm')" 5
    note "$(journalctl -q -u sluice-producer@loop -p err -o cat | head -1)"
}
