package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// ErrStopped is the cause of a context that was canceled by a signal or by --duration.
var ErrStopped = errors.New("asked to stop")

// IgnoreStop removes ErrStopped from err and from joined errors in it; nil when no other
// error remains.
func IgnoreStop(err error) error {
	if !errors.Is(err, ErrStopped) {
		return err
	}
	if e, ok := err.(*shm.SegmentError); ok {
		return shm.InSegment(e.Op, e.Name, IgnoreStop(e.Err))
	}
	many := JoinedErrors(err)
	if many == nil {
		return nil
	}
	var others []error
	for _, e := range many {
		others = append(others, IgnoreStop(e))
	}
	return errors.Join(others...)
}

// signalDebounce is how long after the first signal another one is ignored: timeout(1) sends
// its signal to the process and then again to the process group.
const signalDebounce = 100 * time.Millisecond

// stopSignals returns the signals that stop a command. Those that were ignored at startup are
// left out, as nohup(1) and shells without job control expect.
func stopSignals() (signals []os.Signal) {
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// withSignals returns a context that the first of the signals cancels with ErrStopped. A
// second one ends the process at once.
func withSignals(name string) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	if all := stopSignals(); len(all) > 0 { // signal.Notify without signals is for all of them
		signal.Notify(signals, all...)
	}
	go func() {
		<-signals
		cancel(ErrStopped)
		for first := time.Now(); time.Since(first) < signalDebounce; {
			<-signals
		}
		message{name: name, kind: "error", text: "exited at once on a second signal; " + lossReport.text(), code: ExitFailed}.print(wantsJSON())
		os.Exit(ExitFailed)
	}()
	// The handler is not removed: a signal during the last report must not change the exit
	// code.
	return ctx, func() { cancel(nil) }
}

// lossReport describes what is lost when a second signal ends the process.
var lossReport lossReporter

type lossReporter struct {
	mu       sync.Mutex
	describe func() string // nil = nothing is lost
}

// SetLossReport sets the function that describes what is lost when a second signal ends the
// process; nil = nothing is lost. When SetLossReport returns, the function set before is not
// running. It is called on another goroutine, and may fault if the segment is truncated.
func SetLossReport(describe func() string) {
	lossReport.mu.Lock()
	defer lossReport.mu.Unlock()
	lossReport.describe = describe
}

func (l *lossReporter) text() (text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.describe == nil {
		return "nothing is lost"
	}
	if shm.Guard(func() error { text = l.describe(); return nil }) != nil {
		return "the segment was truncated, so what is lost is not known"
	}
	return text
}

// WithDuration returns a context that is also canceled with ErrStopped after d; 0 = never. reset
// sets another time, counted from its call; without a d it does nothing.
func WithDuration(ctx context.Context, d time.Duration) (_ context.Context, reset func(time.Duration), stop func()) {
	if d <= 0 {
		return ctx, func(time.Duration) {}, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(d, func() { cancel(ErrStopped) })
	return ctx, func(d time.Duration) { t.Reset(d) }, func() { t.Stop(); cancel(nil) }
}
