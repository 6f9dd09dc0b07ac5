package transfer

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// descriptor is of anything that can be opened.
func descriptor(t *testing.T, path string, flags int) (fd int) {
	t.Helper()
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// A descriptor that comes with a good packet, and is not what the packet says.
func TestHostile_NotSealedBuffer_Refused(t *testing.T) {
	memfd := func(size, seals int) func(*testing.T) int {
		return func(t *testing.T) int { return file(t, string(make([]byte, size)), seals) }
	}
	for name, make := range map[string]func(*testing.T) int{
		"without a seal":             memfd(8, 0),
		"without the write seal":     memfd(8, sealed&^unix.F_SEAL_WRITE),
		"without the shrink seal":    memfd(8, sealed&^unix.F_SEAL_SHRINK),
		"without the grow seal":      memfd(8, sealed&^unix.F_SEAL_GROW),
		"without the seal of seals":  memfd(8, sealed&^unix.F_SEAL_SEAL),
		"sealed for the future only": memfd(8, kept|unix.F_SEAL_FUTURE_WRITE),
		"that cannot be sealed":      func(t *testing.T) int { return unsealable(t, 8) },

		"smaller than said":  memfd(7, sealed),
		"larger than said":   memfd(9, sealed),
		"of a page":          memfd(4096, sealed),
		"with nothing in it": memfd(0, sealed),

		"a pipe": func(t *testing.T) int {
			var ends [2]int
			if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			unix.Close(ends[1])
			return ends[0]
		},
		"a socket": func(t *testing.T) int {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		},
		"a directory":    func(t *testing.T) int { return descriptor(t, t.TempDir(), unix.O_RDONLY) },
		"a device":       func(t *testing.T) int { return descriptor(t, "/dev/zero", unix.O_RDWR) },
		"a regular file": regular(func(t *testing.T) string { return t.TempDir() }),
		"a file of memory that is no memfd": regular(func(t *testing.T) string {
			name, _ := place(t)
			path := shm.Path(name)
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			return path
		}),
		"a path without access": func(t *testing.T) int { return descriptor(t, "/proc/self/exe", unix.O_PATH) },
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			in.put(packet(in.head(kindBuffers), one), make(t))
			in.refused(r, ErrCorrupt)
		})
	}
}

// regular makes a file of the right size in a directory.
func regular(in func(*testing.T) string) func(*testing.T) int {
	return func(t *testing.T) int {
		path := filepath.Join(in(t), "file")
		if err := os.WriteFile(path, make([]byte, 8), 0o600); err != nil {
			t.Fatal(err)
		}
		return descriptor(t, path, unix.O_RDWR)
	}
}

// unsealable is a memfd that was made without MFD_ALLOW_SEALING.
func unsealable(t *testing.T, size int) (fd int) {
	t.Helper()
	fd, err := unix.MemfdCreate("sluice", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		t.Fatal(err)
	}
	return fd
}

// A recycled buffer need not be sealed against writing, and all the rest it must.
func TestHostile_NotRecycledBuffer_Refused(t *testing.T) {
	buffer := entry{size: 4096, length: 8, messages: 1, number: 1, flags: flagDescriptor}
	memfd := func(size, seals int) func(*testing.T) int {
		return func(t *testing.T) int { return file(t, string(make([]byte, size)), seals) }
	}
	for name, make := range map[string]func(*testing.T) int{
		"without a seal":            memfd(4096, 0),
		"without the shrink seal":   memfd(4096, kept&^unix.F_SEAL_SHRINK),
		"without the grow seal":     memfd(4096, kept&^unix.F_SEAL_GROW),
		"without the seal of seals": memfd(4096, kept&^unix.F_SEAL_SEAL),
		"smaller than said":         memfd(4095, kept),
		"larger than said":          memfd(4097, kept),
		"a regular file":            regular(func(t *testing.T) string { return t.TempDir() }),
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			in.put(packet(in.head(kindBuffers), buffer), make(t))
			in.refused(r, ErrCorrupt)
		})
	}
}

// It has the seals and the size, but not the access. Which error that is nobody has
// promised; it is one, and everything is closed.
func TestHostile_UnreadableBuffer_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		entry entry
		seals int
	}{
		"sealed":   {one, sealed},
		"recycled": {entry{size: 8, length: 8, messages: 1, number: 1, flags: flagDescriptor}, kept},
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newRawProducer(t)
			in.greet()
			fd := file(t, "from him", c.seals)
			blind := descriptor(t, fdPath(fd), unix.O_WRONLY)
			unix.Close(fd)
			in.put(packet(in.head(kindBuffers), c.entry), blind)
			if msg, err := r.Next(t.Context()); err == nil {
				t.Errorf("took %q", msg)
			}
			in.sentAway(r)
			in.serves(r)
		})
	}
}

func TestHostile_BadBuffer_RestOfPacketClosed(t *testing.T) {
	in, r := newRawProducer(t)
	in.greet()
	files := []int{file(t, "from him", sealed), file(t, "from him", kept), file(t, "from him", sealed)}
	in.put(packet(in.head(kindBuffers), one, one, one), files...)
	in.at = position{1, 1, pageSize}
	wantMessages(t, r, "from him") // what came before it in the packet was good
	in.refused(r, ErrCorrupt)
}

// What lies in a buffer is checked when the message is taken.
func TestHostile_RecordBeyondBuffer_Refused(t *testing.T) {
	for name, c := range map[string]struct {
		content  string
		messages uint32
	}{
		"one byte more than there is": {record(9, "12345678"), 1},
		"a length that overflows":     {record(math.MaxUint64, "12345678"), 1},
		"a length that just does":     {record(math.MaxUint64-7, "12345678"), 1},
		"a length of 32 bits":         {record(math.MaxUint32, "12345678"), 1},
		"nothing left for the next":   {record(8, "12345678"), 2},
		"padding is left of it":       {record(1, "1") + "1234567", 2},
	} {
		t.Run(name, func(t *testing.T) {
			for _, recycled := range []bool{false, true} {
				in, r := newRawProducer(t)
				in.greet()
				size := uint64(len(c.content))
				e := entry{size: size, length: uint32(size), messages: c.messages, flags: flagDescriptor | flagPacked}
				seals := sealed
				if recycled {
					e.number, seals = 1, kept
				}
				in.put(packet(in.head(kindBuffers), e), file(t, c.content, seals))
				for range c.messages - 1 {
					if _, err := r.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				fails(t, r, ErrCorrupt)
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if memfds() != 0 {
					t.Errorf("%d buffers are open", memfds())
				}
			}
		})
	}
}

// What the consumer had released stood in the page: what was not is no more to be known.
func TestHostile_Truncation_LossUnknown(t *testing.T) {
	for _, size := range []int64{0, 100} {
		s, r := pair(t, endOptions{})
		send(t, s, "a", "b", "c")
		wantMessages(t, r, "a", "b")
		r.Release()
		if err := os.Truncate(shm.Path(s.Segment().Name()), size); err != nil {
			t.Fatal(err)
		}
		lost, err := lostIn(s.Abort())
		if lost != 0 || !errors.Is(err, ErrUndelivered) || !strings.Contains(err.Error(), "how many is not known") {
			t.Errorf("%d bytes left: %d lost, %v", size, lost, err)
		}
		r.Close()
	}
}
