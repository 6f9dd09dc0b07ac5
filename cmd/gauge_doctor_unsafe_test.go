package cmd_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// startFiltered starts a command to which the kernel refuses a call, as the filters of
// some containers do. A process inherits the filter of the thread that makes it.
func startFiltered(t *testing.T, call uintptr, name string, args ...string) *proc {
	t.Helper()
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number, of struct seccomp_data
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}

	var p *proc
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
				err = errno
			}
		}
		if err == nil {
			p, err = startCommand(t, exec.Command(filepath.Join(bin, name), args...), run{Start: (*exec.Cmd).Start})
		}
		started <- err
	}()
	if err := <-started; err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no filter to be had: %v", err)
	}
	return p
}
