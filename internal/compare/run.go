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

// Usage is what a process has used, as the kernel reports it.
type Usage struct {
	CPU         time.Duration
	PeakRSS     uint64 // bytes; as sampled last before the process ended
	Voluntary   int64  // context switches, because it slept
	Involuntary int64  // context switches, because another process was to run
}

// Result is the outcome of a scenario with a model.
type Result struct {
	Scenario Scenario
	Model    Model
	CSV      string // file of gauge record
	Series   Series
	Final    pressure.Snapshot // of the segment, when both sides had ended

	Elapsed    time.Duration // from the producer's start to the end of both sides
	LimitAfter time.Duration // when the memory limit was reached, 0 = never
	Code       int           // the producer's exit code; -1 when it was cut off
	LastError  string        // its last line, when it failed

	Producer, Consumer Usage

	began time.Time
}

// recordingDelay returns how much later than the run the recording began, which begins with the
// segment; it is negative when that was earlier.
func (r *Result) recordingDelay() time.Duration { return r.Final.Created.Sub(r.began) }

// Throughput returns the messages received a second, from the first to the last.
func (r *Result) Throughput() float64 { return r.Series.throughput() }

// ProducerBlocked returns the share of the run that the producer slept because the queue
// was full.
func (r *Result) ProducerBlocked() float64 {
	return min(1, r.Final.Producer.Blocked.Seconds()/max(1e-9, r.producing().Seconds()))
}

// producing returns how long the producer ran.
func (r *Result) producing() time.Duration {
	if r.LimitAfter > 0 {
		return r.LimitAfter
	}
	return min(r.Elapsed, r.Scenario.Length)
}

// Verdict returns the one that held longest while the producer ran.
func (r *Result) Verdict() string { return r.Series.commonVerdict(r.producing().Seconds()) }

// PeakMemory returns the most bytes that the segment and the messages in flight took.
func (r *Result) PeakMemory() float64 { return maximum(r.Series.Memory) }

// PeakDepth returns the most messages that were queued.
func (r *Result) PeakDepth() float64 {
	return max(maximum(r.Series.Depth), float64(r.Final.HighWater))
}

// CPUPerMillion returns the seconds of processor time that both sides used for a million messages.
func (r *Result) CPUPerMillion() float64 {
	return (r.Producer.CPU + r.Consumer.CPU).Seconds() / max(1, float64(r.Final.Consumed)) * 1e6
}

// Runner runs scenarios, one at a time.
type Runner struct {
	Bin string // folder of producer, consumer and gauge
	Dir string // folder for the recordings; sockets go there as well
}

// poll is the interval at which a run is observed and recorded.
const poll = 10 * time.Millisecond

