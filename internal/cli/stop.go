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

// ErrStopped is the cause of a context that ended because somebody asked the
// command to stop, by a signal or by --duration.
var ErrStopped = errors.New("asked to stop")

// Orderly returns err without what says no more than that the command was asked to
// stop; nil when nothing else is left.
func IgnoreStop(err error) error {
	if !errors.Is(err, ErrStopped) {
		return err
	}
	many := joined(err)
	if many == nil {
		return nil
	}
	var others []error
	for _, e := range many {
		others = append(others, IgnoreStop(e))
	}
	return errors.Join(others...)
}

// echo is how long a second signal is taken for the first one's: timeout(1)
// sends its signal to the process and then to the group that it is in.
const signalDebounce = 100 * time.Millisecond

// stopSignals returns the signals that ask a command to stop, without those that were
// ignored when it was started: nohup(1) and shells without job control see to that, and
// mean it.
func stopSignals() (signals []os.Signal) {
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// untilStopped returns a context that the first of the signals ends. A second one ends
// the process at once.
func untilStopped(name string) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	if all := stopSignals(); len(all) > 0 { // none would stand for all that there are
		signal.Notify(signals, all...)
	}
	go func() {
		<-signals
		cancel(ErrStopped)
		for first := time.Now(); time.Since(first) < signalDebounce; {
			<-signals
		}
		message{name: name, kind: "error", text: "left at once, asked to stop twice; " + losses.text(), code: ExitFailed}.print(wantsJSON())
		os.Exit(ExitFailed)
	}()
	// The handler stays: a signal that comes while the last lines are written
	// must not take the exit code with it.
	return ctx, func() { cancel(nil) }
}

// losses knows what is lost when the process leaves at once.
var losses lossCount

type lossCount struct {
	mu  sync.Mutex
	ask func() string // nil = nothing
}

// LosesWhenStoppedTwice says what to ask for what is lost when a second signal ends the
// process from here on; nil = nothing any more, and ask is not running when it returns.
// It is asked from another goroutine, perhaps while the segment is being truncated.
func LosesWhenStoppedTwice(ask func() string) {
	losses.mu.Lock()
	defer losses.mu.Unlock()
	losses.ask = ask
}

func (l *lossCount) text() (text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ask == nil {
		return "nothing is lost"
	}
	if shm.Guard(func() error { text = l.ask(); return nil }) != nil {
		return "the segment was truncated, so what is lost is not known"
	}
	return text
}

// WithDuration returns a context that also ends after d; 0 = never.
func WithDuration(ctx context.Context, d time.Duration) (_ context.Context, stop func()) {
	if d <= 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(d, func() { cancel(ErrStopped) })
	return ctx, func() { t.Stop(); cancel(nil) }
}
