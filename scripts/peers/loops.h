/* loops.h: main for the peers that pass messages of any size. The peer defines the
 * functions below; they are static, so the compiler inlines them. */
#include "peer.h"

/* Way 0 is from A to B, way 1 from B to A. */
static void prepare(void);        /* before the fork; calls unsupported() if the peer cannot run the job */
static void attach(int b);        /* in each process after the fork, A first */
static char *room(int way);       /* where to write a message of peer.bytes */
static void give(int way);        /* sends it */
static char *take(int way);       /* waits for the next message */
static void let_go(int way);      /* of what take returned */

static void send_all(uint64_t first, uint64_t end) {
    for (uint64_t i = first; i < end; i++) {
        fill(room(0), peer.bytes, i);
        give(0);
    }
}

static uint64_t read_all(uint64_t messages) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < messages; i++) {
        sum += words(take(0), peer.bytes);
        let_go(0);
    }
    return sum;
}

static void ask_all(uint64_t messages) {
    for (uint64_t i = 0; i < messages; i++) {
        send_all(i, i + 1);
        if (words(take(1), peer.bytes) != peer.bytes / 8 * i) {
            fprintf(stderr, "echo %llu is not what was sent\n", (unsigned long long)i);
            exit(1);
        }
        let_go(1);
    }
}

static uint64_t echo_all(uint64_t messages) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < messages; i++) {
        sum += words(take(0), peer.bytes);
        let_go(0);
        fill(room(1), peer.bytes, i);
        give(1);
    }
    return sum;
}

/* In a paced job the words of a message are the time it is due, ns: B knows the response. */

static void pace_all(uint64_t messages) {
    uint64_t due = now_ns();
    for (uint64_t i = 0; i < messages; i++, due += peer.period) {
        struct timespec at = {(time_t)(due / 1000000000), (long)(due % 1000000000)};
        while (now_ns() < due) /* sleeps until then, unless it is late */
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        fill(room(0), peer.bytes, due);
        give(0);
    }
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t time_all(uint64_t messages) {
    uint64_t sum = 0, first = 0, *response = (uint64_t *)calloc(messages, sizeof *response);
    for (uint64_t i = 0; i < messages; i++) {
        const char *message = take(0);
        uint64_t arrived = now_ns(), due;
        memcpy(&due, message, sizeof due);
        if (i == 0) first = due;
        response[i] = arrived - due;
        sum += (words(message, peer.bytes) - peer.bytes / 8 * first) / peer.period; /* as if it were its number */
        let_go(0);
    }
    stop_clocks();
    qsort(response, messages, sizeof *response, by_size);
    peer.shared->half = (double)response[messages / 2] / 1e3;
    peer.shared->most = (double)response[messages * 99 / 100] / 1e3;
    return sum;
}

int main(int argc, char **argv) {
    parse(argc, argv);
    prepare();
    if (fork_b()) {
        meet(1);
        attach(1);
        peer.roundtrip ? echo_all(1) : read_all(1); /* connects the sides; number 0 does not change the sum */
        meet(2);
        end_b(peer.period ? time_all(peer.messages) : peer.roundtrip ? echo_all(peer.messages) : read_all(peer.messages));
    }
    attach(0);
    meet(1);
    peer.roundtrip ? ask_all(1) : send_all(0, 1);
    meet(2);
    if (peer.period)
        pace_all(peer.messages);
    else if (peer.roundtrip)
        ask_all(peer.messages);
    else
        send_all(0, peer.messages);
    end_a();
    return 0;
}