// Run runs one scenario with one model. When it returns, with or without an error, none of its
// processes runs any more, and its segment is removed.
func (r *Runner) Run(ctx context.Context, s Scenario, m Model) (_ *Result, err error) {
	name := fmt.Sprintf("compare.%d", os.Getpid())
	// In a directory of its own: the path of a socket has to be short.
	socket := filepath.Join(r.Dir, "socket")
	res := &Result{Scenario: s, Model: m, CSV: filepath.Join(r.Dir, s.ID+"-"+m.ID+".csv"), Code: -1}
	common := []string{"--name", name, "--report", "0", "--keep"}
	producerArgs := slices.Concat(common, m.Flags, s.Producer)
	consumerArgs := slices.Concat(common, s.Consumer)
	if m.Soft {
		producerArgs = slices.Concat(producerArgs, s.Soft, []string{"--socket", socket})
		consumerArgs = append(consumerArgs, "--socket", socket)
	} else {
		producerArgs = append(producerArgs, s.Ring...)
	}
	if !s.Cut {
		producerArgs = append(producerArgs, "--duration", s.Length.String())
	}
	defer os.Remove(shm.Path(name))
	record := r.command("gauge", "record", "--name", name, "--interval", poll.String(), "--output", res.CSV)
	consumer, producer := r.command("consumer", consumerArgs...), r.command("producer", producerArgs...)
	var sides []*process
	defer func() {
		for _, p := range sides {
			p.kill()
		}
	}()
	for _, p := range []*process{record, consumer, producer} {
		if err := p.start(); err != nil {
			return nil, err
		}
		sides = append(sides, p)
	}
	began, err := waitFirstMessage(ctx, name, producer)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: %w", s.ID, m.ID, err)
	}
	if err := r.supervise(ctx, res, producer, consumer, name, began); err != nil {
		return nil, err
	}
	res.Elapsed, res.began = time.Since(began), began
	if !record.waitExit(5 * time.Second) {
		return nil, fmt.Errorf("%s, %s: gauge record has not ended with both sides", s.ID, m.ID)
	}
	res.Producer, res.Consumer = producer.usage(), consumer.usage()
	res.Code, res.LastError = producer.cmd.ProcessState.ExitCode(), producer.lastError()
	if res.Code > 0 && res.Code != cli.ExitLimit {
		return nil, fmt.Errorf("%s, %s: %s", s.ID, m.ID, res.LastError)
	}
	if code := consumer.cmd.ProcessState.ExitCode(); code > 0 {
		return nil, fmt.Errorf("%s, %s: %s", s.ID, m.ID, consumer.lastError())
	}
	if res.Final, err = readSnapshot(name); err != nil {
		return nil, err
	}
	res.Series, err = readSeries(res.CSV)
	full := maximum(res.Series.Memory) > nearLimit*float64(res.Final.Limit) && res.Final.Limit > 0
	if res.LimitAfter == 0 && (full || res.Code == cli.ExitLimit) { // reached between two observations
		res.LimitAfter = max(poll, time.Duration(res.Series.lastProduced()*float64(time.Second)))
	}
	return res, err
}

// waitFirstMessage waits until the first message is received, and returns that time: before
// it, three processes start.
func waitFirstMessage(ctx context.Context, name string, producer *process) (time.Time, error) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			return time.Time{}, context.Cause(ctx)
		}
		if s, err := readSnapshot(name); err == nil && s.Consumed > 0 || producer.exited() {
			return time.Now(), nil
		}
	}
	return time.Time{}, errors.New("no message was received")
}

// supervise stops, continues and ends the processes as the scenario says, and samples them, until
// both have ended.
func (r *Runner) supervise(ctx context.Context, res *Result, producer, consumer *process, name string, began time.Time) error {
	s := &res.Scenario
	stop, cont := at(began, s, s.StallAt), at(began, s, s.StallEnd)
	var looked time.Time
	for deadline := began.Add(4*s.Length + 20*time.Second); ; {
		now := time.Now()
		if now.Sub(looked) > 5*poll {
			looked = now
			producer.sample()
			consumer.sample()
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case now.After(deadline):
			return fmt.Errorf("%s, %s: the run does not end", s.ID, res.Model.ID)
		case s.StallEnd > 0 && now.After(stop):
			consumer.cmd.Process.Signal(syscall.SIGSTOP)
			stop, cont = deadline, now.Add(cont.Sub(stop)) // as long as it should, if this is late
		case s.StallEnd > 0 && now.After(cont):
			consumer.cmd.Process.Signal(syscall.SIGCONT)
			cont = deadline
		}
		if res.LimitAfter == 0 && atLimit(name) {
			res.LimitAfter = now.Sub(began)
		}
		if s.Cut && (now.Sub(began) > s.Length || res.LimitAfter > 0) {
			// Receiving what is queued would take long.
			for _, p := range []*process{producer, consumer} {
				p.sample()
				p.kill()
			}
		}
		if producer.exited() && consumer.exited() {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
}

func at(began time.Time, s *Scenario, share float64) time.Time {
	return began.Add(time.Duration(share * float64(s.Length)))
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
