package main

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"

	urfave "github.com/urfave/cli/v2"

	"sluice"
	"sluice/internal/cli"
	"sluice/internal/payload"
	"sluice/internal/schedule"
	"sluice/layout"
	"sluice/transfer"
)

// options are the values of the flags that only producer has.
type options struct {
	capacity, slots uint64 // 0 = not given
	onFull          sluice.Policy
	blockTimeout    time.Duration // before onFull, onLimit or the policies of to; 0 = none
	fresh           bool
	to              []sluice.Destination // of a fan-out; nil = one segment

	size     int
	load     schedule.Spec // its Rate is 0 without --rate
	openLoop bool

	buffer  int
	recycle bool
	// As in sluice.ProducerOptions.
	limit    uint64
	onLimit  sluice.Policy
	resumeAt float64

	input    string // "" = generate
	framing  layout.Framing
	chunk    int
	chunkSet bool

	flagSource func(flag string) string // cli.FlagSource
}

func flags() []urfave.Flag {
	return []urfave.Flag{
		cli.SizeFlag("capacity", layout.DefaultCapacity, "size of the ring in `BYTES`: a power of two from 4KiB to 2GiB; of generated messages, with slots of --size bytes, the most"),
		&urfave.Uint64Flag{Name: "slots", Usage: "at most `N` messages in flight; 0 = limited by --capacity only"},
		cli.ChoiceFlag("on-full", nil, "block", "", "`POLICY` when the ring is full: block, drop the newest message, or fail", "block", "drop", "fail"),
		&urfave.DurationFlag{Name: "block-timeout", Usage: "wait for room for `TIME` first: before --on-full drop or fail, --to NAME:drop or NAME:disconnect, and at --limit before --on-limit exit or drop; 0 = do not wait"},
		toFlag(),
		cli.SizeFlag("size", payload.MinSize, "size of a generated message in `BYTES`, at least 8"),
		cli.IntegerFlag("burst", 1, 1, math.MaxInt32, "send messages in bursts of `N`, at least 1; --rate stays the average"),
		cli.ChoiceFlag("arrivals", nil, "spaced", "", "with --rate: `HOW` messages or bursts follow each other: spaced (at equal distances) or poisson (at random)", "spaced", "poisson"),
		&urfave.BoolFlag{Name: "open-loop", Usage: "with --rate: fix at the start when each message is due; one that a full queue holds back is sent late, and none is skipped; spins, to measure precisely"},
		&urfave.StringFlag{Name: "input", DefaultText: "generate messages", Usage: "read messages from `FILE`; - for standard input"},
		cli.FramingFlag("lines for -, else raw", "`FRAMING` of the input: lines, length (4-byte little-endian length before each message), or raw (chunks)"),
		cli.SizeFlag("chunk", 64<<10, "size of a message in `BYTES` with raw framing"),
		cli.SizeFlag("buffer", 0, "transfer: pack messages into buffers of `BYTES`; 0 = one buffer per message"),
		&urfave.BoolFlag{Name: "recycle", Usage: "transfer: reuse buffers that the consumer returns; faster, but the kernel does not guarantee that the producer can no longer modify them"},
		cli.SizeFlag("limit", transfer.DefaultLimit, "transfer: at most `BYTES` of memory in flight, at least 64KiB; 0 = no limit"),
		cli.ChoiceFlag("on-limit", nil, "exit", "", "transfer: `POLICY` when --limit is reached: exit after the delivery of what is queued, block until --resume-at, or drop the newest message", "exit", "block", "drop"),
		cli.ShareFlag("resume-at", transfer.DefaultResumeAt, "transfer: with --on-limit block, go on when the queue has fallen to this `SHARE` of --limit"),
		&urfave.BoolFlag{Name: "fresh", Usage: "discard a segment left by a dead pair instead of resuming it"},
	}
}

func parse(c *urfave.Context, mode layout.Mode) (options, error) {
	o := options{
		slots: c.Uint64("slots"), fresh: c.Bool("fresh"),
		input: c.String("input"), chunkSet: c.IsSet("chunk"),
		flagSource: func(flag string) string { return cli.FlagSource(c, flag) },
	}
	if err := o.parseTransfer(c, mode); err != nil {
		return o, err
	}
	if err := o.parseDestinations(c, mode); err != nil {
		return o, err
	}
	if err := o.parseCapacity(c, mode); err != nil {
		return o, err
	}
	o.onFull = map[string]sluice.Policy{"block": sluice.Block, "drop": sluice.Drop, "fail": sluice.Fail}[cli.GetChoice(c, "on-full")]
	if err := o.parseBlockTimeout(c, mode); err != nil {
		return o, err
	}
	if err := o.parseInput(c); err != nil {
		return o, err
	}
	if err := o.parseSizes(c, mode); err != nil {
		return o, err
	}
	return o, o.parseLoad(c)
}

