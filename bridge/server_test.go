package bridge_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"

	"sluice/internal/natsserver"
	"sluice/internal/testenv"
)

// testServer is a NATS server with JetStream in this process, which a test may stop and start again
// at the same address and on the same store.
type testServer struct {
	t   testing.TB
	opt natsserver.Options
	run *natsserver.Server // nil while it is stopped
}

// startServer starts a server. change, if there is one, changes its options.
func startServer(t testing.TB, change ...func(*natsserver.Options)) *testServer {
	t.Helper()
	s := &testServer{t: t, opt: natsserver.Options{Listen: net.JoinHostPort(loopback(), "0"), StoreDir: t.TempDir()}}
	for _, c := range change {
		c(&s.opt)
	}
	t.Cleanup(s.stop)
	s.start()
	return s
}

func (s *testServer) start() {
	s.t.Helper()
	run, err := natsserver.Start(s.opt)
	if err != nil {
		s.t.Fatal(err)
	}
	s.run, s.opt = run, run.Options()
}

func (s *testServer) stop() {
	if s.run != nil {
		s.run.Shutdown()
		s.run = nil
	}
}

func (s *testServer) addr() string { return s.opt.Listen }

func (s *testServer) url() string { return "nats://" + s.opt.Listen }

// startCluster starts a cluster of three servers.
func startCluster(t testing.TB) []*testServer {
	t.Helper()
	var routes, clients []string
	for range 3 {
		// The addresses are this test's own, so any port will do.
		host := loopback()
		clients = append(clients, net.JoinHostPort(host, "4222"))
		routes = append(routes, net.JoinHostPort(host, "6222"))
	}
	var all []*testServer
	var running []*natsserver.Server
	for i := range 3 {
		s := startServer(t, func(o *natsserver.Options) {
			o.Listen, o.Name = clients[i], fmt.Sprint("server-", i+1)
			o.Cluster = natsserver.Cluster{Name: "cluster", Listen: routes[i], Routes: routes}
		})
		all, running = append(all, s), append(running, s.run)
	}
	if err := natsserver.AwaitCluster(running...); err != nil {
		t.Fatal(err)
	}
	return all
}

// urls returns the addresses of several servers for one connection.
func urls(all []*testServer) string {
	var text []string
	for _, s := range all {
		text = append(text, s.url())
	}
	return strings.Join(text, ",")
}

// connect returns a connection that is closed when the test ends.
func connect(t testing.TB, url string, opt ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, opt...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(nc) })
	return nc
}

// closeConn closes a connection, and returns when it is closed: a goroutine does that.
func closeConn(nc *nats.Conn) {
	gone := nc.StatusChanged(nats.CLOSED)
	if nc.IsClosed() {
		return
	}
	nc.Close()
	<-gone
}

// admin returns the streams of a server, over a connection of its own.
func admin(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(connect(t, url, nats.MaxReconnects(-1)))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// serverProcess is a server in another process.
type serverProcess struct {
	*testenv.Child
	url, dir, listen string
}

// startServerProcess starts one.
func startServerProcess(t testing.TB) *serverProcess {
	t.Helper()
	s := &serverProcess{dir: t.TempDir(), listen: net.JoinHostPort(loopback(), "4222")}
	s.url = "nats://" + s.listen
	s.start(t, nil, "")
	return s
}

// startSmallDisk starts one whose store lies on a disk of its own, on which another file takes all
// room but leftOnDisk: a tmpfs of that many bytes in a mount namespace that ends with the process,
// however that ends. It skips the test where this user has not the right to mount.
func startSmallDisk(t testing.TB, size int) *serverProcess {
	t.Helper()
	testenv.RequireRoot(t)
	s := &serverProcess{dir: t.TempDir(), listen: net.JoinHostPort(loopback(), "4222")}
	s.url = "nats://" + s.listen
	s.start(t, &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}, fmt.Sprint(size))
	return s
}

// start starts the process, again after a kill. size is "" without a disk of its own.
func (s *serverProcess) start(t testing.TB, attr *syscall.SysProcAttr, size string) {
	t.Helper()
	c, err := testenv.StartChildWith(t, attr, "server", s.dir, s.listen, size)
	if errors.Is(err, unix.EPERM) && attr != nil {
		t.Skipf("SKIPPED, NOT TESTED: no right to make a mount namespace: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Child = c
	switch line := c.ReadLine(); line {
	case "no mount":
		t.Skip("SKIPPED, NOT TESTED: no right to mount a tmpfs")
	case "ready":
	default:
		t.Fatalf("the server prints %q", line)
	}
}

const (
	ballast    = "ballast"
	leftOnDisk = 1 << 20
)

// fillDisk makes a file that leaves so many bytes of the disk.
func fillDisk(dir string, leave int64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, ballast))
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fallocate(int(f.Fd()), 0, 0, int64(s.Bavail)*s.Bsize-leave)
}

// makeRoom removes the other file from the disk and starts the server again: it disables JetStream
// when its disk is full, and enables it at a start only.
func (s *serverProcess) makeRoom(t testing.TB) {
	t.Helper()
	if err := s.Process.Signal(unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	s.WantLine(t, "ready")
}

// serverChild runs a server: the arguments are its directory, its address, and the size of a disk
// to mount at the directory, in bytes; "" = none.
func serverChild(args []string) error {
	dir, size := args[0], args[2]
	more := make(chan os.Signal, 1)
	signal.Notify(more, unix.SIGUSR1)
	if size != "" {
		err := errors.Join(
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
		if err != nil {
			fmt.Println("no mount")
			return err
		}
	}
	for {
		s, err := natsserver.Start(natsserver.Options{Listen: args[1], StoreDir: filepath.Join(dir, "store")})
		if err != nil {
			return err
		}
		if size != "" { // the server has found out how much room there was
			if err := fillDisk(dir, leftOnDisk); err != nil {
				return err
			}
			size = ""
		}
		fmt.Println("ready")
		<-more
		s.Shutdown()
		if err := os.Remove(filepath.Join(dir, ballast)); err != nil {
			return err
		}
	}
}
