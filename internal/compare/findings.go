package compare

import (
	"fmt"
	"math"
	"time"

	"sluice/internal/format"
)

// Findings returns sentences that follow from the measurements, each with its figures.
// One that this run does not support is left out.
func (rep *Report) Findings() (hard, soft, both []string) {
	return rep.hard(), rep.soft(), rep.both()
}

func (rep *Report) hard() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r := rep.find("overload", "ring"); r != nil && r.Code <= 0 {
		say("Overload does not break the ring: the producer was blocked %s of the time, the queue never held more than %s messages, memory stayed at %s.",
			format.Percent(r.ProducerBlocked()), count(r.PeakDepth()), memory(r.PeakMemory()))
	}
	if r := rep.find("slow-consumer", "ring"); r != nil {
		say("The producer's rate suffers instead: with a slow consumer it sent %s messages a second of the 1,500 that it had to send, and was blocked %s of the time. A source that must not wait (a camera, a market feed) cannot use a ring like that; with --on-full drop it loses messages instead.",
			count(r.Throughput()), format.Percent(r.ProducerBlocked()))
	}
	if r := rep.find("stall", "ring"); r != nil && r.Final.Producer.Blocked > 0 {
		say("A consumer that stops for %s stops the producer with it: it was blocked for %s, with %s messages queued at most.",
			seconds(stalled(r)), seconds(r.Final.Producer.Blocked), count(r.PeakDepth()))
	}
	return out
}

func stalled(r *Result) time.Duration {
	return time.Duration((r.Scenario.StallEnd - r.Scenario.StallAt) * float64(r.Scenario.Length))
}

func (rep *Report) soft() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, r := range rep.of("overload") {
		if r.LimitAfter > 0 {
			say("Overload breaks the %s after %s: %s messages were queued, memory was at its limit of %s, and the producer has to stop.",
				r.Model.Name, seconds(r.LimitAfter), count(r.PeakDepth()), memory(float64(r.Final.Limit)))
		}
	}
	ring := rep.find("slow-consumer", "ring")
	if r := rep.find("slow-consumer", "transfer"); r != nil && ring != nil && r.PeakDepth() > ring.PeakDepth() {
		say("A slow consumer does not slow down the producer, which was never blocked, but it delays the messages: the queue grew to %s messages and %s (ring: %s messages, %s), and half of the messages were older than %s when they were received (ring: %s).",
			count(r.PeakDepth()), memory(r.PeakMemory()), count(ring.PeakDepth()), memory(ring.PeakMemory()), latency(r, 0.5), latency(ring, 0.5))
	}
	if r := rep.find("stall", "transfer"); r != nil {
		say("A stall of %s does not block the producer: the queue grew to %s messages and %s and was empty again %s after the consumer continued.",
			seconds(stalled(r)), count(r.PeakDepth()), memory(r.PeakMemory()), seconds(r.recovery()))
	}
	return out
}

// recovery returns the time from the end of the stall until the queue was empty again.
func (r *Result) recovery() time.Duration {
	back := time.Duration(r.Scenario.StallEnd * float64(r.Scenario.Length))
	for i, t := range r.Series.Time {
		if at := time.Duration(t*1e9) + r.recordingDelay(); at > back && r.Series.Depth[i] <= 16 {
			return max(poll, at-back)
		}
	}
	return r.Elapsed - back
}

func (rep *Report) both() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	rate := func(size int, model string) float64 {
		if r := rep.find(fmt.Sprintf("size-%d", size), model); r != nil {
			return r.Throughput()
		}
		return 0
	}
	if a, b := rate(8, "ring"), rate(8, "transfer"); b > 0 {
		say("With messages of 8 bytes the ring moves %s a second, a transfer with a sealed buffer for each %s: the ring moves %s times as many.", si(a), si(b), count(a/b))
	}
	if a, b := rate(8, "packed"), rate(8, "transfer"); b > 0 {
		say("Packing 8-byte messages into 64 KiB makes the transfer %s times as fast.", count(a/b))
	}
	for _, size := range []int{64 << 10, 1 << 20} {
		if a, b, c := rate(size, "recycled"), rate(size, "transfer"), rate(size, "ring"); b > 0 {
			say("Zero-copy in practice, %s: recycled buffers, mapped once, move %s, fresh sealed ones %s, the ring %s. A mapping that is used once costs more than the copy it saves.",
				format.Size(size), perSecond(a*float64(size)), perSecond(b*float64(size)), perSecond(c*float64(size)))
		}
	}
	if small, large := rep.find("room-0", "ring"), rep.find(fmt.Sprintf("room-%d", len(Rooms)-1), "ring"); small != nil && large != nil && small.Throughput() > 0 {
		say("A ring of %s moves %s messages of 64 B a second, one of %s %s: a ring needs room for as many messages as are sent while the other side is woken.",
			Rooms[0].Name, si(small.Throughput()), Rooms[len(Rooms)-1].Name, si(large.Throughput()))
	}
	return out
}

// Choice says what to use in a case, and why.
type Choice struct{ Case, Use, Because string }

// Choices returns what to use in each case, with the measurements that it follows from.
func (rep *Report) Choices() []Choice {
	because := func(id, model string, figure func(r *Result) string) string {
		if r := rep.find(id, model); r != nil {
			return figure(r)
		}
		return "not measured"
	}
	return []Choice{
		{"memory must stay bounded, nothing may be lost, the producer can wait", "ring", because("overload", "ring", func(r *Result) string {
			return fmt.Sprintf("overload: %s at most, blocked %s of the time", memory(r.PeakMemory()), format.Percent(r.ProducerBlocked()))
		})},
		{"many small messages, as fast as possible", "ring", because("size-8", "ring", func(r *Result) string {
			return si(r.Throughput()) + " messages/s of 8 B"
		})},
		{"the producer must never wait, bursts are short", "transfer, packed", because("bursts", "packed", func(r *Result) string {
			return fmt.Sprintf("bursts: never blocked, %s messages and %s queued at most", count(r.PeakDepth()), memory(r.PeakMemory()))
		})},
		{"large messages, the two sides trust each other", "transfer, recycled, or ring", because("size-1048576", "recycled", func(r *Result) string {
			return perSecond(r.Throughput()*(1<<20)) + " in messages of 1 MiB"
		})},
		{"the receiver needs a guarantee that the bytes do not change", "transfer", because("size-65536", "transfer", func(r *Result) string {
			return si(r.Throughput()) + " sealed buffers of 64 KiB a second"
		})},
		{"the producer may not wait and memory may not grow", "ring with --on-full drop", "messages are dropped instead, and counted"},
	}
}

func count(x float64) string         { return format.Count(int64(math.Round(x))) }
func memory(x float64) string        { return format.Size(uint64(x)) }
func seconds(d time.Duration) string { return digits(d.Seconds()) + " s" }

func latency(r *Result, q float64) string {
	if r.Final.Latency.Count == 0 {
		return "-"
	}
	return format.Duration(r.Final.Latency.Quantile(q))
}

// digits returns x with about two significant digits.
func digits(x float64) string {
	switch {
	case x >= 10:
		return count(x)
	case x >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2g", x)
}
