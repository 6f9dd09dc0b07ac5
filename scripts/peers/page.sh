# shellcheck shell=bash
# shellcheck disable=SC2154 # set by bench.sh, which sources this file
# Sourced by scripts/bench.sh: the choice of processors, which scripts/many.sh shares, and the page.

# numbers prints the numbers of a kernel list such as 0,2-3, one per line.
numbers() {
    local part
    for part in ${1//,/ }; do seq "${part%-*}" "${part#*-}"; done
}

# two_processors prints the first two that this process may use and that are not
# two threads of one core.
two_processors() {
    local allowed first cpu siblings
    allowed=$(numbers "$(awk '/^Cpus_allowed_list/ {print $2}' /proc/self/status)")
    first=$(head -n 1 <<<"$allowed")
    siblings=$(numbers "$(cat "/sys/devices/system/cpu/cpu$first/topology/thread_siblings_list" 2>/dev/null || echo "$first")")
    for cpu in $allowed; do
        if ! grep -qx "$cpu" <<<"$siblings"; then
            echo "$first $cpu"
            return
        fi
    done
}

# choose_processors NAME sets cpus to two processors, one for each side, if it is empty; NAME is the
# script that needs them.
choose_processors() {
    [ ${#cpus[@]} -gt 0 ] || read -r -a cpus <<<"$(two_processors)"
    if ! [[ "${cpus[*]}" =~ ^[0-9]+\ [0-9]+$ ]] || [ "${cpus[0]}" = "${cpus[1]}" ]; then
        echo "$1: error: needs two processors, one for each side" >&2
        exit 1
    fi
}

# others prints the processor time that all other processes have used so far, in ticks.
others() {
    local busy own
    busy=$(awk '/^cpu / {print $2 + $3 + $4 + $7 + $8 + $9}' /proc/stat)
    own=$(sed 's/.*) //' /proc/$$/stat | awk '{print $12 + $13 + $14 + $15}')
    echo $((busy - own))
}

# elsewhere OTHERS SECONDS prints how much they have used since others printed OTHERS,
# SECONDS ago, in percent of one processor.
elsewhere() {
    local ticks=$(($(others) - $1))
    echo $((ticks > 0 ? ticks * 100 / $(getconf CLK_TCK) / ($2 + 1) : 0))
}

# expand HEADER MACROS prints their values, by the C preprocessor.
expand() { printf '#include <%s>\n%s\n' "$1" "$2" | gcc -E -P - 2>/dev/null | tail -n 1 | tr -d ' "' | tr _ .; }

machine() {
    local model hypervisor libraries=() version name
    model=$(LC_ALL=C lscpu | sed -n 's/^Model name: *//p')
    hypervisor=$(LC_ALL=C lscpu | sed -n 's/^Hypervisor vendor: *//p')
    echo "| | |"
    echo "|---|---|"
    echo "| processor | $model, $(nproc) cores${hypervisor:+, virtual ($hypervisor)}; A is pinned to ${cpus[0]}, B to ${cpus[1]} |"
    echo "| kernel | $(uname -sr) |"
    version=$(go env GOVERSION)
    for name in gcc g++; do
        command -v $name >/dev/null && version+="; $name $($name -dumpfullversion) -O3"
    done
    command -v node >/dev/null && version+="; Node.js $(node --version)"
    echo "| compilers | $version |"
    version=$(expand boost/version.hpp BOOST_LIB_VERSION) && libraries+=("boost $version")
    version=$(expand zmq.h ZMQ_VERSION_MAJOR.ZMQ_VERSION_MINOR.ZMQ_VERSION_PATCH) && libraries+=("ZeroMQ $version")
    version=$(expand nng/nng.h NNG_MAJOR_VERSION.NNG_MINOR_VERSION.NNG_PATCH_VERSION) && libraries+=("nng $version")
    [ ${#libraries[@]} -gt 0 ] && echo "| libraries | $(printf '%s; ' "${libraries[@]}" | sed 's/; $//') |"
    awk -F'|' '$5 >= 0 {print $5}' "$work/figures" | sort -n |
        awk '{v[NR] = $1} END {if (NR) printf "| a cache line to the other core and back | %.0f ns (%.0f to %.0f) |\n", v[int((NR + 1) / 2)], v[1], v[NR]}'
    echo "| other work meanwhile | $busy % of one processor |"
    echo "| date | $(date -u +%F) |"
}

page() {
    local i
    cat <<END
# sluice and its peers

Measured by \`scripts/bench.sh\` on the machine below. Compare figures only within a table: machines differ, and a virtual
machine changes from hour to hour, because its host moves its cores.

END
    machine
    [ "$busy" -lt 10 ] || printf '\nOther work used a processor during the run, so the figures are worse and less exact.\n'
    cat <<END

Side A writes every byte of a message and side B reads it. Each side is a process (with Node.js: a thread) that is pinned to its own core. The time is measured from when both
are connected until the last message was read, and a sum over all bytes must be correct. In each of $rounds rounds the peers take turns, size by size, with as many messages as take
about $((target / 1000)) ms. Figures are medians of the rounds. A ratio is the median of each round's ratio to *${labels[0]}*, in bold if it is better. Processor time is that of both sides.
END
    tables page
    printf '\n## The peers\n\n'
    for i in "${!labels[@]}"; do printf -- '- **%s**: %s.\n' "${labels[$i]}" "${whats[$i]}"; done
    printf '\n## Not measured\n\n'
    for i in "${missing[@]}" "${failed[@]}"; do printf -- '- %s.\n' "$i"; done
    cat <<'END'
- A dash: the peer does not support it. `spsc_queue` has elements of one size, known to the compiler (here up to 1 KiB), and cannot sleep; packing is for
  small messages; the futex words carry no data; a wait for a socket of sluice, ZeroMQ or nng, or for `postMessage`, always sleeps; without the
  permission for larger buffers a packet of 1 MiB does not fit into a socket.
END
}
