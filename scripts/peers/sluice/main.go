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
//	batch     ring: SendBatch and NextBatch, up to 64 messages per publish and release
//	many      ring: as many, in place: Reserve and Commit, Next for each
//	typed     ring of fixed slots: Slot, Publish and Next, Release
//	value     the same: Push and Pop
//	windows   the same: Window, PublishN and Window, Release
//	sealed    transfer: a sealed memfd per message
//	packed    transfer: SendBatch of up to 64 messages, packed into buffers of 64 KiB
//	recycled  transfer: a buffer per message, which is returned and reused
//	packed-recycled  transfer: both
//
// The segments are $PEER_NAME, and $PEER_NAME.back for echoes. $PEER_CAPACITY is the capacity of a
// ring in bytes, if it is set, and with $PEER_POPULATE both sides map all of it at the start.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
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

	ringBytes uint64 // 0 = not given
	populate  bool
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
	j.populate = os.Getenv("PEER_POPULATE") != ""
	if text := os.Getenv("PEER_CAPACITY"); text != "" {
		j.ringBytes, err[4] = strconv.ParseUint(text, 10, 64)
	}
	j.cpu[0], err[2] = strconv.Atoi(args[4])
	j.cpu[1], err[3] = strconv.Atoi(args[5])
	if errors.Join(err[:]...) != nil || j.bytes <= 0 || j.messages == 0 {
		return job{}, errUsage
	}
	return j, nil
}

// isTyped and isTransfer tell the forms apart: the others are a ring of records.
func (j job) isTyped() bool { return slices.Contains([]string{"typed", "value", "windows"}, j.form) }
func (j job) isTransfer() bool {
	return slices.Contains([]string{"sealed", "packed", "recycled", "packed-recycled"}, j.form)
}

func (j job) supported() (bool, error) {
	whole := j.bytes%8 == 0
	switch j.form {
	case "send":
		return whole, nil
	case "reserve", "batch", "many":
		return whole && !j.roundtrip && j.period == 0, nil // with single messages of 8 bytes it is the same as send
	case "typed":
		return j.hasType() && j.period == 0, nil
	case "value", "windows":
		return j.hasType() && !j.roundtrip && j.period == 0, nil
	case "sealed", "recycled":
		return whole && !j.spin && j.period == 0, nil // a wait for a socket always sleeps
	case "packed", "packed-recycled":
		return whole && !j.roundtrip && j.period == 0 && j.bytes < packed/2, nil // a larger message has a separate buffer
	}
	return false, fmt.Errorf("no form %q\n%w", j.form, errUsage)
}

// warmUp is how many messages are sent before the measured ones: one to connect, and in
// transfer mode enough to create the buffers.
func (j job) warmUp() uint64 {
	if !j.isTransfer() || j.roundtrip {
		return 1
	}
	return min(2048, 2*limit/uint64(j.bytes))
}

// sender sends messages to the other side, and receiver reads them. Numbers begin with 0.
type sender interface {
	send(n uint64) error // n messages, in the way of the form
	sendOne(number uint64) error
	Close() error
}

type receiver interface {
	read(n uint64) (sum uint64, err error) // of all words
	readOne() (sum uint64, err error)
	Close() error
}

// hasType reports whether create and open have a type of the size.
func (j job) hasType() bool { return slices.Contains([]int{4, 8, 64, 1024}, j.bytes) }

func (j job) create(name string) (sender, error) {
	if !j.isTyped() {
		return createMessages(j, name)
	}
	switch j.bytes {
	case 4:
		return createTyped[uint32](j, name)
	case 8:
		return createTyped[uint64](j, name)
	case 64:
		return createTyped[[8]uint64](j, name)
	}
	return createTyped[[128]uint64](j, name)
}

func (j job) open(name string) (receiver, error) {
	if !j.isTyped() {
		return openMessages(j, name)
	}
	switch j.bytes {
	case 4:
		return openTyped[uint32](j, name)
	case 8:
		return openTyped[uint64](j, name)
	case 64:
		return openTyped[[8]uint64](j, name)
	}
	return openTyped[[128]uint64](j, name)
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
