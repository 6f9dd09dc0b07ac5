package main

import "encoding/binary"

// The payload of peer.h, as fast as the loops of a C compiler (64 KiB: 1 to 2 us for each
// side): gc does not vectorise, so large messages are filled with copy, and read with four
// sums in parallel.

// words is how many words a message has: 8 bytes each, or one of 4.
func (j job) words() uint64 { return uint64(max(1, j.bytes/8)) }

// fill writes the number into every word of a message.
func fill(msg []byte, number uint64) {
	switch len(msg) {
	case 4:
		binary.LittleEndian.PutUint32(msg, uint32(number))
	case 8:
		binary.LittleEndian.PutUint64(msg, number)
	default:
		fillMany(msg, number)
	}
}

func fillMany(msg []byte, number uint64) {
	done := min(len(msg), 64)
	for at := 0; at < done; at += 8 {
		binary.LittleEndian.PutUint64(msg[at:], number)
	}
	for done < len(msg) {
		done += copy(msg[done:], msg[:min(done, 4096)])
	}
}

// words adds up the words of a message.
func words(msg []byte) uint64 {
	switch len(msg) {
	case 4:
		return uint64(binary.LittleEndian.Uint32(msg))
	case 8:
		return binary.LittleEndian.Uint64(msg)
	}
	return wordsMany(msg)
}

func wordsMany(msg []byte) uint64 {
	var a, b, c, d uint64
	for ; len(msg) >= 64; msg = msg[64:] {
		line := msg[:64]
		a += binary.LittleEndian.Uint64(line)
		b += binary.LittleEndian.Uint64(line[8:])
		c += binary.LittleEndian.Uint64(line[16:])
		d += binary.LittleEndian.Uint64(line[24:])
		a += binary.LittleEndian.Uint64(line[32:])
		b += binary.LittleEndian.Uint64(line[40:])
		c += binary.LittleEndian.Uint64(line[48:])
		d += binary.LittleEndian.Uint64(line[56:])
	}
	for ; len(msg) >= 8; msg = msg[8:] {
		a += binary.LittleEndian.Uint64(msg)
	}
	return a + b + c + d
}
