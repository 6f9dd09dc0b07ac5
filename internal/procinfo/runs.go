package procinfo

import (
	"bytes"
	"fmt"
	"os"
)

// Runs reports whether the process pid of this pid namespace runs (which includes sleeping), or
// is stopped: by SIGSTOP, or by Ctrl-Z in its terminal. Both are false when that is unknown:
// there is no such process, /proc does not show it to this user, or a debugger holds it. It
// costs three system calls.
func Runs(pid int) (runs, stopped bool) {
	if pid <= 0 {
		return false, false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, false
	}
	// "pid (command) state ...", where the command may hold any byte, also ")".
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
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
