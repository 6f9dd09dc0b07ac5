# shellcheck shell=bash
# shellcheck disable=SC2154 # set by bench.sh, which sources this file
# The peers of scripts/bench.sh: builds them into $work, and sets labels, whats, commands
# and missing. All are compared with the first. $only chooses some.

# peer LABEL COMMAND... -- WHAT: adds a peer that is ready to run in $work.
peer() {
    [[ $1 =~ $only ]] || return 0
    labels+=("$1")
    commands+=("${*:2:$#-3}")
    whats+=("${!#}")
}

# native LABEL PACKAGE HEADER PROGRAM SOURCE FLAGS... -- WHAT: compiles a peer and adds it.
# PACKAGE is the Debian package of HEADER, "" if every system has it.
native() {
    local label=$1 package=$2 header=$3 program=$4 source=scripts/peers/$5 flags=("${@:6:$#-7}") what=${!#}
    [[ $label =~ $only ]] || return 0
    local compiler=gcc language=c standard=c99 brings="gcc libc6-dev"
    if [[ $source = *.cpp ]]; then compiler=g++ language=c++ standard=c++17 brings=g++; fi
    if ! command -v $compiler >/dev/null; then
        missing+=("$label: no $compiler (\`apt-get install $brings${package:+ $package}\`)")
    elif ! echo "#include <$header>" | $compiler -E -x $language - >/dev/null 2>&1; then
        missing+=("$label: not installed (\`apt-get install $package\`)")
    elif ! $compiler -O3 -std=$standard -Wall -Wextra "$source" -o "$work/$program" "${flags[@]}" 2>"$work/complaint"; then
        missing+=("$label: does not build here: $(grep -m 1 error "$work/complaint" || head -n 1 "$work/complaint")")
    else
        peer "$label" "./$program" -- "$what"
    fi
}

# What bench.sh measures the machine itself with, if there is a C compiler.
for program in futex_words memcpy; do
    gcc -O3 -std=c99 scripts/peers/$program.c -o "$work/$program" 2>"$work/complaint" || true
done

go build -o "$work/sluice" ./scripts/peers/sluice
peer "sluice ring" ./sluice send -- \
    "one publish per message: \`Send\` copies it in, \`Take\` reads it in place. The ring has 1 MiB, for messages of 1 MiB 4 MiB"
peer "sluice ring, zero-copy" ./sluice reserve -- \
    "\`Reserve\`, \`Commit\`, \`Publish\` and \`Next\`, \`Release\`, each for one message: written and read in the ring"
peer "sluice ring, batched" ./sluice batch -- \
    "\`SendBatch\` copies them in, \`NextBatch\` reads them in place: 64 messages or a quarter of the ring, whichever is less, with one publish and one release"
peer "sluice ring, batched zero-copy" ./sluice many -- "as many, written and read in the ring: \`Reserve\` and \`Commit\`, \`Next\` for each, one \`Publish\`, one \`Release\`"
peer "sluice typed ring" ./sluice typed -- \
    "fixed slots of a Go type, 1 MiB of them: \`Slot\`, \`Publish\` and \`Next\`, \`Release\`, each for one message, in its slot"
peer "sluice typed ring, by value" ./sluice value -- "the same, \`Push\` and \`Pop\`: copies go in and come out"
peer "sluice typed ring, windows" ./sluice windows -- "the same, written and read in the ring, with a publish and a release for up to 512 messages"
peer "sluice transfer, sealed" ./sluice sealed -- "a sealed memfd per message, up to 64 in a packet; at most 256 MiB in flight"
peer "sluice transfer, packed" ./sluice packed -- "\`SendBatch\` of 64 messages, which are packed into sealed memfds of 64 KiB"
peer "sluice transfer, recycled" ./sluice recycled -- "a memfd per message, which is returned and reused, without the seal against writing; the first 2048 messages, which create them, are not measured"
peer "sluice transfer, both" ./sluice packed-recycled -- "\`SendBatch\` of 64, packed into buffers of 64 KiB that are returned and reused"

native pipe "" stdio.h pipe pipe.c -- "1 MiB of buffer (\`F_SETPIPE_SZ\`), a write and a read per message"
native "AF_UNIX stream" "" stdio.h unix_stream unix_socket.c -DKIND=SOCK_STREAM -- \
    "1 MiB of send buffer, twice the message if that is more; a send and a recv per message"
native "AF_UNIX seqpacket" "" stdio.h unix_seqpacket unix_socket.c -DKIND=SOCK_SEQPACKET -- "the same, in packets"
native "boost::lockfree::spsc_queue" libboost-dev boost/lockfree/spsc_queue.hpp boost_spsc boost_spsc.cpp -- \
    "in shared memory, about as many elements as fit into a ring of 1 MiB; both sides always spin"
native "boost message_queue" libboost-dev boost/interprocess/ipc/message_queue.hpp boost_queue boost_queue.cpp -- \
    "boost::interprocess: 1 MiB of messages, 4 to 1024 of them, behind one mutex"
native "ZeroMQ PUSH/PULL" libzmq3-dev zmq.h zmq_push zmq_push.c -lzmq -- \
    "over ipc://, at most 1000 messages or 64 MiB per side; its I/O threads share the processor of their side"
native "nng push/pull" libnng-dev nng/nng.h nng_push nng_push.c -lnng -- "over ipc://, buffers as with ZeroMQ; its threads share the processor of their side"
native "futex words, in C" "" stdio.h futex_words futex_words.c -- "a store and a wake on one shared word, a wait on another: the minimum of a round trip"
native "memfd + SCM_RIGHTS, in C" "" stdio.h memfd_pass memfd_pass.c -- "a memfd per message, mapped, filled and passed, without seals, checks and counters"

if command -v node >/dev/null && command -v taskset >/dev/null; then
    cp scripts/peers/node/*.js "$work"
    peer "Node.js SharedArrayBuffer" node shared_ring.js -- "a ring of 8 slots between two threads, \`Atomics.wait\` and \`Atomics.notify\`"
    peer "Node.js postMessage" node post_message.js -- "a new ArrayBuffer per message, transferred to the other thread; at most 10,000 messages or 64 MiB in flight"
else
    missing+=("Node.js SharedArrayBuffer, Node.js postMessage: not installed (\`apt-get install nodejs util-linux\`)")
fi
