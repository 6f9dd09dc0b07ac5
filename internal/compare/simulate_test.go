package compare

import (
	"math"
	"slices"
	"sort"
	"time"

	"sluice/pressure"
)

// simulate returns the run that theory expects of a load with a model: the producer publishes a
// message when it is due and there is room, and the consumer takes them one after the other.
func simulate(l Load, m Model) *Run {
	r := &Run{Load: l, Model: m}
	rec := &Recording{}
	r.Recording = rec
	bound, perMessage, fixed := math.MaxInt, uint64(page), uint64(64<<10)
	switch {
	case m.Kind == pressure.Hard:
		bound, perMessage, fixed = l.Slots, 0, fixed+uint64(l.Capacity)
	case m.Kind == pressure.Credit:
		bound, r.Limit = l.Limit/page, uint64(l.Limit)
	case m.ID == "soft-packed":
		perMessage = 1100
	}
	limit := math.MaxInt // messages that end a soft producer
	if m.Kind == pressure.Soft {
		r.Limit = 1 << 30
		if l.Soft > 0 {
			r.Limit = uint64(l.Soft)
			limit = l.Soft / int(perMessage)
		}
	}
	overhead := map[string]time.Duration{"hard": 2 * time.Microsecond, "credit": 9 * time.Microsecond, "soft-plain": 9 * time.Microsecond, "soft-packed": 2 * time.Microsecond, "soft-recycled": 3 * time.Microsecond}[m.ID]
	work := l.Work + overhead
	length, end := l.Length, l.Length
	if !l.Forever {
		end = 4 * length
	}
	stop, resume := time.Duration(l.StallAt*float64(length)), time.Duration(l.StallEnd*float64(length))
	burst := max(1, l.Burst)
	gap := time.Duration(float64(burst) / l.Rate * float64(time.Second))
	n := l.Count()
	var due, published, taken []time.Duration
	for k := range n {
		at := time.Duration(k/burst) * gap
		pub := at
		if k > 0 {
			pub = max(pub, published[k-1])
		}
		if k >= bound {
			pub = max(pub, taken[k-bound])
		}
		take := pub + overhead
		if k > 0 {
			take = max(take, taken[k-1]+work)
		}
		if take >= stop && take < resume {
			take = resume + overhead
		}
		due, published, taken = append(due, at), append(published, pub), append(taken, take)
		if queued := k + 1 - sort.Search(len(taken), func(i int) bool { return taken[i] > pub }); queued >= limit {
			r.LimitAfter = pub
			end = pub
			break
		}
	}
	before := func(times []time.Duration, at time.Duration) uint64 {
		return uint64(sort.Search(len(times), func(i int) bool { return times[i] > at }))
	}
	if !l.Forever {
		end = taken[n-1]
	}
	r.Elapsed, r.Producing = end, min(end, length)
	offered := before(due, end)
	r.Offered, r.Sent, r.Taken = offered, min(offered, before(published, end)), before(taken, end)
	r.Unsent = r.Offered - r.Sent
	r.TakenPerSec = float64(r.Taken) / end.Seconds()
	var latency, response []time.Duration
	for k := range int(r.Taken) {
		latency, response = append(latency, taken[k]-published[k]), append(response, taken[k]-due[k])
	}
	r.Latency, r.Response = distribution(latency), distribution(response)
	r.Lateness = Times{Count: r.Offered, P50: 200, P90: 400, P99: 900, P999: 900, Max: 900, Mean: 300}
	const step = 10 * time.Millisecond
	last := 0
	for at := time.Duration(0); at <= end; at += step {
		sent, took := before(published, at), before(taken, at)
		unsent := before(due, at) - min(sent, before(due, at))
		rec.Time = append(rec.Time, at.Seconds())
		rec.Depth, rec.Unsent = append(rec.Depth, float64(sent-min(took, sent))), append(rec.Unsent, float64(unsent))
		rec.Memory = append(rec.Memory, float64(fixed+perMessage*(sent-min(took, sent))))
		rec.Produced, rec.Consumed = append(rec.Produced, float64(sent)), append(rec.Consumed, float64(took))
		p50, p99 := math.NaN(), math.NaN()
		if int(took) > last {
			d := distribution(response[last:min(int(took), len(response))])
			p50, p99 = float64(d.P50), float64(d.P99)
			last = int(took)
		}
		rec.ResponseP50, rec.ResponseP99 = append(rec.ResponseP50, p50), append(rec.ResponseP99, p99)
		if unsent > 0 && sent-min(took, sent) > 0 {
			r.ProducerBlocked += step
		}
	}
	r.Memory, r.Deepest, r.MostUnsent = uint64(maximum(rec.Memory)), uint64(maximum(rec.Depth)), uint64(maximum(rec.Unsent))
	r.WorstUnsent, r.WorstQueued = rec.worst()
	r.ConsumerBlocked = max(0, end-time.Duration(r.Taken)*work-l.Stalled())
	r.Others = 0.012
	r.Producer = Usage{CPU: time.Duration(r.Sent)*overhead + 20*time.Millisecond, PeakRSS: 10 << 20}
	r.Consumer = Usage{CPU: time.Duration(r.Taken)*(work+overhead) + 20*time.Millisecond, PeakRSS: 10 << 20}
	return r
}

