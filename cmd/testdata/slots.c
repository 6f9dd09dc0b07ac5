/* Either end of a ring of fixed slots, from what docs/layout.md and docs/protocol.md say: a test runs
   it against Go. It counts from 0 in the id of each value, or checks that the other side does.

   slots producer NAME COUNT   publish so many values, then end the stream
   slots consumer NAME         take values until the end of the stream, and print how many there were

   Exit codes: 1 something failed, 2 usage, 3 a value is not the next one, 4 the role is taken, 6 not
   a ring of these values. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct tick { /* Go: struct { ID uint64; Pos [3]float32; _ uint32; Name [16]byte } */
	uint64_t id;
	float pos[3];
	uint32_t padding;
	uint8_t name[16];
};
#define TICK_FINGERPRINT 0x1dbeb6e5cefb9898 /* u64,f32[3],u8[16]@24 */

typedef _Atomic uint64_t word;
enum { PRODUCER, CONSUMER, JOIN };
enum { BLOCKING = 2, CLOSED = 4, COMPLETE = 1, FULL = 2 };

/* Fields of a role. */
#define CURSOR(role, at) field(0x100 + 0x80 * (role) + (at))
#define INDEX(role) CURSOR(role, 0)
#define SAMPLES(role) CURSOR(role, 0x28)
#define SLEEP(role, at) field(0x200 + 0x80 * (role) + (at))
#define FLAG(role) SLEEP(role, 0)
#define STATS(role, at) field(0x400 + 0x200 * (role) + (at))

static char *mem;
static int fd;
static char path[128];
static uint64_t slots, bound, sleeps, blocked;

static word *field(size_t at) { return (word *)(mem + at); }
static struct tick *slot(uint64_t k) { return (struct tick *)(mem + *field(0x30)) + k % slots; }

static void die(int code, const char *what)
{
	fprintf(stderr, "%s: %s (%s)\n", path, what, strerror(errno));
	exit(code);
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int lock(int command, int type, int byte)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	int err = fcntl(fd, command, &l);
	return command == F_OFD_GETLK ? err == 0 && l.l_type != F_UNLCK : err;
}

static long futex(word *w, int op, uint32_t value, struct timespec *timeout)
{
	return syscall(SYS_futex, w, op, value, timeout, NULL, 0); /* the low half comes first */
}

/* reached compares positions, which begin anywhere. */
static int reached(uint64_t index, uint64_t want) { return (int64_t)(index - want) >= 0; }

/* settle ends the account of a sleep. */
static void settle(int role)
{
	int64_t since = *STATS(role, 0x48);
	blocked = since;
	if (since < 0) {
		uint64_t until = *STATS(role, 0x50), end;
		*STATS(role, 0x50) = 0;
		end = now();
		blocked = since + (until && until < end ? until : end);
		*STATS(role, 0x48) = blocked;
	}
}

static void join(const char *name, int role)
{
	struct stat file, named;
	snprintf(path, sizeof path, "/dev/shm/sluice.%s", name);
	while ((fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)) < 0)
		usleep(1000);
	lock(F_OFD_SETLKW, F_WRLCK, JOIN);
	if (lock(F_OFD_SETLK, F_WRLCK, role) < 0)
		die(4, "role is taken");
	if (fstat(fd, &file) || lstat(path, &named) || file.st_ino != named.st_ino || file.st_dev != named.st_dev)
		die(1, "removed meanwhile");
	lock(F_OFD_SETLK, F_UNLCK, JOIN);

	mem = mmap(NULL, file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		die(1, "mmap");
	uint64_t capacity = *field(0x20), size = *field(0x40), fingerprint = *field(0x48);
	if (memcmp(mem, "sluice\r\n", 8) || *field(0x08) != 8 || *field(0x10) != 65536 || *field(0x18) != 1)
		die(6, "not a ring of version 8");
	if (size != sizeof(struct tick) || (fingerprint && fingerprint != TICK_FINGERPRINT))
		die(6, "of another type");
	slots = capacity / size;
	bound = *field(0x28) && *field(0x28) < slots ? *field(0x28) : slots;
	if (slots * size != capacity || slots & (slots - 1) || *field(0x30) != 65536 ||
	    file.st_size != (off_t)(65536 + (capacity + 4095) / 4096 * 4096) ||
	    *INDEX(PRODUCER) - *INDEX(CONSUMER) > slots)
		die(6, "corrupt");

	*FLAG(role) = 0;
	settle(role);
	if (role == PRODUCER) /* samples of a publish that never happened */
		while (*SAMPLES(PRODUCER) != *SAMPLES(CONSUMER) &&
		       reached(*field(0x8000 + (*SAMPLES(PRODUCER) - 1) % 1024 * 32), *INDEX(PRODUCER)))
			--*SAMPLES(PRODUCER);
	*STATS(role, 0x00) = getpid();
	*STATS(role, 0x08) = *STATS(role, 0x10) = 0; /* namespaces: unknown */
	*STATS(role, 0x18) = geteuid();
	*STATS(role, 0x28) = FULL;
	*STATS(role, 0x38) = *STATS(role, 0x40) = now();
	*STATS(role, 0x78) = 0;
	*STATS(role, 0x80) = 0;
	if (role == PRODUCER)
		*STATS(role, 0x118) = 1; /* it waits */
	*STATS(role, 0x20) = 1;
	++*STATS(role, 0x30); /* the last */
}

