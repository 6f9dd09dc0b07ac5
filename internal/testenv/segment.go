package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/layout"
)

const segmentPrefix = "/dev/shm/sluice."

// SegmentPath returns the file of the segment with that name, as shm.Path does.
func SegmentPath(name string) string { return segmentPrefix + name }

// namePrefix begins the names of all segments of this test process.
var namePrefix = fmt.Sprintf("test.%s.%d.", strings.TrimSuffix(filepath.Base(os.Args[0]), ".test"), os.Getpid())

var names atomic.Int64

// SegmentName returns a name that no other test has. When the test ends, what it has left
// under that name is removed: the segment, and the socket in the directory that is the
// default. The test fails if it cannot be.
func SegmentName(t testing.TB) string {
	t.Helper()
	name := newName()
	t.Cleanup(func() {
		if err := removeSegment(name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// SegmentNames returns n names that no other test has, and a pattern that matches these names and
// no other. It is SegmentName for each of them.
func SegmentNames(t testing.TB, n int) (pattern string, all []string) {
	t.Helper()
	base := SegmentName(t)
	for i := range n {
		all = append(all, fmt.Sprintf("%s-%d", base, i))
	}
	t.Cleanup(func() {
		for _, name := range all {
			if err := removeSegment(name); err != nil {
				t.Error(err)
			}
		}
	})
	return base + "-*", all
}

func newName() string { return namePrefix + fmt.Sprint(names.Add(1)) }

func removeSegment(name string) error {
	err := os.RemoveAll(SegmentPath(name))
	if commandDir != "" {
		err = errors.Join(err, os.RemoveAll(DefaultSocket(name)))
	}
	return err
}

// DefaultSocket returns where the consumer of a transfer with that name listens that was
// started by a test and not told where.
func DefaultSocket(name string) string { return filepath.Join(runtimeDir(), "sluice", name+".sock") }

// WantNoSegment expects that there is no file of that segment, and no socket of its
// consumer at the default place.
func WantNoSegment(t testing.TB, name string) {
	t.Helper()
	for _, path := range []string{SegmentPath(name), DefaultSocket(name)} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", path, err)
		}
	}
}

// Header returns a copy of a segment's header, as it was at one moment; nil while there is
// no segment.
func Header(name string) *layout.Header {
	b := make([]byte, layout.HeaderSize)
	f, err := os.Open(SegmentPath(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	if _, err := io.ReadFull(f, b); err != nil {
		return nil
	}
	h, err := layout.At(b)
	if err != nil {
		return nil
	}
	return h
}

// EventuallyHeader waits until there is a segment and ok returns true for its header. It
// fails the test after [Timeout]; while messages are taken, after three times as long.
func EventuallyHeader(t testing.TB, name, what string, ok func(h *layout.Header) bool) {
	t.Helper()
	began, taken := time.Now(), uint64(0)
	pause := poll{}
	for deadline := began.Add(Timeout); time.Now().Before(deadline); pause.sleep() {
		h := Header(name)
		if h == nil {
			continue
		}
		if ok(h) {
			return
		}
		if n := h.Count(layout.Consumer); n != taken && time.Since(began) < 3*Timeout {
			taken, deadline = n, time.Now().Add(Timeout)
		}
	}
	t.Fatalf("segment %q: %s did not happen", name, what)
}

// EventuallyConsumed waits until the consumer has released n more messages.
func EventuallyConsumed(t testing.TB, name string, n uint64) {
	t.Helper()
	var from uint64
	if h := Header(name); h != nil {
		from = h.Count(layout.Consumer)
	}
	EventuallyHeader(t, name, fmt.Sprintf("%d more messages", n), func(h *layout.Header) bool { return h.Count(layout.Consumer) >= from+n })
}
