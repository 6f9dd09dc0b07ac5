package bridge_test

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// loopbacks counts the addresses that were given out.
var loopbacks atomic.Uint32

// loopback returns an address of this machine that no other process of tests uses, and no other
// test. Connections go out from 127.0.0.1, so none of them takes the port of a server that is
// down for a moment.
func loopback() string {
	pid, n := os.Getpid(), loopbacks.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&127, pid&255, 1+n%254)
}

// proxy passes bytes between clients and a server, and can be told to stop that in several ways.
type proxy struct {
	addr, target string
	listener     net.Listener
	all          sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond
	conns   map[net.Conn]bool
	closed  bool
	isCut   bool // connections are closed, and new ones refused
	paused  bool // no bytes pass
	rate    int  // bytes a second in each direction of each connection; 0 = no limit
}

// startProxy starts a proxy to a server at target, "HOST:PORT".
func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(loopback(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String(), target: target, listener: l, conns: map[net.Conn]bool{}}
	p.changed.L = &p.mu
	p.all.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.change(func() { p.closed, p.isCut = true, true })
		p.all.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.addr }

// cut closes all connections and refuses new ones, until heal.
func (p *proxy) cut() { p.change(func() { p.isCut = true }) }

// drop closes all connections. New ones are accepted.
func (p *proxy) drop() {
	p.change(func() { p.isCut = true })
	p.change(func() { p.isCut = false })
}

// pause lets no byte pass, until heal. Connections stay open.
func (p *proxy) pause() { p.change(func() { p.paused = true }) }

// slow lets that many bytes a second pass, in each direction of each connection.
func (p *proxy) slow(rate int) { p.change(func() { p.rate = rate }) }

// heal ends what cut, pause and slow have done.
func (p *proxy) heal() { p.change(func() { p.isCut, p.paused, p.rate = false, false, 0 }) }

func (p *proxy) change(set func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set()
	if p.isCut {
		for conn := range p.conns {
			conn.(*net.TCPConn).SetLinger(0) // what is on its way is lost
			conn.Close()
		}
		clear(p.conns)
	}
	p.changed.Broadcast()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		isCut := p.isCut
		if !isCut {
			p.conns[client], p.conns[server] = true, true
		}
		p.mu.Unlock()
		if isCut {
			client.Close()
			server.Close()
			continue
		}
		p.all.Go(func() { p.pass(client, server) })
		p.all.Go(func() { p.pass(server, client) })
	}
}

// pass passes bytes in one direction.
func (p *proxy) pass(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		p.mu.Lock()
		delete(p.conns, from)
		delete(p.conns, to)
		p.mu.Unlock()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			part, wait, ok := p.await(len(rest))
			if !ok {
				return
			}
			time.Sleep(wait)
			if _, err := to.Write(rest[:part]); err != nil {
				return
			}
			rest = rest[part:]
		}
		if err != nil {
			return
		}
	}
}

// await waits while nothing may pass. It returns how many bytes may pass next, at most most, after
// how long; ok is false when the connections were closed meanwhile.
func (p *proxy) await(most int) (part int, wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.paused && !p.isCut && !p.closed {
		p.changed.Wait()
	}
	if p.rate > 0 {
		most = min(most, max(p.rate/50, 1))
		wait = time.Duration(most) * time.Second / time.Duration(p.rate)
	}
	return most, wait, !p.isCut && !p.closed
}
