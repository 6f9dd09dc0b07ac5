package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// look is an account of a segment at one moment.
type look struct {
	pressure.Snapshot
	due uint64 // of the last schedule, as noted before the snapshot was taken
}

// observer looks at a segment and expects of each look that the account is right: what was offered
// never falls, and is at least what was due.
type observer struct {
	t       *testing.T
	view    *shm.View
	offered uint64
}

func observe(t *testing.T, name string) *observer {
	t.Helper()
	testenv.EventuallyHeader(t, name, "its producer", func(h *layout.Header) bool { return h.ProducerStats.Generation.Load() > 0 })
	view, err := shm.OpenView(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	return &observer{t: t, view: view}
}

func (o *observer) look() look {
	o.t.Helper()
	s := &o.view.Header().Schedule
	holder := s.Holder.Load()
	l := look{due: s.Due.Load()}
	least := s.SentBefore.Load() + s.UnsentBefore.Load() + l.due
	if holder == 0 || s.Holder.Load() != holder { // it has ended, or another one has begun
		least = 0
	}
	var err error
	if l.Snapshot, err = pressure.Observe(o.view); err != nil {
		o.t.Fatal(err)
	}
	offered := l.Offered()
	if offered < o.offered {
		o.t.Errorf("offered was %d and is %d", o.offered, offered)
	}
	if offered < least {
		o.t.Errorf("%d of %d offered: %d produced, %d dropped, %d refused, %d unsent", offered, least, l.Produced, l.Dropped, l.RefusedMessages, l.Unsent)
	}
	o.offered = offered
	return l
}

// eventually looks until ok returns true.
func (o *observer) eventually(what string, ok func(l look) bool) {
	o.t.Helper()
	testenv.Eventually(o.t, what, func() bool { return ok(o.look()) })
}

// wantEnd expects what became of the messages when the schedule has ended.
func (o *observer) wantEnd(produced, dropped, refused, unsent uint64) {
	o.t.Helper()
	l := o.look()
	if l.Produced != produced || l.Dropped != dropped || l.RefusedMessages != refused || l.Unsent != unsent || l.Schedule.InForce {
		o.t.Errorf("%d produced, %d dropped, %d refused, %d unsent, want %d, %d, %d, %d; a schedule is in force: %v",
			l.Produced, l.Dropped, l.RefusedMessages, l.Unsent, produced, dropped, refused, unsent, l.Schedule.InForce)
	}
}

// openLoop returns the arguments of a producer with a schedule.
func openLoop(name, rate string, args ...string) []string {
	return append([]string{"--name", name, "--report", "0", "--open-loop", "--rate", rate}, args...)
}

// bothModes are the flags of a queue of about 8 messages, and of one without a bound.
var bothModes = map[string][]string{"ring": {"--slots", "8"}, "transfer": {"--mode", "transfer"}}

func TestOpenLoop_EveryMessageIsSent(t *testing.T) {
	t.Parallel()
	for mode, flags := range bothModes {
		for _, load := range []string{"", "--burst 50", "--arrivals poisson", "--arrivals poisson --burst 50"} {
			t.Run(mode+" "+load, func(t *testing.T) {
				t.Parallel()
				name := testenv.SegmentName(t)
				p := testenv.Start(t, "producer", openLoop(name, "2000", append(append(flags, "--count", "500", "--keep"), strings.Fields(load)...)...)...)
				o := observe(t, name)
				c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
				p.WantExit(0)
				c.WantExit(0)
				o.wantEnd(500, 0, 0, 0)
				// Where the producer falls behind, as under load, it may be that of none.
				if n := testenv.Header(name).Lateness.Count.Load(); n > 499 {
					t.Errorf("the lateness of %d messages was counted", n)
				}
			})
		}
	}
}

// smallQueues are the flags of queues that hold that many messages, and what they do when they are
// full.
func smallQueues(onFull string) map[string]smallQueue {
	return map[string]smallQueue{
		"ring":   {8, []string{"--slots", "8", "--on-full", onFull}},
		"credit": {16, []string{"--mode", "transfer", "--limit", "64KiB", "--on-limit", onFull}}, // a page each
	}
}

type smallQueue struct {
	messages uint64
	flags    []string
}

// A queue that is full does not move the schedule: what is due is counted at each look, and it is
// sent when there is room.
func TestOpenLoop_Blocked_OwesAndSendsLate(t *testing.T) {
	t.Parallel()
	for mode, queue := range smallQueues("block") {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", openLoop(name, "2000", append(queue.flags, "--count", "3000", "--keep")...)...)
			o := observe(t, name)
			for _, n := range []uint64{1, 100, 1000} {
				o.eventually(fmt.Sprintf("%d unsent messages", n), func(l look) bool {
					if l.Produced > queue.messages || l.Dropped+l.RefusedMessages > 0 || l.Unsent > 0 && !l.Schedule.InForce {
						t.Fatalf("%d produced, %d dropped, %d refused; in force: %v", l.Produced, l.Dropped, l.RefusedMessages, l.Schedule.InForce)
					}
					return l.Unsent >= n
				})
			}
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
			o.eventually("the end of the backlog", func(l look) bool { return l.Unsent == 0 })
			p.WantExit(0)
			c.WantExit(0)
			o.wantEnd(3000, 0, 0, 0)
		})
	}
}

