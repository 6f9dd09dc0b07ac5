package layout

import "encoding/binary"

// maxPath is how many bytes of path the field holds, a multiple of 8: no less than the 107
// that a sockaddr_un holds before its last zero.
const maxPath = 112

// Path is the path of a side's socket. One side writes it, anybody may read it.
type Path struct {
	Length Uint64              `doc:"bytes of the path, 0 = none"`
	Text   [maxPath / 8]Uint64 `doc:"the path, not ended by a zero"`
	_      [Block - 8 - maxPath]byte
}

// Store writes path, or the empty path when it is longer than a socket's can be. Length is
// 0 while the text changes, so nobody reads half of two paths. Only the holder of the role
// may call it.
func (p *Path) Store(path string) {
	p.Length.Store(0)
	if len(path) > maxPath {
		return
	}
	var text [maxPath]byte
	copy(text[:], path)
	for i := range p.Text {
		p.Text[i].Store(binary.LittleEndian.Uint64(text[8*i:]))
	}
	p.Length.Store(uint64(len(path)))
}

// Load returns the path, "" when there is none. It is a claim of the peer's: only a hint if
// that peer is not trusted.
func (p *Path) Load() string {
	n := p.Length.Load()
	var text [maxPath]byte
	for i := range p.Text {
		binary.LittleEndian.PutUint64(text[8*i:], p.Text[i].Load())
	}
	if n > maxPath || n != p.Length.Load() {
		return ""
	}
	return string(text[:n])
}
