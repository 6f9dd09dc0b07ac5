package source

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"

	"golang.org/x/sys/unix"
)

// counter counts the messages of a regular file ahead of the Cutter that sends them, with reads of
// its own. It goes no further than it is asked for, so a large file is not read before its messages
// are due. A part that is no message, because it is too large or cut short, may count as one.
// Another goroutine than the Cutter's may use it.
type counter struct {
	read  func() (more uint64, err error) // reads on; an error is the end
	count uint64
	ended bool
}

// upTo returns how many messages the file has, at most n. What is appended to the file after the
// counter came to its end is not seen.
func (c *counter) upTo(n uint64) uint64 {
	for c.count < n && !c.ended {
		more, err := c.read()
		c.count += more
		c.ended = err != nil
	}
	return min(n, c.count)
}

func (l *lines) counter() *counter {
	file, buf, whole := l.in.fromStart(), make([]byte, readSize), true
	return &counter{read: func() (uint64, error) {
		n, err := file.Read(buf)
		more := uint64(bytes.Count(buf[:n], []byte{'\n'}))
		if n > 0 {
			whole = buf[n-1] == '\n'
		}
		if err != nil && !whole {
			more++ // the last line needs no line feed
		}
		return more, err
	}}
}

func (l *lengths) counter() *counter {
	file := bufio.NewReaderSize(l.in.fromStart(), readSize)
	return &counter{read: func() (uint64, error) {
		var prefix [4]byte
		if _, err := io.ReadFull(file, prefix[:]); err != nil {
			return 0, err
		}
		_, err := file.Discard(int(binary.LittleEndian.Uint32(prefix[:])))
		return 1, err
	}}
}

func (c *chunks) counter() *counter {
	size := uint64(c.size)
	return &counter{count: (uint64(max(0, c.in.size)) + size - 1) / size, ended: true}
}

// fromStart returns a reader of a regular file from where the Input began, whose position is its
// own. It must not be used after Close.
func (in *Input) fromStart() io.Reader {
	return io.NewSectionReader(readerAt(in.fd), in.end-in.size, 1<<62)
}

// readerAt is an io.ReaderAt of a descriptor.
type readerAt int

// ReadAt reads with pread(2), which leaves the descriptor's own offset alone.
func (fd readerAt) ReadAt(p []byte, at int64) (n int, err error) {
	for {
		n, err = unix.Pread(int(fd), p, at)
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && n == 0 && len(p) > 0:
			err = io.EOF
		}
		return max(0, n), err
	}
}
