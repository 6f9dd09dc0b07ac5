package main_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/testenv"
	"sluice/shm"
)

// planted is how many segments another user has put into /dev/shm, and unread how many
// clients ask and do not read.
const planted, unread = 3000, 400

// crowded starts a script with a separate /dev/shm ($0 is gauge) and plants segments
// there, before the script goes on.
func crowded(t *testing.T, script string) *testenv.Process {
	t.Helper()
	p := testenv.StartWithMounts(t, "gauge", `mount -t tmpfs -o size=1g,mode=1777 tmpfs /dev/shm && "${0%/*}/producer" --name zz-mine --count 12 --capacity 64KiB --report 0 &&
		"${0%/*}/producer" --name seed --mode ring --capacity 4KiB --count 3 --report 0 && echo ready >&2 && while [ -e /dev/shm/sluice.seed ]; do sleep 0.05; done && `+script)
	testenv.Eventually(t, "a separate /dev/shm", func() bool { return strings.Contains(p.Stderr.String(), "ready") })
	dir := fmt.Sprintf("/proc/%d/root", p.Cmd.Process.Pid)
	seed := dir + shm.Path("seed")
	if os.Geteuid() == 0 { // they belong to another user
		if err := os.Chown(seed, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	for i := range planted {
		err := os.Link(seed, dir+shm.Path(fmt.Sprintf("planted-%d", i)))
		if errors.Is(err, fs.ErrPermission) {
			t.Skipf("SKIPPED, NOT TESTED: no right to reach into another mount namespace: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(seed); err != nil {
		t.Fatal(err)
	}
	return p
}

// openFiles returns how many files a process has open.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// peakMemory returns the most bytes that a process has had in memory.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	if err != nil || !found {
		t.Fatalf("no peak in %s: %v", status, err)
	}
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// Whoever plants segments by the thousand, or asks and does not read, costs gauge serve
// no more than it allows, and it goes on answering others.
func TestServe_ManySegmentsAndIdleClients_Bounded(t *testing.T) {
	t.Parallel()
	g := crowded(t, `exec "$0" serve --listen 127.0.0.1:0`)
	var addr string
	testenv.Eventually(t, "gauge serve says where it listens", func() bool {
		_, rest, found := strings.Cut(g.Stderr.String(), "a live page at http://")
		addr, _, _ = strings.Cut(rest, "/")
		return found && strings.Contains(rest, "\n")
	})
	pid := g.Cmd.Process.Pid
	const maxFiles, maxMemory = 450, 160 << 20

	var conns []net.Conn
	var dialing sync.WaitGroup
	for range unread {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.(*net.TCPConn).SetReadBuffer(4096)
		conns = append(conns, c)
		dialing.Go(func() { fmt.Fprintf(c, "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", addr) })
	}
	dialing.Wait()
	answered := func(path string) bool {
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + addr + path)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
	for _, path := range []string{"/metrics", "/live.json", "/"} { // while they are there
		testenv.Eventually(t, "an answer for one who reads", func() bool { return answered(path) })
	}
	if n := openFiles(t, pid); n > maxFiles {
		t.Errorf("%d descriptors", n)
	}
	if n := peakMemory(t, pid); n > maxMemory {
		t.Errorf("%d MiB", n>>20)
	}
	for _, c := range conns {
		c.Close()
	}
	code, text := request(t, "GET", "http://"+addr+"/metrics", addr)
	if want := fmt.Sprintf("sluice_omitted_segments %d\n", planted+1-256); code != http.StatusOK || !strings.Contains(text, want) {
		t.Errorf("code %d, no %q", code, want)
	}
	if os.Geteuid() == 0 && !strings.Contains(text, `sluice_produced_messages_total{mode="ring",name="zz-mine"} 12`) {
		t.Error("the user's own segment is not among those that are looked at")
	}
	_, text = request(t, "GET", "http://"+addr+"/live.json", addr)
	if want := fmt.Sprintf(`"omitted":%d`, planted+1-256); !strings.Contains(text, want) {
		t.Errorf("the page does not say %s", want)
	}
}

func TestLs_ManySegments_Bounded(t *testing.T) {
	t.Parallel()
	g := crowded(t, `ulimit -n 400 && "$0" ls && "$0" watch | tail -1`)
	g.WantExit(0)
	lines := strings.Split(strings.TrimSpace(g.Stdout.String()), "\n")
	if len(lines) < 257 || len(lines) > 260 {
		t.Errorf("%d lines", len(lines))
	}
	if want := "gauge: note: 256 segments are shown, this user's first; there are 2,745 more"; !strings.Contains(g.Stderr.String(), want) {
		t.Errorf("no %q in %s", want, g.Stderr.String())
	}
	if os.Geteuid() == 0 && !strings.Contains(g.Stdout.String(), "zz-mine") {
		t.Error("the user's own segment is not listed")
	}
}
