/* unix_socket: a message is BYTES through a connected pair of Unix sockets of the type
 * KIND. The reader of a stream knows the size; a packet has its own.
 *
 *   gcc -O3 -std=c99 -DKIND=SOCK_STREAM scripts/peers/unix_socket.c -o unix_stream
 *   gcc -O3 -std=c99 -DKIND=SOCK_SEQPACKET scripts/peers/unix_socket.c -o unix_seqpacket
 *   ./unix_stream throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
 */
#include "loops.h"
#include <errno.h>
#include <sys/socket.h>

static int ends[2]; /* A's and B's; both are bidirectional */
static char *buffer;

static void prepare(void) {
    buffer = malloc(peer.bytes);
    must(socketpair(AF_UNIX, KIND | (peer.spin ? SOCK_NONBLOCK : 0), 0, ends));
    int room = peer.bytes > 1 << 19 ? (int)(2 * peer.bytes) : 1 << 20;
    for (int i = 0; i < 2; i++)
        if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0) /* root */
            must(setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof room));  /* up to wmem_max */
    socklen_t size = sizeof room;
    must(getsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, &size));
    if (KIND == SOCK_SEQPACKET && (size_t)room < peer.bytes + peer.bytes / 8) unsupported(); /* a whole packet must fit */
}

static void attach(int b) { (void)b; }
static char *room(int way) { return (void)way, buffer; }
static void let_go(int way) { (void)way; }

static void give(int way) {
    for (size_t done = 0; done < peer.bytes;) {
        ssize_t n = send(ends[way], buffer + done, peer.bytes - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) continue;
        done += must(n);
    }
}

static char *take(int way) {
    for (size_t done = 0; done < peer.bytes;) {
        ssize_t n = recv(ends[!way], buffer + done, peer.bytes - done, 0);
        if (n < 0 && errno == EAGAIN) continue;
        done += must(n);
    }
    return buffer;
}
