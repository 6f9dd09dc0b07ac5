package transfer

import (
	"testing"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
)

// A buffer that could not be made leaves all counts as they were, and its number is no
// other buffer's.
func TestOutMemory_BufferNotMade_NotCounted(t *testing.T) {
	m := &stepped(t, endOptions{Recycle: true, Limit: 1 << 20}).queue.memory
	recycledOf := func(n uint64) *recycledBuffer {
		t.Helper()
		b, err := m.recycled.get(n, 0)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	given, kept, last := recycledOf(10), recycledOf(10), recycledOf(10)
	m.recycled.put(given)
	m.recycled.evict()
	weight := 2 * pageSize
	m.bytes.add(weight)
	files, memory := m.fds.held.Load(), m.bytes.taken.Load()
	var one, other error
	under(t, unix.ENOMEM, seccomp.Call(unix.SYS_MEMFD_CREATE), func() {
		_, one = m.recycled.get(weight, weight)
		_, other = m.seal([]byte("a"))
	})
	testenv.WantErr(t, one, unix.ENOMEM)
	testenv.WantErr(t, other, unix.ENOMEM)
	if m.fds.held.Load() != files || m.bytes.taken.Load() != memory {
		t.Errorf("%d descriptors and %d bytes are counted, want %d and %d", m.fds.held.Load(), m.bytes.taken.Load(), files, memory)
	}
	if b := recycledOf(10); b.number == kept.number || b.number == last.number {
		t.Errorf("two buffers have number %d", b.number)
	}
	m.bytes.give(weight)
}

// The consumer has an evicted buffer mapped until it hears of the next with its number.
func TestOutMemory_Evicted_FreedAtOnce(t *testing.T) {
	m := &stepped(t, endOptions{Recycle: true}).queue.memory
	b, err := m.recycled.get(10, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(b.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	m.recycled.put(b)
	var before, after unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil || before.Blocks == 0 {
		t.Fatalf("%d blocks, %v", before.Blocks, err)
	}
	if !m.recycled.evict() {
		t.Fatal("it is in use")
	}
	if err := unix.Fstat(fd, &after); err != nil || after.Blocks != 0 || after.Size != before.Size {
		t.Errorf("%d blocks, %d bytes of %d, %v", after.Blocks, after.Size, before.Size, err)
	}
}

// The user of a Sender that was closed elsewhere may still write to its reservation.
func TestOutMemory_Lent_NotReused(t *testing.T) {
	m := &stepped(t, endOptions{Recycle: true}).queue.memory
	b, err := m.recycled.get(10, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.lent = true
	mem := b.mem
	defer mem.Unmap()
	m.recycled.put(b)
	other, err := m.recycled.get(10, 0)
	if err != nil || other == b {
		t.Fatalf("the same buffer comes again, %v", err)
	}
	mem[0], other.mem[0] = 'a', 'b'
	if mem[0] != 'a' || other.mem[0] != 'b' {
		t.Error("the two share memory")
	}
}
