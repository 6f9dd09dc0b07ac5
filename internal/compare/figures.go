package compare

import (
	"slices"
	"time"

	"sluice/pressure"
)

// Times is the distribution of a time of messages.
type Times struct {
	Count                          uint64 // messages that it stands for; 0 = not measured
	P50, P90, P99, P999, Max, Mean time.Duration
}

func timesOf(h *pressure.Histogram) Times {
	return Times{h.Count, h.Quantile(0.5), h.Quantile(0.9), h.Quantile(0.99), h.Quantile(0.999), h.Max, h.Mean()}
}

// Usage is what a process has used, as the kernel reports it.
type Usage struct {
	CPU         time.Duration
	PeakRSS     uint64 // bytes; as sampled last before the process ended
	Voluntary   int64  // context switches, because it slept
	Involuntary int64  // context switches, because another process was to run
}

// Figures are what a run came to. Durations are nanoseconds in JSON.
type Figures struct {
	Elapsed    time.Duration // from the first message to the end of both sides
	Producing  time.Duration // of that, the time in which messages were due: until the end of the load, or a limit
	LimitAfter time.Duration // when the limit ended the producer; 0 = never

	Offered, Sent, Unsent, Taken uint64  // messages at the end
	TakenPerSec                  float64 // from the first message to the last
	Latency, Response, Lateness  Times
	Explained                    []float64 // quantiles of the response that the generator's own lateness could explain

	ProducerBlocked time.Duration // it waited because the queue was full
	ConsumerBlocked time.Duration // it waited because the queue was empty
	Producer        Usage
	Consumer        Usage

	Others float64 // processors that were busy with other work on the machine

	Memory     uint64 // most bytes that the segment and the messages in flight took
	Limit      uint64 // of that memory; 0 = none
	Deepest    uint64 // most messages in the queue
	MostUnsent uint64 // most messages that were due and not sent
	// The messages that waited in front of the producer and in the queue when most did.
	WorstUnsent, WorstQueued uint64
}

// Run is a load that was run with a model.
type Run struct {
	Load  Load
	Model Model
	Figures
	Recording *Recording `json:"-"` // nil when the figures were read from a file
}

// shareOf returns part of whole, from 0 to 1.
func shareOf(part, whole time.Duration) float64 {
	return min(1, max(0, part.Seconds()/max(1e-9, whole.Seconds())))
}

// ProducerBlockedShare returns the share of the load's time that the producer was blocked.
func (f *Figures) ProducerBlockedShare() float64 { return shareOf(f.ProducerBlocked, f.Elapsed) }

// ConsumerBlockedShare returns the share of the run that the consumer had nothing to take.
func (f *Figures) ConsumerBlockedShare() float64 { return shareOf(f.ConsumerBlocked, f.Elapsed) }

// CPUPerMessage returns the processor time that both sides used for a message: the producer's for
// one that was sent, and the consumer's for one that was taken.
func (f *Figures) CPUPerMessage() time.Duration {
	return f.Producer.CPU/time.Duration(max(1, f.Sent)) + f.Consumer.CPU/time.Duration(max(1, f.Taken))
}

// Processors returns how many processors both sides kept busy.
func (f *Figures) Processors() float64 {
	return (f.Producer.CPU + f.Consumer.CPU).Seconds() / max(1e-9, f.Elapsed.Seconds())
}

// FrontShare returns which share of the mean response a message spent in front of the producer,
// before it was published.
func (f *Figures) FrontShare() float64 {
	if f.Response.Mean <= 0 {
		return 0
	}
	return min(1, max(0, 1-f.Latency.Mean.Seconds()/f.Response.Mean.Seconds()))
}

// Growth returns by how much the response grew in each second of a load that the consumer cannot
// take: as much as the slowest message of the run was late, over the time that it ran.
func (f *Figures) Growth() time.Duration {
	return time.Duration(f.Response.Max.Seconds() / max(1e-9, f.Producing.Seconds()) * float64(time.Second))
}

// MemoryGrowth returns the bytes a second by which the memory grew.
func (f *Figures) MemoryGrowth() float64 {
	return float64(f.Memory) / max(1e-9, f.Producing.Seconds())
}

// LateAt reports whether the generator's own lateness could explain a quantile of the response.
func (f *Figures) LateAt(quantile float64) bool { return slices.Contains(f.Explained, quantile) }
