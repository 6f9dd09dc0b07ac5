package doctor

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rule refuses a system call; with an argument, only those calls that have it.
type rule struct {
	call uint32
	arg  int // 0 = any; else the number of the argument, from 1
	is   uint32
}

// under runs fn on a thread for which the kernel refuses calls, as the filters of
// some containers do. The thread ends with it, and with it the filter.
func under(t *testing.T, refused unix.Errno, fn func(), rules ...rule) {
	t.Helper()
	program := []unix.SockFilter{}
	add := func(code uint16, k uint32, jt, jf uint8) {
		program = append(program, unix.SockFilter{Code: code, K: k, Jt: jt, Jf: jf})
	}
	for _, r := range rules {
		add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, 0) // struct seccomp_data: the number,
		if r.arg == 0 {
			add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.call, 0, 1)
		} else {
			add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.call, 0, 3)
			add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, uint32(16+8*(r.arg-1)), 0, 0) // the arguments
			add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.is, 0, 1)
		}
		add(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(refused), 0, 0)
	}
	add(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW, 0, 0)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}

	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
				err = errno
			}
		}
		if err == nil {
			fn()
		}
		failed <- err
	}()
	if err := <-failed; err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no filter to be had: %v", err)
	}
}
