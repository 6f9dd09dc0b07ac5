package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"time"

	"sluice/internal/metrics"
	"sluice/internal/observe/exporter"
	"sluice/internal/observe/monitor"
	"sluice/internal/report"
	"sluice/internal/segments"
	"sluice/pressure"
)

const (
	// interval is the time between two samples, and historyLength how many of them the page
	// draws: five minutes.
	interval      = time.Second
	historyLength = 300
)

// live is the object at /live.json.
type live struct {
	At          time.Time `json:"at"`
	Host        string    `json:"host"`
	IntervalSec float64   `json:"intervalSec"`
	Points      int       `json:"points"` // most samples in a history
	Error       string    `json:"error,omitempty"`
	Names       []string  `json:"names"`  // and patterns of the segments in Pairs; none = all
	Groups      []group   `json:"groups"` // that one of Pairs is in
	Chains      []chain   `json:"chains"` // likewise
	Pairs       []pair    `json:"pairs"`
	Omitted     int       `json:"omitted"` // segments that are not in Pairs
}

// pair is a segment. One that cannot be read has only its name and the error.
type pair struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
	*view
}

// view is what the page shows of a segment beside its name.
type view struct {
	Report              json.RawMessage `json:"report"` // as gauge stat --json has it
	HeldSec             float64         `json:"heldSec"`
	Severity            string          `json:"severity"` // calm, good, warn or bad
	ProducedPerSec      float64         `json:"producedPerSec"`
	ConsumedBytesPerSec float64         `json:"consumedBytesPerSec"`
	Scheduled           bool            `json:"scheduled"` // messages are due by a schedule
	Waiting             uint64          `json:"waiting"`   // those that are due and wait in front of the producer
	Producer            side            `json:"producer"`
	Consumer            side            `json:"consumer"`
	Bridge              []bridgeRow     `json:"bridge"` // what there is to say of bridges; none = there is none
	History             history         `json:"history"`
}

// bridgeRow is a line about a bridge. One with an empty name goes on with the one before.
type bridgeRow struct {
	Name string `json:"name"` // bridge out, bridge in
	Text string `json:"text"`
}

type side struct {
	Alive   bool    `json:"alive"`
	Where   string  `json:"where"`   // pid 123, ended, died, none
	Blocked float64 `json:"blocked"` // share of the last second
}

// history has the samples of each graph, oldest first.
type history struct {
	Throughput      []float64 `json:"throughput"`
	Depth           []uint64  `json:"depth"`
	ProducerBlocked []float64 `json:"producerBlocked"`
	ConsumerBlocked []float64 `json:"consumerBlocked"`
}

// Run reads the segments each second until ctx is done, whether somebody asks or not: so there are
// five minutes to show when the page is opened. It may be called once.
func (p *Page) Run(ctx context.Context) {
	defer p.monitor.Close()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		p.poll()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll reads the segments and encodes the answer once, for every request until the next poll.
func (p *Page) poll() {
	l := live{At: time.Now(), Names: p.names}
	pairs, err := p.monitor.Poll()
	if err != nil {
		l.Error = err.Error()
	}
	observed := map[string]exporter.Observed{}
	for _, f := range monitor.TroubledFirst(pairs) {
		l.Pairs = append(l.Pairs, newPair(f))
		if f.Err == nil && len(f.History) > 0 {
			observed[f.Name] = exporter.Observed{Verdict: f.Verdict, Place: f.Place}
		}
	}
	if err == nil {
		l.Groups, l.Chains = newGroups(p.monitor.Graph, pairs), newChains(p.monitor.Graph, pairs)
	}
	l.Omitted = p.monitor.Omitted
	p.latest.Store(encode(&l))
	p.observed.Store(&observed)
}

// Observed returns the latest verdict on a segment and its place, false while the segment was not
// seen long enough. Any number of goroutines may call it.
func (p *Page) Observed(name string) (exporter.Observed, bool) {
	o, ok := (*p.observed.Load())[name]
	return o, ok
}

// Removed counts the segments that were removed since Run began.
func (p *Page) Removed() *exporter.Removed { return p.removed }

// ended is called by the monitor with a segment that was removed.
func (p *Page) ended(last *monitor.Pair) {
	if len(p.names) == 0 || segments.Match(p.names, last.Name) {
		p.removed.Add(&last.Now)
	}
}

func encode(l *live) *[]byte {
	l.Host, _ = os.Hostname()
	l.IntervalSec, l.Points = interval.Seconds(), historyLength
	if l.Pairs == nil {
		l.Pairs = []pair{}
	}
	if l.Groups == nil {
		l.Groups = []group{}
	}
	if l.Chains == nil {
		l.Chains = []chain{}
	}
	if l.Names == nil {
		l.Names = []string{}
	}
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // newPair rounds every number to one that JSON can hold
	}
	return &text
}

func newPair(p *monitor.Pair) pair {
	if p.Err != nil {
		return pair{Name: p.Name, Error: p.Reason()}
	}
	var figures bytes.Buffer
	if err := report.JSON(&figures, p.Report()); err != nil {
		return pair{Name: p.Name, Error: err.Error()}
	}
	v := &view{
		Report:   figures.Bytes(),
		HeldSec:  round(p.Verdict.Held.Seconds()),
		Severity: p.Severity().String(), Scheduled: p.Scheduled(), Waiting: p.Now.Waiting(),
		Producer: newSide(&p.Now.Producer, p.LastSecond.ProducerBlocked),
		Consumer: newSide(&p.Now.Consumer, p.LastSecond.ConsumerBlocked),
		Bridge:   []bridgeRow{},
		History: history{
			Throughput: []float64{}, Depth: []uint64{}, ProducerBlocked: []float64{}, ConsumerBlocked: []float64{},
		},
	}
	if s := p.LastSecond.Elapsed.Seconds(); s > 0 {
		v.ProducedPerSec = round(float64(p.LastSecond.Produced) / s)
		v.ConsumedBytesPerSec = round(float64(p.LastSecond.ConsumedBytes) / s)
	}
	for _, r := range report.BridgeRows(&p.Now) {
		v.Bridge = append(v.Bridge, bridgeRow(r))
	}
	h := &v.History
	for _, at := range p.History {
		h.Throughput = append(h.Throughput, round(at.Throughput))
		h.Depth = append(h.Depth, at.Depth)
		h.ProducerBlocked = append(h.ProducerBlocked, round(at.ProducerBlocked))
		h.ConsumerBlocked = append(h.ConsumerBlocked, round(at.ConsumerBlocked))
	}
	return pair{Name: p.Name, view: v}
}

func newSide(s *pressure.RoleStats, blocked float64) side {
	return side{Alive: s.Alive, Where: metrics.Holder(s), Blocked: round(blocked)}
}

// round keeps the digits that a graph can show.
func round(x float64) float64 { return math.Round(x*1e3) / 1e3 }
