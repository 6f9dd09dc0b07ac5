package metrics

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/layout"
	"sluice/pressure"
)

// moving is a sample of a ring with six messages, in which both sides are alive.
func moving(change func(s *Sample)) *Sample {
	side := pressure.RoleStats{Alive: true, PID: 7, Generation: 1, State: layout.StateRunning, Waits: 3, Blocked: 1500 * time.Millisecond}
	s := &Sample{
		Role: "observer", Name: "orders", Mode: layout.ModeRing, Elapsed: 2 * time.Second,
		Now: &pressure.Snapshot{
			Geometry: layout.Geometry{Mode: layout.ModeRing, Capacity: 1 << 20}, Produced: 106, Consumed: 100, QueueBytes: 1 << 18,
			Producer: side, Consumer: side,
		},
		Interval: pressure.Interval{Elapsed: time.Second, Throughput: 50.1234567},
		Verdict:  pressure.Verdict{Kind: pressure.Balanced},
	}
	change(s)
	return s
}

func encode(t *testing.T, s *Sample) (text string, keys map[string]any) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return string(b), keys
}

func row(t *testing.T, key string) *Metric {
	t.Helper()
	i := slices.IndexFunc(Table, func(m Metric) bool { return m.Key == key })
	if i < 0 {
		t.Fatalf("no metric %s", key)
	}
	return &Table[i]
}