// parseCapacity parses the flags of ring mode that bound the queue.
func (o *options) parseCapacity(c *urfave.Context, mode layout.Mode) error {
	if mode != layout.ModeRing {
		return nil
	}
	capacity := cli.GetSize(c, "capacity")
	if err := cli.CheckCapacity(c, capacity, o.slots); err != nil {
		return err
	}
	if c.IsSet("capacity") {
		o.capacity = capacity
	}
	return nil
}

// parseBlockTimeout parses --block-timeout, which needs a policy that does not block. In the
// environment it is ignored beside such a policy on the command line.
func (o *options) parseBlockTimeout(c *urfave.Context, mode layout.Mode) error {
	o.blockTimeout = c.Duration("block-timeout")
	flag, blocks, choose := "on-full", o.onFull == sluice.Block, "--on-full drop, or --on-full fail"
	switch {
	case o.to != nil:
		flag, choose = "to", "--to NAME:drop, or --to NAME:disconnect, for one ring at least"
		blocks = !slices.ContainsFunc(o.to, func(d sluice.Destination) bool { return d.OnSlow != sluice.Block })
	case mode == layout.ModeTransfer:
		flag, blocks, choose = "on-limit", o.onLimit == sluice.Block, "--on-limit drop, or --on-limit exit"
	}
	source := cli.FlagSource(c, "block-timeout")
	switch {
	case o.blockTimeout == 0:
	case blocks && !cli.SetOnCommandLine(c, "block-timeout") && cli.SetOnCommandLine(c, flag):
		o.blockTimeout = 0
	case blocks:
		return cli.WithHint(cli.UsageError("%s cannot be used with a policy that waits as long as it takes", source), "choose what to do after that time: %s", choose)
	case mode == layout.ModeTransfer && o.limit == transfer.NoLimit:
		return cli.WithHint(cli.UsageError("%s needs a limit", source), "%s: choose more than 0", cli.FlagSource(c, "limit"))
	}
	return nil
}

// parseSizes parses the size of the messages: of generated ones, or of the chunks of an input.
func (o *options) parseSizes(c *urfave.Context, mode layout.Mode) error {
	flag, least, size := "size", uint64(payload.MinSize), &o.size
	switch {
	case o.input != "" && o.framing != layout.FramingRaw:
		return nil // a message is what the framing says
	case o.input != "":
		flag, least, size = "chunk", 1, &o.chunk
	}
	if err := checkRange(c, flag, least, uint64(maxMessage(mode))); err != nil {
		return err
	}
	*size = int(cli.GetSize(c, flag))
	most := uint64(maxMessage(mode))
	if mode == layout.ModeRing {
		capacity := cli.GetSize(c, "capacity")
		switch {
		case o.input == "": // each has a slot
			most = capacity
			o.slotCapacity(capacity)
		case o.fresh: // newLoop checks too, but by then --fresh has discarded the old segment
			most = layout.MaxMessage(capacity)
		}
	}
	return cli.WithHint(o.checkFits(flag, most), "choose a larger --capacity")
}

// slotCapacity sets the capacity of fixed slots to the default one if --slots alone would make a
// larger ring.
func (o *options) slotCapacity(capacity uint64) {
	if slots := uint64(1) << bits.Len64(max(o.slots, 1)-1); slots*uint64(o.size) > capacity {
		o.capacity = capacity
	}
}

// parseTransfer parses the flags of transfer mode, and rejects those of the other mode.
func (o *options) parseTransfer(c *urfave.Context, mode layout.Mode) error {
	if mode == layout.ModeRing {
		return cli.WithHint(rejectFlags(c, []string{"buffer", "recycle", "limit", "on-limit", "resume-at", "socket"}, "in ring mode"), "add --mode transfer")
	}
	if err := cli.WithHint(rejectFlags(c, []string{"capacity", "slots"}, "in transfer mode"), "--limit bounds the queue there"); err != nil {
		return err
	}
	if err := cli.WithHint(rejectFlags(c, []string{"on-full"}, "in transfer mode"), "--on-limit is the policy there"); err != nil {
		return err
	}
	o.recycle, o.limit = c.Bool("recycle"), cli.GetSize(c, "limit")
	buffer := cli.GetSize(c, "buffer")
	if buffer > 0 {
		if err := checkRange(c, "buffer", 2*layout.RecordHeader, math.MaxInt32); err != nil {
			return cli.WithHint(err, "0 = one buffer per message")
		}
	}
	o.buffer = int(buffer)
	if least := transfer.MinLimit + buffer; o.limit > 0 && o.limit < least {
		err := cli.UsageError("%s: invalid size %d: want one >= %d", cli.FlagSource(c, "limit"), o.limit, least)
		return cli.WithHint(err, "the limit must hold %d bytes and one --buffer; 0 = no limit", transfer.MinLimit)
	}
	o.onLimit = map[string]sluice.Policy{"exit": sluice.Fail, "block": sluice.Block, "drop": sluice.Drop}[cli.GetChoice(c, "on-limit")]
	if o.limit == 0 {
		o.limit = transfer.NoLimit
		if o.onLimit != sluice.Fail {
			err := cli.UsageError("%s: %s needs a limit", cli.FlagSource(c, "on-limit"), cli.GetChoice(c, "on-limit"))
			return cli.WithHint(err, "%s: choose more than 0", cli.FlagSource(c, "limit"))
		}
	}
	if o.onLimit != sluice.Block {
		return cli.WithHint(rejectFlags(c, []string{"resume-at"}, "without --on-limit block"), "add --on-limit block")
	}
	o.resumeAt = cli.GetShare(c, "resume-at")
	return nil
}

