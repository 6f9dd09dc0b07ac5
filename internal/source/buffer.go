package source

// readSize is how many bytes are read at once with framing lines or length.
const readSize = 256 << 10

// buffer has what was read of an Input and not yet taken.
type buffer struct {
	in       *Input
	data     []byte // grows when a message needs that
	from, to int    // data[from:to] is not yet taken
	max      int    // of len(data)
	err      error  // of the last read
}

// newBuffer returns a buffer for messages of up to max bytes with their framing.
func newBuffer(in *Input, max int) buffer {
	return buffer{in: in, data: make([]byte, min(readSize, max)), max: max}
}

// unread returns what is not yet taken. It is valid until the next read.
func (b *buffer) unread() []byte { return b.data[b.from:b.to] }

// take removes the first n bytes.
func (b *buffer) take(n int) { b.from += n }

// read reads more of the input, once. After an error it returns that again.
//
// Preconditions: less than max is unread.
func (b *buffer) read() error {
	if b.err != nil {
		return b.err
	}
	left := b.unread()
	if len(left) == len(b.data) {
		b.data = make([]byte, min(2*len(left), b.max))
	}
	// A read goes to the start, which is in the processor's cache, where that moves no more
	// bytes than were taken, or where there is no room behind them.
	if len(left) <= b.from || b.to == len(b.data) || b.from == 0 {
		b.from, b.to = 0, copy(b.data, left)
	}
	n, err := b.in.Read(b.data[b.to:])
	b.to, b.err = b.to+n, err
	return err
}
