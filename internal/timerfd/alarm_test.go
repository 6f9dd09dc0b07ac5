package timerfd

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
)

// left is how long a's timer has to run; 0 = it is over, or not set.
func left(t *testing.T, a *Alarm) time.Duration {
	t.Helper()
	var now unix.ItimerSpec
	if err := unix.TimerfdGettime(int(a.file.Fd()), &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Value.Nano())
}

// within returns a context with that long to go.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestAlarm_DeadlineOfLastContext(t *testing.T) {
	var a Alarm
	a.Set(t.Context())
	a.Set(within(t, -time.Second))
	if a.file != nil {
		t.Error("a timer for no deadline that is still to come")
	}
	for _, d := range []time.Duration{time.Hour, time.Minute, 2 * time.Hour} {
		a.Set(within(t, d))
		for range 2 {
			if l := left(t, &a); l > d || l < d-time.Minute {
				t.Errorf("%v to go, the timer says %v", d, l)
			}
			a.Set(t.Context()) // leaves it as it is
		}
	}
	for gaveUp := time.Now().Add(time.Minute); left(t, &a) != 0; time.Sleep(time.Millisecond) {
		if left(t, &a) > time.Minute { // a deadline that has passed before it is set changes nothing
			a.Set(within(t, time.Millisecond))
		}
		if time.Now().After(gaveUp) {
			t.Fatal("the timer does not end")
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if a.file != nil {
		t.Error("a closed alarm has a file")
	}
	a.Set(within(t, time.Hour))
	if l := left(t, &a); l == 0 {
		t.Error("not set after Close")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// A timer is a help that waits can do without: one that is refused is not asked for again.
func TestAlarm_NoTimer(t *testing.T) {
	for name, refused := range map[string]seccomp.Rule{
		"timerfd_create":  seccomp.Call(unix.SYS_TIMERFD_CREATE),
		"timerfd_settime": seccomp.Call(unix.SYS_TIMERFD_SETTIME),
	} {
		for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS, unix.EMFILE} {
			var a Alarm
			if err := seccomp.Under(errno, func() { a.Set(within(t, time.Hour)) }, refused); err != nil {
				t.Skipf("SKIPPED, NOT TESTED: %v", err)
			}
			a.Set(within(t, 2*time.Hour))
			if a.file != nil && left(t, &a) != 0 {
				t.Errorf("%s, %v: it tries again", name, errno)
			}
			if err := a.Close(); err != nil {
				t.Errorf("%s, %v: %v", name, errno, err)
			}
		}
	}
}
