package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// ErrStopped is the cause of a context that ended because somebody asked the
// command to stop, by a signal or by --duration.
var ErrStopped = errors.New("asked to stop")

// Orderly returns nil for an error that says no more than that the command was
// asked to stop.
func Orderly(err error) error {
	if errors.Is(err, ErrStopped) {
		return nil
	}
	return err
}

// echo is how long a second signal is taken for the first one's: timeout(1)
// sends its signal to the process and then to the group that it is in.
const echo = 100 * time.Millisecond

// untilStopped returns a context that SIGINT and SIGTERM end. A second signal
// ends the process at once.
func untilStopped(name string) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	go func() {
		<-signals
		cancel(ErrStopped)
		for first := time.Now(); time.Since(first) < echo; {
			<-signals
		}
		complain("%s: left at once; what was not released is delivered again\n", name)
		os.Exit(ExitFailed)
	}()
	// The handler stays: a signal that comes while the last lines are written
	// must not take the exit code with it.
	return ctx, func() { cancel(nil) }
}

// InJournal reports whether standard error is the systemd journal, which notes time
// and program by itself.
var InJournal = sync.OnceValue(func() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
})

// complain says what is wrong. In the journal it has the priority of an error.
func complain(format string, args ...any) {
	if InJournal() {
		format = "<3>" + format
	}
	say(format, args...)
}

// say prints to standard error, and does not wait for ever where that is a pipe
// that nobody reads.
func say(format string, args ...any) {
	done := make(chan struct{})
	go func() {
		fmt.Fprintf(os.Stderr, format, args...)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
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
