package procinfo

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// Runs reports whether the process pid of this pid namespace runs (which includes sleeping), or
// is stopped: by SIGSTOP, or by Ctrl-Z in its terminal. Both are false when that is unknown:
// there is no such process, /proc does not show it to this user, or a debugger holds it. It
// costs three system calls.
func Runs(pid int) (runs, stopped bool) {
	if pid <= 0 {
		return false, false
	}
	var buf [statLen]byte
	n := readStat(buf[:], pid)
	// "pid (command) state ...", where the command may hold any byte, also ")".
	rest := buf[bytes.LastIndexByte(buf[:n], ')')+1 : n]
	if len(rest) < 2 {
		return false, false
	}
	switch rest[1] {
	case 'T':
		return false, true
	case 'R', 'S', 'D':
		return true, false
	}
	return false, false // t: traced; Z, X: dead
}

// statLen is enough for the beginning of /proc/PID/stat: a pid of at most 10 digits, a command of
// at most 64 bytes (TASK_COMM_LEN is 16, workers of the kernel have longer names), the state, and
// numbers, which hold no ")".
const statLen = 128

// readStat reads the beginning of /proc/PID/stat into buf and returns its length, 0 if it cannot be
// read. A read by package os would cost ten system calls.
func readStat(buf []byte, pid int) (n int) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	n, _ = unix.Read(fd, buf)
	return max(0, n)
}
