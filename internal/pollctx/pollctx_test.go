package pollctx

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/liveness"
)

// waiting returns a Poller whose context is cancelled by stop with the cause errStop, and what its
// Wait for the silent end of a pipe will return.
func waiting(t *testing.T) (stop func(), says *os.File, waited <-chan error) {
	t.Helper()
	silent, says, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close(); says.Close() })
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- p.Wait(int(silent.Fd()), unix.POLLIN, 0)
		p.Close()
	}()
	return func() { cancel(errStop) }, says, done
}

var errStop = errors.New("stop")

func TestWait_Input_Returns(t *testing.T) {
	_, says, waited := waiting(t)
	if _, err := says.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestWait_ContextDone_ItsCause(t *testing.T) {
	stop, _, waited := waiting(t)
	stop()
	if err := <-waited; err != errStop {
		t.Errorf("%v, want the cause of the context", err)
	}
}

// Without a watchdog nothing but the file and the context ends a poll. With one it ends in time for
// the next beat.
func TestWait_Watchdog_Beats(t *testing.T) {
	if ms := maxPoll(); time.Duration(ms)*time.Millisecond < 24*time.Hour {
		t.Errorf("nobody looks, and a poll ends after %d ms", ms)
	}
	defer liveness.Watch(false)
	liveness.Watch(true)
	_, says, waited := waiting(t)
	for before := liveness.Beats(); liveness.Beats() == before; time.Sleep(time.Millisecond) {
	}
	says.Close()
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
