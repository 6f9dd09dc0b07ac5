package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/internal/observe/webui"
	"sluice/internal/testenv"
)

// browse opens a page in a browser without a window, lets it run for some seconds of
// its own clock, and returns the document as it is then. An error
// that the browser logs fails the test.
func browse(t *testing.T, url string) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: no chromium here, so what gauge serve shows in a browser is not tested")
	}
	ctx, stop := context.WithTimeout(context.Background(), 4*testenv.Timeout) // a browser starts slowly beside other work
	defer stop()
	var document, complaints bytes.Buffer
	b := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom", url)
	b.Stdout, b.Stderr = &document, &complaints
	if err := b.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, complaints.String())
	}
	for line := range strings.Lines(complaints.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("in the browser: %s", line)
		}
	}
	return document.String()
}

// card cuts a segment's article out of the document.
func card(t *testing.T, document, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(document, fmt.Sprintf("aria-label=%q", "segment "+name))
	text, _, whole := strings.Cut(rest, "</article>")
	if !found || !whole {
		t.Fatalf("no segment %q in\n%s", name, document)
	}
	return text
}

// shown returns what stands in the first element of that class.
func shown(text, class string) string {
	m := regexp.MustCompile(`class="(?:[^"]* )?` + class + `(?: [^"]*)?"[^>]*>([^<]*)<`).FindStringSubmatch(text)
	if m == nil {
		return "(nothing)"
	}
	return m[1]
}

func TestPage_SlowConsumer(t *testing.T) {
	t.Parallel()
	_, addr := serving(t, "127.0.0.1")
	name, p, _ := heldBack(t)
	testenv.Eventually(t, "a verdict on the pair", func() bool {
		_, text := request(t, "GET", "http://"+addr+"/live.json", addr)
		var live struct {
			Pairs []struct {
				Name    string
				Report  testenv.Report
				History struct{ Throughput []float64 }
			}
		}
		if err := json.Unmarshal([]byte(text), &live); err != nil {
			t.Fatal(err)
		}
		for _, p := range live.Pairs {
			if p.Name == name {
				return p.Report["verdict"] == "consumer-bound" && len(p.History.Throughput) > 1
			}
		}
		return false
	})
	// While a side gets no processor, the pair looks different: there are several looks.
	const tries = 10
	for try := range tries {
		document := browse(t, "http://"+addr+"/")
		wrong := wrongOnSlowPair(card(t, document, name), name, p.Cmd.Process.Pid)
		if !strings.Contains(document, "● live") || !strings.Contains(document, `id="gone" role="alert" hidden`) {
			wrong = append(wrong, "it does not say that it is live")
		}
		if len(wrong) == 0 {
			return
		}
		t.Logf("try %d:\n%s", try, strings.Join(wrong, "\n"))
	}
	t.Error("never as it should be")
}

// wrongOnSlowPair returns what the card of a pair whose consumer is the slower side lacks.
func wrongOnSlowPair(text, name string, producer int) (wrong []string) {
	for class, want := range map[string]string{
		"name": "^" + regexp.QuoteMeta(name) + "$", "mode": `^ring \(hard\)$`, "kind": "^consumer-bound$", "why": "blocked: producer [5-9][0-9]|producer 100",
		"advice": "speed up the consumer", "rate": `^[1-9][0-9]* msg/s$`, "depth": "^[1-8] of 8 slots of 8 B$", "bytes": "B of 64 B$",
		"where alive": fmt.Sprintf("^● pid %d$", producer), "blocked": `^([5-9][0-9]|100) %$`, "p50": "[0-9] ms$", "p99": "[0-9] ms$",
	} {
		if got := shown(text, class); !regexp.MustCompile(want).MatchString(got) {
			wrong = append(wrong, fmt.Sprintf("%s: %q, want %q", class, got, want))
		}
	}
	var depth int
	fmt.Sscan(shown(text, "depth"), &depth)
	for what, pattern := range map[string]string{
		"a line for the throughput":  `aria-label="throughput: [1-9][0-9]* messages a second now`,
		"a line for the producer":    `aria-label="producer blocked: [0-9]+ % now`,
		"the fill that is its depth": fmt.Sprintf(`role="meter"[^>]*aria-valuenow="%.0f"`, math.Round(float64(depth)*100/8)),
		"points of a line":           `class="line" d="M[0-9. ]+[Lh]`,
	} {
		if !regexp.MustCompile(pattern).MatchString(text) {
			wrong = append(wrong, fmt.Sprintf("no %s in\n%s", what, text))
		}
	}
	return wrong
}

