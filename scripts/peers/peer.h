/* peer.h: shared by the peer programs: the command line, two processes, each pinned to a
 * processor, and their clocks. payload.h has the content of messages.
 *
 *   PEER throughput BYTES MESSAGES CPU_A CPU_B
 *   PEER roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
 *   PEER paced BYTES MESSAGES CPU_A CPU_B RATE
 *
 * A sends MESSAGES to B, or sends each and waits for its echo, sleeping or, with spin,
 * spinning, or sends RATE a second, sleeping until each is due. It prints one line:
 * seconds, and processor seconds of both sides, from when both are ready until the last
 * message was read; for paced also the median and the 99th percentile of the responses,
 * from when a message was due until it was read, us; or the word "unsupported".
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
    double half, most;  /* of the responses of a paced job, us: median and 99th percentile */
};

static struct {
    int roundtrip, spin;
    size_t bytes;
    uint64_t messages;
    uint64_t period; /* ns between two messages of a paced job, 0 = another job */
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

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* the same in both processes */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline double now(void) { return (double)now_ns() / 1e9; }

static inline double used(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static inline void parse(int argc, char **argv) {
    int paced = argc == 7 && strcmp(argv[1], "paced") == 0;
    if (argc >= 6) {
        peer.roundtrip = strcmp(argv[1], "roundtrip") == 0;
        peer.bytes = strtoull(argv[2], NULL, 10);
        peer.messages = strtoull(argv[3], NULL, 10);
        peer.cpu[0] = atoi(argv[4]);
        peer.cpu[1] = atoi(argv[5]);
        peer.spin = argc == 7 && strcmp(argv[6], "spin") == 0;
        uint64_t rate = paced ? strtoull(argv[6], NULL, 10) : 0;
        peer.period = rate ? 1000000000 / rate : 0;
    }
    if (argc - peer.spin - paced != 6 || (!peer.roundtrip && !paced && strcmp(argv[1], "throughput") != 0) ||
        (paced && (peer.spin || peer.period == 0)) || peer.bytes == 0 || peer.messages == 0) {
        fprintf(stderr,
                "usage: %s throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]\n"
                "       %s paced BYTES MESSAGES CPU_A CPU_B RATE\n",
                argv[0], argv[0]);
        exit(2);
    }
    if (peer.bytes % 8 != 0) unsupported();
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

/* stop_clocks is called in B after the last message. */
static inline void stop_clocks(void) {
    peer.shared->ended = now();
    peer.shared->used = used() - peer.used;
}

/* end_b ends B: sum is the sum of all words read. */
static inline void end_b(uint64_t sum) {
    if (!peer.period) stop_clocks(); /* else before the responses are sorted */
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
    printf("%.6f %.6f", (peer.roundtrip ? ended : peer.shared->ended) - peer.began, used() - peer.used + peer.shared->used);
    if (peer.period) printf(" %.3f %.3f", peer.shared->half, peer.shared->most);
    puts("");
}
#endif
