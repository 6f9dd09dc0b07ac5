package cmd_test

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"sluice/internal/testenv"
	"strings"
	"testing"
	"time"
)

// beforeMain matches what a program prints that has no descriptors for its libraries, or for the
// poller that packages start when they are initialized. How many are enough for that depends on
// the machine: the runtime keeps two of the limits of a control group.
var beforeMain = regexp.MustCompile(`^(runtime: (epollcreate|eventfd) failed|.*error while loading shared libraries)`)

// However few there are: what cannot be opened is an error with a hint, and not a trace of
// the runtime.
func TestFewDescriptors_ErrorWithHint(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1000").WantExit(0)
	file := testenv.WriteFile(t, []byte("a line\n"))
	for _, c := range []struct {
		fewest int // that a test starts it with
		args   []string
	}{
		{4, []string{"producer", "--name", testenv.SegmentName(t), "--count", "1"}},
		{4, []string{"producer", "--name", testenv.SegmentName(t), "--mode", "transfer", "--duration", "10ms", "--count", "0"}},
		{4, []string{"producer", "--name", testenv.SegmentName(t), "--input", file}},
		{4, []string{"consumer", "--name", name, "--count", "1", "--keep"}},
		// What gauge links in starts the poller before main: see beforeMain.
		{5, []string{"gauge", "ls"}},
		{5, []string{"gauge", "stat", name}},
		{5, []string{"gauge", "watch", name}},
		{5, []string{"gauge", "record", name, "--duration", "10ms", "--output", "/dev/null"}},
		{5, []string{"gauge", "serve", "--listen", "127.0.0.1:0"}},
		{5, []string{"gauge", "doctor"}},
	} {
		t.Run(strings.Join(c.args[:min(2, len(c.args))], " "), func(t *testing.T) {
			t.Parallel()
			failed := 0
			for files := c.fewest; files < c.fewest+11; files++ {
				p := testenv.StartWithDescriptors(t, files, nil, c.args[0], c.args[1:]...)
				if c.args[len(c.args)-1] == "127.0.0.1:0" { // it goes on
					testenv.Eventually(t, "a word of it", func() bool { return strings.Contains(p.Stderr.String(), "\n") })
					p.Cmd.Process.Kill()
				}
				code, said := p.Wait(), p.Stderr.String()
				if c.args[0] == "gauge" && files < 8 && beforeMain.MatchString(said) {
					continue
				}
				if strings.Contains(said, "goroutine") || strings.Contains(said, "runtime:") {
					t.Fatalf("%d descriptors:\n%s", files, said)
				}
				if code <= 0 || regexp.MustCompile("[0-9] problems? found").MatchString(said) || strings.Contains(said, "no consumer has released") { // what else there is
					continue
				}
				failed++
				if line, errors, hints := testenv.ErrorAndHint(said); errors != 1 || hints != 1 || !strings.Contains(line, "too many open files") || !strings.Contains(line, "ulimit -n") {
					t.Errorf("%d descriptors:\n%s", files, said)
				}
			}
			if failed == 0 {
				t.Error("there were always enough")
			}
		})
	}
}

// The others, and those of other tests, are mentioned.
func TestGaugeLs_MoreSegmentsThanDescriptors(t *testing.T) {
	t.Parallel()
	for range 4 {
		testenv.Start(t, "producer", "--name", testenv.SegmentName(t), "--count", "1").WantExit(0)
	}
	for _, args := range [][]string{{"ls"}, {"watch"}} {
		g := testenv.StartWithDescriptors(t, 18, nil, "gauge", args...)
		g.WantExit(0)
		if said := g.Stderr.String() + g.Stdout.String(); !strings.Contains(said, " more") && !strings.Contains(said, " of ") {
			t.Errorf("%v:\n%s", args, said)
		}
	}
}

// Connections that hold all descriptors are said once, and come free.
func TestGaugeServe_NoDescriptorsForConnections_Recovers(t *testing.T) {
	t.Parallel()
	g := testenv.StartWithDescriptors(t, 30, nil, "gauge", "serve", "--listen", "127.0.0.1:0")
	var addr string
	testenv.Eventually(t, "gauge serve says where it listens", func() bool {
		_, rest, found := strings.Cut(g.Stderr.String(), "a live page at http://")
		addr, _, _ = strings.Cut(rest, "/")
		return found && strings.Contains(rest, "\n")
	})
	var conns []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	testenv.Eventually(t, "what is in the way", func() bool { return strings.Contains(g.Stderr.String(), "ulimit -n") })
	time.Sleep(500 * time.Millisecond) // so that it could be said again
	for _, c := range conns {
		c.Close()
	}
	testenv.Eventually(t, "an answer", func() bool {
		client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get(fmt.Sprintf("http://%s/metrics", addr))
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	if said := g.Stderr.String(); strings.Count(said, "too many open files") != 1 {
		t.Errorf("said more than once:\n%s", said)
	}
}