// withFigures is the page with live.json from elsewhere.
func withFigures(t *testing.T, live http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", webui.New(nil))
	mux.HandleFunc("/live.json", live)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestPage_NoSegment(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(webui.New(nil))
	defer s.Close()
	document := browse(t, s.URL)
	if strings.Contains(document, `id="none" class="remark" hidden`) || !strings.Contains(document, "There is no segment") {
		t.Error(document)
	}
}

const figuresOfX = `{"host":"here","points":300,"pairs":[{"name":"x","report":{"mode":"ring","verdict":"balanced","verdictWhy":"<b>why</b>","verdictAdvice":"",
"queueDepth":3,"queueBytes":72,"capacityBytes":4096,"slots":0,"fill":0.0175,"throughputPerSec":123456.7,"latency":null,"consumedCount":1,"highWater":4,"memoryBytes":12288},
"heldSec":3700,"severity":"good","producer":{"alive":true,"where":"pid 1","blocked":0.25},"consumer":{"alive":false,"where":"died","blocked":0},
"history":{"throughput":[1],"depth":[3],"producerBlocked":[0.25],"consumerBlocked":[0]}},
{"name":"y","error":"<img src=nothing onerror=alert(1)>"}]}`

// What comes from a segment or a file is text, and what is unknown is not made up.
func TestPage_EscapesText(t *testing.T) {
	t.Parallel()
	document := browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, figuresOfX) }))
	x, y := card(t, document, "x"), card(t, document, "y")
	for class, want := range map[string]string{
		"why": "&lt;b&gt;why&lt;/b&gt;", "held": "for 1 h 1 min", "rate": "123 k msg/s", "depth": "3 messages", "bytes": "72 B of 4 KiB", "p50": "–", "consumed": "1",
	} {
		if got := shown(x, class); got != want {
			t.Errorf("%s: %q, want %q", class, got, want)
		}
	}
	if _, consumer, _ := strings.Cut(x, `<section class="consumer">`); shown(consumer, "where") != "○ died" || shown(consumer, "blocked") != "–" {
		t.Errorf("of a dead consumer: %s", consumer)
	}
	if got := shown(y, "why"); got != "&lt;img src=nothing onerror=alert(1)&gt;" {
		t.Errorf("of what cannot be read: %q", got)
	}
}

// The rings of a group stand together with their shares, and in a chain the one whose consumer
// holds up the others is marked.
func TestPage_GroupsAndChains(t *testing.T) {
	t.Parallel()
	const figures = `{"host":"here","points":300,"pairs":[],
"groups":[{"kind":"fan-in","process":"pid 9","says":"<i>says</i>","trouble":true,"members":[
{"name":"s1","messages":0.25,"bytes":null,"heldUp":false},{"name":"s2","messages":0.75,"bytes":0.5,"heldUp":true}]}],
"chains":[{"trouble":true,"says":["a is blocked"],"stages":[
{"from":[{"name":"a","heldUp":true,"bottleneck":false}],"process":"pid 2","to":[{"name":"b","heldUp":true,"bottleneck":true}]},
{"from":[{"name":"b","heldUp":true,"bottleneck":true}],"process":"pid 3","to":[{"name":"c","heldUp":false,"bottleneck":false}]}]}]}`
	document := browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, figures) }))
	_, section, _ := strings.Cut(document, `<section id="flow"`)
	section, _, _ = strings.Cut(section, "</section>")
	text := strings.Join(strings.Fields(regexp.MustCompile("<[^>]*>").ReplaceAllString(section, " ")), " ")
	for _, want := range []string{
		"chain a ▲ blocked → pid 2 → b ■ bottleneck: its consumer → pid 3 → c ▲ a is blocked",
		"fan-in pid 9 takes from 2 segments ▲ &lt;i&gt;says&lt;/i&gt;",
		"s1 25 % – s2 75 % 50 % ▲ blocked",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.Contains(section, "width: 75%") {
		t.Errorf("no bar for a share:\n%s", section)
	}
}

