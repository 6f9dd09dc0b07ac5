package doctor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/futex"
	"sluice/layout"
)

// futexes checks that a process that sleeps at a word of shared memory can be woken.
func futexes(m *machine) Finding {
	if err := m.probeFutex(); err != nil {
		return problem("let the container's seccomp profile allow futex without FUTEX_PRIVATE_FLAG; there is no substitute in ring mode", "a sleeping side is not woken: %v", err)
	}
	return ok("one side can sleep at a word of shared memory, and the other wake it")
}

// probeFutex tries every way in which futex.Wait can end.
func probeFutex() (err error) {
	mem, err := unix.Mmap(-1, 0, layout.HeaderSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	defer func() { err = errors.Join(err, os.NewSyscallError("munmap", unix.Munmap(mem))) }()
	h, err := layout.At(mem)
	if err != nil {
		return err
	}
	word := h.Producer.Index.Futex()
	if err := waitEndsWith(word, 1, time.Second, futex.NotEqual); err != nil {
		return err
	}
	if err := waitEndsWith(word, 0, time.Millisecond, futex.TimedOut); err != nil {
		return err
	}
	began, slept := time.Now(), make(chan error, 1)
	go func() {
		var err error
		// A signal ends a wait too, so one is not enough.
		for err == nil && h.Producer.Index.Load() == 0 && time.Since(began) < probeTimeout {
			_, err = futex.Wait(word, 0, probeTimeout)
		}
		slept <- err
	}()
	woken := 0
	for woken == 0 && err == nil && time.Since(began) < probeTimeout {
		if woken, err = futex.Wake(word, 1); woken == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
	// The sleeper has to return before the memory is unmapped.
	h.Producer.Index.Store(1)
	futex.Wake(word, -1)
	err = errors.Join(err, <-slept)
	if err == nil && woken == 0 {
		err = errors.New("no sleeper was there to be woken")
	}
	return err
}

// waitEndsWith expects that a Wait ends with want. A signal may end it before.
func waitEndsWith(word *uint32, val uint32, timeout time.Duration, want futex.Result) error {
	got, err := futex.OK, error(nil)
	for turn := 0; got == futex.OK && err == nil && turn < 1000; turn++ {
		got, err = futex.Wait(word, val, timeout)
	}
	if err == nil && got != want {
		err = fmt.Errorf("a wait ended with %v, not with %v", got, want)
	}
	return err
}

// manyRings checks for futex_waitv(2), with which a consumer sleeps on several rings. Nothing fails
// without it.
func manyRings(m *machine) Finding {
	if err := m.tryWaitAny(); err != nil {
		return note("let the container's seccomp profile allow futex_waitv (Linux 5.16 or newer)",
			"a consumer of several rings needs a thread for each: %v", err)
	}
	return ok("a consumer sleeps on up to %d rings at once; with more it needs a thread for each", futex.MaxWords)
}

// barriers checks for membarrier(2), which makes a publish cheap. Nothing fails without it.
func barriers(m *machine) Finding {
	switch {
	case !m.storesOvertaken:
		return ok("not needed on this processor: publishing a message costs no fence")
	case m.hasBarrier():
		return ok("works: publishing a message costs no fence")
	}
	return note("let the container's seccomp profile allow membarrier (Linux 4.16 or newer); or publish several messages at a time (SendBatch)",
		"is refused: publishing a message costs a full fence, small messages one by one are several times slower")
}
