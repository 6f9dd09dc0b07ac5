/* nng_push: nng, push to pull over ipc://. Messages are written and read in nng's
 * own memory. Its threads share the processor of their side.
 *
 *   gcc -O3 -std=c99 scripts/peers/nng_push.c -lnng -o nng_push
 *   ./nng_push throughput|roundtrip BYTES MESSAGES CPU_A CPU_B
 *
 * The buffers are as large as ZeroMQ's: 1000 messages, or 64 MiB if that is less. The
 * sockets are $PEER_NAME.nng0 and .nng1 in the working folder.
 */
#include "loops.h"
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

static nng_socket sockets[2];
static nng_msg *message;
static char path[2][200];

static void well(int error) {
    if (error == 0) return;
    fprintf(stderr, "nng: %s\n", nng_strerror(error));
    exit(1);
}

static void prepare(void) {
    if (peer.spin) unsupported(); /* it would spin against its own threads */
    const char *name = getenv("PEER_NAME");
    for (int way = 0; way < 2; way++)
        snprintf(path[way], sizeof path[way], "ipc://%s.nng%d", name ? name : "peer", way);
}

static void remove_sockets(void) {
    for (int way = 0; way < 2; way++)
        unlink(path[way] + strlen("ipc://"));
}

/* A listens, B dials; A pushes on way 0 and pulls on way 1. */
static void attach(int b) {
    size_t fit = (64 << 20) / peer.bytes;
    int most = fit < 1000 ? (int)fit : 1000;
    for (int way = 0; way <= peer.roundtrip; way++) {
        well(way == b ? nng_push0_open(&sockets[way]) : nng_pull0_open(&sockets[way]));
        well(nng_socket_set_size(sockets[way], NNG_OPT_RECVMAXSZ, 0));
        well(nng_socket_set_int(sockets[way], way == b ? NNG_OPT_SENDBUF : NNG_OPT_RECVBUF, most));
        well(b ? nng_dial(sockets[way], path[way], NULL, 0) : nng_listen(sockets[way], path[way], NULL, 0));
    }
    if (!b) atexit(remove_sockets);
}

static char *room(int way) {
    (void)way;
    well(nng_msg_alloc(&message, peer.bytes));
    return nng_msg_body(message);
}

static void give(int way) { well(nng_sendmsg(sockets[way], message, 0)); }

static char *take(int way) {
    well(nng_recvmsg(sockets[way], &message, 0));
    if (nng_msg_len(message) != peer.bytes) exit(1);
    return nng_msg_body(message);
}

static void let_go(int way) {
    (void)way;
    nng_msg_free(message);
}
