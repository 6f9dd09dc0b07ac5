// Package testenv holds what the tests of several packages need: names of segments and
// directories that no other test has, waiting for a condition, processes that end with
// the test, the commands built and started as a user starts them, and a check at the end
// of a package's tests that nothing is left open, mapped or on disk.
//
// Tests alone import it. It does not import shm, ring or transfer, because their own tests
// use it.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"sluice/internal/monotonic"
)

// Timeout is how long one step of a test may take before the test gives up. It only
// bounds a failure: no test passes by waiting for it.
const Timeout = 60 * time.Second

// LongAgo is so long that what a test takes is nothing beside it: an hour, or less on a machine
// that has not been up for as long. What was due before the clock began is due at its beginning
// (see monotonic.At), and would look as if it were less late.
func LongAgo() time.Duration {
	return min(time.Hour, time.Duration(monotonic.Now())*9/10)
}

// Eventually calls ok until it returns true. It fails the test when that takes longer than
// [Timeout]; what completes the sentence "... did not happen".
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	pause := poll{}
	for deadline := time.Now().Add(Timeout); !ok(); pause.sleep() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

// poll sleeps between two looks: for a millisecond at first, and up to ten when something
// takes long, so that several tests that wait leave the processors to what they wait for.
type poll struct{ last time.Duration }

func (p *poll) sleep() {
	p.last = min(max(p.last*5/4, time.Millisecond), 10*time.Millisecond)
	time.Sleep(p.last)
}

// WantErr expects that err is want, as errors.Is understands it. A nil want is no error.
func WantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// Canceled returns a context that is done, for calls that must not wait.
func Canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// PrivateDir returns a new directory that only this user may write to, whatever the umask
// is. It is removed when the test ends.
func PrivateDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// NotShort skips the test with -short: for tests that take long, and whose outcome depends neither
// on the user nor on the race detector. .ci/run tests as another user, and with the detector, with
// -short.
func NotShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED, NOT TESTED: -short leaves out what depends neither on the user nor on the race detector")
	}
}

// Nobody is the number of a user, and of a group, that owns nothing.
const Nobody = 65534

// RequireRoot skips the test where it cannot start processes as another user.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: only root can start commands as somebody else")
	}
}

// AsUser returns the attribute of a process of that user, in the group of the same number
// and in the given ones. It skips the test where this process may not start one.
func AsUser(t testing.TB, user uint32, groups ...uint32) *syscall.SysProcAttr {
	t.Helper()
	RequireRoot(t)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user, Groups: groups}}
}

// Background runs fn on another goroutine. join waits for its end and returns its error; an
// error of its own after [Timeout].
func Background(fn func() error) (join func() error) {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return func() error {
		select {
		case err := <-done:
			return err
		case <-time.After(Timeout):
			return fmt.Errorf("still busy after %v", Timeout)
		}
	}
}

// Pipe returns both ends of a pipe, which are closed when the test ends.
func Pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}
