package report

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/pressure"
)

// fullStream is a bridge whose stream is full because the consumer over there is slower.
func fullStream() pressure.Bridge {
	return pressure.Bridge{
		State: pressure.BridgeFull, StateFor: 12 * time.Second, Age: time.Second, InFlight: 1 << 20, RoundTrip: 1200 * time.Microsecond,
		StreamBytes: 1 << 30, StreamLimit: 1 << 30, PeerSeen: true, PeerSilent: time.Second, PeerWaits: layout.PeerFull, Lag: 12345, LagBytes: 98760, LagTime: 3 * time.Second,
	}
}

// bridged is a report of a bridge, with the messages that it has passed on.
func bridged(role layout.Role, b pressure.Bridge) *Report {
	return fiveSeconds(func(r *Report, before, after *pressure.Snapshot) {
		r.Role, r.Final = role.String(), false
		side := map[layout.Role]*pressure.RoleStats{layout.Producer: &after.Producer, layout.Consumer: &after.Consumer}[role]
		side.Bridge = b
		after.Produced, after.QueueBytes, after.Producer.Blocked = 200, 1<<20, 5*time.Second
	})
}

func TestText_LineOfBridge(t *testing.T) {
	runs := fullStream()
	runs.State, runs.Lag = pressure.BridgeRunning, 0
	runs.StreamBytes = 0
	alone := fullStream()
	alone.State, alone.PeerSeen, alone.Lag = pressure.BridgeConnecting, false, 0
	for _, c := range []struct {
		name string
		role layout.Role
		b    pressure.Bridge
		want string
	}{
		{"out", layout.Consumer, fullStream(),
			"            time  msg/s queue       lag oldest bridge             verdict\n" +
				"out        5.0 s      5 [######] 12,345     3s stream full        consumer-bound\n" +
				"out              blocked: producer 100 %, consumer 0 % of the time; queue 100 % full; bridge: stream full (the consumer over there is slower)\n" +
				"out              speed up the consumer over there; a larger stream (--max-bytes) only delays this\n"},
		{"out, nobody over there", layout.Consumer, alone,
			"            time  msg/s queue       lag oldest bridge             verdict\n" +
				"out        5.0 s      5 [######]      -      - no connection      consumer-bound\n" +
				"out              blocked: producer 100 %, consumer 0 % of the time; queue 100 % full; bridge: no connection to a server for 12 s\n" +
				"out              see that the server runs and can be reached (--nats)\n"},
		{"in", layout.Producer, runs,
			"            time  msg/s queue       lag oldest bridge             verdict\n" +
				"in         5.0 s      5 [######]      0      - running            consumer-bound\n" +
				"in               blocked: producer 100 %, consumer 0 % of the time; queue 100 % full\n" +
				"in               speed up the consumer; more capacity only delays this\n"},
	} {
		var b strings.Builder
		p := &text{}
		p.print(&b, bridged(c.role, c.b))
		if b.String() != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.name, b.String(), c.want)
		}
		for line := range strings.Lines(strings.Join(strings.SplitAfter(b.String(), "\n")[:2], "")) {
			if len(line)-1 > maxColumns {
				t.Errorf("%s: a line of %d columns: %s", c.name, len(line)-1, line)
			}
		}
		// The other side of the ring is none.
		p, other := &text{}, bridged(c.role, c.b)
		other.Role = c.role.Peer().String()
		b.Reset()
		p.print(&b, other)
		if !strings.Contains(b.String(), "cons. waits verdict\n"+other.Role+"   5.0 s") {
			t.Errorf("%s: of the other side:\n%s", c.name, b.String())
		}
	}
}

// The longest state and the longest verdict fit into a line.
func TestText_LineOfBridge_FitsColumns(t *testing.T) {
	for _, state := range pressure.BridgeStates() {
		b := fullStream()
		b.State = state
		r := bridged(layout.Consumer, b)
		r.Verdict.Kind = pressure.ConsumerBound
		if line := bridgeCells(r); len("consumer")+1+7+1+len(line)-1 > maxColumns {
			t.Errorf("%s: %d columns: %s", state, len("consumer")+1+7+1+len(line)-1, line)
		}
	}
}

func TestText_ColumnsOfBridge_OnceItHasSaidSomething(t *testing.T) {
	var b strings.Builder
	p := &text{}
	p.print(&b, bridged(layout.Consumer, pressure.Bridge{}))
	p.print(&b, bridged(layout.Consumer, fullStream()))
	if out := b.String(); strings.Count(out, " time ") != 2 || !strings.Contains(out, "lag oldest") || !strings.Contains(out, "prod. waits") {
		t.Errorf("%s", out)
	}
}

