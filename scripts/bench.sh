#!/usr/bin/env bash
# Measures sluice and its alternatives in one run: the same messages, written and read
# in full by two sides, each pinned to a processor. Prints which alternatives are not
# installed. Takes 5 to 9 minutes and cleans up.
#
#   scripts/bench.sh [--quick] [--rounds N] [--cpus A,B] [--peers RE] [--jobs RE] [--check] [--out DIR]
#
# Writes DIR/bench.md, in a new temporary directory without --out. --quick takes about
# a minute and is less exact. --peers and --jobs choose by a regular expression:
# --peers 'ring|boost' --jobs ' 8$'. --check fails if sluice is much slower than it should
# be (peers/guard.awk). No other work should run at the same time.
set -euo pipefail

usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; }
mistake() {
    printf 'bench.sh: error: %s\nbench.sh: hint: see --help\n' "$1" >&2
    exit 2
}
target=500000 rounds='' out='' cpus=() only='' chosen='' check=false # target: microseconds that a measurement is to take
while [ $# -gt 0 ]; do
    case $1 in
    --quick) target=100000 rounds=${rounds:-3} ;;
    --check) check=true ;;
    --help | -h) usage && exit ;;
    --rounds | --cpus | --peers | --jobs | --out)
        [ -n "${2:-}" ] || mistake "$1: a value is missing"
        case $1 in
        --rounds) rounds=$2 ;;
        --cpus) IFS=, read -r -a cpus <<<"$2" ;;
        --peers) only=$2 ;;
        --jobs) chosen=$2 ;;
        --out) out=$(realpath -m "$2") ;;
        esac
        shift
        ;;
    *) mistake "unknown argument \"$1\"" ;;
    esac
    shift
done
rounds=${rounds:-5}
[[ $rounds =~ ^[1-9][0-9]?$ ]] || mistake "--rounds: invalid number \"$rounds\": want an integer from 1 to 99"
jobs=()
for job in "throughput 8" "throughput 64" "throughput 1024" "throughput 65536" "throughput 1048576" "roundtrip 8" "roundtrip 8 spin" \
    "throughput 4" "paced 8 1000" "paced 8 100000"; do
    [[ ! $job =~ $chosen ]] || jobs+=("$job")
