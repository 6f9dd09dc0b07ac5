package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"sluice/internal/testenv"
)

var servingAt = regexp.MustCompile(`NATS server at ((?:nats|tls)://[0-9.:]+), streams in`)

// serve starts a server on any port and returns its URL once it is printed.
func serve(t *testing.T, args ...string) (p *testenv.Process, url string) {
	t.Helper()
	p = testenv.Start(t, "bridge", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	return p, urlOf(t, p)
}

func urlOf(t *testing.T, p *testenv.Process) (url string) {
	t.Helper()
	testenv.Eventually(t, "the URL of a server", func() bool {
		if m := servingAt.FindStringSubmatch(p.Stderr.String()); m != nil {
			url = m[1]
		}
		return url != ""
	})
	return url
}

func connect(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := nc.StatusChanged(nats.CLOSED)
		nc.Close()
		<-closed
	})
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestServe_StopAndStart_KeepsStreams(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "here")
	p, url := serve(t, "--store", dir)
	p.EventuallyPrints("bridge out NAME --stream S --nats " + url)
	if strings.Contains(p.Stderr.String(), "anyone who can connect") {
		t.Errorf("a warning about loopback:\n%s", p.Stderr.String())
	}
	js := connect(t, url)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s", []byte("x")); err != nil {
		t.Fatal(err)
	}
	p.Signal(unix.SIGTERM)
	p.WantExit(0)

	_, url = serve(t, "--store", dir)
	s, err := connect(t, url).Stream(t.Context(), "S")
	if err != nil || s.CachedInfo().State.Msgs != 1 {
		t.Errorf("after a restart: %v", err)
	}
}

func TestServe_Killed_StartsAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, _ := serve(t, "--store", dir)
	p.Kill()
	p, _ = serve(t, "--store", dir)
	p.Signal(unix.SIGINT)
	p.WantExit(0)
}

func TestServe_PortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := testenv.Start(t, "bridge", "serve", "--store", t.TempDir(), "--listen", l.Addr().String())
	p.WantError(1, "listen tcp "+l.Addr().String()+": bind: address already in use", "choose another --listen")
}

func TestServe_StoreTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve(t, "--store", dir)
	testenv.Start(t, "bridge", "serve", "--listen", "127.0.0.1:0", "--store", dir).WantError(1, "in use by another server: "+dir, "choose another --store")
}

func TestServe_StoreNotWritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opt := testenv.Options{Args: []string{"serve", "--listen", "127.0.0.1:0", "--store", dir}, Attr: testenv.AsUser(t, testenv.Nobody)}
	for at := dir; at != os.TempDir(); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	testenv.StartWith(t, "bridge", opt).WantError(1, dir, "permission denied", "choose another --store")
}

func TestServe_BeyondLoopback_Warned(t *testing.T) {
	t.Parallel()
	p := testenv.Start(t, "bridge", "serve", "--listen", "0.0.0.0:0", "--store", t.TempDir())
	urlOf(t, p)
	p.EventuallyPrints("can read, add and delete messages: there are no credentials")
	p.EventuallyPrints("--config FILE with authorization")
	p.Signal(unix.SIGTERM)
	p.WantExit(0)

	config := testenv.WriteFile(t, []byte(`authorization { user: u, password: secret }`))
	p = testenv.Start(t, "bridge", "serve", "--listen", "0.0.0.0:0", "--store", t.TempDir(), "--config", config)
	urlOf(t, p)
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	if said := p.Stderr.String(); strings.Contains(said, "anyone who") || strings.Contains(said, "secret") {
		t.Errorf("with a password:\n%s", said)
	}
}

func TestServe_Config_FlagsGoBefore(t *testing.T) {
	t.Parallel()
	config := testenv.WriteFile(t, fmt.Appendf(nil, "listen: \"127.0.0.1:-1\"\nmax_payload: 8KB\njetstream { store_dir: %q }\n", t.TempDir()))
	p := testenv.Start(t, "bridge", "serve", "--config", config)
	if got := connect(t, urlOf(t, p)).Conn().MaxPayload(); got > 8192 || got < 8000 {
		t.Errorf("max_payload %d, want that of the file", got)
	}
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	dir := t.TempDir()
	p = testenv.StartWith(t, "bridge", testenv.Options{Args: []string{"serve", "--config", config, "--store", dir}, Env: []string{"SLUICE_MAX_PAYLOAD=64KiB"}})
	if got := connect(t, urlOf(t, p)).Conn().MaxPayload(); got != 64<<10 {
		t.Errorf("max_payload %d, want that of the variable", got)
	}
	p.EventuallyPrints("streams in " + dir)
}

// On a small disk the server says how much it has room for, and when the disk is full it ends
// with an error: it would not accept messages of a stream any more, also when there is room again.
func TestServe_DiskFull(t *testing.T) {
	t.Parallel()
	dir, flag := t.TempDir(), filepath.Join(t.TempDir(), "fill")
	p := testenv.StartWithMounts(t, "bridge", fmt.Sprintf(
		`mount -t tmpfs -o size=8m none %[1]s && { (until [ -e %[2]s ]; do sleep 0.02; done; cat /dev/zero >%[1]s/zero 2>/dev/null; touch %[2]s.done) & } && exec "$0" serve --listen 127.0.0.1:0 --store %[1]s/store`, dir, flag))
	js := connect(t, urlOf(t, p))
	p.EventuallyPrints("has room for 6 MiB of streams")
	p.EventuallyPrints("a smaller --max-bytes")
	url := urlOf(t, p)
	name := ring(t)
	out(t, nil, "--nats", url, name).WantError(1, "insufficient storage resources", "choose a smaller --max-bytes")
	wantSent(t, out(t, nil, "--nats", url, "--max-bytes", "1MiB", name))

	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "a full disk", func() bool { _, err := os.Stat(flag + ".done"); return err == nil })
	data := make([]byte, 32<<10)
	testenv.Eventually(t, "the end of the server", func() bool {
		js.PublishAsync("sluice.S.x", data)
		select {
		case <-p.Exited:
			return true
		default:
			return false
		}
	})
	p.WantExit(1)
	if text, errors, _ := testenv.ErrorAndHint(p.Stderr.String()); errors != 1 || !strings.Contains(text, "no space left on device") || !strings.Contains(text, "free some space in "+dir) {
		t.Errorf("%d errors: %s\n%s", errors, text, p.Stderr.String())
	}
}
