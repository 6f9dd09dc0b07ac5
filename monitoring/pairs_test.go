package monitoring

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// values are the labels of a series, and which values each has been seen to have.
type values map[string]map[string]bool

// scrapePairs runs pairs in different states and returns the series that gauge serve gives of them.
// It fails the test if some of those wanted do not appear.
func scrapePairs(t *testing.T, wanted []string) map[string]values {
	t.Helper()
	c := build(t)
	near, far, grows := c.segment("near"), c.segment("far"), c.segment("grows")
	socket := filepath.Join(t.TempDir(), "socket")

	server := c.start("bridge", "serve", "--listen", "127.0.0.1:0", "--store", t.TempDir())
	nats := "nats://" + server.prints(`(127\.0\.0\.1:\d+)`)
	gauge := c.start("gauge", "serve", "--listen", "127.0.0.1:0", "--name", c.segment("*"))
	url := gauge.prints(`(http://[^/]+/metrics)`)

	// A slow consumer of messages that are due by a schedule, on another machine as it were.
	c.start("producer", "--name", near, "--open-loop", "--rate", "200", "--slots", "64", "--report", "0")
	c.start("bridge", "out", near, "--stream", "monitoring", "--subject", "near", "--nats", nats, "--report", "0")
	c.start("bridge", "in", far, "--stream", "monitoring", "--subject", "near", "--nats", nats, "--report", "0")
	c.start("consumer", "--name", far, "--work", "10ms", "--report", "0")
	// A queue that grows towards its limit.
	c.start("producer", "--name", grows, "--mode", "transfer", "--rate", "200", "--limit", "1GiB", "--socket", socket, "--report", "0")
	c.start("consumer", "--name", grows, "--socket", socket, "--work", "20ms", "--report", "0")

	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		there := scrape(t, url)
		missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { _, ok := there[name]; return ok })
		if len(missing) == 0 {
			return there
		}
		if time.Now().After(deadline) {
			t.Errorf("gauge serve gives no %q", missing)
			return there
		}
	}
}

// scrape returns the series of one answer, histograms as the series that they consist of.
func scrape(t *testing.T, url string) map[string]values {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]values{}
	for name, f := range families {
		v := values{}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if v[l.GetName()] == nil {
					v[l.GetName()] = map[string]bool{}
				}
				v[l.GetName()][l.GetValue()] = true
			}
		}
		if f.GetType() != dto.MetricType_HISTOGRAM {
			there[name] = v
			continue
		}
		there[name+"_count"], there[name+"_sum"] = v, v
		there[name+"_bucket"] = values{"le": nil}
		for l, of := range v {
			there[name+"_bucket"][l] = of
		}
	}
	return there
}

// commands starts commands of sluice for a test, at whose end they are killed.
type commands struct {
	t      *testing.T
	bin    string
	prefix string // of the names of their segments
}

// build builds the commands.
func build(t *testing.T) *commands {
	t.Helper()
	c := &commands{t: t, bin: t.TempDir(), prefix: fmt.Sprintf("monitoring.%d.%d.", os.Getpid(), built.Add(1))}
	cmd := exec.Command("go", "build", "-o", c.bin+"/", "./cmd/...")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { // after the processes have ended
		left, _ := filepath.Glob("/dev/shm/sluice." + c.prefix + "*")
		for _, path := range left {
			os.Remove(path)
		}
	})
	return c
}

// built counts the calls of build.
var built atomic.Int64

// segment returns the name of a segment of this test.
func (c *commands) segment(name string) string { return c.prefix + name }

// command is one that runs.
type command struct {
	t    *testing.T
	what string
	cmd  *exec.Cmd
	end  sync.Once
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *commands) start(name string, args ...string) *command {
	c.t.Helper()
	return startProgram(c.t, filepath.Join(c.bin, name), args...)
}

// startProgram is start for a program that is not of sluice.
func startProgram(t *testing.T, path string, args ...string) *command {
	t.Helper()
	p := &command{t: t, what: fmt.Sprint(path, " ", args), cmd: exec.Command(path, args...)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(syscall.SIGKILL) })
	return p
}

// stop sends the signal, unless it has ended, and waits for the end.
func (p *command) stop(s os.Signal) {
	p.end.Do(func() {
		p.cmd.Process.Signal(s)
		p.cmd.Wait()
	})
}

// Write implements io.Writer.
func (p *command) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// prints waits until the command has printed something that matches, and returns the group.
func (p *command) prints(pattern string) string {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		m := regexp.MustCompile(pattern).FindStringSubmatch(p.text.String())
		p.mu.Unlock()
		if m != nil {
			return m[1]
		}
	}
	p.t.Fatalf("%s prints no %s:\n%s", p.what, pattern, p.text.String())
	return ""
}