func distribution(ds []time.Duration) Times {
	if len(ds) == 0 {
		return Times{}
	}
	sorted := slices.Sorted(slices.Values(ds))
	at := func(q float64) time.Duration { return sorted[int(q*float64(len(sorted)-1))] }
	var sum time.Duration
	for _, d := range ds {
		sum += d
	}
	return Times{uint64(len(ds)), at(0.5), at(0.9), at(0.99), at(0.999), at(1), sum / time.Duration(len(ds))}
}

// fullSpeed returns the run of a closed-loop load that moves that many messages a second.
func fullSpeed(l Load, m Model, perSecond float64) *Run {
	n := uint64(perSecond * l.Length.Seconds())
	cpu := Usage{CPU: l.Length}
	return &Run{Load: l, Model: m, Recording: &Recording{}, Figures: Figures{
		Elapsed: l.Length, Producing: l.Length, Offered: n, Sent: n, Taken: n, TakenPerSec: perSecond,
		Producer: cpu, Consumer: cpu, Memory: 4 << 20, Deepest: 100,
		Latency: Times{Count: n, P50: 1000, P90: 2000, P99: 9000, P999: 9000, Max: 10000, Mean: 1500},
	}}
}

// simulated returns a comparison as theory expects it.
func simulated(quick bool) *Report {
	rep := &Report{
		Machine: Machine{Processor: "simulated", CPUs: 2, Kernel: "none", Go: "go"},
		Began:   time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), Quick: quick,
	}
	perMessage := map[string]time.Duration{"hard": 4, "credit": 9000, "soft-plain": 9000, "soft-packed": 16, "soft-recycled": 300}
	for _, j := range Jobs(quick) {
		if j.Load.Rate > 0 {
			rep.Runs = append(rep.Runs, simulate(j.Load, j.Model))
			continue
		}
		ns := float64(perMessage[j.Model.ID]) + 0.03*float64(j.Load.Size)
		if j.Model.ID == "soft-plain" || j.Model.ID == "credit" || j.Model.ID == "soft-packed" {
			ns += 0.3 * float64(j.Load.Size)
		}
		if j.Load.Slots > 0 {
			ns += 3000 / float64(j.Load.Slots)
		}
		r := fullSpeed(j.Load, j.Model, 1e9/ns)
		if j.Model.ID == "soft-recycled" && j.Load.Size <= 1<<10 {
			r.LimitAfter = j.Load.Length / 5
		}
		rep.Runs = append(rep.Runs, r)
	}
	return rep
}
