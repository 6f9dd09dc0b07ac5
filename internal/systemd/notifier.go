// Package systemd connects a side to systemd when that has started it: readiness, status,
// watchdog and socket activation. Otherwise it does nothing.
package systemd

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"sluice/internal/liveness"
	"sluice/internal/report"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// Notifier sends the state of one side to systemd. The methods of a nil *Notifier do nothing; New
// returns nil if systemd does not expect notifications. Its methods are for one goroutine.
type Notifier struct {
	role       layout.Role
	watchdog   watchdog
	lastStatus string // the last STATUS; for Ready, then for run
	stopping   atomic.Bool

	mu      sync.Mutex
	segment *shm.Segment // nil before Ready and after Detach
	several *several     // instead of segment
	running bool         // run was started, and Detach not called
	waiting string       // the STATUS between Wait and Ready; "" at other times
	trend   pressure.Trend

	detached chan struct{}

	cancelStopping func() bool   // false if the side was stopped before
	stoppingSent   chan struct{} // closed when STOPPING=1 was sent
}

// New returns a Notifier if this process was started as a service of Type=notify, else nil.
// status is the STATUS until Ready. When ctx is done, after a signal, STOPPING=1 is sent.
func New(ctx context.Context, role layout.Role, status string) *Notifier {
	if !Started() {
		return nil
	}
	n := &Notifier{role: role, detached: make(chan struct{}), stoppingSent: make(chan struct{})}
	n.watchdog.limit, _ = daemon.SdWatchdogEnabled(false) // after an error there is no watchdog
	liveness.Watch(n.watchdog.limit > 0)
	send("STATUS=" + status)
	n.cancelStopping = context.AfterFunc(ctx, func() {
		defer close(n.stoppingSent)
		n.stopping.Store(true)
		send(daemon.SdNotifyStopping)
	})
	return n
}

// Ready sends READY=1: the role is taken and the segment can be used. From then until Detach the
// status is read from the segment, and the watchdog is notified.
func (n *Notifier) Ready(seg *shm.Segment) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.segment, n.trend, n.waiting = seg, pressure.Trend{}, ""
	running := n.running
	n.running = true
	n.mu.Unlock()
	if running { // it shows the next status by itself
		return
	}
	status, _ := n.poll()
	n.lastStatus = status
	send(daemon.SdNotifyReady, "STATUS="+status)
	go n.run()
}

// ReadyToWait sends READY=1 for a side that waits for another machine before it has a segment, and
// may wait for long: a start that waited with it would hold up the boot of this one. Ready follows
// when there is a segment; until then status is the STATUS, and the watchdog is notified.
func (n *Notifier) ReadyToWait(status string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.waiting, n.running = status, true
	n.mu.Unlock()
	n.lastStatus = status
	send(daemon.SdNotifyReady, "STATUS="+status)
	go n.run()
}

// several is a side with several segments.
type several struct {
	status func() string
	each   func(see func(*shm.Segment))
}

// ReadyWith is Ready for a side that has several segments. Until Detach, any goroutine may call
// status for the STATUS, and each, which calls see with each segment that there is; meanwhile none
// of them is closed.
func (n *Notifier) ReadyWith(status func() string, each func(see func(*shm.Segment))) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.several, n.running = &several{status, each}, true
	n.mu.Unlock()
	text, _ := n.poll()
	n.lastStatus = text
	send(daemon.SdNotifyReady, "STATUS="+text)
	go n.run()
}

// Wait ends all reads of the segment, which may be closed then, until Ready is called with the next
// one. Meanwhile status is the STATUS, and the watchdog is notified.
//
// Preconditions: Ready or ReadyToWait was called, and Detach was not.
func (n *Notifier) Wait(status string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.segment, n.waiting = nil, status
}

// Detach ends all reads of the segment, which may be closed then. If the side was stopped,
// STOPPING=1 has been sent when it returns.
func (n *Notifier) Detach() {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.running {
		return
	}
	n.segment, n.several, n.waiting, n.running = nil, nil, "", false
	close(n.detached)
	if !n.cancelStopping() {
		<-n.stoppingSent
	}
}

// statusInterval is the maximum age of a status.
const statusInterval = time.Second

func (n *Notifier) run() {
	t := time.NewTicker(n.watchdog.interval(statusInterval))
	defer t.Stop()
	for {
		select {
		case <-n.detached:
			return
		case <-t.C:
		}
		var states []string
		status, alive := n.poll()
		if status != "" && status != n.lastStatus {
			n.lastStatus = status
			states = append(states, "STATUS="+status)
		}
		if alive {
			states = append(states, daemon.SdNotifyWatchdog)
		}
		if len(states) > 0 {
			send(states...)
		}
	}
}

// poll returns the status, empty if the segment cannot be read, and whether to notify the
// watchdog.
func (n *Notifier) poll() (status string, alive bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	each := func(see func(*shm.Segment)) { see(n.segment) }
	switch {
	case n.several != nil:
		status, each = n.several.status(), n.several.each
	case n.segment == nil:
		return n.waiting, n.waiting != ""
	default:
		if now, err := pressure.Observe(n.segment); err == nil {
			i, v := n.trend.Add(now)
			status = report.Sentence(&now, &i, &v)
		}
	}
	if status != "" && n.stopping.Load() {
		status = "stopping; " + status
	}
	p, segments := progressIn(each, n.role)
	return status, segments == 0 || n.watchdog.due(p, time.Now()) // without one, it waits for one
}

// send sends states to systemd. An error is ignored: systemd finds out by its timeouts.
func send(state ...string) { daemon.SdNotify(false, strings.Join(state, "\n")) }
