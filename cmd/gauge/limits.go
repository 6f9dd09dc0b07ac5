package main

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Limits for clients. A browser sends a request once a second, Prometheus a few times a minute;
// the limits are for clients that misbehave.
const (
	maxConnections = 128 // accepted at once; more wait in the kernel's queue
	maxRequests    = 32  // answered at once; more are refused (503)

	// A connection that is idle, or whose client does not send or does not read, is closed
	// after these times, and the next one is accepted.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 10 * time.Second
	idleTimeout   = 15 * time.Second
	maxHeader     = 16 << 10
)

// limitRequests answers at most n requests at once and refuses the others.
func limitRequests(next http.Handler, n int) http.Handler {
	busy := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case busy <- struct{}{}:
			defer func() { <-busy }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Connection", "close")
			http.Error(w, "too many requests at once; try again in a second", http.StatusServiceUnavailable)
		}
	})
}

// limitConnections returns a listener that accepts the next connection only while
// there are fewer than n.
func limitConnections(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, open: make(chan struct{}, n), closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	open   chan struct{} // has an element for each connection
	closed chan struct{}
	once   sync.Once
	warned time.Time // when it was last logged that there are no descriptors
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &limitedConn{Conn: c, done: sync.OnceFunc(func() { <-l.open })}, nil
}

// accept accepts a connection. While the process has no free descriptor it tries again, and logs
// that once a minute.
func (l *limitedListener) accept() (net.Conn, error) {
	const retryInterval = 100 * time.Millisecond
	for {
		c, err := l.Listener.Accept()
		if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) {
			return c, err
		}
		if time.Since(l.warned) > time.Minute {
			l.warned = time.Now()
			logger.Printf("no connection is accepted for now: %v; allow more descriptors (ulimit -n)", err)
		}
		select {
		case <-l.closed:
			return nil, net.ErrClosed
		case <-time.After(retryInterval):
		}
	}
}

// Close implements net.Listener. It also ends an Accept that waits for another connection to
// end.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	done func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
