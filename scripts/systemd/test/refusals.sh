# shellcheck shell=bash disable=SC2154 # repo is of tools.sh
# Wrong flags, other users and groups, packages and uninstallation.

wrongFlagsFail() {
    pair value SLUICE_CAPACITY=much
    pair variable SLUICE_CAPASITY=4KiB
    start sluice-producer@value && fail "a wrong value is accepted"
    start sluice-producer@variable && fail "an unknown variable is accepted"
    start sluice-producer@nofile 2>/dev/null && fail "a missing file is accepted"
    local name
    for name in value variable; do
        is "the producer of $name" "$(state producer $name)" failed
        is "restarts of $name" "$(show producer $name NRestarts)" 0
        note "$(journalctl -q -u sluice-producer@$name -p err -o cat | head -1)"
    done
    within 5 "a reason" complained producer value 'SLUICE_CAPACITY .*invalid size "much"'
    within 5 "a reason" complained producer variable 'did you mean SLUICE_CAPACITY'
    within 20 "a missing file fails for good" logged producer nofile 'Start request repeated too quickly'
    within 5 "a reason" logged producer nofile 'Failed to load environment files'
}

# With DESTDIR, as for a package, and with a PREFIX other than /usr/local.
aPackageCanBeMade() {
    local to
    to=$(mktemp -d)
    DESTDIR=$to PREFIX=/opt/sluice "$repo/scripts/systemd/install.sh" >/dev/null || fail "install.sh fails"
    expect "the units are where systemd looks" test -e "$to/etc/systemd/system/sluice@.target"
    expect "they name the place" grep -q '^ExecStart=/opt/sluice/lib/sluice/producer ' "$to/etc/systemd/system/sluice-producer@.service"
    expect "the commands are where a shell finds them" test -x "$to/opt/sluice/bin/gauge"
    ! grep -rIl /usr/local "$to" --exclude=systemd.md || fail "files that name another place"
    DESTDIR=$to PREFIX=/opt/sluice "$repo/scripts/systemd/uninstall.sh" || fail "uninstall.sh fails"
    is "files after uninstall" "$(find "$to" ! -type d | wc -l)" 0
    DESTDIR=$to PREFIX=/usr "$repo/scripts/systemd/install.sh" >/dev/null || fail "install.sh fails"
    expect "and with PREFIX=/usr" test -e "$to/usr/lib/systemd/system/sluice-consumer@.socket"
    PREFIX=/home/x "$repo/scripts/systemd/install.sh" 2>/dev/null && fail "a PREFIX that the units hide"
    PREFIX=here "$repo/scripts/systemd/install.sh" 2>/dev/null && fail "a PREFIX that is not an absolute path"
}

# anotherUser MODE: a consumer of user reader fails; with the group set on both sides it works.
anotherUser() {
    local name=guest$1
    pair "$name" SLUICE_MODE="$1" SLUICE_VERIFY=true producer SLUICE_RATE=500
    drop_in "sluice-consumer@$name.service" '[Service]' User=reader Group=reader
    start "sluice-producer@$name"
    start "sluice-consumer@$name" 2>/dev/null && fail "another user's consumer starts"
    within 5 "a reason" complained consumer "$name" 'belongs to another user'
    is "restarts of who is refused" "$(show consumer "$name" NRestarts)" 0
    note "$(journalctl -q -u "sluice-consumer@$name" -p err -o cat | head -1)"
    is "mode of a segment that is not shared" "$(stat -c %a "/dev/shm/sluice.$name")" 600

    pair "$name" SLUICE_MODE="$1" SLUICE_GROUP=sluice SLUICE_VERIFY=true producer SLUICE_RATE=500
    drop_in "sluice-consumer@$name.service" '[Service]' User=reader # docs/systemd.md has it so
    systemctl reset-failed "sluice-consumer@$name"
    systemctl restart "sluice-producer@$name"
    is "mode of a shared segment" "$(stat -c '%a %G' "/dev/shm/sluice.$name")" "660 sluice"
    expect "a consumer of the group starts" start "sluice-consumer@$name"
    within 10 "messages move" moved "$name" "$(consumed "$name")" 200
    is "who consumes" "$(ps -o user= -p "$(main_pid consumer "$name")")" reader
    killed "$name" consumer
    stop_pair "$name"
    verified "$name"
}

