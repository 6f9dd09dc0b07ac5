package cmd_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

// startServer starts "bridge serve" with an empty store and returns its URL.
func startServer(t *testing.T, opt testenv.Options) (url string, p *testenv.Process) {
	t.Helper()
	opt.Args = []string{"serve", "--listen", "127.0.0.1:0", "--store", t.TempDir()}
	p = testenv.StartWith(t, "bridge", opt)
	at := regexp.MustCompile(`nats://127\.0\.0\.1:\d+`)
	testenv.Eventually(t, "the server says where it is", func() bool {
		url = at.FindString(p.Stderr.String())
		return url != ""
	})
	return url, p
}

// A bridge is ready before there is a server, a stream or a ring: they are on other machines, and
// the start of this one must not wait for them.
func TestService_Bridge_ReadyWhileItWaits(t *testing.T) {
	t.Parallel()
	const nowhere = "nats://127.0.0.1:1"
	for _, args := range [][]string{
		{"out", "--name", testenv.SegmentName(t)},
		{"out", "--name", testenv.SegmentName(t), "--name", testenv.SegmentName(t)},
		{"in", "--name", testenv.SegmentName(t)},
	} {
		m := manage(t, 0)
		p := m.start("bridge", append(args, "--stream", "S", "--nats", nowhere, "--report", "0")...)
		m.hears("READY=1\nSTATUS=waiting for ")
		p.Signal(unix.SIGTERM)
		m.hears("STOPPING=1")
		p.WantExit(0)
	}
	url, serve := startServer(t, testenv.Options{})
	name := testenv.SegmentName(t)
	m := manage(t, 0)
	in := m.start("bridge", "in", "--name", name, "--stream", "S", "--nats", url)
	m.hears(`STATUS=waiting for stream "S"`)
	near := testenv.SegmentName(t)
	producer := testenv.Start(t, "producer", "--name", near, "--rate", "1000")
	out := testenv.Start(t, "bridge", "out", "--name", near, "--subject", name, "--stream", "S", "--nats", url)
	m.hears(" messages queued, ")
	consumer := testenv.Start(t, "consumer", "--name", name, "--verify")
	testenv.Eventually(t, "messages arrive", func() bool {
		h := testenv.Header(name)
		return h != nil && h.Consumer.Index.Load() > 100
	})
	producer.Signal(unix.SIGTERM)
	for _, p := range []*testenv.Process{producer, out, in, consumer} {
		p.WantExit(0)
	}
	serve.Signal(unix.SIGTERM)
	serve.WantExit(0)
}

// What a bridge waits for may last: its watchdog is fed meanwhile.
func TestService_Bridge_WatchdogFedWhileItWaits(t *testing.T) {
	t.Parallel()
	const limit = 4 * time.Second
	waits := map[string]*manager{}
	service := func(what string, args ...string) {
		m := manage(t, limit)
		waits[what] = m
		testenv.StartWith(t, "bridge", testenv.Options{Args: append(args, "--report", "0"), Env: m.env})
	}
	idle := func() string {
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--rate", "0.001")
		return name
	}
	endless := func() string {
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--rate", "20000")
		return name
	}
	m := manage(t, limit)
	url, _ := startServer(t, testenv.Options{Env: m.env})
	waits["for clients"] = m
	to := func(url, stream string) []string { return []string{"--nats", url, "--stream", stream} }
	nowhere := to("nats://127.0.0.1:1", "S")
	service("to connect", append([]string{"out", "--name", idle()}, nowhere...)...)
	service("to connect, from several rings", append([]string{"out", "--name", idle(), "--name", idle()}, nowhere...)...)
	service("for a ring", append([]string{"out", "--name", testenv.SegmentName(t)}, to(url, "A")...)...)
	service("for a stream", append([]string{"in", "--name", testenv.SegmentName(t)}, to(url, "B")...)...)
	service("for a message", append([]string{"out", "--name", idle()}, to(url, "C")...)...)
	service("for room in the stream", append([]string{"out", "--name", endless(), "--max-bytes", "64KiB"}, to(url, "D")...)...)
	near, far := endless(), testenv.SegmentName(t)
	service("for room in the ring over there", append([]string{"out", "--name", near, "--max-bytes", "64KiB"}, to(url, "E")...)...)
	service("for room in its ring", append([]string{"in", "--name", far, "--subject", near}, to(url, "E")...)...)
	for _, m := range waits {
		m.hears("READY=1")
	}
	time.Sleep(2 * limit)
	for what, m := range waits {
		m.wantFed(what, limit)
	}
	if h := testenv.Header(far); h == nil || h.Producer.Index.Load() == 0 {
		t.Error("nothing came into the far ring")
	}
	if told := waits["for room in the stream"].told.String(); !strings.Contains(told, "stream full") {
		t.Errorf("the stream is not full:\n%s", told)
	}
}
