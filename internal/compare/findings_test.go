package compare

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/pressure"
)

// These tests read the report as its readers do: each sentence must match one of the claims below,
// its figures must stand in the columns beside it, and what it says of them must be true of those
// columns. A second comparison has somewhat other figures: what the sentence says must be true of
// them, too.

// claim is a kind of sentence.
type claim struct {
	// words matches the whole sentence. A group is compared with what the columns say.
	words string
	check func(c *checker, g []string)
}

// checker compares a sentence with the columns of a report.
type checker struct {
	rep     *Report
	load    string // of an answer
	another bool   // rep is another comparison: its figures are others, what is said must hold
	wrong   []string
	rows    cells
}

// cells are the cells of a report's tables, by load, row and model.
type cells map[string]map[string]map[string]string

func (c *checker) fail(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// holds expects what a sentence says of the columns.
func (c *checker) holds(is bool, format string, args ...any) {
	if !is {
		c.fail(format, args...)
	}
}

// cells returns the row of a load's table, by model.
func (c *checker) cells(load, row string) map[string]string {
	if c.rows[load] == nil {
		t := c.rep.FigureTable(load)
		if load == sizes {
			t = c.rep.SizeTable()
		}
		rows := map[string]map[string]string{}
		for _, r := range t.Rows {
			rows[r.Name] = map[string]string{}
			for i, model := range t.Columns {
				rows[r.Name][model] = strings.TrimRight(r.Cells[i], "*+")
			}
		}
		c.rows[load] = rows
	}
	return c.rows[load][row]
}

// column returns the values of a row for some models, in base units.
func (c *checker) column(load, row string, models []string) (values []float64) {
	cells := c.cells(load, row)
	for _, m := range models {
		cell, ok := cells[m]
		if !ok {
			c.fail("no row %q for %s", row, m)
			cell = "0"
		}
		values = append(values, c.value(cell))
	}
	return values
}

var units = map[string]float64{
	"": 1, "s": 1e9, "ms": 1e6, "µs": 1e3, "ns": 1, "min": 60e9, "h": 3600e9, "%": 0.01,
	"k": 1e3, "M": 1e6, "G": 1e9, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	"B/s": 1, "kB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12, "PB/s": 1e15,
}

// value reads a figure as it is written.
func (c *checker) value(s string) float64 {
	if s == "-" {
		return 0
	}
	n, unit, _ := strings.Cut(s, " ")
	x, err := strconv.ParseFloat(strings.ReplaceAll(n, ",", ""), 64)
	by, ok := units[unit]
	if err != nil || !ok {
		c.fail("%q is not a figure", s)
	}
	return x * by
}

// said expects a range, or a single figure, to be what the columns of the models say.
func (c *checker) said(text, load, row string, models []string) {
	if c.another {
		return
	}
	from, to, ok := strings.Cut(text, " to ")
	if !ok {
		to = from
	}
	cells := c.cells(load, row)
	var all []string
	for _, m := range models {
		all = append(all, cells[m])
	}
	values := c.column(load, row, models)
	if !slices.Contains(all, from) || !slices.Contains(all, to) || c.value(from) != slices.Min(values) || c.value(to) != slices.Max(values) {
		c.fail("says %q of %s of %v, whose columns say %v", text, row, models, all)
	}
}

// saidMost expects the largest value of the models.
func (c *checker) saidMost(text, load, row string, models []string) {
	if values := c.column(load, row, models); !c.another && c.value(text) != slices.Max(values) {
		c.fail("says %q of %s of %v, whose columns say %v", text, row, models, values)
	}
}

// near expects a figure that follows from columns, which are rounded.
func (c *checker) near(text string, want, by float64) {
	if got := c.value(text); !c.another && math.Abs(got-want) > by*math.Abs(want)+1e-9 {
		c.fail("says %q, the columns %v", text, want)
	}
}

// nearRange expects the range of figures that follow from columns, to within an absolute error.
func (c *checker) nearRange(text string, want []float64, by float64) {
	from, to, ok := strings.Cut(text, " to ")
	if !ok {
		to = from
	}
	if c.another {
		return
	}
	if math.Abs(c.value(from)-slices.Min(want)) > by || math.Abs(c.value(to)-slices.Max(want)) > by {
		c.fail("says %q, the columns %v", text, want)
	}
}

// text expects a text that does not depend on what was measured.
func (c *checker) text(got, want string) { c.holds(got == want, "says %q, not %q", got, want) }

// models returns the models that a list names.
func (c *checker) models(list string) (all []string) {
	for _, name := range strings.Split(strings.ReplaceAll(list, " and ", ", "), ", ") {
		found := false
		for _, m := range Models {
			if m.Name == name || name == "every model" || name == "soft" && m.Kind == pressure.Soft {
				all, found = append(all, m.Name), true
			}
		}
		c.holds(found, "%q is not a model", name)
	}
	return all
}

var (
	everyModelName = []string{"hard", "credit", "soft plain", "soft packed", "soft recycled"}
	softNames      = everyModelName[2:]
)

// each expects something of the values of a row, and counts none as wrong.
func (c *checker) each(load, row string, models []string, is func(x float64) bool) {
	for i, x := range c.column(load, row, models) {
		c.holds(is(x), "%s: %s of %s is %v", load, row, models[i], x)
	}
}

func below(limit float64) func(float64) bool { return func(x float64) bool { return x < limit } }
func above(limit float64) func(float64) bool { return func(x float64) bool { return x > limit } }

// sameTimes expects values that a reader takes for the same, of which the figures are given.
func (c *checker) sameTimes(values []float64) {
	low, high := slices.Min(values), slices.Max(values)
	c.holds(high-low <= 0.4*high+10e6, "not the same: %v", values)
}

// run returns the run of a load with a model of that name.
func (c *checker) run(load, model string) *Run {
	return c.rep.find(load, Models[slices.Index(everyModelName, model)].ID)
}

// modelsOf returns the models that a load was run with.
func (c *checker) modelsOf(load string) (all []string) {
	for _, r := range c.rep.of(load) {
		all = append(all, r.Model.Name)
	}
	return all
}

func (c *checker) loadOf(id string) *Load { return &c.rep.of(id)[0].Load }

// stalled is how long a load's consumer is stopped, ns.
func (c *checker) stalled(load string) float64 { return float64(c.loadOf(load).Stalled()) }

// front is the share of the mean response that messages spent in front of the producer.
func (c *checker) front(models []string) (shares []float64) {
	latency, response := c.column(c.load, "latency mean", models), c.column(c.load, "response mean", models)
	for i := range models {
		shares = append(shares, max(0, 1-latency[i]/max(1, response[i])))
	}
	return shares
}

// fallsBehind expects that less was taken than was due.
func (c *checker) fallsBehind(load string, models []string) {
	c.each(load, "taken a second", models, below(0.97*c.loadOf(load).Rate))
}

func (c *checker) showStall(load string, models []string) {
	for _, x := range c.column(load, "response p99", models) {
		c.holds(x > 0.6*c.stalled(load) && x < 1.5*c.stalled(load), "response %v does not show a stop of %v", x, c.stalled(load))
	}
}

func (c *checker) cpu(load string, models ...string) []float64 {
	return c.column(load, "CPU a message", models)
}

const (
	value  = `(\S+(?: (?:s|ms|µs|ns|%|min|h|k|M|G|B|KiB|MiB|GiB|[kMGTP]?B/s))?)`
	values = `(\S+(?: (?:s|ms|µs|ns|%|min|h|k|M|G|B|KiB|MiB|GiB|[kMGTP]?B/s))?(?: to \S+(?: (?:s|ms|µs|ns|%|min|h|k|M|G|B|KiB|MiB|GiB|[kMGTP]?B/s))?)?)`
	list   = `([a-z ,]+?)`
)

var claims = map[string]claim{
	// Who is slower?
	"slower-consumer": {`The consumer, in ` + list + `: of ` + value + ` messages that are due a second it takes ` + values + `.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.near(g[1], c.loadOf(c.load).Rate, 0)
		c.said(g[2], c.load, "taken a second", m)
		c.fallsBehind(c.load, m)
	}},
	"slower-producer": {`On the whole the producer, in ` + list + `: the consumer waited ` + values + ` of the time because the queue was empty.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], c.load, "consumer blocked", m)
		c.each(c.load, "consumer blocked", m, above(0.025))
	}},
	"slower-stall": {`On the whole the producer, in ` + list + `: the consumer has taken everything after ` + values + `, although it was stopped for ` + value + `.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], c.load, "lasted", m)
		c.near(g[2], c.stalled(c.load), 0.05)
		c.each(c.load, "lasted", m, below(1.2*float64(c.loadOf(c.load).Length)))
		if taken := c.column(c.load, "taken", m); !slices.Equal(taken, c.column(c.load, "offered", m)) {
			c.fail("taken %v", taken)
		}
	}},
	"slower-stall-unclear": {`Neither by much, in ` + list + `: of ` + value + ` the consumer was stopped for ` + value + `, and it has taken everything after ` + values + `.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.near(g[1], float64(c.loadOf(c.load).Length), 0.05)
		c.near(g[2], c.stalled(c.load), 0.05)
		c.said(g[3], c.load, "lasted", m)
	}},
	"slower-for-a-time": {`For a time it was the consumer: up to ` + value + ` messages waited in ` + list + `.`, func(c *checker, g []string) {
		m := c.models(g[1])
		c.saidMost(g[0], c.load, "waiting, at most", m)
		c.each(c.load, "waiting, at most", m, above(0.03*float64(c.loadOf(c.load).Count())))
	}},
	"slower-neither": {`Neither by much, in ` + list + `: the consumer waited ` + values + ` of the time because the queue was empty.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], c.load, "consumer blocked", m)
		c.each(c.load, "consumer blocked", m, below(0.1))
	}},

	// Where is the contention?
	"contention-none": {`Nowhere that matters: on average a message is taken ` + values + ` after it was due.`, func(c *checker, g []string) {
		c.said(g[0], c.load, "response mean", everyModelName)
		c.each(c.load, "response mean", everyModelName, below(10e6))
	}},
	"contention-front": {`With ` + list + ` at the full queue: ` + values + ` of its mean response a message waits in front of the producer, which is blocked ` + values + ` of the time.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.nearRange(g[1], c.front(m), 0.11)
		c.said(g[2], c.load, "producer blocked", m)
		c.each(c.load, "producer blocked", m, above(0.02))
		for _, x := range c.front(m) {
			c.holds(x > 0.45, "%v of the response in front of the producer", x)
		}
	}},
	"contention-producer": {`With ` + list + ` in front of the producer \(` + values + ` of its mean response\), although the queue was full for only ` + values + ` of the time: the producer did not keep up with what was due.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.nearRange(g[1], c.front(m), 0.11)
		c.said(g[2], c.load, "producer blocked", m)
		c.each(c.load, "producer blocked", m, below(0.1))
		for _, x := range c.front(m) {
			c.holds(x > 0.45, "%v of the response in front of the producer", x)
		}
	}},
	"contention-queue": {`With ` + list + ` in the queue: ` + values + ` of its mean response a message waits in memory.`, func(c *checker, g []string) {
		m := c.models(g[0])
		var queue []float64
		for _, x := range c.front(m) {
			queue = append(queue, 1-x)
			c.holds(x < 0.55, "%v of the response in front of the producer", x)
		}
		c.nearRange(g[1], queue, 0.11)
	}},
	"contention-both": {`With ` + list + ` both in front of the producer \(` + values + ` of the mean response\) and in the queue.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.nearRange(g[1], c.front(m), 0.11)
		for _, x := range c.front(m) {
			c.holds(x > 0.25 && x < 0.75, "%v of the response in front of the producer", x)
		}
	}},
	"contention-processors": {`And for the processors: with ` + list + ` the two sides keep ` + values + ` of ` + value + ` busy.`, func(c *checker, g []string) {
		var used []float64
		for _, name := range c.models(g[0]) {
			r := c.run(c.load, name)
			cpu := c.column(c.load, "producer CPU", []string{name})[0] + c.column(c.load, "consumer CPU", []string{name})[0]
			used = append(used, min(float64(c.rep.Machine.CPUs), cpu/float64(r.Elapsed)))
		}
		c.nearRange(g[1], used, 0.15*float64(c.rep.Machine.CPUs))
		c.near(g[2], float64(c.rep.Machine.CPUs), 0)
		for _, x := range used {
			c.holds(x > 0.75*float64(c.rep.Machine.CPUs), "%v processors busy", x)
		}
	}},

	// Is the capacity right?
	"capacity-none": {`No capacity is: each second ` + values + ` more messages are due than are taken. A larger one is only reached later.`, func(c *checker, g []string) {
		c.fallsBehind(c.load, everyModelName)
		var more []float64
		for _, x := range c.column(c.load, "taken a second", everyModelName) {
			more = append(more, c.loadOf(c.load).Rate-x)
		}
		c.nearRange(g[0], more, 0.01*c.loadOf(c.load).Rate)
	}},
	"capacity-right": {`Yes, in ` + list + `: with room for 64 messages the producer was blocked ` + values + ` of the time.`, func(c *checker, g []string) {
		c.said(g[1], c.load, "producer blocked", c.models(g[0]))
		c.each(c.load, "producer blocked", c.models(g[0]), below(0.04))
	}},
	"capacity-barely": {`Just, in ` + list + `: with room for 64 messages the producer was blocked ` + values + ` of the time.`, func(c *checker, g []string) {
		c.said(g[1], c.load, "producer blocked", c.models(g[0]))
		c.each(c.load, "producer blocked", c.models(g[0]), below(0.1))
	}},
	"capacity-tight": {`For a producer that must not be held back it is too small, in ` + list + `: with room for 64 messages it was blocked ` + values + ` of the time, and up to ` + value + ` messages waited at once.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], c.load, "producer blocked", m)
		c.saidMost(g[2], c.load, "waiting, at most", m)
		c.each(c.load, "producer blocked", m, above(0.02))
	}},
	"capacity-no-matter": {`For the response it does not matter: p99 is ` + values + ` with that room \(` + list + `\), and ` + values + ` without a bound \(soft\).`, func(c *checker, g []string) {
		m := c.models(g[1])
		c.said(g[0], c.load, "response p99", m)
		c.said(g[2], c.load, "response p99", softNames)
		c.sameTimes(c.column(c.load, "response p99", append(m, softNames...)))
	}},

	// Does zero-copy help?
	"zero-copy-helps": {`Yes, it saves processor time: ` + cpuFigures, func(c *checker, g []string) {
		plain, recycled := c.saidCPU(g)
		c.holds(plain > 1.15*recycled, "sealed %v, recycled %v", plain, recycled)
	}},
	"zero-copy-costs": {`No, it costs processor time: ` + cpuFigures, func(c *checker, g []string) {
		plain, recycled := c.saidCPU(g)
		c.holds(recycled > 1.15*plain, "sealed %v, recycled %v", plain, recycled)
	}},
	"zero-copy-same": {`Not here: ` + cpuFigures, func(c *checker, g []string) {
		plain, recycled := c.saidCPU(g)
		c.holds(plain < 1.5*recycled && recycled < 1.5*plain, "sealed %v, recycled %v", plain, recycled)
	}},
	"zero-copy-unclear": {`Too little to tell from one run: ` + cpuFigures, func(c *checker, g []string) {
		plain, recycled := c.saidCPU(g)
		c.holds(plain < 2*recycled && recycled < 2*plain, "sealed %v, recycled %v", plain, recycled)
	}},
	"zero-copy-disturbed": {`It cannot be told: other work on the machine kept ` + values + ` of a processor busy meanwhile. It took ` + cpuFigures, func(c *checker, g []string) {
		c.said(g[0], c.load, "other work", []string{"soft plain", "soft recycled"})
		c.saidCPU(g[1:])
	}},
	"zero-copy-response-short": {`The response is short in both: half of the messages are taken within ` + value + ` recycled, ` + value + ` sealed.`, func(c *checker, g []string) {
		plain, recycled := c.saidResponse("response p50", g)
		c.holds(max(plain, recycled) < 20e6, "sealed %v, recycled %v", plain, recycled)
	}},
	"zero-copy-response-same": {`The response is about the same: p99 ` + value + ` recycled, ` + value + ` sealed.`, func(c *checker, g []string) {
		plain, recycled := c.saidResponse("response p99", g)
		c.sameTimes([]float64{plain, recycled})
	}},
	"zero-copy-response-shorter": {`The response is shorter, too: half of the messages are taken within ` + value + ` recycled, ` + value + ` sealed.`, func(c *checker, g []string) {
		plain, recycled := c.saidResponse("response p50", g)
		c.holds(plain > recycled || c.another && plain > 0.75*recycled, "sealed %v, recycled %v", plain, recycled)
	}},

	// In every model
	"calm": {`None breaks while the consumer keeps up: with time to spare and with a slow producer a message is taken ` + values + ` after it was due, on average.`, func(c *checker, g []string) {
		all := append(c.column("time-to-spare", "response mean", everyModelName), c.column("slow-producer", "response mean", everyModelName)...)
		c.nearRange(g[0], all, 0)
		c.holds(slices.Max(all) < 10e6, "mean response %v", all)
	}},
	"stall-every": {`A consumer that is stopped for ` + value + ` shows as that in every model: response p99 is ` + values + `. The difference is where the messages wait: ` + placeList + `.`, func(c *checker, g []string) {
		c.near(g[0], c.stalled("stall"), 0.05)
		c.said(g[1], "stall", "response p99", everyModelName)
		c.showStall("stall", everyModelName)
		c.places("stall", g[2:])
	}},
	"bursts-every": {`A burst of ` + value + ` messages is the same to its messages in every model: response p99 is ` + values + `, because the last ones wait until the consumer has taken the others.`, func(c *checker, g []string) {
		c.near(g[0], float64(c.loadOf("bursts").Burst), 0)
		c.said(g[1], "bursts", "response p99", everyModelName)
		c.sameTimes(c.column("bursts", "response p99", everyModelName))
	}},
	"growth-every": {`(A slow consumer|An overload) breaks every model in time: each second of it adds ` + values + ` to the response.`, func(c *checker, g []string) {
		load := subject[g[0]]
		c.fallsBehind(load, everyModelName)
		c.growth(load, g[1])
	}},

	// When does a model break?
	"bounded-overload": {`(A slow consumer|An overload) does not break it in memory, which stayed at ` + value + `, but in front of the producer: it was blocked ` + value + ` of the time, and ` + value + ` of ` + value + ` messages were not sent at the end.`, func(c *checker, g []string) {
		load, m := subject[g[0]], []string{c.load}
		for i, row := range []string{"memory, at most", "producer blocked", "unsent at the end", "offered"} {
			c.said(g[1+i], load, row, m)
		}
		c.fallsBehind(load, m)
		c.each(load, "producer blocked", m, above(0.02))
	}},
	"bounded-stall": {`A consumer that is stopped for ` + value + ` stops the producer with it: it was blocked ` + value + ` of the time, and up to ` + value + ` messages were due and not sent. Memory stayed at ` + value + `.`, func(c *checker, g []string) {
		m := []string{c.load}
		c.near(g[0], c.stalled("stall"), 0.05)
		c.said(g[1], "stall", "producer blocked", m)
		c.said(g[2], "stall", "unsent, at most", m)
		c.said(g[3], "stall", "memory, at most", m)
		c.each("stall", "producer blocked", m, above(0.05))
		c.showStall("stall", m)
	}},
	"bounded-hidden": {`Latency alone hides that: its p99 is ` + value + `.`, func(c *checker, g []string) {
		c.said(g[0], "stall", "latency p99", []string{c.load})
		latency, response := c.column("stall", "latency p99", []string{c.load})[0], c.column("stall", "response p99", []string{c.load})[0]
		c.holds(2*latency < response, "latency %v, response %v", latency, response)
	}},
	"bounded-advice": {`A source that cannot wait \(a camera, a market feed\) needs (--on-full drop|--on-limit drop), which loses messages, or the soft model.`, func(c *checker, g []string) {
		c.text(g[0], map[string]string{"hard": "--on-full drop", "credit": "--on-limit drop"}[c.load])
	}},
	"credit-price": {`It costs more than hard: ` + value + ` of processor a message instead of ` + value + `, with time to spare.`, func(c *checker, g []string) {
		c.said(g[0], "time-to-spare", "CPU a message", []string{"credit"})
		c.said(g[1], "time-to-spare", "CPU a message", []string{"hard"})
		cpu := c.cpu("time-to-spare", "credit", "hard")
		c.holds(cpu[0] > 1.15*cpu[1], "%v", cpu)
	}},
	"soft-limit": {`An overload breaks ` + list + ` after ` + value + `: with ` + value + ` messages queued memory was at its limit of ` + value + `, and the producer has to stop.`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], "overload", "limit after", m)
		c.said(g[2], "overload", "queued, at most", m)
		c.near(g[3], float64(c.run("overload", m[0]).Limit), 0.1)
		c.each("overload", "limit after", m, above(0))
	}},
	"soft-growth": {`A slow consumer makes ` + list + ` grow, by ` + values + ` of memory a second, so that the default limit of 1 GiB is reached after ` + values + `.`, func(c *checker, g []string) {
		m := c.models(g[0])
		var growth, until []float64
		for i, bytes := range c.column("slow-consumer", "memory, at most", m) {
			growth = append(growth, bytes/c.run("slow-consumer", m[i]).Producing.Seconds())
			until = append(until, (1<<30)/growth[i]*1e9)
		}
		c.nearRange(g[1], growth, 0.1*slices.Max(growth))
		c.nearRange(g[2], until, 0.1*slices.Max(until))
		c.fallsBehind("slow-consumer", m)
	}},
	"soft-stall": {`A consumer that is stopped for ` + value + ` does not block the producer: up to ` + value + ` messages waited in the queue, which took up to ` + value + `.`, func(c *checker, g []string) {
		c.near(g[0], c.stalled("stall"), 0.05)
		c.saidMost(g[1], "stall", "queued, at most", softNames)
		c.saidMost(g[2], "stall", "memory, at most", softNames)
		c.each("stall", "producer blocked", softNames, below(0.04))
		c.showStall("stall", softNames)
	}},
	"soft-no-sooner": {`They were not taken sooner for that: response p99 is ` + values + `, with hard ` + value + `.`, func(c *checker, g []string) {
		c.said(g[0], "stall", "response p99", softNames)
		c.said(g[1], "stall", "response p99", []string{"hard"})
		c.sameTimes(c.column("stall", "response p99", append([]string{"hard"}, softNames...)))
	}},

	// At full speed
	"small-hard": {`Messages of 8 B: hard moves ` + value + ` a second, soft plain, with a sealed buffer for each, ` + value + `: ` + value + ` times as many.`, func(c *checker, g []string) {
		hard, plain := c.swept("8 B, messages/s", "hard"), c.swept("8 B, messages/s", "soft plain")
		c.near(g[0], hard, 0)
		c.near(g[1], plain, 0)
		c.near(g[2], hard/plain, 0.1)
		c.holds(hard > 1.2*plain, "hard %v, plain %v", hard, plain)
	}},
	"small-packed": {`Packing them into buffers of 64 KiB makes soft ` + value + ` times as fast.`, func(c *checker, g []string) {
		packed, plain := c.swept("8 B, messages/s", "soft packed"), c.swept("8 B, messages/s", "soft plain")
		c.near(g[0], packed/plain, 0.1)
		c.holds(packed > 1.2*plain, "packed %v, plain %v", packed, plain)
	}},
	"large": {`Messages of ` + value + `: buffers that are mapped once and recycled move ` + value + `, a sealed one for each ` + value + `, hard, written and read in place, ` + value + `. So zero-copy pays only where a mapping is used again.`, func(c *checker, g []string) {
		row := g[0] + ", payload"
		recycled, plain, hard := c.swept(row, "soft recycled"), c.swept(row, "soft plain"), c.swept(row, "hard")
		c.near(g[1], recycled, 0)
		c.near(g[2], plain, 0)
		c.near(g[3], hard, 0)
		c.holds(recycled > 1.2*plain, "recycled %v, plain %v", recycled, plain)
	}},
	"bounds": {`A ring of 8 slots moves ` + value + ` messages of 64 B a second, one of 16 MiB ` + value + `: it needs room for what is sent while the other side wakes up.`, func(c *checker, g []string) {
		t := c.rep.BoundTable()
		tight, wide := c.value(t.Rows[0].Cells[0]), c.value(t.Rows[len(t.Rows)-1].Cells[0])
		c.near(g[0], tight, 0)
		c.near(g[1], wide, 0)
		c.holds(wide > 1.2*tight, "8 slots %v, 16 MiB %v", tight, wide)
	}},

	// The machine and the generator
	"others": {`The machine had other work: during ` + value + ` of ` + value + ` runs it kept more than 10 % of a processor busy, at most ` + value + `. Compare their figures with care, and run again on a quiet machine.`, func(c *checker, g []string) {
		if c.another {
			return // of that comparison alone
		}
		n := 0
		for _, r := range c.rep.Runs {
			if r.Others > 0.1 {
				n++
			}
		}
		c.near(g[0], float64(n), 0)
		c.near(g[1], float64(len(c.rep.Runs)), 0)
		c.mostOthers(g[2])
	}},
	"quiet": {`The machine had little other work: it kept at most ` + value + ` of a processor busy during any run.`, func(c *checker, g []string) {
		c.mostOthers(g[0])
	}},
	"late": {`(Time to spare|Slow producer|Bursts|Stall|Slow consumer|Overload), marked with \*: the generator itself was late by at least half of the response(?:, at p50 with ` + list + `)?(?:, at p99 with ` + list + `)?\. These figures may say more of the machine than of the model.`, func(c *checker, g []string) {
		load := strings.ReplaceAll(strings.ToLower(g[0]), " ", "-")
		for i, q := range []string{"p50", "p99"} {
			var m []string
			if g[1+i] != "" {
				m = c.models(g[1+i])
			}
			if c.another {
				continue // it was another machine
			}
			c.marked(load, "response "+q, m)
			late, response := c.column(load, "generator late "+q, everyModelName), c.column(load, "response "+q, everyModelName)
			for k, name := range everyModelName {
				if slices.Contains(m, name) {
					c.holds(late[k] > 0.4*response[k], "late %v, response %v of %s", late[k], response[k], name)
				}
			}
		}
	}},
	"on-time": {`The load was sent on time: in no run was the generator itself late by half of the response, at p50 or at p99.`, func(c *checker, g []string) {
		for _, l := range c.rep.openLoads() {
			m := c.modelsOf(l.ID)
			for _, q := range []string{"p50", "p99"} {
				late, response := c.column(l.ID, "generator late "+q, m), c.column(l.ID, "response "+q, m)
				for i := range late {
					c.holds(c.another || late[i] < 0.6*response[i] || response[i] == 0, "%s: late %v, response %v", l.ID, late[i], response[i])
				}
			}
		}
	}},

	// What should I use? Case, use and reason.
	"keeps-up": {`the consumer keeps up: ` + list + `: time to spare: the mean response is ` + values + `(?: in all, and these take ` + values + ` of processor a message, the others more)?`, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], "time-to-spare", "response mean", everyModelName)
		c.each("time-to-spare", "response mean", everyModelName, below(10e6))
		if g[2] == "" {
			return
		}
		c.said(g[2], "time-to-spare", "CPU a message", m)
		least := slices.Min(c.cpu("time-to-spare", m...))
		for _, name := range everyModelName {
			if !slices.Contains(m, name) {
				c.holds(c.cpu("time-to-spare", name)[0] > 1.15*least, "%s takes no more", name)
			}
		}
	}},
	"may-wait": {`the consumer pauses, and the producer can wait: hard or credit: stall: response p99 is ` + values + ` \(soft: ` + values + `\), in ` + values + ` of memory \(soft: ` + values + `\)`, func(c *checker, g []string) {
		bounded := everyModelName[:2]
		c.said(g[0], "stall", "response p99", bounded)
		c.said(g[1], "stall", "response p99", softNames)
		c.said(g[2], "stall", "memory, at most", bounded)
		c.said(g[3], "stall", "memory, at most", softNames)
		c.showStall("stall", everyModelName)
		c.holds(slices.Min(c.column("stall", "memory, at most", softNames)) > 1.3*slices.Max(c.column("stall", "memory, at most", bounded)), "soft takes no more memory")
	}},
	"may-not-wait": {`the consumer pauses, and the producer cannot wait: ` + list + `: stall: it was blocked ` + values + ` of the time; the messages took ` + values + ` of memory, and were not sooner there: response p99 is ` + values, func(c *checker, g []string) {
		m := c.models(g[0])
		c.said(g[1], "stall", "producer blocked", m)
		c.said(g[2], "stall", "memory, at most", m)
		c.said(g[3], "stall", "response p99", m)
		c.each("stall", "producer blocked", m, below(0.04))
		c.showStall("stall", m)
	}},
	"hopeless": {`more is due than the consumer takes, for good: none helps: a faster consumer, or drop \(--on-full, --on-limit\): overload: each second of it adds ` + values + ` to the response, in every model`, func(c *checker, g []string) {
		c.fallsBehind("overload", everyModelName)
		c.growth("overload", g[0])
	}},
	"small": {`many small messages, as many as possible: ` + list + `: full speed: ` + values + ` messages of 8 B a second`, func(c *checker, g []string) {
		c.fastest("8 B, messages/s", g[0], g[1])
	}},
	"large-choice": {`large messages, the two sides trust each other: ` + list + `: full speed: ` + values + ` in messages of 1 MiB`, func(c *checker, g []string) {
		c.fastest("1 MiB, payload", g[0], g[1])
	}},
	"sealed": {`the bytes must not change after they are sent, whatever the producer does: credit, soft plain or soft packed: buffers are sealed; full speed: ` + values + ` in messages of 64 KiB`, func(c *checker, g []string) {
		var all []float64
		for _, m := range []string{"credit", "soft plain", "soft packed"} {
			all = append(all, c.swept("64 KiB, payload", m))
		}
		c.nearRange(g[0], all, 0)
	}},

	// The two times
	"times-due": {`In \*Stall\* a message is due every ` + value + `, ` + value + ` in all, whatever the consumer does: the load is open-loop.`, func(c *checker, g []string) {
		c.near(g[0], 1e9/c.loadOf("stall").Rate, 0.05)
		c.said(g[1], "stall", "offered", []string{"hard"})
	}},
	"times-blocked": {`The consumer was stopped for ` + value + `. With \*hard\* the queue took ` + value + ` messages and was full; the producer was blocked ` + value + ` of the time.`, func(c *checker, g []string) {
		c.near(g[0], c.stalled("stall"), 0.05)
		c.said(g[1], "stall", "queued, at most", []string{"hard"})
		c.said(g[2], "stall", "producer blocked", []string{"hard"})
		c.each("stall", "producer blocked", []string{"hard"}, above(0.05))
	}},
	"times-unsent": {`Meanwhile up to ` + value + ` messages became due and could not be sent. They waited in front of the producer, where latency does not count.`, func(c *checker, g []string) {
		c.said(g[0], "stall", "unsent, at most", []string{"hard"})
	}},
	"times-hard": {`That is why latency is ` + value + ` in the mean \(p99 ` + value + `\), and response ` + value + ` \(p99 ` + value + `\).`, func(c *checker, g []string) {
		c.saidTimes("hard", g)
		mean := c.column("stall", "latency mean", []string{"hard"})[0]
		c.holds(mean < c.column("stall", "response mean", []string{"hard"})[0], "latency is not shorter: %v", mean)
	}},
	"times-front": {`The difference of the means, ` + value + `, is how long a message waited in front of the producer.`, func(c *checker, g []string) {
		latency, response := c.column("stall", "latency mean", []string{"hard"})[0], c.column("stall", "response mean", []string{"hard"})[0]
		c.near(g[0], response-latency, 0.25)
	}},
	"times-soft": {`With \*soft plain\* messages were sent on time and waited in the queue: latency is ` + value + ` in the mean \(p99 ` + value + `\), response ` + value + ` \(p99 ` + value + `\).`, func(c *checker, g []string) {
		c.saidTimes("soft plain", g)
		c.sameTimes([]float64{c.column("stall", "latency mean", []string{"soft plain"})[0], c.column("stall", "response mean", []string{"soft plain"})[0]})
	}},
	"times-same": {`To the receiver the two are the same: p99 ` + value + ` and ` + value + ` from when a message was due.`, func(c *checker, g []string) {
		c.said(g[0], "stall", "response p99", []string{"hard"})
		c.said(g[1], "stall", "response p99", []string{"soft plain"})
		c.sameTimes(c.column("stall", "response p99", []string{"hard", "soft plain"}))
	}},
	"times-lateness": {`The generator has a lateness of its own: how late it began to send a message whose predecessor it had sent before the message was due. Here its p99 was ` + value + `. A response of which it is at least half is marked with \*.`, func(c *checker, g []string) {
		c.said(g[0], "stall", "generator late p99", []string{"hard"})
	}},
}

const cpuFigures = value + ` of processor a message with buffers that are mapped once and recycled, ` + value + ` with a sealed one for each \(hard, in place: ` + value + `\).`

const placeList = `(?:with ` + list + ` in front of the producer)?(?:, )?(?:with ` + list + ` in the queue)?`

// subject is the load that a sentence is about.
var subject = map[string]string{"A slow consumer": "slow-consumer", "An overload": "overload"}

// saidCPU expects the processor times of recycled, plain and hard.
func (c *checker) saidCPU(g []string) (plain, recycled float64) {
	for i, m := range []string{"soft recycled", "soft plain", "hard"} {
		c.said(g[i], c.load, "CPU a message", []string{m})
	}
	cpu := c.cpu(c.load, "soft plain", "soft recycled")
	return cpu[0], cpu[1]
}

// saidResponse expects a figure of recycled and of plain.
func (c *checker) saidResponse(row string, g []string) (plain, recycled float64) {
	for i, m := range []string{"soft recycled", "soft plain"} {
		c.said(g[i], c.load, row, []string{m})
	}
	both := c.column(c.load, row, []string{"soft plain", "soft recycled"})
	return both[0], both[1]
}

func (c *checker) saidTimes(model string, g []string) {
	for i, row := range []string{"latency mean", "latency p99", "response mean", "response p99"} {
		c.said(g[i], "stall", row, []string{model})
	}
}

// places expects the models whose messages waited in front of the producer, and in the queue.
func (c *checker) places(load string, g []string) {
	for i, list := range g {
		if list == "" {
			continue
		}
		m := c.models(list)
		unsent, queued := c.column(load, "unsent, at most", m), c.column(load, "queued, at most", m)
		for k := range m {
			// Each was at most that at a time of its own, so only much is a contradiction.
			if i == 0 {
				c.holds(unsent[k] > 0.4*queued[k], "%s: unsent %v, queued %v", m[k], unsent[k], queued[k])
			} else {
				c.holds(queued[k] > 0.4*unsent[k], "%s: unsent %v, queued %v", m[k], unsent[k], queued[k])
			}
		}
	}
}

// growth expects by how much the response grew.
func (c *checker) growth(load, text string) {
	var growth []float64
	for i, x := range c.column(load, "response max", everyModelName) {
		growth = append(growth, x/c.rep.of(load)[i].Producing.Seconds())
	}
	c.nearRange(text, growth, 0.1*slices.Max(growth))
	for _, x := range growth {
		c.holds(x > 0, "the response does not grow: %v", growth)
	}
}

// marked expects that exactly these models' figures are marked.
func (c *checker) marked(load, row string, models []string) {
	t := c.rep.FigureTable(load)
	for _, r := range t.Rows {
		if r.Name != row {
			continue
		}
		for i, cell := range r.Cells {
			if strings.HasSuffix(cell, "*") != slices.Contains(models, t.Columns[i]) {
				c.fail("%s: %s of %s", load, cell, t.Columns[i])
			}
		}
	}
}

// mostOthers expects the most other work during a run. Not all runs have a column of it.
func (c *checker) mostOthers(text string) {
	high := 0.0
	for _, r := range c.rep.Runs {
		high = max(high, r.Others)
	}
	for _, l := range c.rep.openLoads() {
		for _, x := range c.column(l.ID, "other work", c.modelsOf(l.ID)) {
			c.holds(c.another || x < high+0.006, "%s: %v of a processor", l.ID, x)
		}
	}
	c.near(text, high, 0.5)
}

// swept returns a cell of the sweep of sizes.
func (c *checker) swept(row, model string) float64 {
	return c.column(sizes, row, []string{model})[0]
}

// sizes is the sweep of sizes, as the load of a table.
const sizes = "sizes"

// fastest expects that no model is much faster than those that are named.
func (c *checker) fastest(row, list, text string) {
	var named, all []float64
	for _, m := range c.models(list) {
		named = append(named, c.swept(row, m))
	}
	for _, m := range everyModelName {
		all = append(all, c.swept(row, m))
	}
	c.nearRange(text, named, 0)
	c.holds(slices.Max(all) < 2*slices.Min(named), "%s: %v of %v", list, named, all)
}

// statement is a sentence, with the load or the model that it is about where it does not say so.
type statement struct {
	Sentence
	about string
}

// everything returns what a report says.
func everything(rep *Report) (all []statement) {
	for _, l := range rep.openLoads() {
		for _, a := range rep.Answers(l.ID) {
			for _, s := range a.Sentences {
				all = append(all, statement{s, l.ID})
			}
		}
	}
	for _, section := range rep.Findings() {
		about := ""
		for _, m := range everyModelName[:2] {
			if strings.Contains(section.Title, "the "+m+" model") {
				about = m
			}
		}
		for _, s := range section.Sentences {
			all = append(all, statement{s, about})
		}
	}
	for _, ch := range rep.Choices() {
		kind := ch.Kind
		if kind == "large" {
			kind = "large-choice"
		}
		all = append(all, statement{Sentence{kind, ch.Case + ": " + ch.Use + ": " + ch.Because}, ""})
	}
	for _, s := range rep.TwoTimes() {
		if s.Kind != "" { // a definition
			all = append(all, statement{s, ""})
		}
	}
	return all
}

// contradictions returns what is wrong with a sentence, in the light of the columns of a report.
func (s statement) contradictions(rep *Report, rows cells, another bool) []string {
	cl, ok := claims[s.Kind]
	if !ok {
		return []string{"a kind of sentence that this test does not know: " + s.Kind}
	}
	g := pattern(cl.words).FindStringSubmatch(s.Text)
	if g == nil {
		return []string{"not in the words that this test knows"}
	}
	c := &checker{rep: rep, load: s.about, another: another, rows: rows}
	cl.check(c, g[1:])
	return c.wrong
}

var patterns = map[string]*regexp.Regexp{}

func pattern(words string) *regexp.Regexp {
	if patterns[words] == nil {
		patterns[words] = regexp.MustCompile(`^` + words + `$`)
	}
	return patterns[words]
}

// wantConsistent expects that no sentence of the report contradicts the columns of report by.
func wantConsistent(t *testing.T, rep, by *Report) (said map[string]int) {
	t.Helper()
	said = map[string]int{}
	rows := cells{}
	for _, s := range everything(rep) {
		said[s.Kind]++
		for _, wrong := range s.contradictions(by, rows, rep != by) {
			t.Errorf("%s, %s: %q: %s", s.Kind, s.about, s.Text, wrong)
		}
	}
	return said
}

// again returns what another comparison might have come to: times, rates and shares that are
// somewhat other ones. Short times vary more.
func again(rep *Report, rng *rand.Rand) *Report {
	by := func(share float64) float64 { return 1 + share*(2*rng.Float64()-1) }
	vary := func(d *time.Duration) {
		share := 0.05
		if *d < 5*time.Millisecond {
			share = 0.3
		}
		*d = time.Duration(float64(*d) * by(share))
	}
	out := *rep
	out.Runs = nil
	for _, r := range rep.Runs {
		n := *r
		for _, t := range []*Times{&n.Latency, &n.Response, &n.Lateness} {
			for _, d := range []*time.Duration{&t.P50, &t.P90, &t.P99, &t.P999, &t.Max, &t.Mean} {
				vary(d)
			}
		}
		for _, d := range []*time.Duration{&n.ProducerBlocked, &n.ConsumerBlocked, &n.Producer.CPU, &n.Consumer.CPU} {
			*d = time.Duration(float64(*d) * by(0.07))
		}
		n.ProducerBlocked += time.Duration(rng.Float64() * 0.005 * float64(n.Elapsed))
		n.TakenPerSec *= by(0.03)
		if !n.Load.Forever {
			n.Elapsed = time.Duration(float64(n.Elapsed) * by(0.02))
		}
		if n.Load.Rate == 0 {
			n.TakenPerSec *= by(0.08)
		}
		for _, x := range []*uint64{&n.Memory, &n.Deepest, &n.MostUnsent, &n.WorstUnsent, &n.WorstQueued} {
			*x = uint64(float64(*x) * by(0.07))
		}
		n.explain()
		out.Runs = append(out.Runs, &n)
	}
	return &out
}

// explain says which quantiles of the response the lateness could explain.
func (r *Run) explain() {
	r.Explained = nil
	for i, late := range []time.Duration{r.Lateness.P50, r.Lateness.P99} {
		if 2*late >= []time.Duration{r.Response.P50, r.Response.P99}[i] && r.Response.Count > 0 {
			r.Explained = append(r.Explained, []float64{0.5, 0.99}[i])
		}
	}
}

// distort returns a comparison in which some runs came out quite differently.
func distort(rep *Report, rng *rand.Rand) *Report {
	out := *rep
	out.Runs = nil
	wild := func(d *time.Duration) {
		*d = time.Duration(float64(*d) * math.Exp(rng.NormFloat64()*1.5))
	}
	for _, r := range rep.Runs {
		n := *r
		if rng.IntN(3) == 0 {
			slower := math.Exp(rng.NormFloat64())
			for _, t := range []*Times{&n.Latency, &n.Response} {
				for _, d := range []*time.Duration{&t.P50, &t.P90, &t.P99, &t.P999, &t.Max, &t.Mean} {
					*d = time.Duration(float64(*d) * slower)
				}
			}
		}
		switch rng.IntN(12) {
		case 0:
			wild(&n.Response.P99)
			wild(&n.Response.Mean)
		case 1:
			wild(&n.Latency.Mean)
			wild(&n.Latency.P99)
		case 2:
			n.ProducerBlocked = time.Duration(rng.Float64() * rng.Float64() * rng.Float64() * float64(n.Elapsed))
			n.ConsumerBlocked = time.Duration(rng.Float64() * rng.Float64() * float64(n.Elapsed))
		case 3:
			wild(&n.Producer.CPU)
			wild(&n.Consumer.CPU)
		case 4:
			n.TakenPerSec *= math.Exp(rng.NormFloat64())
			n.Response.Max = time.Duration(rng.Int64N(int64(n.Elapsed)))
		case 5:
			n.WorstUnsent, n.WorstQueued = n.WorstQueued, n.WorstUnsent
			n.MostUnsent, n.Deepest = n.Deepest, n.MostUnsent
			n.Memory *= uint64(1 + rng.IntN(5))
		case 6:
			n.Lateness.P50, n.Lateness.P99 = n.Response.P50*time.Duration(rng.IntN(3))/3, n.Response.P99*time.Duration(rng.IntN(3))/3
		case 7:
			n.Response = Times{}
		case 8:
			n.Elapsed = time.Duration(float64(n.Elapsed) * (1 + rng.Float64()))
		case 9:
			n.Others = rng.Float64()
			n.LimitAfter = 0
		}
		n.explain()
		out.Runs = append(out.Runs, &n)
	}
	return &out
}

// What theory expects, a second comparison of the same, and one that came out differently.
func TestSentences_AgreeWithColumns(t *testing.T) {
	testenv.NotShort(t)
	said := map[string]int{}
	theory := simulated(true)
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rep := theory
		if seed > 0 {
			rep = again(rep, rng)
		}
		if seed > 10 {
			rep = distort(rep, rng)
		}
		for kind, n := range wantConsistent(t, rep, rep) {
			said[kind] += n
		}
		for range 3 {
			wantConsistent(t, rep, again(rep, rng))
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(claims)) {
		if said[kind] == 0 {
			t.Errorf("never said: %s", kind)
		}
	}
}
