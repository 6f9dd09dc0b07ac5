package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"sluice/internal/cli"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Runner runs loads, one at a time.
type Runner struct {
	Bin string // folder of producer, consumer and gauge
	Dir string // folder for the recordings; sockets go there as well
}

// poll is the interval at which a run is observed and recorded.
const poll = 10 * time.Millisecond

// patience is how long the processes may take to start, and to end after the load. It only bounds a
// failure.
const patience = time.Minute

// attempt is a run that is under way.
type attempt struct {
	*Run
	name                       string // of the segment
	producer, consumer, record *process

	began   time.Time // when the first message was taken
	elapsed time.Duration
	limit   time.Duration     // when it was seen that the limit was reached; 0 = not
	first   pressure.Snapshot // when the first message was taken
	final   pressure.Snapshot // when both sides had ended
}

// Run runs one load with one model. When it returns, with or without an error, none of its
// processes runs any more, and its segment is removed.
func (r *Runner) Run(ctx context.Context, l Load, m Model) (*Run, error) {
	a := &attempt{Run: &Run{Load: l, Model: m}, name: fmt.Sprintf("compare.%d", os.Getpid())}
	defer os.Remove(shm.Path(a.name))
	// In a directory of its own: the path of a socket has to be short.
	socket := filepath.Join(r.Dir, "socket")
	csv := filepath.Join(r.Dir, l.ID+"-"+m.ID+".csv")
	common := []string{"--name", a.name, "--report", "0", "--keep"}
	if m.Kind != pressure.Hard {
		common = append(common, "--socket", socket)
	}
	a.record = r.command("gauge", "record", "--name", a.name, "--interval", poll.String(), "--output", csv)
	a.consumer = r.command("consumer", slices.Concat(common, l.consumerFlags())...)
	a.producer = r.command("producer", slices.Concat(common, l.producerFlags(m))...)
	err := a.measure(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s, %s: %w", l.Title, m.Name, err)
	}
	if a.Recording, err = readRecording(csv); err != nil {
		return nil, err
	}
	a.figures()
	return a.Run, nil
}

// measure starts the processes, and returns when all have ended.
func (a *attempt) measure(ctx context.Context) (err error) {
	var started []*process
	defer func() {
		for _, p := range started {
			p.kill()
		}
	}()
	others := watchOthers()
	for _, p := range []*process{a.record, a.consumer, a.producer} {
		if err := p.start(); err != nil {
			return err
		}
		started = append(started, p)
	}
	if err := a.waitFirstMessage(ctx); err != nil {
		return err
	}
	if err := a.supervise(ctx); err != nil {
		return err
	}
	a.elapsed = time.Since(a.began)
	if !a.record.waitExit(patience) {
		return errors.New("gauge record has not ended with both sides")
	}
	var used time.Duration
	for _, p := range started {
		used += p.usage().CPU
	}
	a.Others = others.processors(used)
	a.final, err = readSnapshot(a.name)
	return err
}

// waitFirstMessage waits until the first message is taken: before it, three processes start.
func (a *attempt) waitFirstMessage(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s, err := readSnapshot(a.name)
		if err == nil && s.Consumed > 0 || a.producer.exited() {
			a.began, a.first = time.Now(), s
			return nil
		}
	}
	return errors.New("no message was taken")
}

