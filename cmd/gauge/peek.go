package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	urfave "github.com/urfave/cli/v2"

	"sluice/internal/cli"
	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/segments"
	"sluice/layout"
	"sluice/pressure"
	"sluice/ring"
	"sluice/shm"
)

func peekCommand() cli.App {
	return cli.App{
		Name:   "peek",
		Prints: true,
		Usage:  "show the messages that wait in rings, without taking them",
		About: "Shows the oldest messages that no consumer has released: what a pair has left that has\n" +
			"died, or what waits now in one that is in use. It only reads, takes no role, and affects\n" +
			"neither side. While a consumer is alive messages may be released before they are shown;\n" +
			"those are left out. A message is shown as text if it is that, else in hexadecimal.",
		Examples: []string{
			"gauge peek demo",
			"gauge peek --messages 0 --bytes 0 --json demo | jq .text   all of them, in full",
			"gauge peek 'sensor-*'",
		},
		Flags: []urfave.Flag{
			cli.NamesFlag("demo"),
			cli.IntegerFlag("messages", 10, 0, math.MaxInt64, "show at most `N` messages of each ring; 0 = all that wait"),
			cli.IntegerFlag("bytes", 32, 0, math.MaxInt32, "show at most `N` bytes of each message; 0 = all of it"),
			&urfave.BoolFlag{Name: "json", Usage: "print an object for each message, with name, number, bytes, text or hex, and whether that is all of it"},
		},
		Argument: "name",
		Run:      peek,
	}
}

func peek(ctx context.Context, c *urfave.Context) error {
	names, err := cli.GetNames(c)
	if err != nil {
		return err
	}
	p := peeker{most: c.Uint64("messages"), bytes: int(c.Uint64("bytes")), out: bufio.NewWriter(os.Stdout)}
	if p.most == 0 {
		p.most = math.MaxUint64
	}
	if p.bytes == 0 {
		p.bytes = math.MaxInt
	}
	p.json = c.Bool("json")
	var errs []error
	shown := 0
	for _, name := range names {
		if !shm.IsPattern(name) {
			errs, shown = append(errs, p.show(ctx, name, shown > 0)), shown+1
			continue
		}
		matching, _, err := segments.Names(name)
		if err == nil && len(matching) == 0 {
			err = noSegment(name)
		}
		errs = append(errs, err)
		for _, n := range matching {
			if slices.Contains(names, n) {
				continue // it has its place
			}
			if err := p.show(ctx, n, shown > 0); !errors.Is(err, layout.ErrMode) { // of a pattern only rings are meant
				errs, shown = append(errs, err), shown+1
			}
		}
	}
	return errors.Join(append(errs, p.out.Flush())...)
}

// peeker prints messages that wait.
type peeker struct {
	most  uint64 // messages of each ring
	bytes int    // of each message
	json  bool
	out   *bufio.Writer
}

// show prints the messages that wait in one ring. more says that there was another one before.
func (p *peeker) show(ctx context.Context, name string, more bool) error {
	if ctx.Err() != nil {
		return nil
	}
	v, err := openView(name)
	if err != nil {
		return err
	}
	defer v.Close()
	s, err := pressure.Observe(v)
	if err == nil {
		err = checkRing(v, "nothing of a transfer can be shown: what waits is in the memory of its producer, or in its socket")
	}
	if err != nil {
		return err
	}
	heading := sync.OnceFunc(func() { // not before what is read makes sense
		if more && !p.json {
			fmt.Fprintln(p.out)
		}
		if !p.json {
			p.heading(name, &s)
		}
	})
	shown, reachedEnd := uint64(0), true
	err = shm.Guard(func() error {
		for msg, err := range ring.Peek(v, p.bytes) {
			if err != nil {
				return err
			}
			if shown == p.most || ctx.Err() != nil {
				reachedEnd = false
				return nil
			}
			heading()
			if err := p.print(name, &msg); err != nil {
				return err
			}
			shown++
		}
		return nil
	})
	if err == nil {
		heading()
	}
	if left := s.Depth() - min(shown, s.Depth()); !p.json && err == nil && !reachedEnd && left > 0 {
		fmt.Fprintf(p.out, "  and %s more: --messages N, 0 for all\n", format.Count(left))
	}
	if errors.Is(err, ring.ErrMoving) {
		err = cli.WithHint(err, "a consumer is receiving them: gauge watch %s shows how fast", name)
	}
	return cli.WithSegment(name, err)
}

// checkRing returns an error for a segment that is no ring.
func checkRing(v *shm.View, why string) error {
	if v.Geometry().Mode == layout.ModeRing {
		return nil
	}
	err := cli.WithSegment(v.Name(), fmt.Errorf("%w: %s", layout.ErrMode, why))
	return cli.WithHint(err, "while its producer is alive, consumer --name %s receives the messages; when it has died, they are lost with it", v.Name())
}

// heading says how much waits, and who is there.
func (p *peeker) heading(name string, s *pressure.Snapshot) {
	wait := "no messages wait"
	switch n := s.Depth(); {
	case n == 1:
		wait = "1 message waits, " + format.Size(s.QueueBytes)
	case n > 1:
		wait = fmt.Sprintf("%s wait, %s", format.Messages(n), format.Size(s.QueueBytes))
	}
	fmt.Fprintf(p.out, "%s: %s; producer %s, consumer %s\n", shm.Path(name), wait, metrics.Holder(&s.Producer), metrics.Holder(&s.Consumer))
	if s.Consumer.Alive && s.Depth() > 0 {
		fmt.Fprintln(p.out, "  its consumer is alive: it may release messages before they are shown")
	}
	if s.Depth() > 0 {
		fmt.Fprintf(p.out, "  %12s %9s  %s\n", "number", "bytes", "begins with")
	}
}

// peeked is a message as JSON.
type peeked struct {
	Name   string  `json:"name"`
	Number uint64  `json:"number"`
	Bytes  int     `json:"bytes"`
	Text   *string `json:"text"`
	Hex    *string `json:"hex"`
	All    bool    `json:"all"`
}

// print prints one message.
func (p *peeker) print(name string, msg *ring.Waiting) error {
	start, all := msg.Start, len(msg.Start) == msg.Size
	if !all { // a rune that is cut is no reason to show the rest in hexadecimal
		for i := 1; i < utf8.UTFMax && i <= len(start); i++ {
			if at := len(start) - i; utf8.RuneStart(start[at]) {
				if !utf8.FullRune(start[at:]) {
					start = start[:at]
				}
				break
			}
		}
	}
	isText := len(start) > 0 && isText(start)
	if p.json {
		of := peeked{Name: name, Number: msg.Number, Bytes: msg.Size, All: all}
		if isText || len(msg.Start) == 0 {
			of.Text = new(string(start))
		} else {
			of.Hex = new(hex.EncodeToString(msg.Start))
		}
		return json.NewEncoder(p.out).Encode(&of)
	}
	var b strings.Builder
	switch {
	case isText:
		b.WriteString(strconv.Quote(string(start)))
	case msg.Size > 0:
		for group := range slices.Chunk(msg.Start, 8) {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(hex.EncodeToString(group))
		}
	}
	if !all {
		b.WriteString(" ...")
	}
	_, err := fmt.Fprintf(p.out, "  %12d %9s  %s\n", msg.Number, format.Count(uint64(msg.Size)), b.String())
	return err
}

// isText reports whether a message is text: valid UTF-8, of characters that are printable, and
// spaces.
func isText(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) })
}
