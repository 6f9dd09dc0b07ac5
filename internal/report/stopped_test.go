package report

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// row is what these tests read of a report.
type row struct {
	Final               bool
	ElapsedSec          float64
	Verdict, VerdictWhy string
}

// rows starts a Reporter of a producer, and returns what reads its next report.
func rows(t *testing.T, stopping <-chan struct{}) (r *Reporter, next func() row) {
	t.Helper()
	name := fmt.Sprintf("reporttest.%d.%d", os.Getpid(), time.Now().UnixNano())
	g, err := layout.RingGeometry(4096, 0, uint64(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	seg, err := shm.Create(name, g, layout.Producer)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := shm.Open(t.Context(), name, layout.Consumer) // or it is its absence that is reported
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		seg.Leave(func() bool { return true })
		peer.Leave(func() bool { return true })
	})
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	r = Start(Options{Role: layout.Producer, Name: name, Mode: layout.ModeRing, JSON: true, Out: out, Interval: 100 * time.Millisecond, Stopping: stopping, Total: -1})
	if err := r.Attach(seg, func() uint64 { return 0 }); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(in)
	return r, func() (got row) {
		t.Helper()
		in.SetReadDeadline(time.Now().Add(time.Minute))
		if !lines.Scan() {
			t.Fatal("no more reports: ", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got
	}
}

// sendSIGCONT is what a process sees of its own stop, when it goes on. It returns when the
// signal is where it is waited for.
func sendSIGCONT(t *testing.T) {
	t.Helper()
	here := make(chan os.Signal, 1)
	signal.Notify(here, unix.SIGCONT)
	if err := unix.Kill(os.Getpid(), unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	<-here
	signal.Stop(here) // waits until every other channel has it as well
}

// Who waited for whom while this process was stopped says nothing.
func TestReporter_SideWasStopped_Said(t *testing.T) {
	r, next := rows(t, nil)
	next()
	sendSIGCONT(t)
	for n := 0; ; n++ {
		if got := next(); got.Verdict == "stopped" && strings.Contains(got.VerdictWhy, "the producer was stopped for a part of this time") {
			break
		} else if n == 100 {
			t.Fatalf("not in %d reports: %+v", n, got)
		}
	}
	if got := next(); got.Verdict == "stopped" {
		t.Errorf("and the next one: %+v", got)
	}
	r.Finish()
}

// systemd and timeout(1) send SIGCONT after SIGTERM, also to what runs: a producer that
// delivers its queue before it ends was not stopped for that.
func TestReporter_SideAskedToStop(t *testing.T) {
	asked := make(chan struct{})
	close(asked)
	r, next := rows(t, asked)
	told := 0
	for last, n := next(), 0; told < 5 && n < 100; n++ {
		sendSIGCONT(t)
		got := next()
		if got.ElapsedSec-last.ElapsedSec < 0.15 { // else this process may really not have run
			if told++; got.Verdict == "stopped" {
				t.Fatalf("%+v", got)
			}
		}
		last = got
	}
	r.Finish()
	if told == 0 {
		t.Skip("NOT TESTED: no two reports were in time")
	}
}

// What ends as soon as it goes on, because the other side has ended meanwhile, was stopped
// all the same.
func TestReporter_SideStoppedUntilEnd(t *testing.T) {
	for range 5 { // the end and the signal are there at once, and either may be seen first
		r, next := rows(t, nil)
		next()
		r.mu.Lock()
		r.last.At -= uint64(3 * time.Second)
		time.Sleep(200 * time.Millisecond) // the next report waits for the lock
		sendSIGCONT(t)
		done := make(chan struct{})
		go func() { r.Finish(); close(done) }()
		<-r.stop
		r.mu.Unlock()
		<-done
		got := next()
		for !got.Final {
			got = next()
		}
		if !strings.Contains(got.VerdictWhy, "the producer was stopped (SIGSTOP or Ctrl-Z) for 3") {
			t.Fatalf("%+v", got)
		}
	}
}
