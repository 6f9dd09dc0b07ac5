package ring

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"sluice/internal/cpu"
	"sluice/internal/sleep"
)

// Quantum is how much of a ring of weight 1 a [Group] gives in one turn: that many bytes, where
// each message counts for its payload and 8 more. The last message of a turn may go beyond it,
// and the next turn is shorter by that.
const Quantum = 4096

// MaxWeight is the largest weight of a member of a [Group].
const MaxWeight = 1000

// Member is an end that a [Group] can wait for: a *Reader, a *SlotReader or a *ReaderOf, and
// nothing else.
type Member interface {
	Buffered() bool
	member() member
}

// member is what a Group needs of an end. Its methods are called within a call of the end: the
// gate is passed.
type member interface {
	sleep.Observed
	ahead() bool     // the Writer has published more than was taken; a load, and no check
	arrived() uint64 // bytes that are known to be there
	common() *readerSide
}

// maxGroupBackoff is how many pauses there are at most before a Group looks at its members, about 4
// us: more than a Reader makes (maxPollBackoff), because several Writers have published meanwhile.
// What brings little is the same: a load takes the line of the index away from a Writer. As long as
// loads do, a member that has been emptied is not looked at again within its turn, which would
// bring even less. With eight Writers on one processor that took records of 8 bytes from 48 to 80
// million a second, with far cores (docs/performance.md).
const maxGroupBackoff = 256

// Group lets one goroutine take messages from several rings, and gives each ring its share: a
// byte deficit round robin (Shreedhar and Varghese, 1995), in which a ring may go into debt by
// one message. While rings have messages, each gets bytes in proportion to its weight; one that
// has none saves nothing up, and is served within a round when it has some again. No order is
// promised across rings.
//
// All members are of one goroutine, which is the only one that uses the Group, except for
// Interrupt and Close. A member may be closed by any goroutine at any time; Select returns it then,
// and its next call returns ErrClosed.
//
// From the first call of Ready or ReadyFD on, a goroutine of the Group uses the memory of the
// members between calls. Then a member is closed only after Remove, or after the Close of the
// Group, and no call of its own waits: neither Next nor Ready of a member for which Select has not
// found anything.
type Group[R Member, O any] struct {
	many    *sleep.Many
	entries []*Entry[R, O]
	next    int          // index of the entry whose turn is next
	current *Entry[R, O] // whose turn it is, nil = nobody's
	backoff uint32       // pauses before the next looks; see maxGroupBackoff
	due     func() bool

	notifier atomic.Pointer[sleep.Notifier] // nil until Ready or ReadyFD
}

// Entry is a member of a Group.
type Entry[R Member, O any] struct {
	Reader R
	Owner  O // what the caller has given to Add

	end      member
	sleeping *sleep.Member
	quantum  int64
	budget   int64 // bytes that are left of its turn; negative: a debt
	looks    uint32
	loaded   bool // the last look has loaded the index
}

// NewGroup returns a Group without members. spin is ReaderOptions.Spin. due reports whether
// Select is to return although no member has anything; who makes it true calls Interrupt then.
func NewGroup[R Member, O any](spin time.Duration, due func() bool) *Group[R, O] {
	return &Group[R, O]{many: sleep.NewMany(spin, due), due: due}
}

// Add makes r a member, which no other goroutine knows yet. It is served
// after those that are there.
//
// Preconditions: weight is from 1 to MaxWeight.
func (g *Group[R, O]) Add(r R, owner O, weight int) *Entry[R, O] {
	g.disarm()
	e := &Entry[R, O]{Reader: r, Owner: owner, end: r.member(), quantum: Quantum * int64(weight)}
	e.sleeping = g.many.Add(&e.end.common().sleeper, e.end)
	g.entries = slices.Insert(g.entries, g.next, e)
	g.next = (g.next + 1) % len(g.entries)
	return e
}

// Remove ends what Add has begun. The end itself stays open.
func (g *Group[R, O]) Remove(e *Entry[R, O]) {
	g.disarm()
	g.many.Remove(e.sleeping)
	at := slices.Index(g.entries, e)
	g.entries = slices.Delete(g.entries, at, at+1)
	if at < g.next {
		g.next--
	}
	if g.next == len(g.entries) {
		g.next = 0
	}
	if g.current == e {
		g.current = nil
	}
}

// Interrupt makes a Select that waits look at due, and sets the event of Ready if that is true. Any
// goroutine may call it.
func (g *Group[R, O]) Interrupt() { g.many.Interrupt() }

// Close ends what Select and Ready have arranged; the members stay open, and are closed after it.
// No call follows; idle says that none is under way either. Any goroutine may call it.
func (g *Group[R, O]) Close(idle bool) {
	if n := g.notifier.Load(); n != nil {
		idle = n.Close() && idle
	}
	if idle {
		g.many.Close()
	}
}

// Ready is that of a [Reader], for the members together: Select need not wait when the channel is
// closed.
func (g *Group[R, O]) Ready() <-chan struct{} {
	_, _ = g.notify(true)
	return g.notifier.Load().Channel()
}

// ReadyFD is that of a [Reader], for the members together. It is cleared by a TrySelect that
// returns nil.
func (g *Group[R, O]) ReadyFD() (int, error) {
	_, _ = g.notify(true)
	return g.notifier.Load().Descriptor()
}

// notify sees to it that the event of the notifier says whether a member has anything. Without a
// notifier it makes one, if wanted. An error is one of Select with a member; then the event is set.
func (g *Group[R, O]) notify(wanted bool) (*Entry[R, O], error) {
	n := g.notifier.Load()
	if n == nil {
		if !wanted {
			return nil, nil
		}
		n = g.many.NewNotifier()
		g.notifier.Store(n)
	}
	for _, e := range g.entries {
		if e.Reader.Buffered() {
			return nil, nil
		}
	}
	defer g.leave()
	if !g.enter() {
		return nil, nil
	}
	failed, err := n.Arm(g.many.Members())
	return g.failure(background, failed, err)
}

