// Package systemd is how a side behaves when systemd has started it: it says when
// it is ready, how it is doing and that it makes progress, and takes the socket
// that was made for it. Started in any other way, none of this happens.
package systemd

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"sluice/internal/report"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Notifier tells systemd about one side. A nil *Notifier tells nobody, and is what
// New returns when systemd does not listen. Its methods are for one goroutine.
type Notifier struct {
	role     layout.Role
	watchdog watchdog
	said     string // the last STATUS, of the goroutine that looks
	stopping atomic.Bool

	mu      sync.Mutex
	segment *shm.Segment // nil before Ready and after Detach
	trend   pressure.Trend

	left chan struct{}

	unasked func() bool   // nobody has asked this side to stop, and none will be told
	told    chan struct{} // closed when systemd was told that it stops
}

// New returns a Notifier if this process was started as a service of Type=notify,
// else nil. status says what the side does until it is Ready. When ctx is done, which
// a signal sees to, systemd is told that the side is stopping.
func New(ctx context.Context, role layout.Role, status string) *Notifier {
	if !Started() {
		return nil
	}
	n := &Notifier{role: role, left: make(chan struct{}), told: make(chan struct{})}
	n.watchdog.limit, _ = daemon.SdWatchdogEnabled(false) // what cannot be read is no watchdog
	send("STATUS=" + status)
	n.unasked = context.AfterFunc(ctx, func() {
		defer close(n.told)
		n.stopping.Store(true)
		send(daemon.SdNotifyStopping)
	})
	return n
}

// Ready says that the role is taken and the segment can be used. From here on, until
// Detach, the status is what the segment shows, and the watchdog is fed.
func (n *Notifier) Ready(seg *shm.Segment) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.segment = seg
	n.mu.Unlock()
	status, _ := n.look()
	n.said = status
	send(daemon.SdNotifyReady, "STATUS="+status)
	go n.run()
}

// Detach looks at the segment for the last time; after it that may be left. A side that was
// asked to stop has told systemd so by then, however soon it ends.
func (n *Notifier) Detach() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.segment == nil {
		return
	}
	n.segment = nil
	close(n.left)
	if !n.unasked() {
		<-n.told
	}
}

// statusEvery is how old a status gets.
const statusEvery = time.Second

func (n *Notifier) run() {
	t := time.NewTicker(n.watchdog.interval(statusEvery))
	defer t.Stop()
	for {
		select {
		case <-n.left:
			return
		case <-t.C:
		}
		var say []string
		status, alive := n.look()
		if status != "" && status != n.said {
			n.said = status
			say = append(say, "STATUS="+status)
		}
		if alive {
			say = append(say, daemon.SdNotifyWatchdog)
		}
		if len(say) > 0 {
			send(say...)
		}
	}
}

// look returns the status, empty when the segment cannot be read, and whether the
// watchdog is due and deserved.
func (n *Notifier) look() (status string, alive bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.segment == nil {
		return "", false
	}
	if now, err := pressure.Observe(n.segment); err == nil {
		i, v := n.trend.Add(now)
		status = report.Sentence(&now, &i, &v)
		if n.stopping.Load() {
			status = "stopping; " + status
		}
	}
	return status, n.watchdog.fed(n.segment, n.role, time.Now())
}

// send tells systemd. When that cannot be told anything, there is nobody else to
// tell it to, and systemd draws its own conclusions.
func send(state ...string) { daemon.SdNotify(false, strings.Join(state, "\n")) }
