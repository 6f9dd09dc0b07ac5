package shm

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/internal/netpoll"
)

// Watcher tells of segments that appear in Dir.
type Watcher struct{ file *os.File }

// Watch calls appeared, on a goroutine of its own, with the name of each segment that appears
// after it has returned, and with "" when it may have missed some. A segment may be gone again by
// then, or be none. The error says that the kernel has no watch left for this user (inotify(7),
// max_user_instances), or that it is forbidden.
func Watch(appeared func(name string)) (*Watcher, error) {
	if err := netpoll.Start(); err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w := &Watcher{os.NewFile(uintptr(fd), "inotify")}
	if _, err := unix.InotifyAddWatch(fd, Dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR); err != nil {
		w.file.Close()
		return nil, &os.PathError{Op: "inotify_add_watch", Path: Dir, Err: err}
	}
	go w.run(appeared)
	return w, nil
}

// Close ends the calls of appeared; one may still be under way.
func (w *Watcher) Close() error { return w.file.Close() }

func (w *Watcher) run(appeared func(name string)) {
	events := make([]byte, 16<<10)
	for {
		n, err := w.file.Read(events)
		if err != nil {
			return // closed
		}
		for rest := events[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			mask, length := binary.NativeEndian.Uint32(rest[4:]), binary.NativeEndian.Uint32(rest[12:])
			rest = rest[unix.SizeofInotifyEvent:]
			file := string(bytes.TrimRight(rest[:length], "\x00"))
			rest = rest[length:]
			name, ok := strings.CutPrefix(file, prefix)
			switch {
			case mask&unix.IN_Q_OVERFLOW != 0:
				appeared("")
			case ok && CheckName(name) == nil:
				appeared(name)
			}
		}
	}
}
