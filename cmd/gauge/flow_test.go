package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice"
	"sluice/internal/testenv"
	"sluice/shm"
)

// stage is a child process that consumes from the segments in its first argument and produces what
// it takes into each of those in its second one; without a first one it makes messages up. Names
// are separated by commas.
func stage(args []string) error {
	ctx := context.Background()
	var outs []sluice.Producer
	for name := range strings.FieldsFuncSeq(args[1], isComma) {
		p, err := sluice.Create(ctx, name, sluice.ProducerOptions{Slots: 8})
		if err != nil {
			return err
		}
		outs = append(outs, p)
	}
	send := func(message []byte) error {
		for _, p := range outs {
			if err := p.Send(ctx, message); err != nil {
				return err
			}
		}
		return nil
	}
	if args[0] == "" {
		for {
			if err := send([]byte("message")); err != nil {
				return err
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
	var ins []sluice.Consumer
	for name := range strings.FieldsFuncSeq(args[0], isComma) {
		c, err := sluice.Open(ctx, name, sluice.ConsumerOptions{})
		if err != nil {
			return err
		}
		ins = append(ins, c)
	}
	ended := make(chan error)
	for _, c := range ins[1:] { // these are only taken from
		go func() {
			for {
				if _, err := c.Receive(ctx, nil); err != nil {
					ended <- err
				}
			}
		}()
	}
	go func() {
		for {
			m, err := ins[0].Receive(ctx, nil)
			if err = errors.Join(err, send(m)); err != nil {
				ended <- err
			}
		}
	}()
	return <-ended
}

func isComma(r rune) bool { return r == ',' }

// named returns names of segments that are removed when the test ends.
func named(t *testing.T, suffixes ...string) (stem string, names []string) {
	t.Helper()
	stem = testenv.SegmentName(t)
	for _, s := range suffixes {
		t.Cleanup(func() { os.Remove(shm.Path(stem + s)) })
		names = append(names, stem+s)
	}
	return stem, names
}

// short replaces what differs from run to run: the beginning of names and the processes.
func short(text, stem string, pids map[string]int) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, stem, "")), " ")
	for name, pid := range pids {
		text = strings.ReplaceAll(text, fmt.Sprintf("pid %d", pid), name)
	}
	return text
}

// eventuallySays waits until gauge with these arguments prints all of the texts.
func eventuallySays(t *testing.T, stem string, pids map[string]int, args []string, texts ...string) {
	t.Helper()
	var out string
	defer func() {
		if t.Failed() {
			t.Logf("gauge %v:\n%s", args, out)
		}
	}()
	testenv.Eventually(t, fmt.Sprintf("gauge %v says %q", args, texts), func() bool {
		out = short(testenv.GaugeOutput(t, args...), stem, pids)
		for _, text := range texts {
			if !strings.Contains(out, text) {
				return false
			}
		}
		return true
	})
}

func TestFlow_ThreeProducersIntoOneProcess(t *testing.T) {
	t.Parallel()
	stem, names := named(t, "-a", "-b", "-c")
	for i, name := range names {
		testenv.Start(t, "producer", "--name", name, "--rate", fmt.Sprint(100*(i+1)), "--report", "0")
	}
	one := testenv.StartChild(t, "stage", strings.Join(names, ","), "")
	testenv.EventuallyConsumed(t, names[2], 1)
	pids := map[string]int{"ONE": one.Process.Pid}
	eventuallySays(t, stem, pids, []string{"ls", stem + "-*"}, "fan-in -a, -b, -c -> ONE", "of the messages", "the consumer waits for its producers")
	var seen struct {
		FanIn, FanOut struct {
			Members                 string
			Count                   int
			MessageShare, ByteShare float64
		}
		HeldUpBy *string
	}
	testenv.Eventually(t, "the shares of three rates", func() bool {
		if err := json.Unmarshal([]byte(testenv.GaugeOutput(t, "stat", "--json", "--interval", "1s", names[2])), &seen); err != nil {
			t.Fatal(err)
		}
		share := seen.FanIn.MessageShare
		return share > 0.4 && share < 0.6 && seen.FanIn.ByteShare == share
	})
	if seen.FanIn.Members != strings.Join(names, " ") || seen.FanIn.Count != 3 || seen.FanOut.Count != 1 || seen.HeldUpBy == nil || *seen.HeldUpBy != "" {
		t.Errorf("%+v", seen)
	}
}

func TestFlow_OneProcessIntoThree(t *testing.T) {
	t.Parallel()
	stem, names := named(t, "-a", "-b", "-c")
	one := testenv.StartChild(t, "stage", "", strings.Join(names, ","))
	for _, name := range names[:2] {
		testenv.Start(t, "consumer", "--name", name, "--report", "0")
	}
	last := testenv.Start(t, "consumer", "--name", names[2], "--work", "10ms", "--report", "0")
	testenv.EventuallyConsumed(t, names[2], 1)
	pids := map[string]int{"ONE": one.Process.Pid}
	for _, args := range [][]string{{"stat", names[0]}, {"watch", names[2]}} {
		eventuallySays(t, stem, pids, args, "the producer is held up by -c: its queue is full; the consumers of -a and -b wait")
	}
	last.Pause()
	eventuallySays(t, stem, pids, []string{"ls", stem + "-*"}, "fan-out ONE -> -a, -b, -c", "held up by -c: its queue is full; its consumer is stopped; the consumers of -a and -b wait")
}

// The first stage that is blocked is not the cause.
func TestFlow_ThreeStages_LastConsumerNamed(t *testing.T) {
	t.Parallel()
	stem, names := named(t, "-a", "-b", "-c")
	testenv.Start(t, "producer", "--name", names[0], "--slots", "8", "--report", "0")
	second := testenv.StartChild(t, "stage", names[0], names[1])
	third := testenv.StartChild(t, "stage", names[1], names[2])
	last := testenv.Start(t, "consumer", "--name", names[2], "--work", "5ms", "--report", "0")
	testenv.EventuallyConsumed(t, names[2], 1)
	pids := map[string]int{"SECOND": second.Process.Pid, "THIRD": third.Process.Pid, "LAST": last.Cmd.Process.Pid}
	blocked := func(state string) string { return "through -b by the consumer of -c (LAST), which " + state }
	chain := "chain -a -> SECOND -> -b -> THIRD -> -c"
	eventuallySays(t, stem, pids, []string{"ls", stem + "-*"}, chain, "-a is blocked", blocked("is slower"))
	eventuallySays(t, stem, pids, []string{"stat", names[0], names[2]}, chain, "held up -a is blocked", blocked("is slower"), "speed up the consumer of -c", "holds up -a and -b are blocked through it")
	var seen testenv.Report
	if err := json.Unmarshal([]byte(testenv.GaugeOutput(t, "stat", "--json", names[0])), &seen); err != nil {
		t.Fatal(err)
	}
	if seen["heldUpBy"] != names[2] || seen["heldUpPath"] != strings.Join(names, " ") || seen["heldUpCause"] != "slower" || seen.Num("holdsUpCount") != 0 {
		t.Errorf("held up by %v, path %v, cause %v", seen["heldUpBy"], seen["heldUpPath"], seen["heldUpCause"])
	}
	last.Pause()
	eventuallySays(t, stem, pids, []string{"stat", names[0]}, blocked("is stopped"))
	last.Continue()
	if err := unix.Kill(third.Process.Pid, unix.SIGSTOP); err != nil { // now that one is the cause
		t.Fatal(err)
	}
	eventuallySays(t, stem, pids, []string{"ls", stem + "-*"}, "-a is blocked", "by the consumer of -b (THIRD), which is stopped")
}
