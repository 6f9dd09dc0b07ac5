#!/usr/bin/env bash
# Scenarios with a running systemd, as root on a temporary machine (scripts/systemd/test/boot.sh). /lab/packages has three
# versions: 0.1.0, 0.1.1 of the same layout, and 0.2.0 of another one. Without the last, and without rpms, their scenarios are
# left out.
# shellcheck disable=SC1091 # tools.sh and its neighbours are not followed
set -uo pipefail
cd /lab/repo/scripts/systemd/test || exit
. ./tools.sh
# The host's: in a container it may forbid to start services, and indexes of manual pages take long.
rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
. /lab/repo/packaging/test/formats.sh /lab/packages
last=0.2.0
[ -e "$(echo /lab/packages/sluice_0.2.0_*.deb)" ] || last=0.1.1

# quietly COMMAND...: succeeds, and prints nothing.
quietly() {
    local out
    out=$("$@") || fail "$*: exit code $?: $out"
    [ -z "$out" ] || fail "$*: $out"
}

enabled() { [ -L /etc/systemd/system/multi-user.target.wants/sluice@orders.target ]; }
pids() { main_pid producer orders; main_pid consumer orders; }
# old PID: its program has been replaced.
old() { [[ $(readlink "/proc/$1/exe") == *'(deleted)' ]]; }
moves() { within 10 "messages move $1" moved orders "$(consumed orders)" 200; }

# Everything that was sent has been received.
complete() {
    is "messages lost" "$(header orders consumer Lost)" 0
    within 10 "no message waits" nothing_waits
}
nothing_waits() { [ "$(produced orders)" = "$(consumed orders)" ]; }

# anUpgrade FORMAT: a pair keeps running, and its sides can be restarted one at a time.
anUpgrade() {
    local before gauge made
    inventory >/lab/before
    quietly "$1" install 0.1.0
    is "the home of the user" "$(getent passwd sluice | cut -d: -f5,6)" "sluice pairs:/"
    is "the directory of sockets" "$(stat -c '%a %U %G' /run/sluice)" "1775 root sluice"
    is "units that run" "$(systemctl list-units --no-legend 'sluice*' | grep -vc '\.slice')" 0

    cp /usr/share/doc/sluice/example.env /etc/sluice/orders.env # as docs/systemd.md has it
    echo SLUICE_RATE=500 >/etc/sluice/orders.producer.env
    expect "a pair starts" systemctl enable --quiet --now sluice@orders.target sluice-gauge
    moves "after the start"
    before=$(pids) gauge=$(show_unit sluice-gauge MainPID)
    cp /etc/sluice/orders.env /lab/orders.env

    quietly "$1" install 0.1.1
    is "processes of the pair after an upgrade" "$(pids)" "$before"
    for pid in $before; do expect "they are the old ones" old "$pid"; done
    expect "the gauge was restarted" [ "$(show_unit sluice-gauge MainPID)" != "$gauge" ]
    within 5 "the new gauge shows the pair" scraped '^sluice_.*"orders"'
    cmp /etc/sluice/orders.env /lab/orders.env || fail "the flags were changed"
    moves "with the old commands"
    made=$(header orders producer CreatedAt)
    systemctl restart sluice-consumer@orders
    expect "the consumer is the new one" not old "$(main_pid consumer orders)"
    moves "from an old producer to a new consumer"
    systemctl restart sluice-producer@orders
    moves "to a new producer"
    is "restarts, by systemd" "$(show producer orders NRestarts) $(show consumer orders NRestarts)" "0 0"
    is "the segment is that of the old pair" "$(header orders producer CreatedAt)" "$made"
    is "messages lost" "$(header orders consumer Lost)" 0
    stop_pair orders
    verified orders
}
not() { ! "$@"; }

