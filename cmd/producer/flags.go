package main

import (
	"cmp"
	"errors"
	"math"
	"math/bits"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/payload"
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
	limit   uint64 // as transfer.SenderOptions.Limit

	input    string // "" = generate
	framing  layout.Framing
	chunk    int
	chunkSet bool

	called func(flag string) string // a flag as the user gave it
}

func flags() []urfave.Flag {
	return []urfave.Flag{
		cli.SizeFlag("capacity", layout.DefaultCapacity, "`BYTES` of ring: a power of two from 4KiB to 2GiB"),
		&urfave.Uint64Flag{Name: "slots", Usage: "at most `N` messages in flight; 0 = bytes alone"},
		cli.ChoiceFlag("on-full", nil, "block", "", "`POLICY` when the ring is full: block, drop the newest message, or fail", "block", "drop", "fail"),
		cli.SizeFlag("size", payload.MinSize, "`BYTES` of a generated message, at least 8"),
		cli.IntegerFlag("burst", 1, 1, math.MaxInt32, "send `N` messages at once and wait as much longer; --rate stays the average"),
		&urfave.StringFlag{Name: "input", DefaultText: "generate messages", Usage: "read messages from `FILE`, - for standard input"},
		cli.FramingFlag("lines for -, else raw", "`HOW` the input is cut: lines, length (4 bytes little-endian before each message), raw"),
		cli.SizeFlag("chunk", 64<<10, "`BYTES` of a message with raw framing"),
		cli.SizeFlag("buffer", 0, "transfer: pack messages into buffers of so many `BYTES`; 0 = one buffer a message"),
		&urfave.BoolFlag{Name: "recycle", Usage: "transfer: get buffers back and use them again; faster, but the kernel does not guarantee that the producer can no longer modify them"},
		cli.SizeFlag("limit", transfer.DefaultLimit, "transfer: most `BYTES` of memory in flight; 0 = none"),
		&urfave.BoolFlag{Name: "fresh", Usage: "discard what a dead pair left behind instead of resuming it"},
	}
}

func parse(c *urfave.Context, mode layout.Mode) (options, error) {
	o := options{
		slots: c.Uint64("slots"), fresh: c.Bool("fresh"),
		burst: c.Int("burst"), input: c.String("input"), chunkSet: c.IsSet("chunk"),
		called: func(flag string) string { return cli.FlagSource(c, flag) },
	}
	if err := o.parseTransfer(c, mode); err != nil {
		return o, err
	}
	capacity := cli.GetSize(c, "capacity")
	if _, err := layout.RingGeometry(capacity, o.slots, uint64(os.Getpagesize())); err != nil {
		flag, text, _ := strings.Cut(err.Error(), " ") // capacity or slots
		err = cli.UsageError("%s: %s", cli.FlagSource(c, flag), text)
		if near := nearCapacity(capacity); near != "" {
			err = cli.WithHint(err, "%s", near)
		}
		return o, err
	}
	if c.IsSet("capacity") {
		o.capacity = capacity
	}
	o.onFull = map[string]ring.Policy{"block": ring.Block, "drop": ring.Drop, "fail": ring.Fail}[cli.GetChoice(c, "on-full")]
	size, chunk := cli.GetSize(c, "size"), cli.GetSize(c, "chunk")
	most := uint64(largest(mode))
	if err := errors.Join(inRange(c, "size", payload.MinSize, most), inRange(c, "chunk", 1, most)); err != nil {
		return o, err
	}
	o.size, o.chunk = int(size), int(chunk)
	if most := layout.MaxMessage(capacity); mode == layout.ModeRing && o.fresh { // later it would have discarded what is there
		if err := errors.Join(o.fits("size", most), o.fits("chunk", most)); err != nil {
			return o, cli.WithHint(err, "choose a larger --capacity")
		}
	}
	return o, o.parseInput(c)
}

