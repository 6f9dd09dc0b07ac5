// Package seccomp makes the kernel refuse system calls, as the sandboxes of some
// containers do. It is for tests.
package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrUnavailable: the kernel does not accept a seccomp filter.
var ErrUnavailable = errors.New("seccomp filters are not available")

// Rule is what is refused: a system call, or only such calls of it of which an argument
// has a certain value.
type Rule struct {
	number uint32
	arg    int    // number of the argument, from 1; 0 = none matters
	mask   uint32 // the bits of it that matter
	value  uint32 // what they are
}

// Call refuses a system call.
func Call(number uint32) Rule { return Rule{number: number} }

// CallWith refuses those calls of which argument arg, counted from 1, has that value.
func CallWith(number uint32, arg int, value uint32) Rule {
	return CallWithBits(number, arg, ^uint32(0), value)
}

// CallWithBits is CallWith that looks at those bits of the argument only that are in mask.
func CallWithBits(number uint32, arg int, mask, value uint32) Rule {
	return Rule{number, arg, mask, value}
}

// Refuse makes the kernel answer what the rules describe with errno, without doing it, in
// this process and for good. With errno 0 it says that it did.
func Refuse(errno unix.Errno, rules ...Rule) error {
	return install(unix.SECCOMP_FILTER_FLAG_TSYNC, errno, rules)
}

// Under runs fn on a thread for which Refuse holds, and no other. What fn starts (goroutines
// are no part of it, processes are) is refused the same.
func Under(errno unix.Errno, fn func(), rules ...Rule) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here, and the filter with it
		err := install(0, errno, rules)
		if err == nil {
			fn()
		}
		done <- err
	}()
	return <-done
}

func install(flags uintptr, errno unix.Errno, rules []Rule) error {
	program := compile(errno, rules)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%w: no new privileges: %w", ErrUnavailable, err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("%w: seccomp: %w", ErrUnavailable, errno)
	}
	return nil
}

// compile writes the rules for the kernel's filter machine. It looks at struct
// seccomp_data: the number at 0, the arguments from 16 on, 8 bytes each.
func compile(errno unix.Errno, rules []Rule) (program []unix.SockFilter) {
	add := func(code uint16, k uint32, otherwise uint8) {
		program = append(program, unix.SockFilter{Code: code, K: k, Jf: otherwise})
	}
	for _, r := range rules {
		add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0)
		if r.arg == 0 {
			add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.number, 1)
		} else {
			add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.number, 4)
			add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, uint32(16+8*(r.arg-1)), 0)
			add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, r.mask, 0)
			add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, r.value, 1)
		}
		add(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(errno), 0)
	}
	add(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW, 0)
	return program
}
