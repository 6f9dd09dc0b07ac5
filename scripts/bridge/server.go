package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	urfave "github.com/urfave/cli/v2"

	"sluice/internal/trial"
)

// stream is the name of the stream of every run. Its subjects are "sluice.measured.*".
const stream = "measured"

// maxBytes is the limit of the stream where a run does not fill it.
const maxBytes = 1 << 30

// commands starts the commands of this project.
type commands struct {
	bin string // their directory
	dir string // what they print, and the store of the server
}

// newCommands returns commands, and what removes their files. That prints the ends of what they
// have printed if *err is not nil.
func newCommands(c *urfave.Context, err *error) (commands, func()) {
	dir, tempErr := os.MkdirTemp("", "sluice-bridge-")
	if tempErr != nil {
		*err = tempErr
	}
	x := commands{c.String("bin"), dir}
	return x, func() {
		if *err != nil {
			x.printLogs()
		}
		os.RemoveAll(dir)
	}
}

// start starts a command. title is the name of the file with what it prints on standard error.
func (x commands) start(title, command string, args ...any) (*trial.Process, error) {
	cmd := exec.Command(filepath.Join(x.bin, command))
	for _, a := range args {
		cmd.Args = append(cmd.Args, fmt.Sprint(a))
	}
	log, err := os.OpenFile(filepath.Join(x.dir, title+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	return trial.Start(cmd)
}

// printLogs prints the last lines of each command.
func (x commands) printLogs() {
	logs, _ := filepath.Glob(filepath.Join(x.dir, "*.log"))
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, line := range lines[max(0, len(lines)-20):] {
			fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(log), line)
		}
	}
}

// server is a server, "bridge serve", whose store and address stay the same when it is started
// again.
type server struct {
	*trial.Process
	commands
	listen, store string
}

// newServer starts a server with an empty store.
func (x commands) newServer(ctx context.Context) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.Close()
	store, err := os.MkdirTemp(x.dir, "store")
	if err != nil {
		return nil, err
	}
	s := &server{commands: x, listen: l.Addr().String(), store: store}
	if err := s.begin(); err != nil {
		return nil, err
	}
	return s, s.await(ctx)
}

// begin starts the server, which is not running.
func (s *server) begin() (err error) {
	s.Process, err = s.start("serve", "bridge", "serve", "--listen", s.listen, "--store", s.store)
	return err
}

func (s *server) url() string { return "nats://" + s.listen }

// await waits until the server answers.
func (s *server) await(ctx context.Context) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := s.with(func(js jetstream.JetStream) error {
			_, err := js.AccountInfo(ctx)
			return err
		})
		if err == nil || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// with calls f with a connection of its own.
func (s *server) with(f func(jetstream.JetStream) error) error {
	nc, js, err := connect(s.url())
	if err != nil {
		return err
	}
	defer nc.Close()
	return f(js)
}

// end kills the server and removes its store.
func (s *server) end() {
	s.Kill()
	os.RemoveAll(s.store)
}

// info returns what the server says about the stream.
func (s *server) info(ctx context.Context) (info *jetstream.StreamInfo, err error) {
	err = s.with(func(js jetstream.JetStream) error {
		st, err := js.Stream(ctx, stream)
		if err == nil {
			info, err = st.Info(ctx)
		}
		return err
	})
	return info, err
}

func connect(url string, opt ...jetstream.JetStreamOpt) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc, opt...)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}