done
[ ${#jobs[@]} -gt 0 ] || mistake "--jobs: nothing matches \"$chosen\""
cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go bench.sh
# shellcheck source=/dev/null
. scripts/peers/page.sh
choose_processors bench.sh

if [ -n "${out:-}" ]; then # fail now, not after minutes of measuring
    folder=$out
    until [ -e "$folder" ]; do folder=$(dirname "$folder"); done
    if ! { try=$(mktemp -d "$folder/.bench-XXXXXX") && rmdir "$try"; } 2>/dev/null; then
        printf 'bench.sh: error: cannot write to %s\nbench.sh: hint: choose another --out\n' "$out" >&2
        exit 1
    fi
fi
work=$(mktemp -d)
mkdir -m 700 "$work/sockets"
export PEER_NAME=bench-$$ XDG_RUNTIME_DIR=$work/sockets # for all peers
running=
tidy() { rm -f "/dev/shm/sluice.$PEER_NAME"{,.back} "/dev/shm/$PEER_NAME".queue*; }
finish() {
    if [ -n "$running" ]; then # its child process is killed with it
        kill "$running" 2>/dev/null || true
        wait "$running" 2>/dev/null || true
    fi
    tidy
    rm -rf "$work"
}
trap finish EXIT
trap 'echo; exit 130' INT
trap 'exit 143' TERM HUP

echo "building"
labels=() commands=() missing=() # in the order of the tables
# shellcheck source=/dev/null
. scripts/peers/list.sh
[ ${#missing[@]} -eq 0 ] || printf '%s\n' "${missing[@]}"
[ ${#labels[@]} -gt 0 ] || mistake "--peers: nothing matches \"$only\""

# measure COMMAND JOB MESSAGES runs a peer once. It sets seconds, us and measured, all figures
# that the peer has printed, or fails and sets outcome to the reason.
measure() {
    local command kind bytes more code=0
    read -r -a command <<<"$1"
    read -r kind bytes more <<<"$2"
    (cd "$work" && exec timeout --foreground -k 1 20 "${command[@]}" "$kind" "$bytes" "$3" "${cpus[@]}" ${more:+"$more"}) \
        >"$work/answer" 2>"$work/complaint" &
    running=$!
    wait "$running" || code=$?
    running=
    measured=''
    read -r measured <"$work/answer" || true
    seconds=${measured%% *}
    if [ $code = 0 ] && [[ "$measured" =~ ^[0-9]+\.[0-9]{6}(\ [0-9]+\.[0-9]+)+$ ]]; then
        us=$((10#${seconds/./}))
        return
    fi
    tidy
    case $code in
    0) outcome=${measured:-no answer} ;; # "unsupported"
    124 | 137) outcome="not finished after 20 s" ;;
    *) outcome="exit code $code, $(head -n 1 "$work/complaint")" ;;
    esac
    outcome=${outcome//"$work/"/}
    return 1
}

# line sets ns to the time in which a cache line goes to the other processor and back, -1 if
# it is not known. The host of a virtual machine moves its processors, so it is measured
# before each measurement.
line() { if measure ./futex_words "roundtrip 8 spin" 20000; then ns=$((us / 20)); else ns=-1; fi; }

record() { echo "$1|$2|$round|$3|$ns|${measured// /|}" >>"$work/figures"; }

# attempt PEER JOB records one measurement that takes about the target time, if the peer
# supports the job.
declare -A counts # messages for the next measurement; none = unsupported or failed
failed=() ns=-1
attempt() {
    local messages factor count=${counts["$1 $2"]:-}
    case $count,$2 in
    none,*) return ;;
    ,*1048576) messages=20 ;;
    ,*65536 | ,*" 1000") messages=200 ;;
    ,*) messages=1000 ;;
    *) messages=$count ;;
    esac
    line
    while measure "${commands[$1]}" "$2" "$messages"; do
        factor=$((target * 1000 / (us + 1)))
        counts["$1 $2"]=$((messages * (factor < 100000 ? factor : 100000) / 1000 + 10))
        if [ -n "$count" ] || [ $factor -lt 3000 ]; then
            record "${labels[$1]}" "$2" "$messages"
            return
        fi
        messages=${counts["$1 $2"]}
    done
    counts["$1 $2"]=none
    [ "$outcome" = unsupported ] || failed+=("${labels[$1]}: failed in $2, $outcome")
}

# A table of the medians so far: updated in place if the terminal is large enough, else printed after each round.
tables() { awk -v peers="$(IFS='|' && echo "${labels[*]}")" -v jobs="$(IFS='|' && echo "${jobs[*]}")" -f scripts/peers/figures.awk -f "scripts/peers/$1.awk" "$work/figures"; }
live=false clear='' height=$((${#labels[@]} + 2))
if [ -t 1 ]; then
    clear=$'\r\033[K'
    if read -r tall wide < <(stty size) && [ "$tall" -gt $height ] && [ "$wide" -ge 80 ]; then live=true; fi
fi

: >"$work/figures"
began=$SECONDS before=$(others)
! $live || tables terminal
for ((round = 1; round <= rounds; round++)); do
    for job in "${jobs[@]}"; do
        ! measure ./memcpy "throughput 262144" 1000 || record memcpy "$job" 1000
        for peer in "${!labels[@]}"; do
            [ -z "$clear" ] || printf '%sround %d of %d: %s, %s' "$clear" "$round" "$rounds" "${labels[$peer]}" "$job"
            attempt "$peer" "$job"
            ! $live || printf '%s\033[%dA%s\n' "$clear" $height "$(tables terminal)"
        done
    done
    $live || printf '%sround %d of %d\n%s\n' "$clear" "$round" "$rounds" "$(tables terminal)"
done

busy=$(elsewhere "$before" $((SECONDS - began)))
[ "$busy" -lt 10 ] || echo "other work took $busy % of a processor during the run: the figures are worse and less exact"
mkdir -p "${out:=$(mktemp -d)}"
page >"$work/bench.md"
mv "$work/bench.md" "$out/bench.md"
[ ${#failed[@]} -eq 0 ] || printf '%s\n' "${failed[@]}" >&2
echo "$out/bench.md"
! $check || tables guard
[ ${#failed[@]} -eq 0 ]
