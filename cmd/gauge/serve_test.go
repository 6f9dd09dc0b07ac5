package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sluice/internal/testenv"
	"sluice/layout"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serving starts gauge serve on a free port and returns where it answers.
func serving(t *testing.T, host string, flags ...string) (g *testenv.Process, addr string) {
	t.Helper()
	g = testenv.Start(t, "gauge", append([]string{"serve", "--listen", host + ":0"}, flags...)...)
	testenv.Eventually(t, "gauge serve says where it listens", func() bool {
		_, rest, found := strings.Cut(g.Stderr.String(), "a live page at http://")
		addr, _, _ = strings.Cut(rest, "/")
		return found && strings.Contains(rest, "\n")
	})
	return g, addr
}

// request returns the answer's code and text.
func request(t *testing.T, method, url, host string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	client := http.Client{Timeout: testenv.Timeout}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// scrape returns the samples of one segment by metric; buckets are left out.
func scrape(t *testing.T, addr, name string) testenv.Report {
	t.Helper()
	code, text := request(t, "GET", "http://"+addr+"/metrics", addr)
	if code != http.StatusOK {
		t.Fatalf("code %d:\n%s", code, text)
	}
	out := testenv.Report{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		metric, rest, _ := strings.Cut(lines.Text(), "{")
		labels, value, ok := strings.Cut(rest, "} ")
		if !ok || strings.HasSuffix(metric, "_bucket") || !strings.Contains(labels, fmt.Sprintf("name=%q", name)) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		out[metric] = n
	}
	return out
}

func TestServe_CountersGrow(t *testing.T) {
	t.Parallel()
	_, addr := serving(t, "127.0.0.1")
	name, p, c := heldBack(t)
	first := scrape(t, addr, name)
	testenv.EventuallyConsumed(t, name, uint64(first.Num("sluice_consumed_messages_total"))+50)
	second := scrape(t, addr, name)
	for _, metric := range []string{
		"sluice_produced_messages_total", "sluice_consumed_messages_total", "sluice_produced_bytes_total", "sluice_consumed_bytes_total",
		"sluice_producer_waits_total", "sluice_producer_blocked_seconds_total", "sluice_latency_seconds_count", "sluice_latency_seconds_sum",
	} {
		if first.Num(metric) < 0 || second.Num(metric) <= first.Num(metric) {
			t.Errorf("%s: %v, then %v", metric, first[metric], second[metric])
		}
	}
	for metric, want := range map[string]float64{
		"sluice_producer_alive": 1, "sluice_consumer_alive": 1, "sluice_slots": 8, "sluice_capacity_bytes": 8 * 8,
	} {
		if got := second.Num(metric); got != want {
			t.Errorf("%s: %v, want %v", metric, got, want)
		}
	}
	if before, after := first.Num("sluice_consumer_waits_total"), second.Num("sluice_consumer_waits_total"); before < 0 || after < before || after > before+10 {
		t.Errorf("sluice_consumer_waits_total: %v, then %v: the ring is full, and the consumer finds it empty at most where the machine stands still", before, after)
	}
	if made, now := second.Num("sluice_created_timestamp_seconds"), float64(time.Now().Unix()); made < now-600 || made > now+1 {
		t.Errorf("created at %v, it is %v", made, now)
	}
	p.Signal(unix.SIGINT)
	p.WantExit(0)
	c.WantExit(0)
	testenv.WantNoSegment(t, name)
	if left := scrape(t, addr, name); len(left) > 0 {
		t.Errorf("of a segment that is gone: %v", left)
	}
}

// The verdict is on /metrics as well, and what Prometheus' own tool has against the text
// fails the test.
func TestServe_PromtoolAccepts(t *testing.T) {
	t.Parallel()
	_, addr := serving(t, "127.0.0.1")
	name, _, _ := heldBack(t)
	other := testenv.SegmentName(t)
	testenv.Start(t, "producer", testenv.TransferArgs(other, "--rate", "100")...)
	due := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", due, "--slots", "8", "--open-loop", "--rate", "1000")
	testenv.Start(t, "consumer", "--name", due, "--work", "5ms")
	testenv.EventuallyHeader(t, due, "a response", func(h *layout.Header) bool { return h.Response.Count.Load() > 0 })
	var text string
	for _, want := range []string{
		fmt.Sprintf("sluice_verdict{mode=\"ring\",name=%q,verdict=\"consumer-bound\"} 1\n", name),
		fmt.Sprintf("sluice_limit_reached{mode=\"transfer\",name=%q} 0\n", other), "sluice_build_info{",
		fmt.Sprintf("sluice_response_seconds_count{mode=\"ring\",name=%q} ", due), fmt.Sprintf("sluice_latency_seconds_bucket{mode=\"ring\",name=%q,le=\"0.001048575\"} ", due),
		fmt.Sprintf("sluice_unsent_messages{mode=\"ring\",name=%q} ", due), fmt.Sprintf("sluice_offered_messages_total{mode=\"ring\",name=%q} ", due),
	} {
		testenv.Eventually(t, want, func() bool {
			_, text = request(t, "GET", "http://"+addr+"/metrics", addr)
			return strings.Contains(text, want)
		})
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED: no promtool here, so the metrics are not checked with it")
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestServe_Transfer(t *testing.T) {
	t.Parallel()
	_, addr := serving(t, "127.0.0.1")
	name := testenv.SegmentName(t)
	testenv.Start(t, "consumer", "--name", name, "--mode", "transfer", "--work", "5ms")
	testenv.Start(t, "producer", "--name", name, "--mode", "transfer", "--rate", "1000", "--limit", "64MiB")
	testenv.EventuallyConsumed(t, name, 20)
	seen := scrape(t, addr, name)
	if seen.Num("sluice_limit_bytes") != 64<<20 || seen.Num("sluice_lost_messages_total") != 0 || seen.Num("sluice_descriptors_max") <= 0 || seen.Num("sluice_queue_messages") <= 0 {
		t.Errorf("%v", seen)
	}
	if _, ok := seen["sluice_capacity_bytes"]; ok {
		t.Error("a transfer has no capacity")
	}
}

// A segment that is removed between two scrapes is counted, with how its stream had ended.
func TestServe_RemovedSegments_Counted(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	_, addr := serving(t, "127.0.0.1", "--name", name)
	metrics := func() string {
		_, text := request(t, "GET", "http://"+addr+"/metrics", addr)
		return text
	}
	run := func(killed bool) {
		other := testenv.SegmentName(t) // it is not asked for, and not counted
		q, d := testenv.Start(t, "producer", "--name", other, "--rate", "100"), testenv.Start(t, "consumer", "--name", other)
		p, c := testenv.Start(t, "producer", "--name", name, "--rate", "100"), testenv.Start(t, "consumer", "--name", name)
		testenv.Eventually(t, "gauge has seen the segment", func() bool {
			return strings.Contains(metrics(), "sluice_verdict{")
		})
		for _, producer := range []*testenv.Process{p, q} {
			if killed {
				producer.Kill()
			} else {
				producer.Signal(unix.SIGINT)
			}
		}
		for _, consumer := range []*testenv.Process{c, d} {
			if killed { // it waits for another producer
				consumer.Signal(unix.SIGINT)
			}
			consumer.Wait()
		}
		testenv.WantNoSegment(t, name)
	}
	want := func(end string) {
		t.Helper()
		line := fmt.Sprintf("sluice_removed_segments_total{end=%q} 1\n", end)
		testenv.Eventually(t, line, func() bool { return strings.Contains(metrics(), line) })
	}
	run(false)
	want("complete")
	run(true)
	want("died")
}

func TestServe_Signal_Exit0(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM} {
		g, addr := serving(t, "127.0.0.1")
		// A browser opens connections ahead of need; they must not hold it up.
		unused, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer unused.Close()
		request(t, "GET", "http://"+addr+"/", addr)
		began := time.Now()
		g.Signal(s)
		g.WantExit(0)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("after %v it took %v", s, took)
		}
		if lines := strings.Count(g.Stderr.String(), "\n"); lines != 1 {
			t.Errorf("stderr:\n%s", g.Stderr.String())
		}
	}
}

func TestServe_PortInUse(t *testing.T) {
	t.Parallel()
	_, addr := serving(t, "127.0.0.1")
	second := testenv.Start(t, "gauge", "serve", "--listen", addr)
	second.WantExit(1)
	said := second.Stderr.String()
	if strings.Count(said, "\n") != 2 || !strings.Contains(said, addr) || !strings.Contains(said, "another process already listens there") || !strings.Contains(said, "--listen") {
		t.Errorf("%s", said)
	}
}

func TestServe_MethodsAndHosts(t *testing.T) {
	t.Parallel()
	_, addr := serving(t, "127.0.0.1")
	for _, path := range []string{"/", "/metrics", "/live.json"} {
		for _, c := range []struct {
			method, host string
			want         int
		}{{"GET", addr, 200}, {"HEAD", addr, 200}, {"POST", addr, 405}, {"DELETE", addr, 405}, {"GET", "evil.example", 421}} {
			if code, _ := request(t, c.method, "http://"+addr+path, c.host); code != c.want {
				t.Errorf("%s %s, host %s: code %d, want %d", c.method, path, c.host, code, c.want)
			}
		}
	}
}

func TestServe_PublicAddress_Warns(t *testing.T) {
	t.Parallel()
	g, addr := serving(t, "0.0.0.0")
	if !strings.Contains(g.Stderr.String(), "no password") {
		t.Errorf("stderr:\n%s", g.Stderr.String())
	}
	_, port, _ := net.SplitHostPort(addr)
	if code, _ := request(t, "GET", "http://127.0.0.1:"+port+"/metrics", "gauge.example"); code != 200 {
		t.Errorf("a name of this machine's: code %d", code)
	}
	g, _ = serving(t, "127.0.0.1")
	if strings.Contains(g.Stderr.String(), "no password") {
		t.Errorf("stderr:\n%s", g.Stderr.String())
	}
}
