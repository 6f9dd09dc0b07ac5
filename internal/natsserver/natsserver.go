// Package natsserver runs a NATS server with JetStream in this process, for bridge serve and for
// tests. It is the only package that imports nats-server.
package natsserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Errors, for errors.Is. Others are those of the operating system: EADDRINUSE for a port that is
// taken, EACCES, EROFS or ENOSPC for a store directory that cannot be written.
var (
	// ErrConfig: the configuration file or an option is not valid.
	ErrConfig = errors.New("invalid configuration of the server")
	// ErrNoStore: neither the options nor the configuration file name a store directory.
	ErrNoStore = errors.New("no store directory")
	// ErrStoreTaken: another server of this package uses the store directory.
	ErrStoreTaken = errors.New("store directory is in use by another server")
	// ErrNotReady: the server did not accept clients in time.
	ErrNotReady = errors.New("server is not ready")
	// ErrStore: a stream cannot be written any more, because the disk is full, for example. The
	// server goes on without that stream until it is started again.
	ErrStore = errors.New("server cannot write a stream")
	// ErrNoJetStream: the server has disabled JetStream.
	ErrNoJetStream = errors.New("server has disabled JetStream")
)

// Server is a running server. Its methods may be called from any goroutine.
type Server struct {
	ns    *server.Server
	log   *logger
	lock  *os.File
	opt   Options
	store string
}

// Start starts a server with JetStream on disk, and returns when it accepts clients. It handles no
// signals and writes nothing by itself.
func Start(opt Options) (*Server, error) {
	o, err := opt.server()
	if err != nil {
		return nil, err
	}
	lock, err := lockStore(o.StoreDir)
	if err != nil {
		return nil, err
	}
	s := &Server{log: &logger{to: opt.Log}, lock: lock, opt: opt, store: o.StoreDir}
	s.ns, err = server.NewServer(o)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	s.ns.SetLoggerV2(s.log, false, false, false)
	if err := s.run(opt.readyTimeout()); err != nil {
		return nil, err
	}
	// What was chosen, so that Options starts another one at the same addresses.
	s.opt.Listen = s.ns.Addr().String()
	if s.ns.ClusterAddr() != nil {
		s.opt.Cluster.Listen = s.ns.ClusterAddr().String()
	}
	return s, nil
}

// run starts the server and waits until it accepts clients. When it returns an error, the server is
// shut down, or will be as soon as its start has ended.
func (s *Server) run(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	started := make(chan struct{})
	go func() {
		s.ns.Start()
		close(started)
	}()
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case <-started:
	case <-late.C:
		go func() { // a start cannot be interrupted
			<-started
			s.Shutdown()
		}()
		return fmt.Errorf("%w after %v: it is still recovering %s", ErrNotReady, timeout, s.store)
	}
	err := s.log.err()
	if err == nil && !s.ns.ReadyForConnections(max(time.Until(deadline), time.Millisecond)) {
		err = fmt.Errorf("%w after %v", ErrNotReady, timeout)
		if why := s.log.err(); why != nil { // the cluster's port is bound by a goroutine of its own
			err = why
		}
	}
	if err == nil {
		err = s.Err()
	}
	if err != nil {
		s.Shutdown()
	}
	return err
}

// Shutdown stops the server and returns when everything is on disk and no goroutine of it runs.
// Further calls wait for the first one.
func (s *Server) Shutdown() {
	s.ns.Shutdown()
	s.ns.WaitForShutdown()
	s.lock.Close() // closes once, and fails afterwards
}

// Err returns nil while the server works, and else why it does not: ErrStore or ErrNoJetStream.
func (s *Server) Err() error {
	if err := s.log.err(); err != nil {
		return err
	}
	if !s.ns.JetStreamEnabled() {
		return fmt.Errorf("%w: %s", ErrNoJetStream, s.log.lastError())
	}
	return nil
}

// URL returns a URL for clients on this machine: 127.0.0.1 stands for a server that listens on
// every address.
func (s *Server) URL() string {
	scheme, _, _ := strings.Cut(s.ns.ClientURL(), ":") // tls if it wants that
	addr, _ := s.ns.Addr().(*net.TCPAddr)
	if addr == nil { // shut down
		return scheme + "://" + s.opt.Listen
	}
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// Loopback reports whether the server can be reached from this machine alone.
func (s *Server) Loopback() bool {
	host, _, err := net.SplitHostPort(s.opt.Listen)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// Open reports whether a client needs no credentials.
func (s *Server) Open() bool {
	v, err := s.ns.Varz(nil)
	return err != nil || !v.AuthRequired && !v.TLSVerify
}

// Options returns options that start a server at the same addresses on the same store, for a
// restart: ports that were chosen are in them.
func (s *Server) Options() Options { return s.opt }

// StoreDir returns the directory of the streams.
func (s *Server) StoreDir() string { return s.store }
