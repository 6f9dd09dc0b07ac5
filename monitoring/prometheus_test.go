package monitoring

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hurried are the times of the rules and of the example of a configuration, and those with which a
// test does not take minutes.
var hurried = strings.NewReplacer("[1m]", "[5s]", "[5m]", "[15s]", "< 300", "< 15", "scrape_interval: 15s", "scrape_interval: 1s", "evaluation_interval: 15s", "evaluation_interval: 1s")

// In a real Prometheus with the example of a configuration the alerts on pairs in trouble fire, and
// resolve when the trouble is over; every query of the dashboard is answered.
func TestPrometheus_AlertsFireAndResolve(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("SKIPPED: no prometheus here, so no alert fires in a real one")
	}
	c := build(t)
	gauge := c.start("gauge", "serve", "--listen", "127.0.0.1:0", "--name", c.segment("*"))
	target := gauge.prints(`http://([^/]+)/metrics`)

	dir := t.TempDir()
	for _, name := range []string{"prometheus.yml", "sluice.rules.yml"} {
		text, err := os.ReadFile("prometheus/" + name)
		if err != nil {
			t.Fatal(err)
		}
		out := regexp.MustCompile(`(?m)^( *for:).*$`).ReplaceAllString(hurried.Replace(string(text)), "$1 1s")
		out = strings.Replace(out, "127.0.0.1:9464", target, 1)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := &server{t, startProgram(t, program, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")}
	p.prints(`(Server is ready)`)

	slow, alone := c.segment("slow"), c.segment("alone")
	producer := c.start("producer", "--name", slow, "--slots", "8", "--rate", "200", "--on-full", "drop", "--report", "0")
	consumer := c.start("consumer", "--name", slow, "--work", "20ms", "--report", "0")
	c.start("producer", "--name", alone, "--slots", "8", "--report", "0")
	p.eventually(map[string]bool{
		"SluiceConsumerBound " + slow: true, "SluiceMessagesDropped " + slow: true, "SluiceNoConsumer " + alone: true,
		"SluiceNoConsumer " + slow: false, "SluiceMessagesDropped " + alone: false, "SluiceGaugeDown ": false,
	})
	for title, all := range queries(t) {
		for _, q := range all {
			var result []any
			p.get("query?query="+url.QueryEscape(q), &struct{ Result *[]any }{&result})
			if len(result) == 0 && (title == "Verdict" || title == "Fill" || title == "Messages per second" || title == "Producer blocked" || title == "Alerts" || title == "Build") {
				t.Errorf("%s: no data for %s", title, q)
			}
		}
	}

	producer.stop(syscall.SIGTERM)
	consumer.stop(syscall.SIGTERM)
	c.start("consumer", "--name", slow, "--report", "0") // takes what is left
	c.start("consumer", "--name", alone, "--report", "0")
	p.eventually(map[string]bool{
		"SluiceConsumerBound " + slow: false, "SluiceMessagesDropped " + slow: false, "SluiceNoConsumer " + alone: false,
	})
	gauge.stop(syscall.SIGTERM)
	p.eventually(map[string]bool{"SluiceGaugeDown ": true})
}

// server is a Prometheus.
type server struct {
	t *testing.T
	*command
}

// get asks the server, and decodes the data of its answer.
func (p *server) get(path string, data any) {
	p.t.Helper()
	at := p.prints(`msg="Listening on".* address=(\S+)`)
	answer, err := http.Get("http://" + at + "/api/v1/" + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	into := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&into); err != nil || into.Status != "success" {
		p.t.Errorf("%s: %v %s", path, err, into.Error)
	}
}

// eventually waits until the alerts fire, or do not fire. An alert is its name and that of its
// segment.
func (p *server) eventually(want map[string]bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(500 * time.Millisecond) {
		var all struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
		p.get("alerts", &all)
		firing := map[string]bool{}
		for _, a := range all.Alerts {
			if a.State == "firing" {
				firing[a.Labels["alertname"]+" "+a.Labels["name"]] = true
			}
		}
		var wrong []string
		for alert, fires := range want {
			if firing[alert] != fires {
				wrong = append(wrong, fmt.Sprintf("%s: %v, want %v", alert, firing[alert], fires))
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("firing: %q", wrong)
		}
	}
}
