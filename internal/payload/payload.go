// Package payload is the content of a generated message: an 8-byte sequence number, then words
// computed from it and from their position, so that a consumer detects lost, repeated and
// damaged messages.
package payload

import "encoding/binary"

// MinSize is the smallest generated message: the sequence number alone.
const MinSize = 8

// Fill writes message number seq over all of buf.
//
// Preconditions: buf has at least MinSize bytes.
func Fill(buf []byte, seq uint64) {
	word := seq
	for ; len(buf) >= 8; buf = buf[8:] {
		binary.LittleEndian.PutUint64(buf, word)
		word += step
	}
	for i := range buf {
		buf[i] = byte(word >> (8 * i))
	}
}

// FillAll writes the messages from number seq on over all of buf, each of size bytes.
//
// Preconditions: size is at least MinSize, and the length of buf a multiple of it.
func FillAll(buf []byte, size int, seq uint64) {
	for ; len(buf) >= size; buf = buf[size:] {
		if size == MinSize {
			binary.LittleEndian.PutUint64(buf, seq)
		} else {
			Fill(buf[:size], seq)
		}
		seq++
	}
}

// Seq returns the sequence number of msg; false if msg is too short for one.
func Seq(msg []byte) (uint64, bool) {
	if len(msg) < MinSize {
		return 0, false
	}
	return binary.LittleEndian.Uint64(msg), true
}

// Check reports whether msg is what Fill wrote for its sequence number.
func Check(msg []byte) bool {
	word, ok := Seq(msg)
	if !ok {
		return false
	}
	for ; len(msg) >= 8; msg = msg[8:] {
		if binary.LittleEndian.Uint64(msg) != word {
			return false
		}
		word += step
	}
	for i := range msg {
		if msg[i] != byte(word>>(8*i)) {
			return false
		}
	}
	return true
}

// step is 2^64 divided by the golden ratio. It is odd and large, so consecutive words of a
// message, and the same word of consecutive messages, differ in many bits.
const step = 0x9e3779b97f4a7c15