# anotherLayout FORMAT: to a version of another layout. A pair that is stopped and started goes on with a new segment; one side
# alone is refused, and nothing is lost.
anotherLayout() {
    local count
    start sluice@orders.target
    moves "after the start"
    quietly "$1" install 0.2.0
    moves "with the old commands"
    note "new gauge, old pair: $(gauge stat orders 2>&1 | head -2 | tr '\n' ' ')"
    stop_pair orders
    verified orders
    start sluice@orders.target
    for pid in $(pids); do expect "they are the new ones" not old "$pid"; done
    moves "in a new segment"
    stop_pair orders
    verified orders

    quietly "$1" install 0.1.1
    start sluice@orders.target
    moves "after a downgrade"
    quietly "$1" install 0.2.0
    systemctl restart sluice-consumer@orders 2>/dev/null && fail "a consumer of another version starts"
    within 10 "it is refused" test "$(state consumer orders)" = failed
    is "its exit code" "$(show consumer orders ExecMainStatus)" 6
    within 5 "a reason" complained consumer orders 'version'
    note "$(journalctl -q -u sluice-consumer@orders -p err -o cat | tail -2 | tr '\n' ' ')"
    note "the producer: $(status producer orders)"
    systemctl stop sluice-producer@orders
    count=$(($(produced orders) - $(consumed orders)))
    expect "messages wait" [ $count -gt 0 ]
    systemctl start sluice-producer@orders 2>/dev/null && fail "a producer of another version starts"
    is "its exit code" "$(show producer orders ExecMainStatus)" 6
    note "$(journalctl -q -u sluice-producer@orders -p err -o cat | tail -2 | tr '\n' ' ')"
    is "messages that wait after that" $(($(produced orders) - $(consumed orders))) $count
    quietly "$1" install 0.1.1 # the remedy of docs/systemd.md
    systemctl reset-failed 'sluice-*@orders.*'
    start sluice-consumer@orders
    complete
    note "$count messages waited, and were received after a downgrade"
    systemctl stop sluice-consumer@orders
    is "segments" "$(find /dev/shm -name 'sluice.*' | wc -l)" 0
    quietly "$1" install 0.2.0
    start sluice@orders.target
    moves "in a new segment"
}

kept="sluice: kept: unread messages in /dev/shm/sluice.kept; to save them, install sluice again: gauge drain; to discard them: rm /dev/shm/sluice.kept"

# aRemoval FORMAT: of a running pair. What was sent is received, and the configuration stays.
aRemoval() {
    pair kept producer SLUICE_COUNT=5
    start sluice-producer@kept
    within 10 "the end of a producer" ended producer kept
    out=$("$1" remove) || fail "exit code $?"
    is "what it prints" "$out" "$kept"
    verified orders
    journalctl -q -u sluice-producer@orders -u sluice-consumer@orders -o cat | grep -E '^Stopped' | tail -2 >/lab/order
    is "the order" "$(sed 's/.*sluice \([a-z]*\).*/\1/' /lab/order | xargs)" "producer consumer"
    is "units" "$(systemctl list-units --all --no-legend 'sluice*' | grep -v 'not-found\|\.slice')" ""
    # A unit that is enabled is wanted, and not found.
    is "processes" "$(pgrep -c -u sluice)" 0
    is "segments" "$(find /dev/shm -name 'sluice.*')" /dev/shm/sluice.kept
    is "commands" "$(find /usr/bin /usr/lib/sluice -lname '*sluice*' -o -path '/usr/lib/sluice/*' 2>/dev/null | wc -l)" 0
    expect "the flags stay" cmp /etc/sluice/orders.env /lab/orders.env
}

theDeb() {
    anUpgrade deb
    [ $last = 0.1.1 ] || anotherLayout deb
    aRemoval deb
    expect "it stays enabled" enabled
    quietly deb install $last
    is "units that run" "$(systemctl list-units --no-legend 'sluice*' | grep -vc '\.slice')" 0
    start sluice@orders.target
    drop_in sluice-producer@orders.service '[Service]' Nice=1
    moves "after a new installation"
    out=$(deb purge) || fail "exit code $?"
    is "what it prints" "$out" "$kept
sluice: kept: unread messages in /dev/shm/sluice.kept, which are root's now; to discard them: rm /dev/shm/sluice.kept"
    diff /lab/before <(inventory | grep -v '^/dev/shm/sluice.kept$') || fail "this is left, or gone"
    is "units" "$(systemctl list-units --all --no-legend 'sluice*' | grep -v 'not-found\|\.slice')" ""
    # root can receive them.
    quietly deb install $last
    is "messages that were kept" "$(consumer --name kept --verify --report 0 2>&1 | grep -o 'verified 5 messages: none missing')" "verified 5 messages: none missing"
    quietly deb purge
    diff /lab/before <(inventory) || fail "this is left, or gone"
    filesOfOthers
}