/* publish moves the own index, with a full fence, and wakes the peer if that is what it waits for. */
static void publish(int role, uint64_t index)
{
	int peer = !role;
	*INDEX(role) = index;
	uint64_t sleep = *FLAG(peer);
	if (sleep && reached(index, *SLEEP(peer, 8)) && reached(index, *SLEEP(peer, 16)) &&
	    atomic_compare_exchange_strong(FLAG(peer), &sleep, 0)) {
		futex(INDEX(role), FUTEX_WAKE, 1, NULL);
		++*STATS(role, 0x68);
	}
}

/* ended says that the producer has closed, and that there is no message after index. */
static int ended(int role, uint64_t index)
{
	return role == CONSUMER && *STATS(PRODUCER, 0x20) == CLOSED && *INDEX(PRODUCER) == index;
}

/* await sleeps until the peer's index has reached want, or the stream has ended before it. */
static int await(int role, uint64_t want)
{
	int peer = !role, there;
	if (reached(*INDEX(peer), want))
		return 1;
	uint64_t began = now();
	*STATS(role, 0x40) = began;
	*STATS(role, 0x50) = began + 1000000000;
	*STATS(role, 0x48) = blocked - began;
	++*STATS(role, 0x58);
	*STATS(role, 0x20) = BLOCKING;
	*SLEEP(role, 8) = *SLEEP(role, 16) = want;
	for (;;) {
		struct timespec timeout = {0, *STATS(peer, 0x28) == FULL ? 100000000 : 1000000};
		*FLAG(role) = sleeps = now() > sleeps ? now() : sleeps + 1;
		uint64_t seen = *INDEX(peer);
		if ((there = reached(seen, want)) || ended(role, want - 1))
			break;
		futex(INDEX(peer), FUTEX_WAIT, (uint32_t)seen, &timeout);
		*STATS(role, 0x50) = now() + 1000000000;
		*STATS(role, 0x40) = now();
	}
	*FLAG(role) = 0;
	settle(role);
	*STATS(role, 0x20) = 1;
	return there;
}

static void leave(int role)
{
	*STATS(role, 0x40) = now();
	if (role == PRODUCER) {
		*STATS(role, 0x80) = COMPLETE;
		*STATS(role, 0x20) = CLOSED;
		for (int try = 0; *FLAG(CONSUMER) && futex(INDEX(role), FUTEX_WAKE, 1, NULL) == 0 && try < 10; try++)
			usleep(100);
	}
	lock(F_OFD_SETLKW, F_WRLCK, JOIN);
	uint64_t seen = *STATS(CONSUMER, 0x20);
	int died = role == PRODUCER && seen != 0 && seen != CLOSED; /* its successor is to be told of the end */
	int keep = *STATS(PRODUCER, 0x78) || *STATS(CONSUMER, 0x78);
	if (!lock(F_OFD_GETLK, F_WRLCK, !role) && *INDEX(PRODUCER) == *INDEX(CONSUMER) && !died && !keep)
		unlink(path);
	if (role == CONSUMER) {
		*STATS(role, 0x90) = *STATS(PRODUCER, 0x30);
		*STATS(role, 0x88) = *STATS(PRODUCER, 0x88);
		*STATS(role, 0x20) = CLOSED;
	}
	exit(0); /* which releases both locks */
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "producer")) {
		join(argv[2], PRODUCER);
		uint64_t first = *INDEX(PRODUCER), count = strtoull(argv[3], NULL, 10);
		for (uint64_t k = first; k < first + count; k++) {
			await(PRODUCER, k + 1 - bound);
			*slot(k) = (struct tick){.id = k, .pos = {k, 1, 2}, .name = "from C"};
			publish(PRODUCER, k + 1);
		}
		leave(PRODUCER);
	}
	if (argc == 3 && !strcmp(argv[1], "consumer")) {
		join(argv[2], CONSUMER);
		uint64_t k = *INDEX(CONSUMER), first = k;
		for (; await(CONSUMER, k + 1); publish(CONSUMER, ++k)) {
			struct tick t = *slot(k);
			if (t.id != k || t.pos[1] != 1 || t.name[0] == 0)
				die(3, "not the next value");
		}
		printf("%llu values\n", (unsigned long long)(k - first));
		leave(CONSUMER);
	}
	fprintf(stderr, "usage: slots producer NAME COUNT | consumer NAME\n");
	return 2;
}
