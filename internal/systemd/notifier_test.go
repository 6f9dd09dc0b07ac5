package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/liveness"
	"sluice/layout"
	"sluice/shm"
)

const patience = 20 * time.Second // bounds a failure; no test passes by waiting for it

var names atomic.Int64

// segment makes one, of which this process is the producer.
func segment(t *testing.T) *shm.Segment {
	t.Helper()
	name := fmt.Sprintf("servicetest.%d.%d", os.Getpid(), names.Add(1))
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	s, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Leave(func() bool { return true }) })
	return s
}

// listening stands in for systemd, and returns what it is told, one after the other.
func listening(t *testing.T) (told func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		l.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 4096)
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestNotifier_NoSystemd_Silent(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := New(t.Context(), layout.Producer, "waiting")
	if n != nil || Started() {
		t.Fatal("a Notifier without anybody to notify")
	}
	n.Ready(segment(t))
	n.Detach()
}

func TestNotifier_ReadyStatusStopping(t *testing.T) {
	told := listening(t)
	t.Setenv("WATCHDOG_USEC", "40000")
	ctx, stop := context.WithCancel(t.Context())
	n := New(ctx, layout.Producer, "waiting for something")
	if got := told(); got != "STATUS=waiting for something" {
		t.Errorf("first %q", got)
	}
	s := segment(t)
	n.Ready(s)
	if got := told(); !strings.HasPrefix(got, "READY=1\nSTATUS=no-consumer: 0 msg/s, 0 messages queued, 0 % full; ") || strings.Count(got, "\n") != 1 {
		t.Errorf("then %q", got)
	}
	count := &s.Header().Producer.Count
	for fed := 0; fed < 3; {
		count.Store(count.Load() + 1) // the loop comes round
		if got := told(); strings.Contains(got, "WATCHDOG=1") {
			fed++
		}
	}
	stop()
	for got := ""; got != "STOPPING=1"; got = told() {
		count.Store(count.Load() + 1)
	}
	count.Store(count.Load() + 1)
	for got := ""; !strings.Contains(got, "STATUS=stopping; "); got = told() {
		count.Store(count.Load() + 1)
	}
	n.Detach()
	n.Detach()
}

// A process that exits right after a stop signal has sent STOPPING=1 before Detach returns.
func TestNotifier_ShortRun_SaysStopping(t *testing.T) {
	told := listening(t)
	s := segment(t)
	for i := range 200 {
		ctx, stop := context.WithCancel(t.Context())
		n := New(ctx, layout.Producer, "")
		n.Ready(s)
		stop()
		n.Detach()
		end := fmt.Sprintf("STATUS=the end of %d", i)
		send(end)
		stopping := false
		for got := ""; got != end; got = told() {
			stopping = stopping || got == "STOPPING=1"
		}
		if !stopping {
			t.Fatalf("round %d: it has ended without a word", i)
		}
	}
}

// Each status is one line, whatever the text.
func TestNotifier_SegmentGone_NoStatus(t *testing.T) {
	told := listening(t)
	t.Setenv("WATCHDOG_USEC", "1000000")
	s := segment(t)
	n := New(t.Context(), layout.Producer, "")
	told()
	if err := os.Truncate(shm.Path(s.Name()), 0); err != nil {
		t.Fatal(err)
	}
	n.Ready(s)
	if got := told(); got != "READY=1\nSTATUS=" {
		t.Errorf("%q", got)
	}
	n.Detach()
}

// The loop only beats where a watchdog looks for it.
func TestNew_Watchdog_LoopBeats(t *testing.T) {
	listening(t)
	defer liveness.Watch(false)
	for limit, want := range map[string]time.Duration{"": time.Hour, "40000": liveness.Every} {
		t.Setenv("WATCHDOG_USEC", limit)
		New(t.Context(), layout.Producer, "")
		if got := liveness.Bound(time.Hour); got != want {
			t.Errorf("WATCHDOG_USEC=%s: %v of a wait of an hour without a beat, want %v", limit, got, want)
		}
	}
}

func TestWatchdog_FedByLoopOnly(t *testing.T) {
	s := segment(t)
	h := s.Header()
	w := watchdog{limit: 4 * time.Second}
	due := func(now time.Time) bool {
		p, _ := progressIn(func(see func(*shm.Segment)) { see(s) }, layout.Producer)
		return w.due(p, now)
	}
	now := time.Now()
	if due(now); due(now.Add(time.Hour)) {
		t.Error("fed without progress, because time went by")
	}
	for what, progress := range map[string]func(){
		"a message":      func() { h.Producer.Count.Store(h.Producer.Count.Load() + 1) },
		"a drop":         func() { h.ProducerStats.Dropped.Store(h.ProducerStats.Dropped.Load() + 1) },
		"a look around":  func() { h.ProducerStats.ProgressAt.Store(h.ProducerStats.ProgressAt.Load() + 1) },
		"a beat":         liveness.Beat,
		"a repair back":  func() { h.Producer.Count.Store(h.Producer.Count.Load() - 1) },
		"several things": func() { liveness.Beat(); h.Producer.Count.Store(h.Producer.Count.Load() + 77) },
	} {
		now = now.Add(time.Hour)
		progress()
		if !due(now) {
			t.Errorf("not fed after %s", what)
		}
		progress()
		if due(now.Add(w.limit/pollsPerLimit - 1)) {
			t.Errorf("fed too often after %s", what)
		}
		if !due(now.Add(w.limit / pollsPerLimit)) {
			t.Errorf("%s was forgotten", what)
		}
	}
	h.Consumer.Count.Store(1)
	h.ConsumerStats.ProgressAt.Store(1)
	if due(now.Add(time.Hour)) {
		t.Error("fed by the peer's progress")
	}
	w.limit = 0
	h.Producer.Count.Store(99)
	if due(now.Add(2 * time.Hour)) {
		t.Error("notified without a watchdog")
	}
}

// A side with several segments has one status, and is fed by its progress in any of them.
func TestNotifier_SeveralSegments(t *testing.T) {
	told := listening(t)
	t.Setenv("WATCHDOG_USEC", "40000")
	defer liveness.Watch(false)
	segs := []*shm.Segment{segment(t), segment(t)}
	n := New(t.Context(), layout.Producer, "")
	told()
	n.ReadyWith(func() string { return "two rings" }, func(see func(*shm.Segment)) {
		for _, s := range segs {
			see(s)
		}
	})
	defer n.Detach()
	if got := told(); got != "READY=1\nSTATUS=two rings" {
		t.Errorf("%q", got)
	}
	for _, s := range segs {
		s.Header().Producer.Count.Store(s.Header().Producer.Count.Load() + 1)
		if got := told(); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
}

func TestWatchdog_Interval(t *testing.T) {
	for limit, want := range map[time.Duration]time.Duration{0: time.Second, 2 * time.Second: 500 * time.Millisecond, time.Hour: time.Second, 1: time.Millisecond} {
		if got := (&watchdog{limit: limit}).interval(time.Second); got != want {
			t.Errorf("limit %v: every %v, want %v", limit, got, want)
		}
	}
}