anotherUsersRing() { anotherUser ring; }

anotherUsersTransfer() { anotherUser transfer; }

# With socket activation, and the producer as the other user.
anotherUsersProducer() {
    pair guestsocket SLUICE_MODE=transfer SLUICE_GROUP=sluice SLUICE_VERIFY=true producer SLUICE_RATE=500
    drop_in sluice-consumer@guestsocket.socket '[Socket]' SocketMode=0660
    drop_in sluice-producer@guestsocket.service '[Service]' User=reader
    start sluice-consumer@guestsocket.socket sluice-producer@guestsocket.service
    within 10 "messages move" moved guestsocket 0 200
    is "who produces" "$(ps -o user= -p "$(main_pid producer guestsocket)")" reader
    systemctl stop sluice-consumer@guestsocket.socket 2>/dev/null
    stop_pair guestsocket
    verified guestsocket
}

# Why the units have a fixed user.
aDynamicUserWouldLoseItsSegment() {
    local user
    for user in sluice dynamic; do
        pair "$user" producer SLUICE_COUNT=5
        [ "$user" = sluice ] || drop_in sluice-producer@dynamic.service '[Service]' DynamicUser=yes User=sluice-dynamic Group=sluice-dynamic
        start "sluice-producer@$user"
        within 10 "the end of a producer" ended producer "$user"
    done
    within 10 "the end of a dynamic user's segment" test ! -e /dev/shm/sluice.dynamic
    is "messages in the fixed user's" "$(produced sluice)" 5
    start sluice-consumer@sluice
    within 10 "they are received" moved sluice 0 5
    stop_pair sluice
}

# Started by hand, outside of the units: reader is in the group, stranger is not.
groupByHand() {
    local as=(setpriv --reuid=reader --regid=reader --init-groups /usr/local/lib/sluice/consumer --name hand --socket /run/sluice/hand.sock --report 0)
    pair hand SLUICE_MODE=transfer SLUICE_GROUP=sluice producer SLUICE_RATE=500
    start sluice-producer@hand
    "${as[@]}" --group sluice --count 50 2>/dev/null || fail "a member cannot take part by hand"
    "${as[@]}" --count 50 2>/dev/null
    is "exit code of a member who does not ask" $? 6
    setpriv --reuid=stranger --regid=stranger --init-groups /usr/local/lib/sluice/consumer --name hand --group sluice 2>/dev/null
    is "exit code for a user outside of the group" $? 2
    start sluice-consumer@hand
    stop_pair hand
}

# The machine is as before install.sh. This scenario runs last, and alone.
uninstallLeavesNothing() {
    pair left producer SLUICE_COUNT=5
    systemctl enable --quiet sluice@left.target sluice-gauge.service
    start sluice-producer@left
    within 10 "the end of a producer" ended producer left
    is "unread messages" "$(produced left)" 5
    "$repo/scripts/systemd/uninstall.sh" 2>/dev/null && fail "it discards messages unasked"
    expect "nothing was removed" test -x /usr/local/lib/sluice/producer
    expect "nor were streams" test -d /var/lib/sluice-nats/jetstream
    "$repo/scripts/systemd/uninstall.sh" --discard >/dev/null || fail "uninstall.sh fails"
    # Not the users that the test itself has created.
    diff <(sed '/^reader:/d; /^stranger:/d' /lab/before) <(inventory | sed '/^reader:/d; /^stranger:/d') || fail "this is left, or gone"
    is "segments" "$(find /dev/shm -name 'sluice*' | wc -l)" 0
    is "units" "$(systemctl list-units --all --no-legend 'sluice*' | grep -vc '\.slice')" 0
}
