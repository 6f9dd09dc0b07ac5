package doctor

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"sluice/internal/format"
	"sluice/transfer"
)

const (
	// minDescriptors is the fewest that transfer mode works well with.
	minDescriptors = 128

	// fewDescriptors is what a producer uses up in some 40 ms (10 us a message, docs/transfer.md)
	// when its consumer stops. The messages after that are copied once more.
	fewDescriptors = 4096
)

const moreDescriptors = "raise the hard limit: ulimit -n 65536 as root, nofile in /etc/security/limits.conf, LimitNOFILE= of a unit, or docker run --ulimit nofile=65536"

// descriptors checks how many buffers can be in flight in transfer mode: each takes a
// descriptor.
func descriptors(m *machine) Finding {
	limit, err := m.files()
	if err != nil {
		return note("", "unknown: %v", err)
	}
	// Go has raised the soft limit to the hard one before main began, here and in
	// the producer.
	n := limit.Cur
	const fix = moreDescriptors
	switch {
	case n < minDescriptors:
		return problem(fix, "%d a process (the hard limit counts): transfer mode needs at least %d", n, minDescriptors)
	case n < fewDescriptors:
		return note("pack messages (producer --buffer 64KiB); or "+fix,
			"%s a process (the hard limit counts): at most %s buffers in flight in transfer mode, %s; the rest of the queue is copied once more",
			count(n), count(transfer.MaxDescriptors(n)), m.socketDescriptors(n))
	}
	return ok("%s a process (the hard limit counts): at most %s buffers in flight in transfer mode, %s", count(n), count(transfer.MaxDescriptors(n)), m.socketDescriptors(n))
}

// socketDescriptors says how many descriptors may be in sockets before sendmsg(2) fails with
// ETOOMANYREFS: the kernel counts those of all processes of this user together.
func (m *machine) socketDescriptors(n uint64) string {
	if m.privileged() {
		return "in sockets any number (privileged user)"
	}
	return fmt.Sprintf("in sockets %s for all processes of this user together", count(n))
}

// privileged reports whether the kernel exempts this process from ETOOMANYREFS. It asks
// for CAP_SYS_RESOURCE or CAP_SYS_ADMIN in the first user namespace; those of a
// container of its own users do not count.
func (m *machine) privileged() bool {
	const admin, resource = 1 << 21, 1 << 24
	for line := range strings.Lines(m.read("/proc/self/status")) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			have, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && have&(admin|resource) != 0 && m.namespace("user") == firstUser
		}
	}
	return false
}

func count(n uint64) string {
	if n > math.MaxInt64/2 {
		return "any number"
	}
	return format.Count(n)
}

// openFiles checks the limit of the machine, which all users share.
func openFiles(m *machine) Finding {
	fields := strings.Fields(m.read("/proc/sys/fs/file-nr")) // open, free, most
	if len(fields) != 3 {
		return note("", "unknown: no /proc/sys/fs/file-nr")
	}
	used, err := strconv.ParseUint(fields[0], 10, 64)
	most, err2 := strconv.ParseUint(fields[2], 10, 64)
	if err != nil || err2 != nil {
		return note("", "unknown: /proc/sys/fs/file-nr says %q", fields)
	}
	if used >= most/10*9 {
		return problem("as root: sysctl fs.file-max=..., or find out which processes hold them: lsof", "%s of at most %s on this machine: soon no process can open a file", count(used), count(most))
	}
	return ok("%s of at most %s on this machine", count(used), count(most))
}