func TestSummary_OfBridge(t *testing.T) {
	r := bridged(layout.Consumer, fullStream())
	r.Final = true
	out := printed(t, r)
	for _, want := range []string{
		"bridge out \"orders\" ran for 5s\n",
		"\n  bridge out stream full for 12 s (the consumer over there is slower)\n" +
			"             lag 12,345 messages, 96 KiB, the oldest 3s; 1 MiB in flight;\n" +
			"             an acknowledgement takes 1.2ms\n" +
			"             stream 1 GiB of 1 GiB, 100 % full;\n             the bridge over there waits for room in its ring\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	r = bridged(layout.Producer, pressure.Bridge{State: pressure.BridgeConnecting})
	r.Final = true
	if out := printed(t, r); !strings.Contains(out, "bridge in \"orders\" ran") || !strings.Contains(out, "\n  bridge in  no connection\n             lag unknown\n             stream 0 B; no bridge over there was heard of\n") {
		t.Errorf("%s", out)
	}
}

func TestBridgeRows_OfEachState(t *testing.T) {
	for _, c := range []struct {
		state pressure.BridgeState
		want  string
	}{
		{pressure.BridgeUnknown, "unknown for 12 s"},
		{pressure.BridgeConnecting, "no connection for 12 s"},
		{pressure.BridgeRunning, "running for 12 s"},
		{pressure.BridgeNoStream, "no stream for 12 s"},
		{pressure.BridgeFull, "stream full for 12 s (the consumer over there is slower)"},
		{pressure.BridgeRefused, "refused for 12 s"},
		{pressure.BridgeNoAck, "no acknowledgement for 12 s"},
		{pressure.BridgeMissing, "messages missing for 12 s"},
		{pressure.BridgeStopped, "was stopped 12 s ago; its stream goes on with the next one"},
		{pressure.BridgeFailed, "failed 12 s ago; its stream goes on with the next one"},
		{pressure.BridgeEnded, "ended"},
		{pressure.BridgeDied, "died"},
	} {
		b := fullStream()
		b.State = c.state
		if c.state == pressure.BridgeEnded || c.state == pressure.BridgeDied {
			b.StateFor = 0
		}
		s := pressure.Snapshot{Producer: pressure.RoleStats{Bridge: b}}
		if rows := BridgeRows(&s); rows[0] != (PlaceRow{"bridge in", c.want}) {
			t.Errorf("%s: %q", c.state, rows[0])
		}
	}
	left := fullStream()
	left.State = pressure.BridgeDied
	if rows := BridgeRows(&pressure.Snapshot{Consumer: pressure.RoleStats{Bridge: left}}); len(rows) != 3 || rows[2].Text != "stream 1 GiB of 1 GiB, 100 % full" ||
		rows[1].Text != "before that: lag 12,345 messages, 96 KiB, the oldest 3s; 1 MiB in flight; an acknowledgement takes 1.2ms" {
		t.Errorf("%q", rows)
	}
	old := fullStream()
	old.Age, old.PeerSilent = 20*time.Second, 21*time.Second
	both := pressure.Snapshot{Producer: pressure.RoleStats{Bridge: old}, Consumer: pressure.RoleStats{Bridge: fullStream()}}
	rows := BridgeRows(&both)
	if len(rows) != 7 || rows[0].Name != "bridge out" || rows[3].Name != "bridge in" || rows[6] != (PlaceRow{"", "these figures are 20 s old"}) {
		t.Errorf("%q", rows)
	}
	if BridgeRows(&pressure.Snapshot{}) != nil {
		t.Error("rows without a bridge")
	}
}

func TestSentence_OfBridge(t *testing.T) {
	r := bridged(layout.Consumer, fullStream())
	want := "consumer-bound: 5 msg/s, 75 messages queued, 100 % full; blocked: producer 100 %, consumer 0 %; lag 12,345 (3s); bridge: stream full (the consumer over there is slower)"
	if got := Sentence(r.Now, &r.Interval, &r.Verdict); got != want {
		t.Errorf("%q, want\n%q", got, want)
	}
	runs := fullStream()
	runs.State, runs.StreamBytes = pressure.BridgeRunning, 0
	r = bridged(layout.Producer, runs)
	want = "consumer-bound: 5 msg/s, 75 messages queued, 100 % full; blocked: producer 100 %, consumer 0 %; bridge: running; lag 12,345 (3s)"
	if got := Sentence(r.Now, &r.Interval, &r.Verdict); got != want {
		t.Errorf("%q, want\n%q", got, want)
	}
}

// A bridge of several rings has what each does, and how far all of them are behind.
func TestMany_Text_OfBridge(t *testing.T) {
	segs := rings(t, 2)
	for i, seg := range segs {
		h := seg.Header()
		h.ConsumerStats.Generation.Store(1)
		l := &h.ConsumerLink
		l.State.Store(uint64(layout.LinkFull) - uint64(i)) // full, no stream
		l.PeerSeenAt.Store(1)
		l.Lag.Store(uint64(1000 * (i + 1)))
		l.LagTime.Store(uint64(3 * time.Second))
		l.Holder.Store(1)
	}
	var b testenv.Buffer
	m := StartMany(Options{Role: layout.Consumer, Out: &b, Interval: 50 * time.Millisecond})
	for _, seg := range segs {
		if err := m.Join(seg.Name(), seg, none); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < 100 && !strings.Contains(b.String(), "2 rings"); i++ {
		time.Sleep(50 * time.Millisecond)
	}
	m.Finish()
	out := b.String()
	for _, want := range []string{
		"                  msg/s queue       lag oldest bridge             verdict\n",
		" 1,000     3s stream full        no-producer\n", " 2,000     3s no stream          no-producer\n", " [------]  3,000                           2 rings\n", "bridge out of 2 rings ran for",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
