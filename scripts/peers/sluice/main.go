// Command sluice is sluice as a peer of scripts/bench.sh. It has the payload, the output
// and the command line of the C programs (peer.h), with FORM as an additional argument.
//
//	go build -o sluice ./scripts/peers/sluice
//	./sluice FORM throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
//	./sluice send paced BYTES MESSAGES CPU_A CPU_B RATE
//
// FORM is one of these:
//
//	send      ring: Send and Take, one publish per message
//	reserve   ring: Reserve, Commit, Publish and Next, Release: no copy
//	batch     ring: the same, up to 64 messages per publish and release
//	sealed    transfer: a sealed memfd per message
//	packed    transfer: packed into buffers of 64 KiB
//	recycled  transfer: a buffer per message, which is returned and reused
//
// The segments are $PEER_NAME, and $PEER_NAME.back for echoes.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"sluice"
	"sluice/ring"
	"sluice/transfer"
)

// job is a parsed command line.
type job struct {
	form      string
	roundtrip bool
	spin      bool
	bytes     int
	messages  uint64
	period    uint64 // ns between two messages of a paced job, 0 = another job
	cpu       [2]int
}

var errUsage = errors.New(`usage: sluice FORM throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
       sluice FORM paced BYTES MESSAGES CPU_A CPU_B RATE`)

func parse(args []string) (job, error) {
	if len(args) < 6 {
		return job{}, errUsage
	}
	j := job{form: args[0]}
	var err [5]error
	switch kind, more := args[1], args[6:]; {
	case kind == "paced" && len(more) == 1:
		var rate uint64
		if rate, err[4] = strconv.ParseUint(more[0], 10, 64); rate == 0 || rate > 1e9 {
			return job{}, errUsage
		}
		j.period = 1e9 / rate
	case kind != "throughput" && kind != "roundtrip" || len(more) > 1 || len(more) == 1 && more[0] != "spin":
		return job{}, errUsage
	default:
		j.roundtrip, j.spin = kind == "roundtrip", len(more) == 1
	}
	j.bytes, err[0] = strconv.Atoi(args[2])
	j.messages, err[1] = strconv.ParseUint(args[3], 10, 64)
	j.cpu[0], err[2] = strconv.Atoi(args[4])
	j.cpu[1], err[3] = strconv.Atoi(args[5])
	if errors.Join(err[:]...) != nil || j.bytes <= 0 || j.bytes%8 != 0 || j.messages == 0 {
		return job{}, errUsage
	}
	return j, nil
}

// isRing and supported tell the forms apart.
func (j job) isRing() bool { return j.form == "send" || j.form == "reserve" || j.form == "batch" }

func (j job) supported() (bool, error) {
	if j.period > 0 {
		return j.form == "send", nil
	}
	switch j.form {
	case "send":
		return true, nil
	case "reserve", "batch":
		return !j.roundtrip, nil // with single messages of 8 bytes it is the same as send
	case "sealed", "recycled":
		return !j.spin, nil // a wait for a socket always sleeps
	case "packed":
		return !j.roundtrip && j.bytes < packed/2, nil // a larger message has a separate buffer
	}
	return false, fmt.Errorf("no form %q\n%w", j.form, errUsage)
}

// warmUp is how many messages are sent before the measured ones: one to connect, and in
// transfer mode enough to create the buffers.
func (j job) warmUp() uint64 {
	if j.isRing() || j.roundtrip {
		return 1
	}
	return min(2048, 2*limit/uint64(j.bytes))
}

func (j job) create(name string) (sluice.Producer, error) {
	opt := sluice.ProducerOptions{Fresh: true, Capacity: j.capacity(), Spin: j.spinFor()}
	if !j.isRing() {
		opt = sluice.ProducerOptions{Mode: sluice.ModeTransfer, Fresh: true, Limit: limit, Recycle: j.form == "recycled"}
		if j.form == "packed" {
			opt.Buffer = packed
		}
	}
	return sluice.Create(ctx, name, opt)
}

func (j job) open(name string) (sluice.Consumer, error) {
	return sluice.Open(ctx, name, sluice.ConsumerOptions{Spin: j.spinFor()})
}

// sendAll sends n messages with the faster calls of the mode.
func (j job) sendAll(p sluice.Producer, n uint64) error {
	switch p := p.(type) {
	case *ring.Writer:
		return j.sendRing(p, n)
	case *transfer.Sender:
		return j.sendTransfer(p, n)
	}
	return fmt.Errorf("no loop for a %T", p)
}

// readAll receives n messages and returns the sum of their words.
func (j job) readAll(c sluice.Consumer, n uint64) (sum uint64, err error) {
	switch c := c.(type) {
	case *ring.Reader:
		return j.readRing(c, n)
	case *transfer.Receiver:
		return j.readTransfer(c, n)
	}
	return 0, fmt.Errorf("no loop for a %T", c)
}

func main() {
	if len(os.Args) == 2 && (os.Args[1] == "--help" || os.Args[1] == "-h") {
		fmt.Println(errUsage)
		return
	}
	j, err := parse(os.Args[1:])
	if err != nil {
		exit(2, err)
	}
	ok, err := j.supported()
	if err != nil {
		exit(2, err)
	}
	name := os.Getenv("PEER_NAME")
	if name == "" {
		name = "peer"
	}
	switch {
	case !ok:
		fmt.Println("unsupported")
	case os.Getenv(side) == "B":
		err = runB(j, name)
	default:
		err = runA(j, name)
	}
	if err != nil {
		exit(1, err)
	}
}

func exit(code int, err error) {
	fmt.Fprintf(os.Stderr, "sluice: %v\n", err)
	os.Exit(code)
}
