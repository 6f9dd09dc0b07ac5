/* futex_words: a round trip on two shared words, each a futex: the minimum for every
 * peer that sleeps. With spin it is the round trip of a cache line between the
 * processors, the minimum for every peer that spins.
 *
 *   gcc -O3 -std=c99 scripts/peers/futex_words.c -o futex_words
 *   ./futex_words roundtrip 8 MESSAGES CPU_A CPU_B [spin]
 */
#include "peer.h"
#include <linux/futex.h>
#include <sys/syscall.h>

struct word {
    uint64_t value; /* messages so far; its low half is the futex */
    char apart[120]; /* keeps the words apart: processors fetch lines in pairs */
};

static void set(struct word *w, uint64_t value) {
    __atomic_store_n(&w->value, value, __ATOMIC_SEQ_CST);
    if (!peer.spin) must(syscall(SYS_futex, &w->value, FUTEX_WAKE, 1, NULL, NULL, 0));
}

/* await returns when the word has passed value. */
static uint64_t await(struct word *w, uint64_t value) {
    uint64_t got;
    while ((got = __atomic_load_n(&w->value, __ATOMIC_SEQ_CST)) == value)
        if (!peer.spin) syscall(SYS_futex, &w->value, FUTEX_WAIT, (uint32_t)value, NULL, NULL, 0);
    return got;
}

int main(int argc, char **argv) {
    parse(argc, argv);
    if (!peer.roundtrip || peer.bytes != 8) unsupported();
    struct word *there = (struct word *)shared_memory(2 * sizeof *there), *back = there + 1;

    if (fork_b()) {
        meet(1);
        uint64_t sum = 0;
        for (uint64_t i = 0; i < peer.messages; i++) {
            sum += await(there, i) - 1;
            set(back, i + 1);
        }
        end_b(sum);
    }
    meet(1);
    for (uint64_t i = 0; i < peer.messages; i++) {
        set(there, i + 1);
        await(back, i);
    }
    end_a();
    return 0;
}