// supervise stops, continues and ends the processes as the load says, and samples them, until both
// sides have ended.
func (a *attempt) supervise(ctx context.Context) error {
	l := &a.Load
	after := func(share float64) time.Time {
		return a.began.Add(time.Duration(share * float64(l.Length)))
	}
	stop, resume := after(l.StallAt), after(l.StallEnd)
	var looked time.Time
	for deadline := a.began.Add(4*l.Length + patience); ; {
		now := time.Now()
		if now.Sub(looked) > 5*poll {
			looked = now
			a.producer.sample()
			a.consumer.sample()
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case now.After(deadline):
			return errors.New("the run does not end")
		case l.StallEnd > 0 && now.After(stop):
			a.consumer.cmd.Process.Signal(syscall.SIGSTOP)
			stop, resume = deadline, now.Add(resume.Sub(stop)) // as long as it should, if this is late
		case l.StallEnd > 0 && now.After(resume):
			a.consumer.cmd.Process.Signal(syscall.SIGCONT)
			resume = deadline
		}
		if a.limit == 0 && a.Model.Kind == pressure.Soft && atLimit(a.name) {
			a.limit = now.Sub(a.began)
		}
		if l.Forever && (now.Sub(a.began) > l.Length || a.limit > 0) {
			// Taking what is queued would take long.
			for _, p := range []*process{a.producer, a.consumer} {
				p.sample()
				p.kill()
			}
		}
		if err := a.failure(); err != nil || a.producer.exited() && a.consumer.exited() {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
}

// failure returns the error with which a side has ended, nil if none has. A limit is none.
func (a *attempt) failure() error {
	for _, p := range []*process{a.producer, a.consumer} {
		if !p.exited() {
			continue
		}
		if code := p.cmd.ProcessState.ExitCode(); code > 0 && (code != cli.ExitLimit || p != a.producer) {
			return errors.New(p.lastError())
		}
	}
	return nil
}

// figures computes what the run came to.
func (a *attempt) figures() {
	s, rec, f := &a.final, a.Recording, &a.Figures
	rec.shift(a.began.Sub(s.Created).Seconds())
	full := maximum(rec.Memory) > nearLimit*float64(s.Limit) && s.Limit > 0
	if a.limit == 0 && a.Model.Kind == pressure.Soft && (full || a.producer.cmd.ProcessState.ExitCode() == cli.ExitLimit) { // reached between two looks
		a.limit = max(poll, time.Duration(rec.lastProduced()*float64(time.Second)))
	}
	*f = Figures{
		Others:  f.Others,
		Elapsed: a.elapsed, Producing: min(a.elapsed, a.Load.Length), LimitAfter: a.limit,
		Offered: s.Offered(), Sent: s.Produced, Unsent: s.Unsent, Taken: s.Consumed,
		TakenPerSec: rec.throughput(),
		Latency:     timesOf(&s.Latency), Response: timesOf(&s.Response), Lateness: timesOf(&s.Lateness),
		ProducerBlocked: s.Producer.Blocked - a.first.Producer.Blocked,
		ConsumerBlocked: s.Consumer.Blocked - a.first.Consumer.Blocked,
		Producer:        a.producer.usage(), Consumer: a.consumer.usage(),
		Memory: uint64(maximum(rec.Memory)), Limit: s.Limit,
		Deepest:    max(uint64(maximum(rec.Depth)), s.HighWater),
		MostUnsent: max(uint64(maximum(rec.Unsent)), s.Unsent),
	}
	whole := pressure.Interval{Response: s.Response, Lateness: s.Lateness}
	f.Explained = whole.LatenessExplains()
	if a.limit > 0 {
		f.Producing = a.limit
	}
	f.WorstUnsent, f.WorstQueued = rec.worst()
}

// atLimit reports whether the queue of a transfer has no room for another buffer. The producer
// records that too, but only for a moment.
func atLimit(name string) bool {
	s, err := readSnapshot(name)
	return err == nil && s.Limit > 0 && (s.RefuseReason == layout.RefuseMemoryLimit || s.QueueBytes+maxBuffer > s.Limit)
}

const maxBuffer = 64 << 10

// nearLimit is the share of a limit from which on a recording shows that it was reached: it
// may miss the moment, and nothing else stops a queue there.
const nearLimit = 0.97

// readSnapshot takes a snapshot of a segment.
func readSnapshot(name string) (s pressure.Snapshot, err error) {
	v, err := shm.OpenView(name)
	if err != nil {
		return s, err
	}
	defer v.Close()
	return pressure.Observe(v)
}