func TestTable_NamesAreUniqueAndConventional(t *testing.T) {
	key := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*(\.[a-z][a-zA-Z0-9]*){0,2}$`)
	series := regexp.MustCompile(`^sluice(_[a-z0-9]+)+$`)
	seen := map[string]bool{}
	var groups []string
	for i := range Table {
		m := &Table[i]
		name := m.Key
		if name == "" {
			name = m.Series
		}
		for _, n := range []string{m.Key, m.Series} {
			if n != "" && seen[n] {
				t.Errorf("%s: there are two", n)
			}
			seen[n] = true
		}
		if m.Key != "" && !key.MatchString(m.Key) || m.Series != "" && !series.MatchString(m.Series) || name == "" {
			t.Errorf("key %q, series %q", m.Key, m.Series)
		}
		for at := range m.Key {
			if group := m.Key[:at]; m.Key[at] == '.' && (i == 0 || !strings.HasPrefix(Table[i-1].Key, group+".")) {
				if slices.Contains(groups, group) {
					t.Errorf("%s: the keys of an object stand apart", m.Key)
				}
				groups = append(groups, group)
			}
		}
		if m.Key == "" && m.CSV {
			t.Errorf("%s: a column without a name", m.Series)
		}
		if m.get == nil && m.Type != Histogram {
			t.Errorf("%s: no getter", name)
		}
		if !strings.HasSuffix(m.Help, ".") || strings.Contains(m.Help, ". ") || strings.ContainsAny(m.Help, "|\n\"") {
			t.Errorf("%s: want one sentence, have %q", name, m.Help)
		}
		if (m.Type == Counter) != strings.HasSuffix(m.Series, "_total") {
			t.Errorf("%s: of type %v", m.Series, m.Type)
		}
		for unit, word := range map[Unit]string{Seconds: "_seconds", Bytes: "_bytes", Messages: "", Ratio: "_ratio"} {
			if m.Series != "" && m.Unit == unit && !strings.Contains(m.Series, word) {
				t.Errorf("%s: in %s", m.Series, unit)
			}
		}
	}
	if c := row(t, "latency.p50").Column(); c != "latencyP50" {
		t.Errorf("column %q", c)
	}
}

// Programs of users hold on to these.
func TestSample_HasTheKeysOfTheContract(t *testing.T) {
	contract := strings.Fields(`role name mode elapsedSec final producedCount consumedCount producerWaits consumerWaits
		producerWaitSec consumerWaitSec queueDepth queueBytes capacityBytes fill throughputPerSec refusedCount
		droppedCount lostCount highWater memoryBytes verdict latency response lateness offeredCount unsentCount refusedMessages`)
	text, keys := encode(t, moving(func(*Sample) {}))
	for _, k := range contract {
		if _, ok := keys[k]; !ok {
			t.Errorf("no %s in %s", k, text)
		}
	}
	last := -1
	for i := range Table {
		if k := Table[i].Key; k != "" && !strings.Contains(k, ".") {
			at := strings.Index(text, `"`+k+`":`)
			if at <= last {
				t.Errorf("%s is not in the order of the table", k)
			}
			last = at
		}
	}
	columns := strings.Fields(`producedCount consumedCount queueDepth queueBytes fill throughputPerSec producerWaits consumerWaits
		producerWaitSec consumerWaitSec refusedCount droppedCount lostCount fdsInFlight memoryBytes latencyP50 latencyP99
		responseP50 responseP99 offeredCount unsentCount verdict`)
	for _, c := range columns {
		if !slices.Contains(Columns(), c) {
			t.Errorf("no column %s", c)
		}
	}
}

func TestSample_WritesWhatIsKnown(t *testing.T) {
	s := moving(func(s *Sample) {
		s.Run = &pressure.Interval{Elapsed: 3 * time.Second, DepthBefore: 2, Produced: 30}
		s.Interval.Latency = pressure.Histogram{Count: 1, Max: 1200, Buckets: make([]uint64, layout.LatencyBuckets)}
		s.Interval.Latency.Buckets[layout.LatencyBuckets-1] = 1 // longer than any, and no longer than Max
	})
	text, keys := encode(t, s)
	for key, want := range map[string]any{
		"role": "observer", "name": "orders", "mode": "ring", "elapsedSec": 2.0, "final": false, "producedCount": 106.0, "queueDepth": 6.0,
		"producerWaitSec": 1.5, "fill": 0.25, "throughputPerSec": 50.123457, "refusedCount": 0.0, "lostCount": 0.0, "slots": 0.0, "verdict": "balanced",
	} {
		if keys[key] != want {
			t.Errorf("%s is %v, want %v", key, keys[key], want)
		}
	}
	for _, part := range []string{
		`"run":{"elapsedSec":3,"waitingCount":2,"producedCount":30,"consumedCount":0,"refusedCount":0,"droppedCount":0,"lostCount":0,"refusedMessages":0,"unsentCount":0,"offeredCount":0,"latency":null,"response":null,"lateness":null,"latenessExplains":null}`,
		`"producer":{"alive":true,"pid":7,"state":"running","where":"pid 7","wakes":0,"spuriousWakes":0}`, `"max":1200}`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
	fields := s.Row()
	for column, want := range map[string]string{"producedCount": "106", "fill": "0.250000", "fdsInFlight": "", "latencyP50": "1200", "verdict": "balanced"} {
		if got := fields[slices.Index(Columns(), column)]; got != want {
			t.Errorf("%s: %q, want %q", column, got, want)
		}
	}
}

// Never a made-up 0.
func TestSample_LeavesOutWhatIsUnknown(t *testing.T) {
	transfer := func(s *Sample) {
		s.Mode = layout.ModeTransfer
		s.Now.Geometry = layout.Geometry{Mode: layout.ModeTransfer}
	}
	for _, c := range []struct {
		name   string
		null   string
		sample *Sample
	}{
		{"no segment", "", &Sample{Role: "consumer", Name: "orders", Mode: layout.ModeRing}},
		{"no samples, no run, a ring", "latency response lateness latenessExplains schedulePerSec run limitBytes limitReached limitInSec fdsInFlight fdsMax refuseReason discardedBytes streamEnd", moving(func(*Sample) {})},
		{"a transfer without a limit", "capacityBytes slots slotBytes slotType fill limitInSec", moving(func(s *Sample) { transfer(s); s.Verdict.Grows = true })},
		{"a first look", "throughputPerSec offeredPerSec", moving(func(s *Sample) { s.Interval = pressure.Interval{} })},
		{"a value that is none", "throughputPerSec", moving(func(s *Sample) { s.Interval.Throughput = math.NaN() })},
	} {
		_, keys := encode(t, c.sample)
		null := strings.Fields(c.null)
		if c.sample.Now == nil {
			for k := range keys {
				if !slices.Contains([]string{"role", "name", "mode", "elapsedSec", "final", "verdictWhy", "verdictAdvice"}, k) {
					null = append(null, k)
				}
			}
		}
		for _, k := range null {
			if v, there := keys[k]; !there || v != nil {
				t.Errorf("%s: %s is %v (there: %v), want null", c.name, k, v, there)
			}
		}
		fields := c.sample.Row()
		for i, column := range Columns() {
			if slices.Contains(null, column) && fields[i] != "" {
				t.Errorf("%s: column %s is %q", c.name, column, fields[i])
			}
		}
	}
}

// What a ring is made of: records, or slots of some size, for values of a type perhaps.
func TestSample_OfTheSlots(t *testing.T) {
	for _, c := range []struct {
		g                   layout.Geometry
		slots, size, typeOf any
	}{
		{layout.Geometry{Capacity: 4096}, 0.0, 0.0, nil},
		{layout.Geometry{Capacity: 4096, Slots: 5}, 5.0, 0.0, nil},
		{layout.Geometry{Capacity: 4096, Fingerprint: 7}, 0.0, 0.0, nil}, // which means nothing without slots
		{layout.Geometry{Capacity: 4096, SlotSize: 64}, 64.0, 64.0, nil},
		{layout.Geometry{Capacity: 4096, SlotSize: 64, Slots: 5, Fingerprint: 0xab}, 5.0, 64.0, "0xab"},
		{layout.Geometry{Capacity: 4096, SlotSize: 64, Slots: 65}, 64.0, 64.0, nil},
	} {
		c.g.Mode = layout.ModeRing
		_, keys := encode(t, moving(func(s *Sample) { s.Now.Geometry = c.g }))
		if keys["slots"] != c.slots || keys["slotBytes"] != c.size || keys["slotType"] != c.typeOf || keys["capacityBytes"] != 4096.0 {
			t.Errorf("%+v: slots %v, slotBytes %v, slotType %v, capacityBytes %v", c.g, keys["slots"], keys["slotBytes"], keys["slotType"], keys["capacityBytes"])
		}
	}
}

// Where only one of the two was measured, nothing is known of what explains the other.
func TestSample_LatenessExplains(t *testing.T) {
	took := func(d time.Duration) (h pressure.Histogram) {
		h = pressure.Histogram{Count: 1, Max: d, Buckets: make([]uint64, layout.LatencyBuckets)}
		h.Buckets[layout.LatencyBucket(uint64(d))] = 1
		return h
	}
	for _, c := range []struct {
		response, lateness pressure.Histogram
		want               any
	}{
		{pressure.Histogram{}, took(1000), nil},
		{took(1000), pressure.Histogram{}, nil},
		{took(1000), took(100), ""},
		{took(1000), took(900), "p50 p90 p99 p999"},
	} {
		_, keys := encode(t, moving(func(s *Sample) {
			s.Interval.Response, s.Interval.Lateness = c.response, c.lateness
			s.Run = &s.Interval
		}))
		run, _ := keys["run"].(map[string]any)
		if keys["latenessExplains"] != c.want || run["latenessExplains"] != c.want {
			t.Errorf("%v and of the run %v, want %v", keys["latenessExplains"], run["latenessExplains"], c.want)
		}
	}
}

// Nobody is said to be dead, or to say something, without knowing.
func TestSample_OfASide(t *testing.T) {
	for want, side := range map[string]pressure.RoleStats{
		`{"alive":null,"pid":0,"state":"running",`: {Alive: true, AliveUnknown: true, Generation: 1, State: layout.StateRunning},
		`{"alive":true,"pid":0,"state":"running",`: {Alive: true, Generation: 1, State: layout.StateRunning},
		`{"alive":false,"pid":0,"state":null,`:     {Generation: 1, State: layout.StateRunning},
		`{"alive":false,"pid":null,"state":null,`:  {},
	} {
		text, _ := encode(t, moving(func(s *Sample) { s.Now.Consumer = side }))
		if !strings.Contains(text, `"consumer":`+want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// A side whose segment cannot be read any more still knows what it has passed on itself.
func TestSample_OfATruncatedSegment(t *testing.T) {
	_, keys := encode(t, &Sample{Role: "producer", Name: "orders", Own: &OwnCount{Run: 5, Total: 7}})
	if run, _ := keys["run"].(map[string]any); keys["producedCount"] != 7.0 || keys["consumedCount"] != nil || run["producedCount"] != 5.0 || run["consumedCount"] != nil {
		t.Errorf("%v", keys)
	}
}

func TestVerdict_IsOneOfItsStates(t *testing.T) {
	m := row(t, "verdict")
	if word, ok := m.Value(moving(func(*Sample) {})).Word(); !ok || word != "balanced" || !slices.Contains(m.States, word) || len(m.States) != len(pressure.Kinds()) {
		t.Errorf("%v, %q of %v", ok, word, m.States)
	}
	if word, ok := m.Value(&Sample{}).Word(); ok {
		t.Errorf("%q on nothing", word)
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v         Value
		json, csv string
		x         float64
		isNumber  bool
	}{
		{Value{}, "null", "", 0, false},
		{Count(math.MaxUint64), "18446744073709551615", "18446744073709551615", math.MaxUint64, true},
		{Number(0.1234567), "0.123457", "0.123457", 0.1234567, true},
		{Number(math.Inf(1)), "null", "", 0, false},
		{Duration(1500 * time.Millisecond), "1.5", "1.500000", 1.5, true},
		{Text(`a "b"`), `"a \"b\""`, `a "b"`, 0, false},
		{Text(""), `""`, "", 0, false},
		{Bool(true), "true", "true", 1, true},
		{Bool(false), "false", "false", 0, true},
	} {
		text, err := json.Marshal(c.v)
		x, ok := c.v.Float()
		if err != nil || string(text) != c.json || c.v.CSV() != c.csv || x != c.x || ok != c.isNumber {
			t.Errorf("%+v: %s, %q, %v, %v, %v", c.v, text, c.v.CSV(), x, ok, err)
		}
	}
}

func TestHolder(t *testing.T) {
	for want, s := range map[string]pressure.RoleStats{
		"none":                               {},
		"pid 7":                              {Alive: true, PID: 7, Generation: 1},
		"pid 7, stopped":                     {Alive: true, PID: 7, Generation: 1, Stopped: true},
		"process 1 of another pid namespace": {Alive: true, PID: 1, Generation: 1, OtherPIDNamespace: true},
		"died":                               {Generation: 1, State: layout.StateBlocked},
		"ended":                              {Generation: 1, State: layout.StateClosed, End: layout.EndComplete},
		"stopped early":                      {Generation: 1, State: layout.StateClosed, End: layout.EndStopped},
		"failed":                             {Generation: 1, State: layout.StateClosed, End: layout.EndFailed},
		"pid 7, alive or not (the kernel does not tell)": {Alive: true, AliveUnknown: true, PID: 7, Generation: 1},
	} {
		if got := Holder(&s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
