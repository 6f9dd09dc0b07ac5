#!/usr/bin/env bash
# Loads a container image with podman and runs pairs in containers: what docs/containers.md says.
#
#   packaging/image-test.sh FILE
#
# FILE is an image for this machine, dist/sluice-VERSION-image-ARCH.tar of make release. Needs podman
# and root. It uses no network, and directories of its own in place of podman's, so nothing is left
# behind. Takes half a minute. podman runs under its default seccomp profile.
set -euo pipefail
die() { printf 'image-test.sh: error: %s\nimage-test.sh: hint: %s\n' "$1" "$2" >&2; exit "${3:-1}"; }
case ${1:-} in
-h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
-* | '') die "FILE is missing, or unknown argument \"${1:-}\"" "see --help" 2 ;;
esac
[ $# = 1 ] || die "more than one FILE" "see --help" 2
file=$(realpath "$1")
command -v podman >/dev/null || die "there is no podman" "install it: sudo apt-get install podman crun"
[ "$(id -u)" = 0 ] || die "only root can run this" "sudo $0 $1"

if [ -z "${IMAGE_TEST_MOUNTS:-}" ]; then # in a mount namespace
    IMAGE_TEST_MOUNTS=private exec unshare --mount --propagation private "$0" "$file"
fi
# podman and crun keep locks, state and a cache there, whatever their configuration says.
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm
for dir in /run /var/lib; do mount -t tmpfs -o mode=755,nosuid,nodev tmpfs $dir; done
[ -r "$file" ] || die "cannot read $file" "make release writes it; it must not be below /dev/shm, /run or /var/lib"
# crun refuses a cgroup2 beside those of version 1.
! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified

work=$(mktemp -d)
finish() {
    podman rm --force --all --time 0 >/dev/null 2>&1 || true
    podman volume rm --all --force >/dev/null 2>&1 || true
    podman rmi --all --force >/dev/null 2>&1 || true
    umount "$work/root/overlay" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/root"
runroot = "$work/run"
CONF
# Limits that any root may set, also one without CAP_SYS_RESOURCE.
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
tmp_dir = "$work/tmp"
CONF
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'image-test.sh: FAILED: %s\n' "$*" >&2; exit 1; }
strict=(--network none --read-only --cap-drop all --security-opt no-new-privileges)
run() { podman run --rm "${strict[@]}" "$@"; }
start() { podman run --detach "${strict[@]}" "$@" >/dev/null; }
# has TEXT PATTERN
has() { grep -qE -- "$2" <<<"$1" || fail "want \"$2\" in: $1"; }
# ends CONTAINER: waits, and prints its output, and fails unless it has ended with exit code 0.
ends() {
    local code out
    code=$(timeout 30 podman wait "$1") || fail "$1 does not end: $(podman logs "$1" 2>&1)"
    out=$(podman logs "$1" 2>&1)
    [ "$code" = 0 ] || fail "$1 ended with exit code $code: $out"
    printf '%s\n' "$out"
}

step "load"
[ "$(stat -c %s "$file")" -lt 25000000 ] || fail "the file has 25 MB or more"
image=$(podman load --quiet --input "$file" | sed 's/^Loaded image: //')
echo "$image"

step "commands, user, nothing to be done"
has "$(run "$image" producer --version)" "^producer v.*${image##*:}"
for command in consumer gauge sluice-bridge; do run "$image" "$command" --help >/dev/null || fail "$command --help"; done
! run "$image" sh -c true 2>/dev/null || fail "there is a shell"
has "$(podman image inspect "$image" --format '{{.User}} {{.Config.Cmd}}')" '^65532:65532 \[gauge doctor\]$'
out=$(run --shm-size 256m "$image") || fail "gauge doctor found problems: $out"
has "$out" 'no problems found'

step "two containers, one /dev/shm: messages, and a stop in order"
start --name consumer --ipc shareable --shm-size 128m "$image" consumer --name orders --verify --follow
start --name producer --ipc container:consumer "$image" producer --name orders --count 1000000
ends producer >/dev/null
# waits prints how often the consumer has slept because the ring was empty.
waits() { run --ipc container:consumer "$image" gauge stat orders --json | grep -oP '"consumerWaits":\K[0-9]+'; }
before=$(waits)
start --name second --ipc container:consumer "$image" producer --name orders --rate 1000
for ((i = 0; i < 30; i++)); do
    after=$(waits)
    [ "$after" = "$before" ] || break
done
[ "$after" -gt "$before" ] || fail "the consumer has slept $after times, as often as before the second producer: it was not woken"
has "$(run --ipc container:consumer "$image" gauge stat orders)" 'process 1 of another pid namespace'
podman stop --time 20 second consumer >/dev/null
ends second >/dev/null
has "$(ends consumer)" 'verified 1,00[0-9],[0-9]+ messages: none missing, repeated or damaged'

step "a volume in memory: a killed consumer, and its successor"
podman volume create --opt type=tmpfs --opt device=tmpfs --opt o=nr_blocks=16384,mode=1777 shm >/dev/null
shared=(--volume shm:/dev/shm)
start --name gauge "${shared[@]}" "$image" gauge serve
start --name killed "${shared[@]}" "$image" consumer --name kill --rate 1000
start --name sender "${shared[@]}" "$image" producer --name kill --count 100000
sleep 2
podman kill killed >/dev/null
has "$(run "${shared[@]}" "$image" gauge ls kill)" 'kill .* died'
start --name successor "${shared[@]}" "$image" consumer --name kill --verify
ends sender >/dev/null
has "$(ends successor)" 'verified [0-9,]+ messages: none missing, repeated or damaged'

step "another user, and a group"
start --name other "${shared[@]}" --user 1234:65532 "$image" producer --name shared --group 65532 --count 1000 --keep
ends other >/dev/null
code=0
run "${shared[@]}" "$image" consumer --name shared >/dev/null 2>&1 || code=$?
[ $code = 6 ] || fail "a consumer of another user ended with exit code $code, want 6"
run "${shared[@]}" "$image" consumer --name shared --group 65532 --verify >/dev/null 2>&1 || fail "a consumer of the group"

step "transfer mode, with a shared directory for its socket"
podman volume create sockets >/dev/null
sockets=(--volume sockets:/run/sluice)
start --name receiver "${shared[@]}" "${sockets[@]}" "$image" consumer --name t --verify --socket /run/sluice/t.sock
start --name transfer "${shared[@]}" "${sockets[@]}" "$image" producer --name t --mode transfer --count 20000 --socket /run/sluice/t.sock
ends transfer >/dev/null
has "$(ends receiver)" 'verified 20,000 messages: none missing, repeated or damaged'

step "transfer mode, with volumes as those of a Pod with fsGroup: writable by others, not sticky"
for volume in pod-shm pod-tmp; do
    podman volume create --opt type=tmpfs --opt device=tmpfs --opt o=nr_blocks=65536,mode=2777,uid=0,gid=65532 $volume >/dev/null
done
pod=(--volume pod-shm:/dev/shm --volume pod-tmp:/tmp)
start --name pod-consumer "${pod[@]}" "$image" consumer --name t --verify
start --name pod-producer "${pod[@]}" "$image" producer --name t --mode transfer --count 20000
ends pod-producer >/dev/null
has "$(ends pod-consumer)" 'verified 20,000 messages: none missing, repeated or damaged'
code=0
run "${pod[@]}" "$image" gauge doctor >"$work/doctor" 2>&1 || code=$?
[ $code = 1 ] || fail "gauge doctor ended with exit code $code, want 1"
has "$(<"$work/doctor")" "FIX +/dev/shm +anybody may delete anybody's segments"
has "$(<"$work/doctor")" '1 problem found'

printf '\nall good\n'