func TestOpenLoop_Drops_OwesNothing(t *testing.T) {
	t.Parallel()
	for mode, queue := range smallQueues("drop") {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", openLoop(name, "2000", append(queue.flags, "--count", "1000", "--keep")...)...)
			o := observe(t, name)
			o.eventually("a dropped message", func(l look) bool { return l.Dropped > 0 })
			o.eventually("the last one", func(l look) bool { return l.Produced+l.Dropped == 1000 })
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
			p.WantExit(0)
			c.WantExit(0)
			o.wantEnd(queue.messages, 1000-queue.messages, 0, 0)
		})
	}
}

// A producer that waits before it drops is late, and all that it owes is accounted for.
func TestOpenLoop_BlockTimeout_AccountsForAll(t *testing.T) {
	t.Parallel()
	for mode, queue := range smallQueues("drop") {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", openLoop(name, "500", append(queue.flags, "--block-timeout", "50ms", "--count", "200", "--keep")...)...)
			o := observe(t, name)
			o.eventually("two dropped messages", func(l look) bool { return l.Dropped > 1 })
			l := o.look()
			if l.Producer.Waits < 2 || l.BlockTimeout != 50*time.Millisecond {
				t.Errorf("%d waits, a timeout of %v", l.Producer.Waits, l.BlockTimeout)
			}
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
			p.WantExit(0)
			c.WantExit(0)
			dropped := o.look().Dropped
			o.wantEnd(200-dropped, dropped, 0, 0)
		})
	}
}

// The message that is refused is given up. Those that were due by then, and are not sent either,
// are unsent.
func TestOpenLoop_Fails_RefusedAndUnsent(t *testing.T) {
	t.Parallel()
	for mode, flags := range map[string][]string{"ring": {"--slots", "8", "--on-full", "fail"}, "transfer": {"--mode", "transfer", "--limit", "64KiB", "--on-limit", "exit"}} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", openLoop(name, "1000", append(flags, "--burst", "100", "--keep")...)...)
			o := observe(t, name)
			o.eventually("the end of the schedule", func(l look) bool { return l.RefusedMessages == 1 && !l.Schedule.InForce })
			if mode == "transfer" { // it waits for a consumer of what it has queued
				p.Signal(unix.SIGTERM)
			}
			p.WantExit(5)
			l := o.look()
			o.wantEnd(l.Produced, 0, 1, l.Offered()-l.Produced-1)
			if l.Produced == 0 || l.Offered()%100 != 0 {
				t.Errorf("%d produced, %d offered, want a multiple of 100", l.Produced, l.Offered())
			}
		})
	}
}

