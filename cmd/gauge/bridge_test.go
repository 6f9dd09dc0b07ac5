package main_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
	"sluice/internal/testenv"
	"sluice/layout"
	"sluice/ring"
)

// linked is a child process that holds a role of a ring as a bridge does, passes nothing on,
// and says that it is in the given layout.LinkState. On SIGTERM it leaves in good order. Its
// arguments are the name, the role and the state as numbers.
func linked(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	role, _ := strconv.Atoi(args[1])
	state, _ := strconv.Atoi(args[2])
	var h *layout.Header
	var leave func() error
	if layout.Role(role) == layout.Producer {
		w, err := ring.CreateSlots(ctx, args[0], 8, ring.WriterOptions{Slots: 8})
		if err != nil {
			return err
		}
		h, leave = w.Segment().Header(), func() error { w.EndAs(layout.EndNone); return w.Close() }
	} else {
		r, err := ring.OpenSlots(ctx, args[0], ring.ReaderOptions{})
		if err != nil {
			return err
		}
		h, leave = r.Segment().Header(), r.Close
	}
	l, began := h.Link(layout.Role(role)), monotonic.Now()
	note := func(state layout.LinkState) {
		now := monotonic.Now()
		l.State.Store(uint64(state))
		l.StateAt.Store(began)
		l.NotedAt.Store(now)
		l.PeerSeenAt.Store(now)
		l.PeerWaits.Store(uint64(layout.PeerFull))
		l.Lag.Store(12345)
		l.LagBytes.Store(98760)
		l.LagTime.Store(uint64(3 * time.Second))
		l.StreamBytes.Store(1 << 20)
		l.StreamLimit.Store(1 << 20)
		l.Holder.Store(h.Stats(layout.Role(role)).Generation.Load())
	}
	for ctx.Err() == nil {
		note(layout.LinkState(state))
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	note(layout.LinkStopped)
	return leave()
}

// startLinked starts such a child.
func startLinked(t *testing.T, name string, role layout.Role, state layout.LinkState) *testenv.Child {
	t.Helper()
	c := testenv.StartChild(t, "linked", name, strconv.Itoa(int(role)), strconv.Itoa(int(state)))
	testenv.EventuallyHeader(t, name, "a bridge", func(h *layout.Header) bool {
		return h.Stats(role).Generation.Load() > 0 && h.Link(role).Holder.Load() == h.Stats(role).Generation.Load() && h.Link(role).State.Load() == uint64(state)
	})
	return c
}

// Everything that shows a segment says that its bridge is the reason why it is full.
func TestBridge_StreamFull_EverywhereShown(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--slots", "8", "--format", "json")
	out := startLinked(t, name, layout.Consumer, layout.LinkFull)
	_, addr := serving(t, "127.0.0.1", "--name", name)
	const why = "bridge: stream full (the consumer over there is slower)"
	says := func(what string, ok func() bool) {
		t.Helper()
		testenv.Eventually(t, what+" says what the bridge does", ok)
	}
	var seen testenv.Report
	says("gauge stat --json", func() bool {
		seen = stat(t, name)
		text, _ := seen["verdictWhy"].(string)
		return seen["verdict"] == "consumer-bound" && strings.HasSuffix(text, why)
	})
	if got := seen["verdictAdvice"]; got != "speed up the consumer over there; a larger stream (--max-bytes) only delays this" {
		t.Errorf("advice: %v", got)
	}
	bridge, _ := seen["bridge"].(map[string]any)
	state, _ := bridge["out"].(map[string]any)
	if bridge["in"] != nil || state["state"] != "stream-full" || state["lagMessages"] != 12345.0 || state["lagSec"] != 3.0 || state["streamLimitBytes"] != float64(1<<20) {
		t.Errorf("bridge: %v", bridge)
	}
	text := testenv.GaugeOutput(t, "stat", "--name", name)
	for _, want := range []string{why, "bridge out stream full", "lag 12,345 messages, 96 KiB, the oldest 3s", "stream 1 MiB of 1 MiB, 100 % full", "the bridge over there waits for room in its ring", fmt.Sprintf("bridge, pid %d", out.Process.Pid)} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	says("gauge ls", func() bool {
		text = testenv.GaugeOutput(t, "ls", "--name", name)
		return hasLine(text, "DEPTH FILL BRIDGE LAG AGE", "VERDICT") && hasLine(text, name, " stream full 12,345 (3s) ") && hasLine(text, name, "consumer-bound")
	})
	says("gauge watch", func() bool {
		text = testenv.GaugeOutput(t, "watch", "--name", name)
		return strings.Contains(text, "bridge out     stream full") && strings.Contains(text, "lag 12,345 messages")
	})
	says("/metrics", func() bool {
		_, text = request(t, "GET", "http://"+addr+"/metrics", addr)
		return strings.Contains(text, fmt.Sprintf("sluice_bridge_out_state{mode=\"ring\",name=%q,state=\"stream-full\"} 1\n", name)) &&
			strings.Contains(text, fmt.Sprintf("sluice_bridge_out_lag_messages{mode=\"ring\",name=%q} 12345\n", name))
	})
	if promtool, err := exec.LookPath("promtool"); err == nil {
		check := exec.Command(promtool, "check", "metrics")
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
	says("/live.json", func() bool {
		_, text = request(t, "GET", "http://"+addr+"/live.json", addr)
		return strings.Contains(text, `"bridge":[{"name":"bridge out","text":"stream full`) && strings.Contains(text, `"severity":"warn"`) && strings.Contains(text, why)
	})
	says("the producer", func() bool {
		all := p.Reports()
		text, _ := "", 0
		if len(all) > 0 {
			text, _ = all[len(all)-1]["verdictWhy"].(string)
		}
		return strings.HasSuffix(text, why)
	})
	rows, err := csv.NewReader(strings.NewReader(testenv.GaugeOutput(t, "record", "--name", name, "--duration", "300ms", "--interval", "100ms"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("gauge record: %q, %v", rows, err)
	}
	for column, want := range map[string]string{"bridgeOutState": "stream-full", "bridgeOutLagMessages": "12345", "bridgeInState": ""} {
		if at := slices.Index(rows[0], column); at < 0 || rows[len(rows)-1][at] != want {
			t.Errorf("%s: want %q in %q", column, want, rows)
		}
	}

	// A bridge that leaves in good order has not died, and one that is killed has.
	out.Process.Signal(unix.SIGTERM)
	if err := out.Wait(); err != nil {
		t.Fatal(err)
	}
	says("gauge stat, of one that was stopped", func() bool {
		text = testenv.GaugeOutput(t, "stat", "--name", name)
		return strings.Contains(text, "no-consumer") && strings.Contains(text, "the bridge that was the consumer was stopped") && strings.Contains(text, "bridge, was stopped") &&
			strings.Contains(text, "start the bridge again (bridge out): it sends what is queued")
	})
	if strings.Contains(text, "died") {
		t.Errorf("it was not killed:\n%s", text)
	}
	killed := startLinked(t, name, layout.Consumer, layout.LinkFull)
	killed.Kill()
	says("gauge stat, of one that was killed", func() bool {
		text = testenv.GaugeOutput(t, "stat", "--name", name)
		return strings.Contains(text, "the bridge that was the consumer died") && strings.Contains(text, "bridge, died")
	})
	if state := stat(t, name)["bridge"].(map[string]any)["out"].(map[string]any); state["state"] != "died" || state["stateSec"] != nil {
		t.Errorf("of one that was killed: %v", state)
	}

	// A consumer that is no bridge follows one.
	testenv.Start(t, "consumer", "--name", name, "--work", "5ms")
	says("gauge stat, of an ordinary consumer", func() bool {
		seen = stat(t, name)
		text, _ := seen["verdictWhy"].(string)
		return seen["verdict"] == "consumer-bound" && seen["bridge"] == nil && !strings.Contains(text, "bridge")
	})
}

// The far ring: its producer is a bridge to which nothing comes.
func TestBridge_NoConnection_FarRing(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	in := startLinked(t, name, layout.Producer, layout.LinkConnecting)
	c := testenv.Start(t, "consumer", "--name", name, "--format", "json")
	var seen testenv.Report
	testenv.Eventually(t, "the verdict", func() bool {
		seen = stat(t, name)
		text, _ := seen["verdictWhy"].(string)
		return seen["verdict"] == "producer-bound" && strings.Contains(text, "bridge: no connection to a server")
	})
	if got := seen["verdictAdvice"]; got != "see that the server runs and can be reached (--nats)" {
		t.Errorf("advice: %v", got)
	}
	testenv.Eventually(t, "the consumer's report", func() bool {
		all := c.Reports()
		if len(all) == 0 {
			return false
		}
		text, _ := all[len(all)-1]["verdictWhy"].(string)
		return strings.Contains(text, "bridge: no connection to a server")
	})
	if text := strings.Join(strings.Fields(testenv.GaugeOutput(t, "doctor")), " "); !strings.Contains(text, name+": blocked: ") || !strings.Contains(text, "bridge: no connection to a server") {
		t.Errorf("gauge doctor does not say that the bridge is cut off:\n%s", text)
	}
	in.Process.Signal(unix.SIGTERM)
	if err := in.Wait(); err != nil {
		t.Fatal(err)
	}
	// Its stream has not ended: the consumer goes on.
	testenv.Eventually(t, "the verdict after it was stopped", func() bool {
		seen = stat(t, name)
		text, _ := seen["verdictWhy"].(string)
		return seen["verdict"] == "no-producer" && strings.Contains(text, "the last producer, a bridge, was stopped, and its stream goes on with the next one")
	})
	if got := seen["verdictAdvice"]; got != "start the bridge again (bridge in), or stop the consumer" {
		t.Errorf("advice: %v", got)
	}
}

// What a bridge has not sent is not removed without --yes, and the hint says who sends it.
func TestBridge_Rm_UnsentMessages(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	p := testenv.Start(t, "producer", "--name", name, "--slots", "8")
	out := startLinked(t, name, layout.Consumer, layout.LinkConnecting)
	full(t, name)
	testenv.Start(t, "gauge", "rm", "--name", name).WantError(4, name, "role is taken")
	out.Process.Signal(unix.SIGTERM)
	if err := out.Wait(); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	testenv.Start(t, "gauge", "rm", "--name", name).WantError(2, name, "8 messages unread would be lost", "bridge out --name "+name+" sends them; --yes discards them")
	testenv.GaugeOutput(t, "rm", "--name", name, "--yes")
	testenv.WantNoSegment(t, name)
}

// The page has a line for each thing that there is to say of a bridge, as text.
func TestPage_Bridge(t *testing.T) {
	t.Parallel()
	figures := strings.Replace(figuresOfX, `"history":`, `"bridge":[{"name":"bridge out","text":"stream full"},{"name":"","text":"lag <b>5</b> messages"}],"history":`, 1)
	if !json.Valid([]byte(figures)) {
		t.Fatal(errors.New("the figures are no JSON"))
	}
	document := browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, figures) }))
	if x := card(t, document, "x"); !strings.Contains(x, `<dt class="">bridge out</dt><dd class="">stream full</dd><dt class=""></dt><dd class="">lag &lt;b&gt;5&lt;/b&gt; messages</dd>`) {
		t.Errorf("%s", x)
	}
}
