package transfer

import (
	"errors"
	"runtime"
	"sync"
)

// deferredUnmap is the memory that outlives the end that it belonged to, because the user may
// be in the middle of it: of messages that are not released, of a reservation that is not
// committed. It is unmapped when the user shows that this is over, or the garbage
// collector that there is no user.
type deferredUnmap struct {
	mu     sync.Mutex
	unmap  []func() error
	unused bool // the user has no slice of it any more
}

// keep takes memory over from end, which l belongs to: what unmaps it.
func keep[T any](end *T, l *deferredUnmap, unmap ...func() error) error {
	if len(unmap) == 0 {
		return nil
	}
	runtime.AddCleanup(end, func(l *deferredUnmap) { l.drop() }, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unmap = append(l.unmap, unmap...)
	return l.unmapUnused()
}

// drop says that the user has no slice any more. A call that finds the end closed makes
// it, maybe before keep.
func (l *deferredUnmap) drop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unused = true
	return l.unmapUnused()
}

// unmapUnused is called with l.mu held.
func (l *deferredUnmap) unmapUnused() error {
	if !l.unused {
		return nil
	}
	var errs []error
	for _, unmap := range l.unmap {
		errs = append(errs, unmap())
	}
	l.unmap = nil
	return errors.Join(errs...)
}