// The duration ends the schedule: what is due at its end is not.
func TestOpenLoop_Duration_EndsSchedule(t *testing.T) {
	t.Parallel()
	for duration, c := range map[string]struct {
		rate    string
		offered uint64
	}{
		"500ms": {"1000", 500},
		"1ms":   {"1e6", 1000}, // less than the start takes, which does not count
	} {
		t.Run("blocked "+duration, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", openLoop(name, c.rate, "--slots", "8", "--keep", "--duration", duration)...)
			o := observe(t, name)
			p.WantExit(0)
			l := o.look()
			o.wantEnd(l.Produced, 0, 0, c.offered-l.Produced)
			if l.Produced > 8 { // fewer when it was not run for the whole duration
				t.Errorf("%d produced", l.Produced)
			}
		})
	}
	t.Run("not blocked", func(t *testing.T) {
		t.Parallel()
		name := testenv.SegmentName(t)
		p := testenv.Start(t, "producer", openLoop(name, "100", "--duration", "505ms", "--keep")...)
		o := observe(t, name)
		testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(0)
		p.WantExit(0)
		if l := o.look(); l.Offered() != 51 {
			t.Errorf("%d offered, want 51", l.Offered())
		}
	})
}

func TestOpenLoop_Stopped_WhatIsDueStaysUnsent(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", openLoop(name, "1e6", "--slots", "8")...)
	o := observe(t, name)
	o.eventually("a backlog", func(l look) bool { return l.Unsent > 1000 && l.Produced == 8 })
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	l := o.look()
	o.wantEnd(8, 0, 0, l.Unsent)
	time.Sleep(50 * time.Millisecond)
	o.wantEnd(8, 0, 0, l.Unsent)
}

// What a killed producer had not sent is unsent for good. Its successor's schedule is a new one.
func TestOpenLoop_Killed_SuccessorOwesItsOwn(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", openLoop(name, "2000", "--slots", "8")...)
	o := observe(t, name)
	o.eventually("a backlog", func(l look) bool { return l.Unsent > 100 })
	p.Kill()
	debt := o.look().Unsent

	// A successor without a schedule.
	p = testenv.Start(t, "producer", "--name", name, "--report", "0", "--count", "1000")
	o.eventually("its wait for room", func(l look) bool { return l.Producer.Generation == 2 && l.Producer.State == layout.StateAlone })
	if got := o.look().Unsent; got != debt {
		t.Errorf("%d unsent, the killed producer left %d", got, debt)
	}
	p.Kill()

	// One with a schedule, which is blocked and killed, too.
	p = testenv.Start(t, "producer", openLoop(name, "2000")...)
	o.eventually("a larger debt", func(l look) bool { return l.Unsent > debt+100 })
	p.Kill()
	debt = o.look().Unsent

	p = testenv.Start(t, "producer", openLoop(name, "2000", "--count", "500", "--keep")...)
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
	p.WantExit(0)
	c.WantExit(0)
	o.wantEnd(508, 0, 0, debt)
}

// What was due while the process was stopped is sent late, and nothing is skipped.
func TestOpenLoop_ProducerPaused_CatchesUp(t *testing.T) {
	t.Parallel()
	for mode, flags := range bothModes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			name := testenv.SegmentName(t)
			p := testenv.Start(t, "producer", openLoop(name, "1000", append(flags, "--duration", "4s", "--keep")...)...)
			o := observe(t, name)
			c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
			began := time.Now()
			o.eventually("the first second", func(l look) bool { return l.Produced >= 1000 })
			p.Pause()
			stopped := o.look()
			time.Sleep(time.Second)
			if l := o.look(); l.Produced != stopped.Produced || l.due != stopped.due {
				t.Errorf("%d produced and %d due; %d and %d when it was stopped", l.Produced, l.due, stopped.Produced, stopped.due)
			}
			p.Continue()
			inTime := time.Since(began) < 3*time.Second // with a second left to catch up in
			p.WantExit(0)
			c.WantExit(0)
			l := o.look()
			o.wantEnd(4000-l.Unsent, 0, 0, l.Unsent)
			if inTime && l.Produced < 3100 { // at the rate alone it would be 3000
				t.Errorf("%d produced, %d unsent", l.Produced, l.Unsent)
			}
			if l.Response.Count != l.Produced || inTime && l.Response.Max < 900*time.Millisecond {
				t.Errorf("the response of %d messages, at most %v, want those of %d, and the second in which the first ones waited", l.Response.Count, l.Response.Max, l.Produced)
			}
		})
	}
}

