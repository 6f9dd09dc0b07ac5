/* memfd_pass: one memfd per message, passed over a Unix socket by SCM_RIGHTS, without
 * seals, checks, counters, packing or recycling: the baseline for transfer mode.
 *
 *   gcc -O3 -std=c99 scripts/peers/memfd_pass.c -o memfd_pass
 *   ./memfd_pass throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
 *
 * For each message the sender does memfd_create, ftruncate, mmap, fill, munmap,
 * sendmsg, close; the receiver recvmsg, mmap, read, munmap, close.
 */
#include "loops.h"
#include <errno.h>
#include <sys/socket.h>

static int ends[2]; /* A's and B's; both are bidirectional */
static int fd;
static char *message;

static char *map(int prot) { return (char *)must(mmap(NULL, peer.bytes, prot, MAP_SHARED, fd, 0)); }

static void prepare(void) {
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (peer.spin ? SOCK_NONBLOCK : 0), 0, ends));
}

static void attach(int b) { (void)b; }

static char *room(int way) {
    (void)way;
    fd = must(memfd_create("message", MFD_CLOEXEC));
    must(ftruncate(fd, peer.bytes));
    return message = map(PROT_READ | PROT_WRITE);
}

union control {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static void give(int way) {
    munmap(message, peer.bytes);
    union control control = {{0}};
    struct iovec iov = {&peer.bytes, sizeof peer.bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    ssize_t n;
    do
        n = sendmsg(ends[way], &msg, 0);
    while (n < 0 && errno == EAGAIN);
    must(n);
    close(fd);
}

static char *take(int way) {
    size_t bytes;
    union control control;
    struct iovec iov = {&bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n;
    do
        n = recvmsg(ends[!way], &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EAGAIN);
    must(n);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
    return message = map(PROT_READ);
}

static void let_go(int way) {
    (void)way;
    munmap(message, peer.bytes);
    close(fd);
}
