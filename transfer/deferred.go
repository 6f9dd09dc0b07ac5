package transfer

import (
	"errors"
	"runtime"
	"sync"
)

// deferredUnmap is memory that stays mapped when the end that it belongs to is closed, because
// the user may be in the middle of it: of messages that are not released, of a reservation that is
// not committed. It is unmapped when a call of the user shows that this is over, or when the
// garbage collector finds that nobody has the end any more. Any goroutine may use it.
type deferredUnmap struct {
	mu     sync.Mutex
	unmap  []func() error
	unused bool // the user has no slice of it any more
}

// deferUnmap takes memory over from end, which d belongs to: what unmaps it.
func deferUnmap[T any](end *T, d *deferredUnmap, unmap ...func() error) error {
	if len(unmap) == 0 {
		return nil
	}
	runtime.AddCleanup(end, func(d *deferredUnmap) { d.release() }, d)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unmap = append(d.unmap, unmap...)
	return d.unmapUnused()
}

// release says that the user has no slice any more. A call that finds the end closed makes
// it, maybe before deferUnmap.
func (d *deferredUnmap) release() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unused = true
	return d.unmapUnused()
}

// unmapUnused is called with d.mu held.
func (d *deferredUnmap) unmapUnused() error {
	if !d.unused {
		return nil
	}
	var errs []error
	for _, unmap := range d.unmap {
		errs = append(errs, unmap())
	}
	d.unmap = nil
	return errors.Join(errs...)
}