// parseTransfer reads the flags of transfer mode, and refuses those of the other.
func (o *options) parseTransfer(c *urfave.Context, mode layout.Mode) error {
	if mode == layout.ModeRing {
		return cli.WithHint(refuse(c, []string{"buffer", "recycle", "limit", "socket"}, "in ring mode"), "add --mode transfer")
	}
	if err := cli.WithHint(refuse(c, []string{"capacity", "slots", "on-full"}, "in transfer mode"), "--limit bounds the queue there"); err != nil {
		return err
	}
	o.recycle, o.limit = c.Bool("recycle"), cli.GetSize(c, "limit")
	buffer := cli.GetSize(c, "buffer")
	if buffer > 0 {
		if err := inRange(c, "buffer", 2*layout.RecordHeader, math.MaxInt32); err != nil {
			return cli.WithHint(err, "0 is one buffer a message")
		}
	}
	o.buffer = int(buffer)
	if least := minLimit + buffer; o.limit > 0 && o.limit < least {
		err := cli.UsageError("%s: invalid size %d: want one >= %d", cli.FlagSource(c, "limit"), o.limit, least)
		return cli.WithHint(err, "it has to hold %d bytes and a --buffer; 0 is no limit", minLimit)
	}
	if o.limit == 0 {
		o.limit = transfer.NoLimit
	}
	return nil
}

// largest is the size of the largest message that there can be in a mode, bytes.
func largest(mode layout.Mode) int {
	if mode == layout.ModeTransfer {
		return transfer.MaxMessage
	}
	return int(layout.MaxMessage(layout.MaxCapacity))
}

// inRange checks a flag of a size against its bounds.
func inRange(c *urfave.Context, flag string, least, most uint64) error {
	if n := cli.GetSize(c, flag); n < least || n > most {
		return cli.UsageError("%s: invalid size %d: want one from %d to %d", cli.FlagSource(c, flag), n, least, most)
	}
	return nil
}

// fits checks the size of a message, where the flag decides it, against the largest
// one that a segment takes.
func (o *options) fits(flag string, most uint64) error {
	n, decides := o.size, o.input == ""
	if flag == "chunk" {
		n, decides = o.chunk, o.input != "" && o.chunkSet
	}
	if !decides || uint64(n) <= most {
		return nil
	}
	return cli.UsageError("%s: invalid size %d: a message has at most %d bytes here", o.called(flag), n, most)
}

// minLimit leaves room for a few buffers of a page.
const minLimit = 64 << 10

// nearCapacity is what somebody may have meant, such as 1MiB by 1M, which is 1,000,000; ""
// for a capacity that is right.
func nearCapacity(capacity uint64) string {
	least := max(layout.MinCapacity, uint64(os.Getpagesize()))
	next := uint64(1) << bits.Len64(capacity)
	switch {
	case capacity < least:
		return "the smallest is " + (&cli.Size{Bytes: least}).String()
	case capacity > layout.MaxCapacity:
		return "the largest is " + (&cli.Size{Bytes: layout.MaxCapacity}).String()
	case bits.OnesCount64(capacity) > 1:
		return "the next one is " + (&cli.Size{Bytes: next}).String()
	}
	return ""
}

func (o *options) parseInput(c *urfave.Context) error {
	generating, reading := []string{"size", "burst"}, []string{"framing", "chunk"}
	if o.input == "" {
		if cli.SetOnCommandLine(c, "input") {
			return cli.UsageError("--input: want the name of a file, or - for standard input")
		}
		return cli.WithHint(refuse(c, reading, "without an input"), "add --input FILE")
	}
	if err := refuse(c, generating, "with --input"); err != nil {
		return cli.WithHint(err, "leave it out: it is for generated messages")
	}
	o.framing = cmp.Or(cli.GetFraming(c), cli.DefaultFraming(o.input))
	if cli.SetOnCommandLine(c, "chunk") && o.framing != layout.FramingRaw {
		return cli.WithHint(cli.UsageError("--chunk has no effect with %v framing", o.framing), "leave it out, or add --framing raw")
	}
	return nil
}

// refuse rejects flags that would be ignored. In the environment they may be
// meant for another command.
func refuse(c *urfave.Context, flags []string, when string) error {
	for _, f := range flags {
		if cli.SetOnCommandLine(c, f) {
			return cli.UsageError("--%s has no effect %s", f, when)
		}
	}
	return nil
}
