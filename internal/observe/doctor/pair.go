package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/monotonic"
	"sluice/layout"
	"sluice/ring"
	"sluice/shm"
	"sluice/transfer"
)

// probeTimeout is how long a message may take that usually takes less than a millisecond.
const probeTimeout = 2 * time.Second

const (
	allowCalls      = "a container's profile (seccomp, AppArmor, SELinux) has to allow "
	ringCalls       = "open(O_TMPFILE), fallocate, mmap, linkat, unlinkat and fcntl(F_OFD_SETLK, F_OFD_GETLK)"
	transferCalls   = "memfd_create, fcntl(F_ADD_SEALS, F_GET_SEALS), socket, bind, listen, accept4, connect, getsockopt(SO_PEERCRED), sendmsg and recvmsg with SCM_RIGHTS, recvfrom, pread and pwrite"
	allowLargeFiles = "allow larger files: ulimit -f unlimited, fsize in /etc/security/limits.conf, LimitFSIZE= of a unit"
)

// rings makes a ring with the real code: a segment in /dev/shm, both roles, and a message
// through it.
func rings(m *machine) Finding {
	if f, none := notWritable(m); none {
		return f
	}
	if m.probeFutex() != nil { // one cause, one problem
		return note("fix futex first", "not tried, because a sleeping side is not woken")
	}
	err := withoutName(m.probeRing())
	var path *fs.PathError
	switch {
	case err == nil:
		return ok("made in /dev/shm, a message sent and received, roles kept apart, removed")
	case errors.Is(err, errLivenessUnknown):
		return note(allowCalls+"fcntl(F_OFD_GETLK)", "works, but %v", err)
	case errors.Is(err, shm.ErrNoSpace), errors.Is(err, unix.ENOSPC):
		return note("make room first", "not tried, because /dev/shm is full")
	case errors.Is(err, unix.EFBIG):
		return problem(allowLargeFiles+"; or choose a smaller --capacity", "no ring of the default --capacity 1MiB can be made: %v", err)
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &path) && path.Op == "link":
		return problem("as root: mount -t proc proc /proc", "no segment can get a name without /proc: %v", err)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return problem(moreDescriptors, "no ring can be made: %v", err)
	}
	return problem("Linux 3.15 or newer with a tmpfs on /dev/shm, not a sandbox in place of Linux (gVisor, WSL 1); "+allowCalls+ringCalls,
		"no ring can be made: %v", err)
}

// transfers makes a transfer with the real code, as --mode transfer does.
func transfers(m *machine) Finding {
	if f, none := notWritable(m); none {
		return f
	}
	// A limit on file sizes may allow the header of a transfer and not a ring.
	small := errors.Is(m.probeRing(), unix.EFBIG)
	if socketPath(m).State == Problem || rings(m).State == Problem && !small { // one cause, one problem
		return note("fix what is above first", "not tried")
	}
	err := withoutName(m.probeTransfer())
	switch {
	case errors.Is(err, unix.EFBIG) && small:
		return note("fix what is above first", "its header cannot be made either: %v", err)
	case err == nil:
		return ok("buffers made, sealed and passed through a SOCK_SEQPACKET socket")
	case errors.Is(err, shm.ErrNoSpace), errors.Is(err, unix.ENOSPC):
		return note("make room first", "not tried, because /dev/shm is full")
	case errors.Is(err, unix.EFBIG):
		return problem(allowLargeFiles, "no buffer can be made: %v", err)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, transfer.ErrDescriptors):
		return problem(moreDescriptors, "no message is received: %v", err)
	}
	return problem("use --mode ring; or Linux 3.17 or newer; "+allowCalls+transferCalls,
		"no message is received: %v", err)
}

// withoutName returns an error without the name of the segment that was made for the check.
func withoutName(err error) error {
	if in := new(shm.SegmentError); errors.As(err, &in) && in.Err != nil {
		return in.Err
	}
	return err
}

