// Package procinfo reads what the kernel shows of processes: the namespaces of this one, and
// whether another one runs.
package procinfo

import (
	"sync"

	"golang.org/x/sys/unix"
)

// PIDNamespace returns the number of the pid namespace that this process is in: the
// inode of /proc/self/ns/pid. Two processes with the same number understand each
// other's process ids; a container has a number of its own. It is 0 where it cannot be
// known, as without /proc, and stays the same for the life of the process.
func PIDNamespace() uint64 { return pidNamespace() }

// TimeNamespace returns the number of the time namespace that this process is in: the
// inode of /proc/self/ns/time. Only processes with the same number read the same
// CLOCK_MONOTONIC. It is 0 where it cannot be known, as before Linux 5.6, and stays the same for
// the life of the process.
func TimeNamespace() uint64 { return timeNamespace() }

var (
	pidNamespace  = sync.OnceValue(func() uint64 { return namespace("pid") })
	timeNamespace = sync.OnceValue(func() uint64 { return namespace("time") })
)

// namespace returns the inode of a namespace of this process, or 0.
func namespace(kind string) uint64 {
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/"+kind, &st) != nil {
		return 0
	}
	return st.Ino
}
