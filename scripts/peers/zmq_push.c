/* zmq_push: ZeroMQ, PUSH to PULL over ipc://. Messages are written and read in
 * ZeroMQ's own memory. Its I/O thread shares the processor of its side.
 *
 *   gcc -O3 -std=c99 scripts/peers/zmq_push.c -lzmq -o zmq_push
 *   ./zmq_push throughput|roundtrip BYTES MESSAGES CPU_A CPU_B
 *
 * The high-water marks are ZeroMQ's 1000 messages, or 64 MiB if that is less. The
 * sockets are $PEER_NAME.zmq0 and .zmq1 in the working folder.
 */
#include "loops.h"
#include <zmq.h>

static void *sockets[2];
static zmq_msg_t message;
static char path[2][200];

static void prepare(void) {
    if (peer.spin) unsupported(); /* it would spin against its own I/O thread */
    const char *name = getenv("PEER_NAME");
    for (int way = 0; way < 2; way++)
        snprintf(path[way], sizeof path[way], "ipc://%s.zmq%d", name ? name : "peer", way);
}

static void remove_sockets(void) {
    for (int way = 0; way < 2; way++)
        unlink(path[way] + strlen("ipc://"));
}

/* A binds, B connects; A pushes on way 0 and pulls on way 1. */
static void attach(int b) {
    void *context = zmq_ctx_new();
    size_t fit = (64 << 20) / peer.bytes;
    int most = fit < 1000 ? (int)fit : 1000;
    for (int way = 0; way <= peer.roundtrip; way++) {
        sockets[way] = zmq_socket(context, way == b ? ZMQ_PUSH : ZMQ_PULL);
        must(zmq_setsockopt(sockets[way], ZMQ_SNDHWM, &most, sizeof most));
        must(zmq_setsockopt(sockets[way], ZMQ_RCVHWM, &most, sizeof most));
        must(b ? zmq_connect(sockets[way], path[way]) : zmq_bind(sockets[way], path[way]));
    }
    if (!b) atexit(remove_sockets);
}

static char *room(int way) {
    (void)way;
    must(zmq_msg_init_size(&message, peer.bytes));
    return zmq_msg_data(&message);
}

static void give(int way) { must(zmq_msg_send(&message, sockets[way], 0)); }

static char *take(int way) {
    must(zmq_msg_init(&message));
    if ((size_t)must(zmq_msg_recv(&message, sockets[way], 0)) != peer.bytes) exit(1);
    return zmq_msg_data(&message);
}

static void let_go(int way) {
    (void)way;
    zmq_msg_close(&message);
}