// probeName returns the name of a segment that no other process uses.
func probeName() string { return fmt.Sprintf("doctor.%d.%x", os.Getpid(), monotonic.Now()) }

// probeRing makes a ring as the commands do, and passes a message through it.
func probeRing() (err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), probeTimeout, errNotReceived)
	defer cancel()
	name := probeName()
	w, err := ring.Create(ctx, name, ring.WriterOptions{})
	if err != nil {
		return err
	}
	defer func() { closeErr := w.Close(); err = errors.Join(err, closeErr, checkRemoved(name)) }()
	untold := checkRoleLock(ctx, name)
	if untold != nil && !errors.Is(untold, errLivenessUnknown) {
		return untold
	}
	r, err := ring.Open(ctx, name, ring.ReaderOptions{})
	if err != nil {
		return err
	}
	defer func() { closeErr := r.Close(); err = errors.Join(err, closeErr) }()
	return cmp.Or(sendAndReceive(ctx, w, r), untold)
}

// errLivenessUnknown: no process can see which sides are alive; a pair works without that.
var errLivenessUnknown = errors.New("the kernel does not tell which sides are alive")

// checkRoleLock checks that a role that is held cannot be taken again, and that an observer sees
// which roles are held.
func checkRoleLock(ctx context.Context, name string) error {
	second, err := ring.Create(ctx, name, ring.WriterOptions{})
	if err == nil {
		second.Close()
		return errors.New("a role was given to two holders at once: a lock was granted twice")
	}
	if !errors.Is(err, ring.ErrRoleTaken) {
		return err
	}
	v, err := shm.OpenView(name)
	if err != nil {
		return err
	}
	defer v.Close()
	for role, want := range map[layout.Role]bool{layout.Producer: true, layout.Consumer: false} {
		got, err := v.Alive(role)
		if err != nil {
			return fmt.Errorf("%w: %w", errLivenessUnknown, err)
		}
		if got != want {
			return fmt.Errorf("an observer is told that the %v is alive: %v, which is wrong", role, got)
		}
	}
	return nil
}

// checkRemoved returns an error when a segment of that name is left, and removes it.
func checkRemoved(name string) error {
	if _, err := os.Lstat(shm.Path(name)); err == nil {
		os.Remove(shm.Path(name))
		return errors.New("a segment that both sides had left was not removed")
	}
	return nil
}

// probeTransfer does the same in transfer mode, with a buffer that is sealed and
// with one that comes back.
func probeTransfer() error {
	for _, recycle := range []bool{false, true} {
		if err := probeBuffer(transfer.SenderOptions{Recycle: recycle, Limit: 1 << 20}); err != nil {
			return err
		}
	}
	return nil
}

func probeBuffer(opt transfer.SenderOptions) (err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), probeTimeout, errNotReceived)
	defer cancel()
	name := probeName()
	s, err := transfer.Create(ctx, name, opt)
	if err != nil {
		return err
	}
	defer func() {
		if errors.Is(err, errNotReceived) { // the next message fails with the reason, if the sender knows it
			err = cmp.Or(s.Send(context.Background(), nil), err)
		}
		closeErr := s.Close()
		if err == nil {
			err = closeErr
		}
		err = errors.Join(err, checkRemoved(name))
	}()
	r, err := transfer.Open(ctx, name, transfer.ReceiverOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return sendAndReceive(ctx, s, r)
}

var errNotReceived = fmt.Errorf("a message was sent and not received within %v", probeTimeout)

// sendAndReceive sends a message and checks that the same one is received.
func sendAndReceive(ctx context.Context, w interface {
	Send(context.Context, []byte) error
}, r interface {
	Next(context.Context) ([]byte, error)
	Release()
}) error {
	const sent = "message"
	if err := w.Send(ctx, []byte(sent)); err != nil {
		return err
	}
	got, err := r.Next(ctx)
	if err != nil {
		return err
	}
	if string(got) != sent {
		return fmt.Errorf("message %q was received as %q", sent, got)
	}
	r.Release()
	return nil
}
