#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2317 # expanded by another bash; called by a trap
# boot.sh DIR PROGRAM [SECONDS]: runs DIR/PROGRAM as root under a separate systemd, and exits with its exit code.
#
# The "machine" is the systemd of this host, as PID 1 in new namespaces (processes, mounts, network, cgroups, host name),
# over a temporary overlay of / in memory. DIR is mounted at /lab; files that the program writes there stay: output.txt,
# and journal.txt at the end. Nothing else of the host can be reached or changed. When this script ends, even by kill -9,
# all processes of the machine are killed.
#
# OVERLAYS  more directories of the host that the machine has, on file systems of their own perhaps; its changes are lost
# NETWORK   if set: /lab/network is the host's network, for `nsenter --net=/lab/network COMMAND`
#
# Other exit codes: 77 = this host cannot run such a machine (the reason is printed), 99 = it did not boot, or the
# program took longer than SECONDS.
set -euo pipefail

self=$(readlink -f "$0")

# Only cgroup2 is shown in the machine: with a v1 tree in view, systemd would write into the host's.
enter_cgroup() {
    mount -t cgroup2 none "$room"
    mkdir "$room/$cgroup"
    echo 0 >"$room/$cgroup/cgroup.procs"
    umount "$room"
}

# leave_cgroup removes the machine's cgroup, and those of killed runs, through a private mount.
leave_cgroup() {
    unshare --mount --propagation private bash -c '
        mount -t cgroup2 none "$1" || exit 0
        for d in "$1"/sluice-lab.*; do
            [ -d "$d" ] || continue
            [ "$d" = "$1/$2" ] || [ ! -d "/proc/${d##*.}" ] || continue # another run uses it
            echo 1 >"$d/cgroup.kill"
            for _ in {1..100}; do
                find "$d" -depth -type d -exec rmdir {} + 2>/dev/null
                [ -d "$d" ] || break
                sleep 0.05
            done
        done' - "$room" "$cgroup" || true
}

# A /dev without disks, consoles and the kernel log.
make_dev() {
    local dev=$1 node
    mount -t tmpfs -o mode=755,nosuid tmpfs "$dev"
    for node in null zero full random urandom tty; do
        touch "$dev/$node"
        mount --bind "/dev/$node" "$dev/$node"
    done
    mkdir "$dev/pts" "$dev/shm"
    mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev,size=256m tmpfs "$dev/shm"
    ln -s pts/ptmx "$dev/ptmx"
    ln -s /proc/self/fd "$dev/fd"
}

# A root in which no service of the host starts.
make_root() {
    local root=$1 dir more
    mount -t tmpfs -o mode=755 tmpfs "$room"
    mkdir "$room/upper" "$room/work" "$root"
    mount -t overlay -o "lowerdir=/,upperdir=$room/upper,workdir=$room/work" overlay "$root"
    for dir in ${OVERLAYS:-}; do
        more=$room/more/$dir
        mkdir -p "$more/upper" "$more/work" "$root/$dir"
        mount -t overlay -o "lowerdir=$dir,upperdir=$more/upper,workdir=$more/work" overlay "$root/$dir"
    done
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys" # the host's sysctls
    [ ! -e "$root/proc/sysrq-trigger" ] || mount --bind /dev/null "$root/proc/sysrq-trigger"
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
    make_dev "$root/dev"
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
    rm -rf "$root"/etc/systemd/system/* "$root/var/log/journal"
    ln -s /dev/null "$root/etc/systemd/system/sys-fs-fuse-connections.mount" # the host's
    mkdir "$root/lab"
    mount --rbind "$lab" "$root/lab"
    if [ -n "${NETWORK:-}" ]; then
        cp --remove-destination "$(readlink -f /etc/resolv.conf)" "$root/etc/resolv.conf" # it may be a mount of its own
    fi
}

# The only unit of the machine. When it ends, the machine stops.
make_unit() {
    cat >"$1/etc/systemd/system/lab.service" <<UNIT
[Unit]
Requires=basic.target dbus.socket
After=basic.target dbus.socket
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=HOME=/root
ExecStartPre=/bin/touch /lab/booted
ExecStart=/bin/bash /lab/$program
ExecStopPost=-/bin/sh -c 'journalctl --sync; journalctl -b --no-pager -o short-precise >/lab/journal.txt'
StandardOutput=append:/lab/output.txt
StandardError=inherit
TimeoutStartSec=$limit
UNIT
}

case ${1:-} in
--first) # PID 1 of the new namespaces, with /proc of the host
    if [ -n "${NETWORK:-}" ]; then
        touch "$lab/network"
        mount --bind "/proc/$host/ns/net" "$lab/network"
    fi
    mount -t proc proc /proc
    enter_cgroup
    exec unshare --cgroup bash "$self" --second
    ;;
--second)
    make_root "$room/root"
    make_unit "$room/root"
    cd "$room/root"
    mkdir -p old
    pivot_root . old
    umount --lazy old
    rmdir old
    mount --make-rshared / # systemd does not do this in a container, but its units need it
    exec env -i container=sluice-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog,-mac_admin,-wake_alarm,-block_suspend \
        /lib/systemd/systemd --system --unit=lab.service --log-target=journal --show-status=no
    ;;
esac

cannot() { echo "boot.sh: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || cannot "booting a machine needs root"
[ -x /lib/systemd/systemd ] || cannot "there is no systemd here"
for tool in unshare setpriv pivot_root mount timeout; do
    command -v $tool >/dev/null || cannot "there is no $tool here"
done

lab=$(readlink -f "$1") program=$2 limit=${3:-120}
room=$(mktemp -d) cgroup=sluice-lab.$$ host=$$
export lab program limit room cgroup host
finish() {
    leave_cgroup
    rmdir "$room"
}
trap finish EXIT
unshare --mount --propagation private bash -c 'mount -t cgroup2 none "$1" && mkdir "$1/$2" && rmdir "$1/$2"' - "$room" "$cgroup" 2>/dev/null ||
    cannot "no permission for namespaces or cgroup2: is this an unprivileged container?"
unshare --user true 2>/dev/null || cannot "no user namespaces, which PrivateUsers= needs: is this a chroot?"

rm -f "$lab/booted" "$lab/journal.txt"
: >"$lab/output.txt"
code=0
# When one of them dies, the others are killed: this script, timeout, unshare, PID 1.
setpriv --pdeathsig KILL timeout --signal=KILL "$((limit + 15))" \
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --uts --ipc --net --propagation private \
    bash "$self" --first </dev/null &
machine=$!
tail --lines=+1 --follow --sleep-interval=0.2 --pid=$machine "$lab/output.txt" 2>/dev/null
wait $machine || code=$?
if [ ! -e "$lab/booted" ]; then
    echo "boot.sh: the machine did not boot (exit code $code)" >&2
    exit 99
fi
rm -f "$lab/booted"
[ "$code" != 137 ] || code=99
exit "$code"
