# shellcheck shell=bash disable=SC2154 # repo is of tools.sh
# Bridges and their server. Both rings are on this machine, so the far one has another name: NAME-far.

# link NAME VARIABLE=VALUE...: writes the files of two pairs with a bridge between them. The variables are for both bridges.
link() {
    local name=$1 side
    shift
    pair "$name" producer SLUICE_RATE=500
    pair "$name-far" SLUICE_VERIFY=true
    for side in "$name" "$name-far"; do
        printf '%s\n' SLUICE_STREAM="$name" SLUICE_SUBJECT="$name" "$@" | install -m 600 /dev/stdin "/etc/sluice/$side.bridge.env"
    done
}

# link_units NAME: its units, in no order.
link_units() { echo "sluice-bridge-in@$1-far" "sluice-consumer@$1-far" "sluice-bridge-out@$1" "sluice-producer@$1"; }

# start_link NAME. The consumer waits for the far ring, and so for everything before it.
start_link() {
    # shellcheck disable=SC2046 # words
    systemctl start --no-block $(link_units "$1")
}

# runs_link NAME: its consumer has become active, and gets messages.
runs_link() {
    within 20 "the far consumer is active" systemctl --quiet is-active "sluice-consumer@$1-far"
    within 10 "messages move" moved "$1-far" 0 200
}

# stop_link NAME: stops all, and checks that they succeeded.
stop_link() {
    local unit
    # shellcheck disable=SC2046 # words
    systemctl stop $(link_units "$1")
    for unit in $(link_units "$1"); do
        is "$unit after stop" "$(systemctl is-active "$unit")" inactive
        is "result of $unit" "$(show_unit "$unit" Result)" success
    done
}

# kill_unit UNIT: kills its process with -9, and waits until it is back.
kill_unit() {
    local pid
    pid=$(show_unit "$1" MainPID)
    systemctl kill --kill-who=main --signal=KILL "$1"
    within 15 "$1 is back after a kill" is_back "$1" "$pid"
}
is_back() { [ "$(systemctl is-active "$1")" = active ] && [ "$(show_unit "$1" MainPID)" != "$2" ]; }

unit_says() { show_unit "$1" StatusText | grep -Eq -- "$2"; }

# A bridge waits for its server without being restarted, goes on when it is there, and goes on again when it, the server or
# the other bridge was killed.
aBridgeRuns() {
    local unit pid units=(sluice-bridge-out@bridged sluice-bridge-in@bridged-far)
    link bridged
    for unit in "${units[@]}"; do drop_in "$unit.service" '[Service]' WatchdogSec=3s; done
    start_link bridged
    sleep 7
    for unit in "${units[@]}"; do
        expect "$unit is active without a server" systemctl --quiet is-active "$unit"
        is "restarts of $unit, which waits" "$(show_unit "$unit" NRestarts)" 0
        note "$unit: $(show_unit "$unit" StatusText)"
    done
    expect "the server starts" start sluice-nats
    note "sluice-nats: $(show_unit sluice-nats StatusText)"
    runs_link bridged
    for unit in "${units[@]}"; do
        within 10 "status of $unit" unit_says "$unit" 'bridge: running'
        note "$unit: $(show_unit "$unit" StatusText)"
    done
    pid=$(show_unit sluice-nats MainPID)
    is "owner of the streams" "$(stat -c %U /var/lib/sluice-nats/)" "$(ps -o user:32= -p "$pid")"
    expect "the server does not see the segments" [ -z "$(ls -A "/proc/$pid/root/dev/shm")" ]
    for unit in "${units[@]}" sluice-nats; do
        kill_unit "$unit"
        within 20 "messages move after a kill of $unit" moved bridged-far "$(consumed bridged-far)" 200
    done
    is "restarts of the producer" "$(show producer bridged NRestarts)" 0
    is "restarts of the consumer" "$(show consumer bridged-far NRestarts)" 0
    stop_link bridged
    verified bridged-far
}

# The server has users, from a credential; the bridges have their password in a file that only root can read.
aBridgeWithSecrets() {
    local unit pid
    install -m 600 /dev/stdin /etc/sluice/nats.conf <<<'authorization { users: [{ user: bridge, password: dont-tell }] }'
    # shellcheck disable=SC2016 # a specifier of systemd
    drop_in sluice-nats.service '[Service]' LoadCredential=nats.conf:/etc/sluice/nats.conf 'Environment=SLUICE_CONFIG=%d/nats.conf'
    expect "the server starts again" systemctl restart sluice-nats
    link refused SLUICE_NATS=nats://bridge:wrong-one@127.0.0.1
    systemctl start --no-block sluice-producer@refused sluice-bridge-out@refused
    within 20 "a wrong password is refused" complained bridge-out refused 'refuses the credentials'
    systemctl stop sluice-producer@refused sluice-bridge-out@refused
    link secret SLUICE_NATS=nats://bridge:dont-tell@127.0.0.1
    start_link secret
    runs_link secret
    for unit in sluice-bridge-out@secret sluice-bridge-in@secret-far sluice-nats; do
        pid=$(show_unit "$unit" MainPID)
        ! grep -aq 'dont-tell' "/proc/$pid/cmdline" || fail "the command line of $unit has the password"
    done
    stop_link secret
    verified secret-far
    journalctl --sync
    ! journalctl -q -u 'sluice-*' -o cat | grep -E 'dont-tell|wrong-one' || fail "the journal has a password"
    is "mode of the file" "$(stat -c '%a %U' /etc/sluice/secret.bridge.env)" "600 root"
}

# After wrong flags it is not restarted.
aBridgeWithoutItsFlags() {
    local unit=sluice-bridge-out@flags
    touch /etc/sluice/flags.bridge.env
    systemctl start $unit 2>/dev/null
    within 10 "the failure" test "$(systemctl is-active $unit)" = failed
    is "restarts" "$(show_unit $unit NRestarts)" 0
    within 5 "a reason" complained bridge-out flags '--stream: a value is missing'
    start sluice-bridge-in@nofile 2>/dev/null && fail "a missing file is accepted"
    systemctl stop sluice-bridge-in@nofile
}
