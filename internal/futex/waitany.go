package futex

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Word is a futex word in memory that processes share, and the value with which to sleep on it.
type Word struct {
	Addr  *uint32
	Value uint32
}

// WaitAny is Wait on several words, each of another address: it sleeps while all of them have
// their values. The sleep is never a raw one, because futex_waitv(2) begins again after a signal.
//
// Where the kernel has no futex_waitv, or for more than MaxWords words, each word has a goroutine
// that sleeps on it. They may sleep on when WaitAny has returned, until Unwatch ends them: until
// then nobody sleeps on one of the words with another Waiter.
func (w *Waiter) WaitAny(words []Word, interrupts uint32, timeout time.Duration) (Result, error) {
	if len(words) <= MaxWords && !noWaitv.Load() {
		w.vector = append(w.vector[:0], privateEntry(&w.interrupts, interrupts))
		for _, word := range words {
			w.vector = append(w.vector, sharedEntry(word.Addr, word.Value))
		}
		switch errno := waitv(w.vector, timeout); errno {
		case 0, unix.EINTR, unix.EAGAIN, unix.ETIMEDOUT, unix.EFAULT:
			return result(errno)
		case unix.ENOSYS, unix.EPERM, unix.EINVAL: // as in Wait
			noWaitv.Store(true)
		}
	}
	if err := w.watch(words); err != nil {
		return OK, err
	}
	return result(waitPrivate(&w.interrupts, interrupts, timeout))
}

// TryWaitAny returns why WaitAny needs a goroutine for each word in this process; nil if it does
// not.
func TryWaitAny() error {
	word := new(uint32)
	errno := waitv([]futexWaiter{sharedEntry(word, 1), privateEntry(word, 1)}, 0)
	runtime.KeepAlive(word)
	if errno == unix.EAGAIN { // the word has another value
		return nil
	}
	return os.NewSyscallError("futex_waitv", errno)
}

// A watcher sleeps on one word on a goroutine of its own, and interrupts the Waiter that it is
// for when it is woken.
//
// It sleeps on when the Waiter has been woken by something else and waits again. It need not
// learn of the new value of its word then: once it sleeps in the kernel, a wake ends the sleep
// whatever the value is, and before that the old value does. But it may take a wake that is for
// another sleeper. So there is no other: whoever sleeps on the word, by Wait or by WaitAny, does it
// with the Waiter of the watcher, which passes the wake on.
type watcher struct {
	waiter *Waiter     // its own
	busy   atomic.Bool // it has a value to sleep on, and has not interrupted since
	values chan uint32 // to sleep on; closed at the end
	ended  atomic.Bool
	err    atomic.Pointer[error]
}

// watch lets a watcher sleep on each of words, and ends those of other words.
func (w *Waiter) watch(words []Word) error {
	if w.watchers == nil {
		w.watchers = map[*uint32]*watcher{}
	}
	if len(w.watchers) > 0 {
		w.unwatchOthers(words)
	}
	for _, word := range words {
		s := w.watchers[word.Addr]
		if s == nil {
			s = &watcher{waiter: NewWaiter(), values: make(chan uint32, 1)}
			w.watchers[word.Addr] = s
			go s.run(word.Addr, w)
		}
		if err := s.err.Load(); err != nil {
			w.Forget(word.Addr)
			return *err
		}
		if !s.busy.Load() {
			s.busy.Store(true)
			s.values <- word.Value
		}
	}
	return nil
}

func (w *Waiter) unwatchOthers(words []Word) {
	wanted := make(map[*uint32]bool, len(words))
	for _, word := range words {
		wanted[word.Addr] = true
	}
	for addr := range w.watchers {
		if !wanted[addr] {
			w.Forget(addr)
		}
	}
}

// Forget ends the goroutine that sleeps on a word, if there is one: another word may be mapped at
// its address later. The memory of the word is still mapped.
func (w *Waiter) Forget(addr *uint32) {
	if s := w.watchers[addr]; s != nil {
		s.end()
		delete(w.watchers, addr)
	}
}

// Unwatch ends the goroutines that WaitAny has started. The memory of the words is still mapped.
func (w *Waiter) Unwatch() { w.unwatchOthers(nil) }

func (s *watcher) end() {
	s.ended.Store(true)
	close(s.values)
	s.waiter.Interrupt()
}

// watchInterval bounds a sleep of a watcher: when the word is no longer mapped, nothing else ends
// it.
const watchInterval = time.Second

func (s *watcher) run(addr *uint32, owner *Waiter) {
	for value := range s.values {
		for {
			interrupts := s.waiter.Interrupts()
			if s.ended.Load() {
				return
			}
			got, err := s.waiter.Wait(addr, value, interrupts, watchInterval, false)
			if err != nil {
				s.err.Store(&err)
			}
			if err != nil || got != TimedOut {
				break
			}
		}
		s.busy.Store(false) // before the interrupt: who knows of that finds it
		owner.Interrupt()
	}
}