// maxMessage returns the size of the largest possible message in a mode, in bytes.
func maxMessage(mode layout.Mode) int {
	if mode == layout.ModeTransfer {
		return transfer.MaxMessage
	}
	return int(layout.MaxMessage(layout.MaxCapacity))
}

// checkRange checks the value of a size flag against its bounds.
func checkRange(c *urfave.Context, flag string, least, most uint64) error {
	if n := cli.GetSize(c, flag); n < least || n > most {
		return cli.UsageError("%s: invalid size %d: want one from %d to %d", cli.FlagSource(c, flag), n, least, most)
	}
	return nil
}

// checkFits checks the size of messages against the maximum of a segment, if this flag (size or
// chunk) sets it.
func (o *options) checkFits(flag string, most uint64) error {
	n, decides := o.size, o.input == ""
	if flag == "chunk" {
		n, decides = o.chunk, o.input != "" && o.chunkSet
	}
	if !decides || uint64(n) <= most {
		return nil
	}
	return cli.UsageError("%s: invalid size %d: a message can have at most %d bytes here", o.flagSource(flag), n, most)
}

func (o *options) parseInput(c *urfave.Context) error {
	generating, reading := []string{"size", "burst"}, []string{"framing", "chunk"}
	if o.input == "" {
		if cli.SetOnCommandLine(c, "input") {
			return cli.UsageError("--input: want the name of a file, or - for standard input")
		}
		return cli.WithHint(rejectFlags(c, reading, "without an input"), "add --input FILE")
	}
	if err := rejectFlags(c, generating, "with --input"); err != nil {
		return cli.WithHint(err, "leave it out: it is for generated messages")
	}
	o.framing = cmp.Or(cli.GetFraming(c), cli.DefaultFraming(o.input))
	if cli.SetOnCommandLine(c, "chunk") && o.framing != layout.FramingRaw {
		return cli.WithHint(cli.UsageError("--chunk cannot be used with %v framing", o.framing), "leave it out, or add --framing raw")
	}
	return nil
}

// maxOpenLoopRate is more than can be sent. With poisson it is as many bursts as can be counted one
// by one while they become due, at up to 0.1 us each, beside the sending: a count that falls behind
// would hold up the end of the run.
func maxOpenLoopRate(s schedule.Spec) float64 {
	if s.Arrivals == schedule.Poisson {
		return min(1e8, 5e6*float64(s.Burst))
	}
	return 1e8
}

// parseLoad parses the flags that say when messages are sent.
func (o *options) parseLoad(c *urfave.Context) error {
	o.load = schedule.Spec{Rate: c.Float64("rate"), Burst: c.Int("burst"), Seed: rand.Uint64()}
	if o.input != "" {
		o.load.Burst = 1 // parseInput rejects the flag; the variable may be meant for a run without an input
	}
	if cli.GetChoice(c, "arrivals") == "poisson" {
		o.load.Arrivals = schedule.Poisson
	}
	o.openLoop = c.Bool("open-loop")
	switch {
	case o.load.Rate == 0 && o.openLoop:
		return cli.WithHint(cli.UsageError("%s needs a rate", cli.FlagSource(c, "open-loop")), "add --rate N: message k is due k/N seconds after the start")
	case o.load.Rate == 0:
		return cli.WithHint(rejectFlags(c, []string{"arrivals", "burst"}, "without a rate"), "add --rate N")
	case o.load.Rate > maxOpenLoopRate(o.load) && o.openLoop:
		return cli.UsageError("%s: invalid number %g: want one <= %g with --open-loop and --arrivals %s",
			cli.FlagSource(c, "rate"), o.load.Rate, maxOpenLoopRate(o.load), cli.GetChoice(c, "arrivals"))
	}
	return nil
}

// rejectFlags returns an error for the first of flags on the command line, where they have no
// effect. In the environment they may be meant for another command or mode: there they are ignored,
// whatever their values are.
func rejectFlags(c *urfave.Context, flags []string, when string) error {
	for _, f := range flags {
		if cli.SetOnCommandLine(c, f) {
			return cli.UsageError("--%s cannot be used %s", f, when)
		}
	}
	return nil
}
