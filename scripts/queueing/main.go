// Command queueing checks response times against theory. A producer with an open-loop load of
// Poisson arrivals sends through a ring to this program, which works on each message for a constant
// time. The mean response in shared memory is compared with Lindley's recursion over the due times
// and services of the same run, and with the Pollaczek-Khinchine formula. scripts/queueing.sh
// builds and runs it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// tolerance is by which share the mean response may differ from Lindley's recursion.
const tolerance = 0.02

func main() {
	r := run{name: fmt.Sprintf("queueing.%d", os.Getpid())}
	flag.Float64Var(&r.rate, "rate", 1000, "`N` messages a second on average")
	flag.DurationVar(&r.work, "work", 800*time.Microsecond, "work on each message for `TIME`")
	flag.DurationVar(&r.duration, "duration", 2*time.Minute, "send for `TIME`")
	flag.CommandLine.Init("queueing", flag.ContinueOnError)
	done, err := cli.ParseProgram(flag.CommandLine, "check response times against queueing theory", os.Args[1:])
	if !done {
		err = r.check()
	}
	if done || err != nil {
		os.Exit(cli.Exit("queueing", false, err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	err = r.do(ctx)
	stop()
	os.Exit(cli.Exit("queueing", false, err))
}

type run struct {
	name     string
	rate     float64
	work     time.Duration
	duration time.Duration

	trace    trace
	between  int // messages whose due time is between those of two samples, and not known
	response pressure.Histogram
	lateness pressure.Histogram
}

func (r *run) check() error {
	switch load := r.rate * r.work.Seconds(); {
	case !(r.rate > 0) || r.work <= 0 || r.duration <= 0:
		return cli.WithHint(cli.UsageError("--rate, --work and --duration must be more than 0"), "--help lists the flags")
	case load >= 1:
		return cli.WithHint(cli.UsageError("the consumer cannot keep up at a load of %.2f", load), "rate times work must be less than 1")
	case r.rate*r.duration.Seconds() < 100*batches:
		return cli.WithHint(cli.UsageError("too few messages for a mean"), "choose a longer --duration")
	}
	return nil
}

// do runs both sides and prints the result.
func (r *run) do(ctx context.Context) error {
	self, err := os.Executable() // the producer is beside it
	if err != nil {
		return err
	}
	runtime.LockOSThread() // Pdeathsig kills the producer when the thread that started it ends
	cpus, err := twoProcessors()
	if err != nil {
		return err
	}
	p := exec.Command(filepath.Join(filepath.Dir(self), "producer"), "--name", r.name, "--open-loop", "--arrivals", "poisson",
		"--rate", fmt.Sprint(r.rate), "--duration", r.duration.String(), "--report", "0")
	p.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	var said strings.Builder
	p.Stderr = &said
	fmt.Printf("for %v: Poisson arrivals at %g a second, %v of work on each\n", r.duration, r.rate, r.work)
	if err = pin(cpus[1]); err == nil { // the producer inherits it
		err = atOnce(p.Start)
	}
	if err != nil {
		return err
	}
	var over atomic.Bool
	go keepAwake(cpus[1], &over)
	if err = pin(cpus[0]); err == nil {
		err = r.consume(ctx)
	}
	over.Store(true)
	if err != nil {
		p.Process.Kill()
	}
	if waitErr := p.Wait(); waitErr != nil {
		err = cmp.Or(err, fmt.Errorf("the producer: %w\n%s", waitErr, said.String()))
	}
	if err != nil {
		return errors.Join(err, shm.RemoveIfExists(context.WithoutCancel(ctx), r.name))
	}
	return r.report()
}

// twoProcessors returns two of those that this process may use. Each side gets one of its own: the
// scheduler would put the producer, when its timer wakes it, behind a consumer that spins.
func twoProcessors() (cpus [2]int, err error) {
	var usable unix.CPUSet
	if err := unix.SchedGetaffinity(0, &usable); err != nil {
		return cpus, os.NewSyscallError("sched_getaffinity", err)
	}
	found := 0
	for cpu := 0; found < len(cpus); cpu++ {
		if cpu > 64*len(usable) {
			return cpus, cli.WithHint(errors.New("there is only one processor"), "each side needs one of its own")
		}
		if usable.IsSet(cpu) {
			cpus[found] = cpu
			found++
		}
	}
	return cpus, nil
}

// pin keeps the calling thread, and the processes that it starts, on one processor.
func pin(cpu int) error {
	var only unix.CPUSet
	only.Set(cpu)
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &only))
}

// atOnce calls start, which makes a process. Its threads get a processor before those of every
// process that has the usual scheduling class. An ordinary user may not ask for that: then other
// processes, such as a virtual machine's agent, keep the producer waiting for a few milliseconds
// now and then. With it the producer was late by 2.3 us on average, without it by 9 to 15 (AMD
// EPYC, two virtual processors).
func atOnce(start func() error) error {
	first, usual := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, unix.SchedAttr{Size: unix.SizeofSchedAttr}
	if unix.SchedSetAttr(0, &first, 0) == nil {
		defer unix.SchedSetAttr(0, &usual, 0)
	}
	return start()
}

// keepAwake keeps a processor from going idle until over is set, with a thread that gives way to
// every other one: a virtual machine's processor that was idle is back late when a timer fires,
// because the host has to schedule it. Without it the producer was late by 67 us on average, with
// it by 3 (Intel Xeon, two virtual processors). An error only means that it is idle sometimes.
func keepAwake(cpu int, over *atomic.Bool) {
	runtime.LockOSThread() // and never unlocked: the thread ends with this function
	idle := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
	if pin(cpu) != nil || unix.SchedSetAttr(0, &idle, 0) != nil {
		return
	}
	for !over.Load() {
	}
}

// consume receives the messages and records when they were due, taken and done.
func (r *run) consume(ctx context.Context) error {
	// A consumer that sleeps would be late by the time that a processor needs to wake up.
	c, err := sluice.Open(ctx, r.name, sluice.ConsumerOptions{Mode: sluice.ModeRing, Spin: time.Hour})
	if err != nil {
		return err
	}
	defer c.Close()
	debug.SetGCPercent(-1) // this is a few MiB
	defer debug.SetGCPercent(100)
	n := int(1.2*r.rate*r.duration.Seconds()) + 1000
	at, published := make([]uint64, 0, n), make([]uint64, 0, n)
	taken, done := make([]uint64, 0, n), make([]uint64, 0, n)
	samples := sampleReader{header: c.Segment().Header()}
	for {
		_, err := c.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		now := monotonic.Now()
		for monotonic.Now()-now < uint64(r.work) {
		}
		// The entries are there from the publish of their messages to their release.
		at, published = append(at, 0), append(published, 0)
		samples.read(at, published)
		c.Release()
		taken, done = append(taken, now), append(done, monotonic.Now())
	}
	if len(taken) < batches*2 {
		return fmt.Errorf("only %d messages came", len(taken))
	}
	if at[0] == 0 {
		return errors.New("the first message has no due time")
	}
	s, err := pressure.Observe(c.Segment())
	if err != nil {
		return err
	}
	r.response, r.lateness = s.Response, s.Lateness
	r.setTrace(at, published, taken, done)
	return nil
}

// sampleReader reads the due times of messages from the ring of samples. A message of 8 bytes takes
// 16 of the ring, so its number follows from its position.
type sampleReader struct {
	header *layout.Header
	seen   uint64   // entries
	ahead  []sample // of messages that are not taken yet
}

type sample struct{ message, due, published uint64 }

// read sets the due times of messages, and when they were published, as far as they have become
// known.
func (r *sampleReader) read(due, published []uint64) {
	for written := r.header.Producer.Samples.Load(); r.seen < written; r.seen++ {
		e := &r.header.Samples[r.seen%layout.SampleSlots]
		r.ahead = append(r.ahead, sample{e.Index.Load() / layout.RecordSize(8), e.DueAt.Load(), e.PublishedAt.Load()})
	}
	used := 0
	for ; used < len(r.ahead) && r.ahead[used].message < uint64(len(due)); used++ {
		due[r.ahead[used].message], published[r.ahead[used].message] = r.ahead[used].due, r.ahead[used].published
	}
	r.ahead = append(r.ahead[:0], r.ahead[used:]...)
}

// setTrace makes the trace of what was recorded: ns since the first message was due. Messages
// between two samples are taken to be due at equal distances.
func (r *run) setTrace(due, published, taken, done []uint64) {
	start, last := due[0], 0
	since := func(t uint64) float64 { return float64(int64(t - start)) }
	t := &r.trace
	for k := range taken {
		began := since(taken[k])
		if published[k] != 0 && k > 0 {
			began = min(began, max(since(published[k]), t.done[k-1]))
		}
		t.began = append(t.began, began)
		t.due, t.taken, t.done = append(t.due, since(due[k])), append(t.taken, since(taken[k])), append(t.done, since(done[k]))
		if due[k] == 0 {
			r.between++
			continue
		}
		for i := last + 1; i < k; i++ {
			t.due[i] = t.due[last] + (t.due[k]-t.due[last])*float64(i-last)/float64(k-last)
		}
		last = k
	}
	for i := last + 1; i < len(t.due); i++ { // no sample stands for them
		t.due[i] = t.due[last]
	}
}

// report prints the comparison, and returns the error of judge.
func (r *run) report() error {
	t := &r.trace
	waits, q := lindley(t), t.queue()
	var measured float64
	for k := range t.due {
		measured += (t.taken[k] - t.due[k]) / float64(len(t.due))
	}
	response, expected := float64(r.response.Sum)/float64(max(1, r.response.Count)), mean(waits)
	uncertain := t95 * meanError(waits)

	fmt.Printf("%d messages, %.1f a second, %v of work on average (standard deviation %v): load %.3f\n",
		len(t.due), q.rate*1e9, duration(q.service), duration(q.deviation()), q.load())
	fmt.Printf("the producer itself was late by %v on average, p50 %v, p99 %v, at most %v\n",
		r.lateness.Mean(), r.lateness.Quantile(0.5), r.lateness.Quantile(0.99), r.lateness.Max)
	fmt.Printf("\nmean time from due to taken\n")
	line := func(what string, ns float64, text string, args ...any) {
		fmt.Printf("  %-22s %11v  %+6.2f %%  %s\n", what, duration(ns).Round(100*time.Nanosecond), 100*(ns/response-1), fmt.Sprintf(text, args...))
	}
	line("in shared memory", response, "the histogram Response, of %d messages", r.response.Count)
	line("as taken", measured, "by this program's own clock")
	line("Lindley's recursion", expected, "over the due times and services of this run")
	if q.load() < 1 {
		line("M/D/1", q.wait(), "Pollaczek-Khinchine, from the rate, and the mean and variance of the services of this run")
		fmt.Printf("\nA run of this length has a mean within %v (%.1f %%) of the long-run one, 19 times of 20: M/D/1 is %v away, %s.\n",
			duration(uncertain).Round(time.Microsecond), 100*uncertain/expected, duration(math.Abs(q.wait()-expected)).Round(time.Microsecond), within(math.Abs(q.wait()-expected) <= uncertain))
	} else {
		fmt.Printf("  %-22s %11s\n", "M/D/1", "infinite")
	}
	if r.between > 0 {
		fmt.Printf("%d messages were not sampled; their due times are taken to lie evenly between those of samples.\n", r.between)
	}
	return r.judge(response, expected, q)
}

// judge returns an error if the response is not what it has to be.
func (r *run) judge(response, expected float64, q queue) error {
	err := error(nil)
	switch off, n := math.Abs(response/expected-1), uint64(len(r.trace.due)); {
	case r.response.Count > n || r.response.Count < n-n/100: // no sample stands for the last ones
		return fmt.Errorf("the histogram stands for %d messages, %d were taken", r.response.Count, n)
	case !(off <= tolerance):
		err = fmt.Errorf("the mean response is %.1f %% off Lindley's recursion, more than %.0f %%", 100*off, 100*tolerance)
	}
	if q.service > 1.02*float64(r.work) {
		err = cli.WithHint(err, "other processes took the processors: %v of work lasted %v; stop them", r.work, duration(q.service).Round(time.Microsecond))
	}
	return err
}

func within(yes bool) string {
	if yes {
		return "within that"
	}
	return "more than that"
}
