package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// dialer connects to the consumer of a segment. The sendLoop's goroutine uses it.
type dialer struct {
	segment *shm.Segment
	path    string // where this producer looks for the consumer
	access  shm.Access

	deniedSince    time.Time // since when the socket has let nobody in; zero = it did, or was not there
	elsewhereSince time.Time // since when the consumer is known to listen elsewhere; zero = it is not
	noDescriptor   error     // why the last call had no descriptor for a connection; nil = it had one, or needed none
}

// elsewhereTimeout is how long a consumer that listens elsewhere is waited for.
const elsewhereTimeout = 2 * time.Second

// dial tries once. conn is nil while no consumer can be reached; reason then says why. An
// error is for good: what listens there will not do, or the consumer listens elsewhere.
func (d *dialer) dial() (conn *net.UnixConn, err error) {
	conn, err = connect(d.path, d.access)
	if unreachable(err) {
		if conn, err = d.dialElsewhere(err); errors.Is(err, ErrElsewhere) {
			return nil, err
		}
	} else {
		d.elsewhereSince = time.Time{}
	}
	d.noDescriptor = nil
	switch {
	case err == nil:
		d.deniedSince = time.Time{}
		return conn, nil
	case errors.Is(err, unix.EACCES) && d.beingMade():
		return nil, nil
	case outOfDescriptors(err):
		d.deniedSince, d.noDescriptor = time.Time{}, err
		return nil, nil
	case unreachable(err), errors.Is(err, unix.EAGAIN):
		d.deniedSince = time.Time{}
		return nil, nil // nobody listens yet, or it has no time for us
	case errors.As(err, new(*net.OpError)):
		return nil, err // with the path
	default:
		return nil, fmt.Errorf("connect to %s: %w", d.path, err)
	}
}

// reason is why the last dial has not reached a consumer.
func (d *dialer) reason() layout.RefuseReason {
	switch {
	case !d.elsewhereSince.IsZero():
		return layout.RefuseElsewhere
	case d.noDescriptor != nil:
		return layout.RefuseNoConnectionDescriptor
	}
	return layout.RefuseNoConsumer
}

// connect connects to the socket at path, and closes the connection unless a consumer that
// this user trusts listens there: ErrPeer.
func connect(path string, access shm.Access) (*net.UnixConn, error) {
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
	if errors.Is(err, unix.EPROTOTYPE) {
		return nil, fmt.Errorf("%w: what listens there is no consumer: %w", ErrPeer, err)
	}
	if err != nil {
		return nil, err
	}
	if err := authorizeConsumer(conn, access); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// unreachable reports whether err says that nobody listens at a path.
func unreachable(err error) bool { return disconnected(err) || errors.Is(err, fs.ErrNotExist) }

// dialElsewhere connects to where a living consumer says that it listens, if that is
// not where this producer looks for it: the two have other directories for sockets, as
// a login and a service have. notHere is why its own path leads nowhere.
//
// What the segment says is the word of whoever may write to it. That has to be this
// user alone, as by the file's owner and by who was the consumer. Otherwise, or when
// that path leads nowhere either, this is ErrElsewhere after elsewhereTimeout, because the
// two would wait for each other for ever.
func (d *dialer) dialElsewhere(notHere error) (*net.UnixConn, error) {
	h := d.segment.Header()
	path := h.ConsumerSocket.Load()
	alive, err := d.segment.Alive(layout.Consumer)
	if path == "" || path == d.path || err != nil || !alive {
		d.elsewhereSince = time.Time{}
		return nil, notHere
	}
	why := "which is another user's to say"
	if _, shared := d.access.Group(); !shared && d.segment.Private() && h.ConsumerStats.UID.Load() == uint64(os.Geteuid()) && filepath.IsAbs(path) {
		conn, err := connect(path, d.access)
		if err == nil {
			d.elsewhereSince = time.Time{}
			return conn, nil
		}
		why = err.Error()
	}
	if d.elsewhereSince.IsZero() {
		d.elsewhereSince = time.Now()
	}
	if time.Since(d.elsewhereSince) < elsewhereTimeout {
		return nil, notHere
	}
	return nil, fmt.Errorf("%w: at %q (%s), and this producer connects to %s", ErrElsewhere, path, why, d.path)
}

// beingMade reports whether a socket that lets nobody in may be one that was only just
// made: it is bound first, and gets its owner and its mode after that.
func (d *dialer) beingMade() bool {
	if d.deniedSince.IsZero() {
		d.deniedSince = time.Now()
	}
	return time.Since(d.deniedSince) < helloTimeout
}
