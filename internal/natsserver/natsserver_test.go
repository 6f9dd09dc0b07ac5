package natsserver_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/natsserver"
	"sluice/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, nil) }

func start(t *testing.T, opt natsserver.Options) *natsserver.Server {
	t.Helper()
	if opt.StoreDir == "" {
		opt.StoreDir = t.TempDir()
	}
	if opt.Listen == "" && opt.ConfigFile == "" {
		opt.Listen = "127.0.0.1:0"
	}
	s, err := natsserver.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func connect(t *testing.T, urls string, opt ...nats.Option) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(urls, opt...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gone := nc.StatusChanged(nats.CLOSED)
		nc.Close()
		<-gone // its connection is closed by a goroutine
	})
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func makeStream(t *testing.T, js jetstream.JetStream, replicas int) {
	t.Helper()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Replicas: replicas, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
}

func stored(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().State.Msgs
}

func publish(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	if _, err := js.Publish(t.Context(), "s", []byte("x")); err != nil {
		t.Fatal(err)
	}
}

func TestStart_AgainWithItsOptions_SameAddressSameMessages(t *testing.T) {
	s := start(t, natsserver.Options{})
	js := connect(t, s.URL())
	makeStream(t, js, 1)
	publish(t, js)
	url := s.URL()
	s.Shutdown()
	s.Shutdown() // does nothing
	again := start(t, s.Options())
	if again.URL() != url {
		t.Errorf("started again at %s, was at %s", again.URL(), url)
	}
	if got := stored(t, connect(t, url)); got != 1 {
		t.Errorf("%d messages after a restart, want 1", got)
	}
}

func TestStart_MaxPayload(t *testing.T) {
	s := start(t, natsserver.Options{MaxPayload: 5000})
	if got := connect(t, s.URL()).Conn().MaxPayload(); got != 5000 {
		t.Errorf("maximum payload %d, want 5000", got)
	}
}

func TestStart_Errors(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	other := start(t, natsserver.Options{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := testenv.WriteFile(t, []byte("no such option: {"))
	for _, test := range []struct {
		name  string
		opt   natsserver.Options
		want  error
		words string
	}{
		{"port is taken", natsserver.Options{Listen: busy.Addr().String()}, syscall.EADDRINUSE, busy.Addr().String()},
		{"store is taken", natsserver.Options{StoreDir: other.StoreDir()}, natsserver.ErrStoreTaken, other.StoreDir()},
		{"store is a file", natsserver.Options{StoreDir: file}, syscall.ENOTDIR, file},
		{"store under a file", natsserver.Options{StoreDir: file + "/x"}, syscall.ENOTDIR, file},
		{"no configuration file", natsserver.Options{ConfigFile: file + "x"}, natsserver.ErrConfig, file + "x"},
		{"bad configuration file", natsserver.Options{ConfigFile: bad}, natsserver.ErrConfig, ""},
		{"payload", natsserver.Options{MaxPayload: 1 << 30}, natsserver.ErrConfig, "payload"},
		{"address", natsserver.Options{Listen: "127.0.0.1"}, natsserver.ErrConfig, "127.0.0.1"},
		{"port", natsserver.Options{Listen: "127.0.0.1:70000"}, natsserver.ErrConfig, "70000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opt := test.opt
			if opt.StoreDir == "" {
				opt.StoreDir = t.TempDir()
			}
			if opt.Listen == "" {
				opt.Listen = "127.0.0.1:0"
			}
			s, err := natsserver.Start(opt)
			if err == nil {
				s.Shutdown()
			}
			if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.words) {
				t.Errorf("error %v, want %v and %q", err, test.want, test.words)
			}
		})
	}
}

func TestStart_ConfigFile(t *testing.T) {
	config := fmt.Sprintf("listen: \"127.0.0.1:-1\"\nmax_payload: 4KB\njetstream: {store_dir: %q}\nauthorization: {user: u, password: p}\n", t.TempDir())
	s, err := natsserver.Start(natsserver.Options{ConfigFile: testenv.WriteFile(t, []byte(config))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	if _, err := nats.Connect(s.URL()); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("connect without credentials: %v, want %v", err, nats.ErrAuthorization)
	}
	if got := connect(t, s.URL(), nats.UserInfo("u", "p")).Conn().MaxPayload(); got != 4000 && got != 4096 {
		t.Errorf("maximum payload %d, want that of the file", got)
	}
	if s.Open() {
		t.Error("a server with a password is open")
	}
}

func TestServer_OpenAndLoopback(t *testing.T) {
	s := start(t, natsserver.Options{})
	if !s.Open() || !s.Loopback() {
		t.Errorf("open %v, loopback %v", s.Open(), s.Loopback())
	}
	if s := start(t, natsserver.Options{Listen: "0.0.0.0:0"}); s.Loopback() || !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Errorf("on every address: loopback %v, URL %s", s.Loopback(), s.URL())
	}
}

func TestStartCluster_AServerLessAndBack(t *testing.T) {
	testenv.NotShort(t)
	opts := make([]natsserver.Options, 3)
	for i := range opts {
		opts[i].StoreDir = t.TempDir()
	}
	servers, err := natsserver.StartCluster("test", opts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		t.Cleanup(s.Shutdown)
	}
	js := connect(t, servers[0].URL()+","+servers[1].URL(), nats.ReconnectWait(20*time.Millisecond))
	makeStream(t, js, 3)
	publish(t, js)
	servers[2].Shutdown()
	testenv.Eventually(t, "a message is stored by two of three", func() bool {
		_, err := js.Publish(t.Context(), "s", []byte("x"))
		return err == nil
	})
	again := start(t, servers[2].Options())
	if err := natsserver.AwaitCluster(servers[0], servers[1], again); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, js); got != 2 {
		t.Errorf("%d messages, want 2", got)
	}
}
