/* pipe: a message is BYTES written to a pipe of 1 MiB (F_SETPIPE_SZ), and as many
 * read. The reader knows the size; a real protocol would put a length before it.
 *
 *   gcc -O3 -std=c99 scripts/peers/pipe.c -o pipe
 *   ./pipe throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
 */
#include "loops.h"
#include <errno.h>
#include <fcntl.h>

static int ends[2][2];
static char *buffer;

static void prepare(void) {
    buffer = malloc(peer.bytes);
    for (int way = 0; way < 2; way++) {
        must(pipe2(ends[way], peer.spin ? O_NONBLOCK : 0));
        if (fcntl(ends[way][1], F_SETPIPE_SZ, 1 << 20) < 0)
            perror("pipe: the buffer stays small"); /* above pipe-max-size, or the user's limit is reached */
    }
}

static void attach(int b) { (void)b; }
static char *room(int way) { return (void)way, buffer; }
static void let_go(int way) { (void)way; }

static void give(int way) {
    for (size_t done = 0; done < peer.bytes;) {
        ssize_t n = write(ends[way][1], buffer + done, peer.bytes - done);
        if (n < 0 && errno == EAGAIN) continue;
        done += must(n);
    }
}

static char *take(int way) {
    for (size_t done = 0; done < peer.bytes;) {
        ssize_t n = read(ends[way][0], buffer + done, peer.bytes - done);
        if (n < 0 && errno == EAGAIN) continue;
        done += must(n);
    }
    return buffer;
}