// disarm comes before a wait, and before another set of members.
func (g *Group[R, O]) disarm() {
	if n := g.notifier.Load(); n != nil {
		n.Disarm()
	}
}

// enter begins a call of each member. It returns false if one of them is closed.
func (g *Group[R, O]) enter() bool {
	open := true
	for _, e := range g.entries {
		gate := &e.end.common().gate
		gate.Enter()
		open = open && !gate.Closed()
	}
	return open
}

// leave ends a call of each member.
func (g *Group[R, O]) leave() {
	for _, e := range g.entries {
		e.end.common().gate.Leave()
	}
}

// Spend counts messages that were taken from the entry, and their payload bytes.
func (e *Entry[R, O]) Spend(messages, bytes int) { e.budget -= int64(bytes) + 8*int64(messages) }

// Budget returns how many bytes are left of the member's turn.
func (e *Entry[R, O]) Budget() int { return int(e.budget) }

// Current returns the member whose turn it is if that is known to have a message, else nil. It
// looks at no other memory than that of this process.
func (g *Group[R, O]) Current() *Entry[R, O] {
	if e := g.current; e != nil && e.budget > 0 && e.Reader.Buffered() {
		return e
	}
	return nil
}

// Select returns the member whose turn it is: a call of it for the next message need not wait. It
// has a message, or its stream is over, or it has an error. It waits for one as [Reader.Next]
// does.
//
// An error with a member is that of the member, whose calls would not return it, such as
// ErrRemoved. ErrUnreleased is returned only if no other member has a producer that could
// publish. An error without a member is the cause of ctx, or ErrTruncated. Without either, due is
// true.
func (g *Group[R, O]) Select(ctx context.Context) (*Entry[R, O], error) {
	if e := g.current; e != nil && e.budget > 0 && (e.Reader.Buffered() || g.backoff == 0 && e.look(false)) {
		return e, nil
	}
	g.current = nil
	if g.backoff > 0 {
		cpu.Pause(g.backoff)
	}
	for thorough := false; ; thorough = true {
		if e := g.turn(thorough); e != nil {
			g.current = e
			if e.loaded {
				e.end.common().backOff(&g.backoff, maxGroupBackoff, e.end.arrived())
			}
			return e, nil
		}
		g.backoff = 0
		if g.due() {
			return nil, nil
		}
		if e, err := g.wait(ctx); err != nil {
			return e, err
		}
	}
}

// TrySelect is Select that never waits: it returns nothing if no member has anything. An error is
// that of a member, and is found out only after Ready or ReadyFD.
func (g *Group[R, O]) TrySelect() (*Entry[R, O], error) {
	if e := g.current; e != nil && e.budget > 0 && e.look(false) {
		return e, nil
	}
	if g.current = g.turn(true); g.current == nil {
		return g.notify(false)
	}
	return g.current, nil
}

// turn returns the next member that has something, after it has given it a quantum. thorough says
// that each is asked for the end of its stream too.
func (g *Group[R, O]) turn(thorough bool) *Entry[R, O] {
	for {
		var rounds int64 // until the first of those in debt has paid it
		for range len(g.entries) {
			e := g.entries[g.next]
			if g.next++; g.next == len(g.entries) {
				g.next = 0
			}
			e.budget = min(e.budget, 0) // what is left of a turn in which it ran empty is not saved up
			if !e.look(thorough) {
				continue
			}
			if e.budget += e.quantum; e.budget > 0 {
				return e
			}
			if left := -e.budget/e.quantum + 1; rounds == 0 || left < rounds {
				rounds = left
			}
		}
		if rounds == 0 {
			return nil
		}
		for _, e := range g.entries { // all rounds but the last, in which the first one is returned
			if e.budget < 0 { // no credit for one that had nothing
				e.budget = min(0, e.budget+(rounds-1)*e.quantum)
			}
		}
	}
}

// thoroughEvery is how many looks at a member without messages it takes until one asks for the
// end of its stream.
const thoroughEvery = 32

// look reports whether a call for the next message need not wait.
func (e *Entry[R, O]) look(thorough bool) bool {
	e.loaded = !e.Reader.Buffered()
	if !e.loaded {
		return true
	}
	gate := &e.end.common().gate
	gate.Enter()
	defer gate.Leave()
	if gate.Closed() {
		return true
	}
	if e.end.ahead() {
		return e.ready() // one load of the index for all that is there
	}
	if e.looks++; !thorough && e.looks%thoroughEvery != 0 {
		return false
	}
	return e.ready()
}

func (e *Entry[R, O]) ready() bool {
	ok, err := e.end.Ready()
	return ok || err != nil
}

// wait waits until a member is ready, within a call of each.
func (g *Group[R, O]) wait(ctx context.Context) (*Entry[R, O], error) {
	defer g.leave()
	if !g.enter() {
		return nil, nil
	}
	g.disarm()
	failed, err := g.many.Wait(ctx)
	return g.failure(ctx, failed, err)
}

// failure returns the entry and the error that Select returns for those of a wait.
func (g *Group[R, O]) failure(ctx context.Context, failed *sleep.Member, err error) (*Entry[R, O], error) {
	if err == nil {
		return nil, nil
	}
	for _, e := range g.entries {
		segment := e.end.common().segment
		if e.sleeping == failed || failed == nil && segment != nil && errors.Is(err, ErrTruncated) && errors.Is(segment.Check(), ErrTruncated) {
			return e, e.end.common().callError(ctx, err)
		}
	}
	return nil, err
}
