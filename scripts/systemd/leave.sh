# shellcheck shell=sh
# What uninstall.sh and the maintainer scripts of the packages share: how the units are stopped, and what they leave is
# removed. Sourced by the one, copied into the others.

# stop_units COMMAND: stops all units, with COMMAND stop. Pairs first, of them the producers, so that consumers receive all
# messages.
stop_units() {
    for these in 'sluice@*.target' 'sluice-producer@*.service' 'sluice-bridge-*@*.service' 'sluice-consumer@*.socket' 'sluice-consumer@*.service' \
        sluice-nats.service sluice-gauge.service; do
        "$1" stop "$these" 2>/dev/null || true # not loaded
    done
    systemctl reset-failed 'sluice@*' 'sluice-*' 2>/dev/null || true
}

# is_segment FILE reports whether it is a segment of the user of the services.
is_segment() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %U "$1")" = sluice ]; }

# remove_segment GAUGE FILE [--yes]: removes a segment, as its owner. It fails while the segment is in use (exit code 4), and
# without --yes if it has unread messages (exit code 2).
remove_segment() {
    setpriv --reuid="$(stat -c %u "$2")" --regid=sluice --clear-groups "$1" rm --name "${2#/dev/shm/sluice.}" ${3:+"$3"}
}

# has_streams reports whether sluice-nats.service has streams.
has_streams() { find /var/lib/sluice-nats/ -path '*/streams/*' 2>/dev/null | grep -q .; }

remove_streams() { rm -rf /var/lib/private/sluice-nats /var/lib/sluice-nats; } # the second is a link, because of DynamicUser=

# disable_units ROOT: no unit is started at boot.
disable_units() {
    for link in "$1"/etc/systemd/system/*.wants/sluice@* "$1"/etc/systemd/system/*.wants/sluice-*; do
        [ -L "$link" ] || continue
        rm "$link"
        rmdir --ignore-fail-on-non-empty "${link%/*}"
    done
}

# remove_configuration ROOT: of the pairs and of the units.
remove_configuration() {
    rm -rf "$1/etc/sluice"
    for unit in sluice@ sluice-producer@ sluice-consumer@ sluice-bridge-out@ sluice-bridge-in@ sluice-nats sluice-gauge; do
        rm -rf "$1/etc/systemd/system/$unit"*.d
    done
}

# remove_user removes the user that sluice.sysusers has created, and its group. While a process of the user runs, both stay.
remove_user() {
    getent passwd sluice | grep -q ':sluice pairs:' || return 0
    if ! reason=$(userdel sluice 2>&1); then
        echo "sluice: kept: the user sluice ($reason); to remove it: userdel sluice" >&2
    elif getent group sluice >/dev/null && ! reason=$(groupdel sluice 2>&1); then
        echo "sluice: kept: the group sluice ($reason); to remove it: groupdel sluice" >&2
    fi
}

# another_installation prints a file of an installation that is still there, with the same user and /etc/sluice: a package, or
# one from source. To be asked when the own files are removed.
another_installation() {
    for conf in /usr/lib /usr/local/lib /etc; do
        ! [ -e $conf/sysusers.d/sluice.conf ] || { echo $conf/sysusers.d/sluice.conf && return; }
    done
    return 1
}
