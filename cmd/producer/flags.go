package main

import (
	"fmt"
	"math"
	"math/bits"
	"os"

	"github.com/urfave/cli/v2"

	"sluice/internal/command"
	"sluice/internal/pattern"
	"sluice/layout"
	"sluice/ring"
	"sluice/transfer"
)

// options is what only the producer takes.
type options struct {
	capacity, slots uint64 // 0 = not given
	onFull          ring.Policy
	fresh           bool

	size, burst int

	buffer  int
	recycle bool
	limit   uint64 // as transfer.Options.Limit

	input    string // "" = generate
	framing  layout.Framing
	chunk    int
	chunkSet bool
}

func flags() []cli.Flag {
	return []cli.Flag{
		command.SizeFlag("capacity", layout.DefaultCapacity, "`BYTES` of ring: a power of two from 4KiB to 2GiB"),
		&cli.Uint64Flag{Name: "slots", Usage: "at most `N` messages in flight; 0 = bytes alone"},
		&cli.StringFlag{Name: "on-full", Value: "block", Usage: "`POLICY` when the ring is full: block, drop the newest message, or fail"},
		command.SizeFlag("size", pattern.MinSize, "`BYTES` of a generated message, at least 8"),
		&cli.IntFlag{Name: "burst", Value: 1, Usage: "send `N` messages at once and wait as much longer; --rate stays the average"},
		&cli.StringFlag{Name: "input", DefaultText: "generate messages", Usage: "read messages from `FILE`, - for standard input"},
		&cli.StringFlag{Name: "framing", DefaultText: "lines for -, else raw", Usage: "`HOW` the input is cut: lines, length (4 bytes little-endian before each message), raw"},
		command.SizeFlag("chunk", 64<<10, "`BYTES` of a message with raw framing"),
		command.SizeFlag("buffer", 0, "transfer: pack messages into buffers of so many `BYTES`; 0 = one buffer a message"),
		&cli.BoolFlag{Name: "recycle", Usage: "transfer: get buffers back and use them again; faster, but the kernel does not vouch that the producer has let go"},
		command.SizeFlag("limit", transfer.DefaultLimit, "transfer: most `BYTES` of memory in flight; 0 = none"),
		&cli.BoolFlag{Name: "fresh", Usage: "discard what a dead pair left behind instead of resuming it"},
	}
}

func parse(c *cli.Context, mode layout.Mode) (options, error) {
	o := options{
		slots: c.Uint64("slots"), fresh: c.Bool("fresh"),
		burst: c.Int("burst"), input: c.String("input"), chunkSet: c.IsSet("chunk"),
	}
	if err := o.parseTransfer(c, mode); err != nil {
		return o, err
	}
	capacity := command.GetSize(c, "capacity")
	if _, err := layout.NewRing(capacity, o.slots, uint64(os.Getpagesize())); err != nil {
		return o, command.Usage("--%w%s", err, nextPower(capacity))
	}
	if c.IsSet("capacity") {
		o.capacity = capacity
	}
	policies := map[string]ring.Policy{"block": ring.Block, "drop": ring.Drop, "fail": ring.Fail}
	var ok bool
	if o.onFull, ok = policies[c.String("on-full")]; !ok {
		return o, command.Usage("--on-full %q: block, drop or fail", c.String("on-full"))
	}
	size, chunk := command.GetSize(c, "size"), command.GetSize(c, "chunk")
	if size < pattern.MinSize || size > math.MaxInt32 {
		return o, command.Usage("--size %d: from %d bytes to what the ring takes", size, pattern.MinSize)
	}
	if chunk < 1 || chunk > math.MaxInt32 {
		return o, command.Usage("--chunk %d: from 1 byte to what the ring takes", chunk)
	}
	o.size, o.chunk = int(size), int(chunk)
	if most := layout.MaxMessage(capacity); mode == layout.ModeRing && o.fresh && (o.input == "" && size > most || o.chunkSet && chunk > most) {
		return o, command.Usage("--size %d, --chunk %d: at most %d fit into the ring; choose a larger --capacity", size, chunk, most)
	}
	if o.burst < 1 {
		return o, command.Usage("--burst %d: at least 1", o.burst)
	}
	return o, o.parseInput(c)
}

// parseTransfer reads the flags of transfer mode, and refuses those of the other.
func (o *options) parseTransfer(c *cli.Context, mode layout.Mode) error {
	if mode == layout.ModeRing {
		return refuse(c, []string{"buffer", "recycle", "limit", "socket"}, "in ring mode; add --mode transfer")
	}
	if err := refuse(c, []string{"capacity", "slots", "on-full"}, "in transfer mode, where only --limit bounds the queue"); err != nil {
		return err
	}
	o.recycle, o.limit = c.Bool("recycle"), command.GetSize(c, "limit")
	buffer := command.GetSize(c, "buffer")
	if buffer > math.MaxInt32 || buffer > 0 && buffer < 2*layout.RecordHeader {
		return command.Usage("--buffer %d: from %d bytes to 2 GiB, or 0", buffer, 2*layout.RecordHeader)
	}
	o.buffer = int(buffer)
	if o.limit > 0 && o.limit < minLimit+buffer {
		return command.Usage("--limit %d: at least %d bytes, and a buffer", o.limit, minLimit)
	}
	if o.limit == 0 {
		o.limit = transfer.NoLimit
	}
	return nil
}

// minLimit leaves room for a few buffers of a page.
const minLimit = 64 << 10

// nextPower helps those who wrote 1M, which is 1,000,000.
func nextPower(capacity uint64) string {
	next := &command.Size{Bytes: 1 << bits.Len64(capacity)}
	if bits.OnesCount64(capacity) < 2 || next.Bytes > layout.MaxCapacity {
		return ""
	}
	next.Bytes = max(next.Bytes, layout.MinCapacity)
	return fmt.Sprintf("; the next one is %v", next)
}

func (o *options) parseInput(c *cli.Context) error {
	generating, reading := []string{"size", "burst"}, []string{"framing", "chunk"}
	if o.input == "" {
		if command.Said(c, "input") {
			return command.Usage("--input: the name of a file, or - for standard input")
		}
		return refuse(c, reading, "without --input FILE")
	}
	if err := refuse(c, generating, "with --input"); err != nil {
		return err
	}
	o.framing = command.DefaultFraming(o.input)
	if c.IsSet("framing") {
		var err error
		if o.framing, err = command.ParseFraming(c.String("framing")); err != nil {
			return err
		}
	}
	if command.Said(c, "chunk") && o.framing != layout.FramingRaw {
		return command.Usage("--chunk has no meaning with %v framing", o.framing)
	}
	return nil
}

// refuse rejects flags that would be ignored. In the environment they may be
// meant for another command.
func refuse(c *cli.Context, flags []string, when string) error {
	for _, f := range flags {
		if command.Said(c, f) {
			return command.Usage("--%s has no meaning %s", f, when)
		}
	}
	return nil
}
