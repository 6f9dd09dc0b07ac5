package shm

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// ErrTruncated is for a mapping whose file got shorter: the memory is gone.
var ErrTruncated = errors.New("segment was truncated under its mapping")

// Guard runs fn and turns a memory fault in it into ErrTruncated. Without it,
// touching a mapping whose file somebody truncated ends the process with
// SIGBUS. Put it around a loop, not around a message: it costs nothing inside.
//
// It covers the calling goroutine only, not those that fn starts. It cannot tell
// one mapping from another: any fault in fn that is not a nil pointer, which
// goes on as the panic that it is, is called a truncation.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		fault := recover()
		if fault == nil {
			return
		}
		at, ok := fault.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok { // nil pointers have no address
			panic(fault)
		}
		err = fmt.Errorf("%w (fault at %#x)", ErrTruncated, at.Addr())
	}()
	return fn()
}