// The messages of a file are due like generated ones, and no more than there are.
func TestOpenLoop_File(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat("a line\n", 300)
	lengths := strings.Repeat("\x03\x00\x00\x00abc", 300)
	for _, c := range []struct {
		framing, content string
		args             []string
	}{
		{"lines", lines, nil}, {"lines", lines + "the end", []string{"--arrivals", "poisson"}},
		{"length", lengths, nil}, {"raw", lines, []string{"--chunk", "10"}},
	} {
		t.Run(fmt.Sprintf("%s %v", c.framing, c.args), func(t *testing.T) {
			t.Parallel()
			name, file := testenv.SegmentName(t), testenv.WriteFile(t, []byte(c.content))
			args := append(c.args, "--slots", "8", "--keep", "--input", file, "--framing", c.framing)
			p := testenv.Start(t, "producer", openLoop(name, "1e5", args...)...)
			o := observe(t, name)
			want := uint64(300)
			switch {
			case c.framing == "raw":
				want = 210
			case c.args != nil:
				want = 301
			}
			o.eventually("all of it", func(l look) bool { return l.due == want && l.Produced == 8 })
			time.Sleep(50 * time.Millisecond) // in which 5000 messages could be due
			if l := o.look(); l.Produced != 8 || l.Unsent != want-8 {
				t.Errorf("%d produced, %d unsent, want 8 of %d", l.Produced, l.Unsent, want)
			}
			out := filepath.Join(t.TempDir(), "out")
			c2 := testenv.Start(t, "consumer", "--name", name, "--report", "0", "--output", out, "--framing", c.framing)
			p.WantExit(0)
			c2.WantExit(0)
			o.wantEnd(want, 0, 0, 0)
			if got, err := os.ReadFile(out); err != nil || string(got) != c.content {
				t.Errorf("%v, %d bytes, want %d", err, len(got), len(c.content))
			}
		})
	}
}

// Arrivals at random need no schedule that is kept: without one, nothing is due.
func TestArrivals_Poisson_WithoutSchedule(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--report", "0", "--rate", "2000", "--arrivals", "poisson", "--burst", "5", "--count", "500", "--keep")
	o := observe(t, name)
	c := testenv.Start(t, "consumer", "--name", name, "--verify", "--report", "0")
	p.WantExit(0)
	c.WantExit(0)
	o.wantEnd(500, 0, 0, 0)
	if l := o.look(); l.due != 0 || l.Response.Count != 0 || l.Lateness.Count != 0 {
		t.Errorf("%d are due, %d responses, lateness of %d", l.due, l.Response.Count, l.Lateness.Count)
	}
}

// Standard input can be a regular file, too, at some offset.
func TestOpenLoop_FileAsStandardInput(t *testing.T) {
	t.Parallel()
	name, file := testenv.SegmentName(t), testenv.WriteFile(t, []byte("read before\n"+strings.Repeat("a line\n", 20)))
	sh := exec.Command("sh", "-c", `{ read x && exec "$0" "$@"; } < "$FILE"`, testenv.Command("producer"))
	sh.Args = append(sh.Args, openLoop(name, "1000", "--slots", "8", "--keep", "--input", "-")...)
	p, err := testenv.StartCommand(t, sh, testenv.Options{Env: []string{"FILE=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	o := observe(t, name)
	o.eventually("all of it", func(l look) bool { return l.due == 20 })
	testenv.Start(t, "consumer", "--name", name, "--report", "0").WantExit(0)
	p.WantExit(0)
	o.wantEnd(20, 0, 0, 0)
}
