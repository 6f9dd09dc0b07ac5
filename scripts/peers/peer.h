/* peer.h: shared by the peer programs: the command line, two processes, each pinned to a
 * processor, and their clocks. payload.h has the content of messages.
 *
 *   PEER throughput BYTES MESSAGES CPU_A CPU_B
 *   PEER roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
 *
 * A sends MESSAGES to B, or sends each and waits for its echo, sleeping or, with spin,
 * spinning. It prints one line: seconds, and processor seconds of both sides, from when
 * both are ready until the last message was read; or the word "unsupported".
 */
#ifndef PEER_H
#define PEER_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "payload.h"
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
    uint32_t met;       /* sides that have called meet */
    uint32_t done;      /* B has succeeded */
    uint32_t over;      /* A has finished */
    double ended, used; /* B's clock and processor seconds */
};

static struct {
    int roundtrip, spin;
    size_t bytes;
    uint64_t messages;
    int cpu[2];
    pid_t child; /* B, as A sees it */
    double began, used;
    struct shared *shared;
} peer;

#define must(call) must_((long)(call), #call)
static inline long must_(long got, const char *what) {
    if (got == -1) {
        perror(what);
        exit(1);
    }
    return got;
}

static inline void unsupported(void) {
    puts("unsupported");
    exit(0);
}

static inline double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* the same in both processes */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline double used(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static inline void parse(int argc, char **argv) {
    if (argc >= 6) {
        peer.roundtrip = strcmp(argv[1], "roundtrip") == 0;
        peer.bytes = strtoull(argv[2], NULL, 10);
        peer.messages = strtoull(argv[3], NULL, 10);
        peer.cpu[0] = atoi(argv[4]);
        peer.cpu[1] = atoi(argv[5]);
        peer.spin = argc == 7 && strcmp(argv[6], "spin") == 0;
    }
    if (argc - peer.spin != 6 || (!peer.roundtrip && strcmp(argv[1], "throughput") != 0) || peer.bytes == 0 ||
        peer.bytes % 8 != 0 || peer.messages == 0) {
        fprintf(stderr, "usage: %s throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]\n", argv[0]);
        exit(2);
    }
}

static inline void *shared_memory(size_t bytes) {
    return (void *)must(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static inline void child_ended(int sig) {
    (void)sig;
    if (!__atomic_load_n(&peer.shared->done, __ATOMIC_ACQUIRE)) _exit(1); /* B has printed an error */
}

/* fork_b starts B and pins both sides. It returns 1 in B and 0 in A. */
static inline int fork_b(void) {
    peer.shared = (struct shared *)shared_memory(sizeof *peer.shared);
    signal(SIGCHLD, child_ended);
    pid_t a = getpid();
    peer.child = (pid_t)must(fork());
    int b = peer.child == 0;
    if (b) {
        must(prctl(PR_SET_PDEATHSIG, SIGKILL));
        if (getppid() != a) _exit(1); /* A died before prctl */
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(peer.cpu[b], &set);
    must(sched_setaffinity(0, sizeof set, &set));
    return b;
}

/* meet waits for the other side; time counts the calls. */
static inline void meet(uint32_t time) {
    __atomic_add_fetch(&peer.shared->met, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&peer.shared->met, __ATOMIC_ACQUIRE) < 2 * time)
        sched_yield();
    peer.used = used();
    peer.began = now();
}

/* end_b ends B: sum is the sum of all words read. */
static inline void end_b(uint64_t sum) {
    peer.shared->ended = now();
    peer.shared->used = used() - peer.used;
    uint64_t want = sum_of_all(peer.bytes, peer.messages);
    if (sum != want) {
        fprintf(stderr, "the sum is %llu, not %llu\n", (unsigned long long)sum, (unsigned long long)want);
        _exit(1);
    }
    __atomic_store_n(&peer.shared->done, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&peer.shared->over, __ATOMIC_ACQUIRE))
        usleep(100); /* a library's thread may still be sending the last echo */
    _exit(0);
}

/* end_a ends A: it prints the result. */
static inline void end_a(void) {
    double ended = now();
    __atomic_store_n(&peer.shared->over, 1, __ATOMIC_RELEASE);
    must(waitpid(peer.child, NULL, 0));
    printf("%.6f %.6f\n", (peer.roundtrip ? ended : peer.shared->ended) - peer.began, used() - peer.used + peer.shared->used);
}
#endif
