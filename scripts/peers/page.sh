# shellcheck shell=bash
# shellcheck disable=SC2154 # what bench.sh, which sources this file, has set
# The processors that scripts/bench.sh pins to, and the page that it writes.

# numbers turns a list of the kernel's, like 0,2-3, into lines.
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

# others prints how much processor time everybody else has used so far, in ticks.
others() {
    local busy own
    busy=$(awk '/^cpu / {print $2 + $3 + $4 + $7 + $8 + $9}' /proc/stat)
    own=$(sed 's/.*) //' /proc/$$/stat | awk '{print $12 + $13 + $14 + $15}')
    echo $((busy - own))
}

# elsewhere OTHERS SECONDS prints what they have used since others printed OTHERS,
# SECONDS ago, in percent of one processor.
elsewhere() {
    local ticks=$(($(others) - $1))
    echo $((ticks > 0 ? ticks * 100 / $(getconf CLK_TCK) / ($2 + 1) : 0))
}

# expand HEADER MACROS: their values, as the C preprocessor sees them.
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
    awk -F'|' '$1 ~ /^futex/ && $2 ~ /spin/ {print $5 / $4 * 1e9}' "$work/figures" | sort -n |
        awk '{v[NR] = $1} END {if (NR) printf "| cache line, there and back | %.0f ns (%.0f to %.0f) |\n", v[int((NR + 1) / 2)], v[1], v[NR]}'
    echo "| other work meanwhile | $busy % of one processor |"
    echo "| date | $(date -u +%F) |"
}

page() {
    local i
    cat <<END
# sluice and its peers

What \`scripts/bench.sh\` has measured on the machine below; it measures yours in the same way. Compare within a table: machines differ, and a virtual
one differs from hour to hour, as its host moves its cores.

END
    machine
    [ "$busy" -lt 10 ] || printf '\nOther work took some of the time, so figures are worse and less exact than they should be.\n'
    cat <<END

Side A writes every byte of a message and side B reads it, each in a process of its own (of Node.js: a thread) that is pinned to a core of its own; the clock runs from when both
are connected until the last message was read, and a sum over all bytes must be right. In each of $rounds rounds the peers take turns, size by size, with so many messages that it takes
about $((target / 1000)) ms. Figures are medians of the rounds, a ratio is the median of each round's ratio to *sluice ring*, in bold where it is better than sluice, and
processor time is that of both sides.
END
    tables page
    printf '\n## What is what\n\n'
    for i in "${!labels[@]}"; do printf -- '- **%s**: %s.\n' "${labels[$i]}" "${whats[$i]}"; done
    printf '\n## Not measured\n\n'
    for i in "${missing[@]}" "${failed[@]}"; do printf -- '- %s.\n' "$i"; done
    cat <<'END'
- A dash: what a peer does not do. `spsc_queue` has elements of one size, known to the compiler (here up to 1 KiB), and cannot sleep; packing is for
  small messages; the futex words carry nothing; who waits for a socket of sluice's, of ZeroMQ's or of nng's, or for `postMessage`, sleeps; without a
  right to larger buffers a packet of 1 MiB does not fit a socket.
END
}
