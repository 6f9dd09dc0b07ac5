package doctor

import (
	"fmt"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/format"
)

const (
	// runtimeAddressSpace is the address space that the commands' runtime takes, without a ring
	// (docs/sandbox.md).
	runtimeAddressSpace = 3 << 29

	// threadsPerSide is how many threads a command has at most, as measured.
	threadsPerSide = 12
)

// limits checks how much address space, how large files and how many threads this process, and
// with it both sides, may have. Where Go's runtime cannot get address space or a thread, it ends
// the process with a stack trace, and no command can print an error of its own.
func limits(m *machine) Finding {
	var found, fixes []string
	add := func(fix, text string, args ...any) {
		found, fixes = append(found, fmt.Sprintf(text, args...)), append(fixes, fix)
	}
	report := note
	if n := m.softLimit(unix.RLIMIT_AS); n < math.MaxUint64 {
		add("ulimit -v unlimited", "%s of address space a process: the runtime takes up to %s, a ring twice its --capacity", format.Size(n), format.Size(runtimeAddressSpace))
		if n < runtimeAddressSpace {
			report = problem
		}
	}
	if n := m.softLimit(unix.RLIMIT_FSIZE); n < math.MaxUint64 {
		add("ulimit -f unlimited, LimitFSIZE= of a unit", "files of at most %s: no ring is larger, and no message in transfer mode", format.Size(n))
	}
	if n := m.moreThreads(); n < 2*threadsPerSide {
		add("allow more (ulimit -u, nproc in /etc/security/limits.conf, TasksMax= of a unit, docker run --pids-limit)", "room for %d more threads: two sides need %d", n, 2*threadsPerSide)
		report = problem
	}
	if len(found) == 0 {
		return ok("none on address space and file sizes, and room for threads")
	}
	return report(strings.Join(fixes, "; "), "%s", strings.Join(found, "; "))
}

// softLimit returns a limit of this process, MaxUint64 when there is none or it is not
// known.
func (m *machine) softLimit(resource int) uint64 {
	limit, err := m.rlimit(resource)
	if err != nil {
		return math.MaxUint64
	}
	return limit.Cur
}

// moreThreads returns how many more this user, or the control groups, may have.
func (m *machine) moreThreads() uint64 {
	least := uint64(math.MaxUint64)
	if limit := m.softLimit(unix.RLIMIT_NPROC); limit < math.MaxUint64 && m.uid != 0 && !m.privileged() {
		least = limit - min(m.threadsOf(m.uid), limit)
	}
	dirs, _ := m.cgroups("pids")
	for _, dir := range dirs {
		most, err := strconv.ParseUint(m.read(path.Join(dir, "pids.max")), 10, 64) // else "max"
		now, err2 := strconv.ParseUint(m.read(path.Join(dir, "pids.current")), 10, 64)
		if err == nil && err2 == nil {
			least = min(least, most-min(now, most))
		}
	}
	return least
}

// threadsOf counts the threads of a user's processes, as far as /proc shows them.
func (m *machine) threadsOf(uid int) (n uint64) {
	entries, err := os.ReadDir(m.root + "/proc")
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		owner, count := "", uint64(0)
		for line := range strings.Lines(m.read("/proc/" + e.Name() + "/status")) {
			switch f := strings.Fields(line); {
			case len(f) > 1 && f[0] == "Uid:":
				owner = f[1]
			case len(f) > 1 && f[0] == "Threads:":
				count, _ = strconv.ParseUint(f[1], 10, 64)
			}
		}
		if owner == strconv.Itoa(uid) {
			n += count
		}
	}
	return n
}
