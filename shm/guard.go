package shm

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// ErrTruncated is for a mapping whose file has become shorter: the memory is gone.
var ErrTruncated = errors.New("segment was truncated under its mapping")

// Guard runs fn and turns a memory fault in it into ErrTruncated. Without it, access to a mapping
// whose file was truncated ends the process with SIGBUS. Put it around a loop, not around each
// message: inside it costs nothing.
//
// It covers the calling goroutine only, not those that fn starts. It cannot tell one mapping from
// another: any fault in fn is taken for a truncation, except a nil pointer, which panics as
// always.
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
