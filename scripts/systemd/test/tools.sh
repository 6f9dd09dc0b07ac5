# shellcheck shell=bash disable=SC2034 # repo is for those that source it
# Functions for the scenarios. Each scenario runs in a subshell, several at a time.

repo=/lab/repo
export BIN=/lab/bin
reports=$(mktemp -d)

# fail records a failure; the scenario continues.
fail() { echo "    $*" >&3; return 1; }

# note prints a figure.
note() { echo "    ($*)" >&4; }

# is WHAT GOT WANT
is() { [ "$2" = "$3" ] || fail "$1: $2, want $3"; }

# expect WHAT COMMAND...
expect() {
    local what=$1
    shift
    "$@" || fail "not so: $what"
}

# within SECONDS WHAT COMMAND...: repeats it until it succeeds.
within() {
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" 2>/dev/null; do
        [ $SECONDS -le $until ] || { fail "did not happen: $what"; return 1; }
        sleep 0.05
    done
}

# together SCENARIO...: runs them in parallel and prints their results, in this order.
together() {
    local scenario
    for scenario; do
        {
            local began=$EPOCHREALTIME
            "$scenario" 3>"$reports/$scenario.bad" 4>"$reports/$scenario.notes" >"$reports/$scenario.out" 2>&1
            awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s\n", b - a }' >"$reports/$scenario.time"
        } &
    done
    wait
    for scenario; do
        # An error of the shell, such as a number that is missing, has ended it.
        [ -e "$reports/$scenario.time" ] || { echo "    it did not come to its end"; echo - >"$reports/$scenario.time"; } >>"$reports/$scenario.bad"
        if [ -s "$reports/$scenario.bad" ]; then
            echo "FAIL $scenario ($(<"$reports/$scenario.time"))"
            cat "$reports/$scenario.bad" "$reports/$scenario.out"
        else
            echo "ok   $scenario ($(<"$reports/$scenario.time"))"
        fi
        cat "$reports/$scenario.notes"
    done
}

# verdict exits with 1 if a scenario has failed.
verdict() {
    local bad
    bad=$(find "$reports" -name '*.bad' -size +0 | wc -l)
    [ "$bad" = 0 ] || { echo "$bad scenarios failed"; exit 1; }
}

# pair NAME VARIABLE=VALUE... [producer VARIABLE=VALUE...] [consumer VARIABLE=VALUE...]: writes its files of flags.
pair() {
    local file=/etc/sluice/$1.env name=$1
    shift
    rm -f "/etc/sluice/$name".*
    : >"$file"
    for word; do
        case $word in
        producer | consumer) file=/etc/sluice/$name.$word.env ;;
        *) echo "$word" >>"$file" ;;
        esac
    done
}

# drop_in UNIT LINE...
drop_in() {
    local dir=/etc/systemd/system/$1.d
    shift
    mkdir -p "$dir"
    printf '%s\n' "$@" >"$dir/test.conf"
    systemctl daemon-reload
}

# watchdog NAME TIME
watchdog() {
    drop_in "sluice-producer@$1.service" '[Service]' "WatchdogSec=$2"
    drop_in "sluice-consumer@$1.service" '[Service]' "WatchdogSec=$2"
}

# start UNIT...: a start that takes longer than 30 s fails.
start() { timeout 30 systemctl start "$@"; }

show_unit() { systemctl show --property="$2" --value "$1"; }
show() { show_unit "sluice-$1@$2" "$3"; }
main_pid() { show "$1" "$2" MainPID; }
status() { show "$1" "$2" StatusText; }
state() { systemctl is-active "sluice-$1@$2"; }

# says SIDE NAME PATTERN: its status matches.
says() { status "$1" "$2" | grep -Eq -- "$3"; }

# back SIDE NAME PID: it is active again, with a PID other than this.
back() { [ "$(state "$1" "$2")" = active ] && [ "$(main_pid "$1" "$2")" != "$3" ]; }

# ended SIDE NAME
ended() { [ "$(state "$1" "$2")" = inactive ]; }

# logged SIDE NAME PATTERN
logged() { journalctl -q -u "sluice-$1@$2" -o cat | grep -Eq -- "$3"; }

# complained SIDE NAME PATTERN: it has logged that with the priority of an error.
complained() { journalctl -q -p err -u "sluice-$1@$2" -o cat | grep -Eq -- "$3"; }

# reported_since SIDE NAME TIME
reported_since() { journalctl -q -u "sluice-$1@$2" --since "$3" -o cat | grep -q msg/s; }

# scraped PATTERN: the metrics of sluice-gauge match.
scraped() {
    exec 5<>/dev/tcp/127.0.0.1/9464 || return
    printf 'GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n' >&5
    grep -Eq -- "$1" <&5
}

# stop_pair NAME: stops it, waits for both sides, and checks that they succeeded.
stop_pair() {
    local side
    systemctl stop "sluice@$1.target" "sluice-producer@$1.service" "sluice-consumer@$1.service"
    for side in producer consumer; do
        is "the $side after stop" "$(state $side "$1")" inactive
        is "result of the $side" "$(show $side "$1" Result)" success
    done
}

# verified NAME: its last consumer has checked every message and found no fault.
verified() {
    journalctl --sync
    expect "--verify found no fault" logged consumer "$1" 'verified [0-9,]+ messages: none missing'
    ! logged consumer "$1" 'found a fault' || fail "$(journalctl -q -u "sluice-consumer@$1" -o cat | grep 'found a fault')"
}

# word FILE OFFSET
word() { od -An -t u8 -j "$2" -N 8 "/dev/shm/sluice.$1" | tr -d ' '; }
# The count of a role whose cursor is there; with fixed slots it is the index.
count() { if [ "$(word "$1" 0x40)" = 0 ]; then word "$1" $(($2 + 8)); else word "$1" "$2"; fi; }
produced() { count "$1" 0x100; }
consumed() { count "$1" 0x180; }

# header NAME SIDE FIELD, as docs/layout.md has them.
header() {
    local block=0x400 offset
    [ "$2" = producer ] || block=0x600
    case $3 in
    CreatedAt) block=0 offset=0x38 ;;
    Fence) offset=0x28 ;;
    Generation) offset=0x30 ;;
    Lost) offset=0xf8 ;;
    esac
    word "$1" $((block + offset))
}

# queued NAME N: at least N messages are waiting.
queued() { [ $(($(produced "$1") - $(consumed "$1"))) -ge "$2" ]; }

# moved NAME BEFORE N: the consumer has released N messages since its count was BEFORE.
moved() { [ $(($(consumed "$1") - $2)) -ge "$3" ]; }

# inventory lists everything that an installation may change. /var/lib/private is systemd's, for services with DynamicUser=.
inventory() {
    find /usr /opt /srv /var/lib /var/spool -xdev -not -path '/var/lib/systemd/*' -not -path /var/lib/private -not -path '/usr/*/__pycache__*' | sort
    find /etc -xdev -not -name '*-' -not -name '.pwd.lock' -not -name '.updated' | sort
    find /run/sluice /dev/shm -mindepth 1 2>/dev/null
    getent passwd
    getent group
}