# as USER COMMAND...: with the group of the services, in place of this shell.
as() { exec setpriv --reuid="$1" --regid=sluice --clear-groups "${@:2}"; }

# filesOfOthers: what fails is not the end of an installation, and a purge leaves what processes and other users have.
filesOfOthers() {
    local process
    drop_in sluice-gauge.service '[Service]' ExecStart=nonsense
    mkdir -p /usr/local/lib/systemd/system /usr/local/lib/sysusers.d
    touch /usr/local/lib/systemd/system/sluice@.target
    cp /lab/repo/scripts/systemd/sluice.sysusers /usr/local/lib/sysusers.d/sluice.conf
    out=$(deb install 0.1.1) || fail "exit code $?"
    is "what it prints" "${out%%, from*}" "sluice: failed: systemctl try-restart sluice-gauge; see systemctl status sluice-gauge
sluice: warning: systemd uses /usr/local/lib/systemd/system/sluice@.target"
    rm -r /usr/local/lib/systemd/system
    rmdir --ignore-fail-on-non-empty /usr/local/lib/systemd
    out=$(deb purge) || fail "exit code $?"
    is "what it prints" "$out" "sluice: kept: the configuration and the user, for the installation that has /usr/local/lib/sysusers.d/sluice.conf"
    expect "the configuration stays" test -e /etc/systemd/system/sluice-gauge.service.d/test.conf
    rm -r /usr/local/lib/sysusers.d

    deb install 0.1.1 >/dev/null || fail "exit code $?"
    (as 4321 producer --name theirs --group sluice --count 3 --report 0 2>/dev/null)
    as sluice producer --name busy --rate 10 --report 0 2>/dev/null &
    process=$!
    within 10 "a segment in use" test -e /dev/shm/sluice.busy
    theirs=$(stat -c '%u %g %i' /dev/shm/sluice.theirs) busy=$(stat -c '%u %g %i' /dev/shm/sluice.busy)
    out=$(deb purge) || fail "exit code $?"
    is "what it prints" "$out" "sluice: kept: /dev/shm/sluice.busy, because a process uses it
sluice: kept: /dev/shm/sluice.busy and the user sluice, because a process uses it; to remove them after that: rm /dev/shm/sluice.busy; userdel sluice"
    is "another user's segment" "$(stat -c '%u %g %i' /dev/shm/sluice.theirs)" "$theirs"
    is "a segment in use" "$(stat -c '%u %g %i' /dev/shm/sluice.busy)" "$busy"
    expect "its producer runs" kill $process
    wait $process
    rm /dev/shm/sluice.busy /dev/shm/sluice.theirs

    # A process of the user without a segment.
    deb install 0.1.1 >/dev/null || fail "exit code $?"
    as sluice sleep 60 &
    process=$!
    within 5 "a process of the user" pgrep -u sluice sleep
    out=$(deb purge) || fail "exit code $?"
    is "what it prints" "$out" "sluice: kept: the user sluice (userdel: user sluice is currently used by process $process); to remove it: userdel sluice"
    kill $process
    wait $process
    userdel sluice
    rmdir /run/sluice 2>/dev/null
    diff /lab/before <(inventory) || fail "this is left, or gone"
}

theRpm() {
    rpm --install /lab/packages/provider.rpm 2>/dev/null
    # As systems with rpm are: they have the one, and rpm itself knows whose the others are.
    mkdir -p /usr/share/licenses
    find /usr/share/{fish,zsh,bash-completion} -type d -empty -delete
    anUpgrade rpm_
    start sluice@orders.target
    moves "after the start"
    aRemoval rpm_
    expect "it is not enabled" not enabled
    rm /dev/shm/sluice.kept
    # An rpm has no purge.
    rm -r /etc/sluice
    userdel sluice
    diff <(grep -v '^/var/lib/rpm' /lab/before) <(inventory | grep -v '^/var/lib/rpm') || fail "this is left, or gone"
}

together theDeb
[ ! -e /lab/packages/provider.rpm ] || together theRpm
verdict
