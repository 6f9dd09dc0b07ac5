#!/usr/bin/env bash
# shellcheck disable=SC2016 # expanded in the root
# bare.sh DIR: installs the packages of DIR in a root that has next to nothing, and no running systemd, as in the build of a
# container image; uses, upgrades and removes them. See packaging/test.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) packages=$(realpath "$1")
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

# shellcheck source=/dev/null
mmdebstrap --quiet --variant=minbase --aptopt='APT::Sandbox::User "root"' "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$room/base.tar"

# in_root NAME COMMAND...: runs a command in a root of its own.
in_root() {
    local root=$room/$1
    shift
    [ -d "$root" ] || { mkdir "$root" && tar -x -C "$root" -f "$room/base.tar" && mkdir "$root/packages" "$root/test"; }
    unshare --mount --pid --fork --kill-child --ipc --uts bash -c '
        set -e
        mount --make-rprivate /
        mount --bind "$2" "$1/packages"
        mount --bind "$3" "$1/test"
        mount -t proc proc "$1/proc"
        mount -t tmpfs -o mode=755 tmpfs "$1/dev"
        for node in null zero full random urandom tty; do touch "$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"; done
        mkdir "$1/dev/shm"
        mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
        cp /etc/resolv.conf "$1/etc/"
        root=$1
        shift 3
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
    ' - "$root" "$packages" "$here" "$@"
}

in_root deb bash /test/in-root.sh deb
in_root rpm bash /test/in-root.sh rpm