// A limit that is reached is said, and stands before what refused the last send.
func TestPage_LimitReached(t *testing.T) {
	t.Parallel()
	at := func(reached string) string {
		return `{"host":"here","points":300,"omitted":1234,"pairs":[{"name":"x","report":{"mode":"transfer","verdict":"growing","verdictWhy":"","verdictAdvice":"",
"queueDepth":3,"queueBytes":72,"limitBytes":2097152,"fill":1,"throughputPerSec":1,"latency":null,"consumedCount":1,"highWater":4,"memoryBytes":12288,
"refusedCount":583,"refuseReason":"socket full","limitReached":` + reached + `},"heldSec":1,"severity":"bad","producer":{"alive":true,"where":"pid 1","blocked":0},
"consumer":{"alive":true,"where":"pid 2","blocked":0},"history":{"throughput":[1],"depth":[3],"producerBlocked":[0],"consumerBlocked":[0]}}]}`
	}
	for reached, want := range map[string]string{
		"true": "the limit of 2 MiB is reached: the producer can send no more · 583 sends refused", "false": "583 sends refused, last reason: socket full",
	} {
		document := browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, at(reached)) }))
		x := card(t, document, "x")
		if got := shown(x, "trouble"); got != want {
			t.Errorf("limit reached %s: %q, want %q", reached, got, want)
		}
		if !strings.Contains(x, `class="verdict bad"`) || shown(x, "sign") != "■" {
			t.Errorf("not marked as bad: %s", x)
		}
		if !strings.Contains(document, "1,234 more segments are not shown") {
			t.Error("segments that are left out are not mentioned")
		}
	}
}

// With a schedule both times stand one above the other, and what waits in front of the producer
// stands with it; without one nothing of that is shown.
func TestPage_Schedule(t *testing.T) {
	t.Parallel()
	at := func(scheduled, waiting, explains string) string {
		return `{"host":"here","points":300,"pairs":[{"name":"x","report":{"mode":"ring","verdict":"consumer-bound","verdictWhy":"","verdictAdvice":"",
"queueDepth":8,"queueBytes":72,"capacityBytes":4096,"slots":8,"fill":1,"throughputPerSec":600,"consumedCount":1,"highWater":8,"memoryBytes":12288,
"latency":{"mean":70000,"p50":71000,"p90":109000,"p99":120000,"max":130000},"response":{"mean":5e8,"p50":4.5e8,"p90":9e8,"p99":9.9e8,"max":1e9},
"lateness":{"mean":1000,"p50":2000,"p90":3000,"p99":4000,"max":5000},"latenessExplains":"` + explains + `","offeredCount":4200,"offeredPerSec":1000,"unsentCount":997},
"heldSec":1,"severity":"warn","scheduled":` + scheduled + `,"waiting":` + waiting + `,"producer":{"alive":true,"where":"pid 1","blocked":0.9},"consumer":{"alive":true,"where":"pid 2","blocked":0},
"history":{"throughput":[600],"depth":[8],"producerBlocked":[0.9],"consumerBlocked":[0]}}]}`
	}
	hidden := func(text, class string) bool {
		return regexp.MustCompile(`class="(?:[^"]* )?` + class + `" hidden`).MatchString(text)
	}
	x := card(t, browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, at("true", "992", "p50 p999")) })), "x")
	_, response, _ := strings.Cut(x, `<tr class="response">`)
	for class, want := range map[string][2]string{"p50": {"71 µs", "450 ms"}, "p99": {"120 µs", "990 ms"}, "max": {"130 µs", "1.0 s"}, "mean": {"70 µs", "500 ms"}} {
		if got := [2]string{shown(x, class), shown(response, class)}; got != want {
			t.Errorf("%s: %q, want %q", class, got, want)
		}
	}
	for class, want := range map[string]string{
		"waiting": "992", "offered": "4,200", "offeredRate": "1,000",
		"trouble": "the producer itself was late by half of the response or more; this could explain it at p50, p99.9 · 5 messages due and not sent",
	} {
		if got := shown(x, class); got != want {
			t.Errorf("%s: %q, want %q", class, got, want)
		}
	}
	if hidden(x, "waits") || hidden(x, "response") || hidden(x, "lateness") || hidden(x, "scheduled") {
		t.Errorf("something is hidden: %s", x)
	}
	x = card(t, browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, at("false", "0", "")) })), "x")
	if !hidden(x, "waits") || !hidden(x, "response") || !hidden(x, "lateness") || !hidden(x, "scheduled") || hidden(x, "latency") {
		t.Errorf("without a schedule: %s", x)
	}
}

func TestPage_ServerGone(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	document := browse(t, withFigures(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			panic(http.ErrAbortHandler) // the connection is cut
		}
		fmt.Fprint(w, figuresOfX)
	}))
	if !strings.Contains(document, "No answer from gauge serve since ") || !strings.Contains(document, "○ not live") || !strings.Contains(document, `class="stale"`) {
		t.Error(document)
	}
	card(t, document, "x") // which stays
	if asked.Load() < 3 {
		t.Errorf("asked %d times: it has given up", asked.Load())
	}
}
