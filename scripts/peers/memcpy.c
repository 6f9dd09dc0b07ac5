/* memcpy: A fills a buffer and B copies it into one of its own, in turn: how fast data gets
 * out of the cache of another core, and how fast lines are written that it has read.
 *
 *   gcc -O3 -std=c99 scripts/peers/memcpy.c -o memcpy
 *   ./memcpy throughput BYTES MESSAGES CPU_A CPU_B
 *
 * A core's cache must have room for two buffers of BYTES. Instead of the output of peer.h
 * it prints the seconds that B copied and that A filled.
 */
#include "peer.h"

static struct turns {
    uint64_t filled, copied; /* buffers so far */
    double filling, copying; /* seconds */
} *turns;

static void await(uint64_t *count, uint64_t value) {
    while (__atomic_load_n(count, __ATOMIC_ACQUIRE) != value) {
    }
}

int main(int argc, char **argv) {
    parse(argc, argv);
    turns = (struct turns *)shared_memory(sizeof *turns);
    char *buffer = (char *)shared_memory(peer.bytes);

    if (fork_b()) {
        char *own = (char *)shared_memory(peer.bytes); /* aligned to pages */
        memset(own, 1, peer.bytes); /* its first use allocates the memory */
        meet(1);
        uint64_t sum = 0;
        for (uint64_t i = 0; i < peer.messages; i++) {
            await(&turns->filled, i + 1);
            double began = now();
            memcpy(own, buffer, peer.bytes);
            turns->copying += now() - began;
            sum += words(own, peer.bytes);
            __atomic_store_n(&turns->copied, i + 1, __ATOMIC_RELEASE);
        }
        end_b(sum);
    }
    memset(buffer, 1, peer.bytes);
    meet(1);
    for (uint64_t i = 0; i < peer.messages; i++) {
        double began = now();
        fill(buffer, peer.bytes, i);
        turns->filling += now() - began;
        __atomic_store_n(&turns->filled, i + 1, __ATOMIC_RELEASE);
        await(&turns->copied, i + 1);
    }
    __atomic_store_n(&peer.shared->over, 1, __ATOMIC_RELEASE);
    must(waitpid(peer.child, NULL, 0));
    printf("%.6f %.6f\n", turns->copying, turns->filling);
    return 0;
}
