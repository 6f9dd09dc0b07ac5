/* memfd_pass: one memfd a message, passed over a Unix socket by SCM_RIGHTS, the
 * straight way: no seals, no checks, no accounts, no packing, no recycling. It is
 * what transfer mode is measured against.
 *
 *   gcc -O2 scripts/peers/memfd_pass.c -o memfd_pass
 *   ./memfd_pass [BYTES [MESSAGES [SENDER_CPU RECEIVER_CPU]]]
 *
 * For each message the sender does memfd_create, ftruncate, mmap, fill, munmap,
 * sendmsg, close; the receiver recvmsg, mmap, read, munmap, close. Every
 * byte is written and read; the sum is checked. It prints thousands of messages a
 * second.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define must(call) ({ long got = (long)(call); if (got == -1) { perror(#call); exit(1); } got; })

union control {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void *map(int fd, size_t bytes, int prot) {
    return (void *)must(mmap(NULL, bytes, prot, MAP_SHARED, fd, 0));
}

static void send_one(int sock, size_t bytes, uint32_t number) {
    int fd = must(memfd_create("message", MFD_CLOEXEC));
    must(ftruncate(fd, bytes));
    char *p = map(fd, bytes, PROT_READ | PROT_WRITE);
    memset(p, (char)number, bytes);
    memcpy(p, &number, sizeof number);
    munmap(p, bytes);

    union control control = {0};
    struct iovec iov = {&bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    must(sendmsg(sock, &msg, 0));
    close(fd);
}

static uint32_t receive_one(int sock, uint64_t *sum) {
    size_t bytes;
    union control control;
    struct iovec iov = {&bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    must(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC));
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
    char *p = map(fd, bytes, PROT_READ);
    uint32_t number;
    memcpy(&number, p, sizeof number);
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        *sum += word;
    }
    munmap(p, bytes);
    close(fd);
    return number;
}

int main(int argc, char **argv) {
    size_t bytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 4;
    uint32_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
    if (bytes < 4 || n == 0) {
        fprintf(stderr, "memfd_pass: at least 4 BYTES and 1 message\n");
        return 2;
    }
    int sock[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));

    pid_t receiver = must(fork());
    if (receiver == 0) {
        if (argc > 4) pin(atoi(argv[4]));
        uint64_t sum = 0;
        for (uint32_t i = 0; i < n; i++)
            if (receive_one(sock[1], &sum) != i) {
                fprintf(stderr, "memfd_pass: message %u is not what was sent\n", i);
                return 1;
            }
        fprintf(stderr, "%s", sum == 1 ? " " : ""); /* the sum is used */
        return 0;
    }
    if (argc > 3) pin(atoi(argv[3]));
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (uint32_t i = 0; i < n; i++)
        send_one(sock[0], bytes, i);
    int status;
    must(waitpid(receiver, &status, 0));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (status != 0) return 1;
    double s = (ended.tv_sec - began.tv_sec) + (ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("%.1f\n", n / s / 1e3);
    return 0;
}
