package cmd_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/layout"
	"sluice/shm"
)

// refuses expects an error line on standard error, and perhaps a hint (of wrong usage always), with the given
// words in the two together, and no trace of a stack.
func (p *proc) refuses(code int, words ...string) {
	p.t.Helper()
	p.ends(code)
	said := p.stderr.String()
	if strings.Contains(said, "goroutine") || strings.Contains(said, "panic") {
		p.t.Errorf("%v: a stack trace:\n%s", p.cmd.Args, said)
	}
	line, errors, hints := complaint(said)
	if code != 0 && errors != 1 || hints > 1 || code == 2 && hints != 1 {
		p.t.Errorf("%v: %d errors and %d hints:\n%s", p.cmd.Args, errors, hints, said)
	}
	for _, w := range words {
		if !strings.Contains(line, w) {
			p.t.Errorf("%v: error %q does not say %q", p.cmd.Args, line, w)
		}
	}
	if p.stdout.String() != "" {
		p.t.Errorf("%v: standard output: %q", p.cmd.Args, p.stdout.String())
	}
}

// complaint returns the error and the hint among what a command has said on standard
// error, in either format, and how many there are of each.
func complaint(said string) (text string, errors, hints int) {
	for l := range strings.Lines(said) {
		var object struct{ Error, Hint, Segment string }
		switch err := json.Unmarshal([]byte(l), &object); {
		case err == nil && object.Error != "":
			text += object.Error + "\n" + object.Hint + "\n"
			errors++
			if object.Hint != "" {
				hints++
			}
		case strings.Contains(l, ": error: "):
			text += l
			errors++
		case strings.Contains(l, ": hint: "):
			text += l
			hints++
		}
	}
	return text, errors, hints
}

func TestWrongUsage(t *testing.T) {
	file := writeFile(t, []byte("text"))
	for _, c := range []struct{ command, says string }{
		{"producer --nope", "--nope"},
		{"producer ---", "--help lists the flags"},
		{"producer --capasity 1MiB", "did you mean --capacity"},
		{"producer --capacity 1M", "the next one is 1MiB"},
		{"producer --capacity 1KiB", "the smallest is "},
		{"producer --capacity 3GiB", "the largest is 2GiB"},
		{"producer ./file.txt", "did you mean --input ./file.txt?"},
		{"producer orders", "did you mean --input orders, or --name orders?"},
		{"consumer orders", "did you mean --output orders, or --name orders?"},
		{"consumer --capacity 4KiB", "--capacity"},
		{"consumer stray", `"stray"`},
		{"producer -", "did you mean --input -, which reads standard input?"},
		{"consumer -", "did you mean --output -, which writes to standard output?"},
		{"producer -- -x", "--help lists the flags"},
		{"producer --count=", "--count N: stop in good order after N messages; 0 = no limit (default: 0)"},
		{"producer --size 8 --input " + file, "leave it out"},
		{"producer --chunk 8 --framing lines --input " + file, "--framing raw"},
		{"producer --count 1 stray --rate 5", `"stray"`},
		{"producer --name .x", ".x"},
		{"producer --name a/b", "a/b"},
		{"consumer --name " + strings.Repeat("x", 65), "65"},
		{"producer --capacity 5000", "power of two"},
		{"producer --capacity 2KiB", "4096"},
		{"producer --capacity 4GiB", "2147483648"},
		{"producer --capacity -4096", "-4096"},
		{"producer --capacity much", "much"},
		{"producer --size 7", "7"},
		{"producer --size 1MiB", "--capacity"},
		{"producer --count x", `"x"`},
		{"producer --rate -1", "-1"},
		{"producer --rate NaN", "NaN"},
		{"producer --burst 0", "burst"},
		{"producer --burst 99999999999", "burst"},
		{"producer --count 0x10", `"0x10"`},
		{"producer --slots 4294967296", "--slots"},
		{"producer --duration -5s", "--duration: invalid time"},
		{"consumer --group no-such-group", `--group: there is no group "no-such-group"`},
		{"consumer --group -1", `--group: there is no group "-1"`},
		{"consumer --group= ", "--group: a value is missing"},
		{"producer --mode transfer --socket=", "--socket: a value is missing"},
		{"producer --rate 1e999", "1e999"},
		{"producer --chunk 99GiB --input " + file, "--chunk: invalid size"},
		{"consumer --drain -1s", "--drain"},
		{"consumer --report ünf", `"ünf"`},
		{"producer --spin -1s", "spin"},
		{"producer --report 1", "report"},
		{"producer --on-full explode", "explode"},
		{"producer --mode other", "other"},
		{"consumer --format xml", "xml"},
		{"consumer --work -1s", "work"},
		{"consumer --framing raw", "--output"},
		{"producer --framing raw", "--input"},
		{"producer --framing odd --input " + file, "odd"},
		{"producer --chunk 0 --input " + file, "chunk"},
		{"producer --chunk 2MiB --input " + file, "--capacity"},
		{"producer --size 8 --input " + file, "--size"},
	} {
		t.Run(c.command, func(t *testing.T) {
			args := strings.Fields(c.command)
			name := segmentName(t)
			if !strings.Contains(c.command, "--name") {
				args = append(args, "--name", name)
			}
			p := start(t, args[0], args[1:]...)
			p.refuses(2, c.says)
			if said := p.stderr.String(); strings.Count(said, "\n") > 2 {
				t.Errorf("more than an error and a hint:\n%s", said)
			}
			gone(t, name)
		})
	}
}

// The largest capacity is not what is wrong.
func TestOfWrongSlotsNothingIsSaidAboutTheCapacity(t *testing.T) {
	p := start(t, "producer", "--name", segmentName(t), "--capacity", "2GiB", "--slots", "4294967296")
	p.refuses(2, "--slots")
	if said := p.stderr.String(); strings.Contains(said, "GiB") {
		t.Errorf("it says:\n%s", said)
	}
}

func TestABadOutputIsRefusedBeforeAnyProducerComes(t *testing.T) {
	for path, hint := range map[string]string{"/nosuch/x": "check the path", "/dev/null/x": "check the path", t.TempDir(): "name a file"} {
		start(t, "consumer", "--name", segmentName(t), "--output", path).refuses(1, path, hint)
		start(t, "gauge", "record", "--name", segmentName(t), "--output", path).refuses(1, path, hint)
	}
}

// What an output replaces is not what others work on.
func TestAnOutputThatIsASegmentIsRefused(t *testing.T) {
	name, link := segmentName(t), filepath.Join(t.TempDir(), "link")
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	if err := os.Symlink(shm.Path(name), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{shm.Path(name), link, shm.Path(segmentName(t))} {
		start(t, "consumer", "--name", name, "--output", path).refuses(1, path, "it is a segment", "another file")
		start(t, "gauge", "record", "--name", name, "--output", path).refuses(1, path, "it is a segment", "another file")
	}
	start(t, "consumer", "--name", name, "--verify").ends(0)
}

// The file may be what the first consumer is writing.
func TestASecondConsumerLeavesTheOutputAlone(t *testing.T) {
	name, out := segmentName(t), writeFile(t, []byte("precious"))
	start(t, "consumer", "--name", name)
	start(t, "producer", "--name", name, "--rate", "1")
	eventually(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	start(t, "consumer", "--name", name, "--output", out).refuses(4, name, "process")
	if left, err := os.ReadFile(out); string(left) != "precious" {
		t.Errorf("%q, %v", left, err)
	}
}

func TestEveryFlagHasAnEnvironmentVariable(t *testing.T) {
	name := segmentName(t)
	startWith(t, "producer", run{Env: []string{"SLUICE_NAME=" + name, "SLUICE_COUNT=5", "SLUICE_CAPACITY=8KiB", "SLUICE_KEEP=true"}}).ends(0)
	if h := header(name); h == nil || h.Producer.Count.Load() != 5 || h.Identity.Capacity.Load() != 8192 {
		t.Errorf("the segment is not what the environment asked for")
	}
	startWith(t, "consumer", run{Env: []string{"SLUICE_NAME=" + name, "SLUICE_WORK=fast"}}).refuses(2, "SLUICE_WORK")
}

func TestAMissingInput(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--input", "no-such-file").refuses(1, "no-such-file", "no such file")
	start(t, "producer", "--name", name, "--input", ".").refuses(1, "directory")
	gone(t, name)
}

func TestAMessageLargerThanTheRing(t *testing.T) {
	long := writeFile(t, []byte("short\n"+strings.Repeat("x", 5000)+"\n"))
	name := segmentName(t)
	start(t, "producer", "--name", name, "--capacity", "4KiB", "--framing", "lines", "--input", long).refuses(1, "line 2", "4088", "--capacity")
	c := start(t, "consumer", "--name", name, "--output", "-")
	c.ends(7)
	if got := c.stdout.String(); got != "short\n" {
		t.Errorf("output %q: what came before the long line should be there", got)
	}
	cut := writeFile(t, []byte("\x03\x00\x00\x00abc\x09\x00\x00\x00de"))
	start(t, "producer", "--name", name, "--framing", "length", "--input", cut).refuses(1, "message 2", "cut short")
}

// scribble writes a word into a segment's file.
func scribble(t *testing.T, name string, offset int64, word uint64) {
	t.Helper()
	f, err := os.OpenFile(shm.Path(name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(binary.LittleEndian.AppendUint64(nil, word), offset); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNoHealthySegment(t *testing.T) {
	for _, c := range []struct {
		name, says string
		spoil      func(t *testing.T, name string)
		producer   int // exit codes
		consumer   int
	}{
		{"something else", "not a sluice segment", func(t *testing.T, name string) {
			os.WriteFile(shm.Path(name), randomBytes(20000), 0o600)
		}, 6, 6},
		{"an empty file", "not a sluice segment", func(t *testing.T, name string) {
			os.WriteFile(shm.Path(name), nil, 0o600)
		}, 6, 6},
		{"another version", "version 99", func(t *testing.T, name string) { scribble(t, name, 8, 99) }, 6, 6},
		{"shortened", "9000", func(t *testing.T, name string) { os.Truncate(shm.Path(name), 9000) }, 6, 6},
		{"a write index from nowhere", "write index", func(t *testing.T, name string) { scribble(t, name, fieldOffset(t, "Producer.Index"), 1<<40) }, 6, 6},
		{"a record longer than what is there", "record", func(t *testing.T, name string) { scribble(t, name, layout.HeaderSize, 1<<30) }, 0, 6},
		{"a symbolic link", "symbolic link", func(t *testing.T, name string) {
			os.Remove(shm.Path(name))
			os.Symlink("/etc/passwd", shm.Path(name))
		}, 6, 6},
		{"a directory", "not a regular file", func(t *testing.T, name string) {
			os.Remove(shm.Path(name))
			os.Mkdir(shm.Path(name), 0o700)
		}, 6, 6},
		{"a file that everybody may write", "everybody", func(t *testing.T, name string) { os.Chmod(shm.Path(name), 0o666) }, 6, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := segmentName(t)
			start(t, "producer", "--name", name, "--count", "3").ends(0)
			c.spoil(t, name)
			says := []string{c.says, name}
			if c.producer == 0 {
				says = nil
			}
			start(t, "producer", "--name", name, "--count", "1").refuses(c.producer, says...)
			start(t, "consumer", "--name", name).refuses(c.consumer, c.says, name)
		})
	}
}

func TestASegmentThatShrinksUnderALivePair(t *testing.T) {
	name := segmentName(t)
	p, c := start(t, "producer", "--name", name), start(t, "consumer", "--name", name)
	moved(t, name, 100_000)
	if err := os.Truncate(shm.Path(name), 0); err != nil {
		t.Fatal(err)
	}
	p.refuses(6, "truncated")
	c.refuses(6, "truncated")
}

func TestALiveRoleIsNotTaken(t *testing.T) {
	name := segmentName(t)
	p, c := start(t, "producer", "--name", name), start(t, "consumer", "--name", name)
	moved(t, name, 1)
	start(t, "producer", "--name", name).refuses(4, "producer", name)
	start(t, "producer", "--name", name, "--fresh").refuses(4, "producer", name)
	start(t, "consumer", "--name", name).refuses(4, "consumer", name)
	p.signal(unix.SIGINT)
	p.ends(0)
	c.ends(0)
}

func TestAnotherGeometryIsNotForcedOnUnreadMessages(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	start(t, "producer", "--name", name, "--slots", "8").refuses(2, "3 unread", "--fresh")
	start(t, "consumer", "--name", name, "--verify", "--keep").ends(0)
	start(t, "producer", "--name", name, "--slots", "8", "--count", "1").ends(0)
	if h := header(name); h == nil || h.Identity.Slots.Load() != 8 {
		t.Error("an empty segment should have been replaced")
	}
}

// The consumer would find the borders between messages where they are not.
func TestAnotherFramingIsNotForcedOnUnreadMessages(t *testing.T) {
	lengths := string(lengthFramed([]byte("abc"), []byte("de")))
	for _, first := range []struct{ framing, content, output string }{
		{"lines", "abc\nde", "abc\nde"},
		{"length", lengths, lengths},
		{"raw", "abcde", "abcde"},
	} {
		send := func(name, framing string) *proc {
			if framing == "none" {
				return start(t, "producer", "--name", name, "--count", "2")
			}
			return start(t, "producer", "--name", name, "--input", writeFile(t, []byte(first.content)), "--framing", framing)
		}
		for _, then := range []string{"lines", "length", "raw", "none"} {
			t.Run(first.framing+", then "+then, func(t *testing.T) {
				name, out := segmentName(t), filepath.Join(t.TempDir(), "out")
				send(name, first.framing).ends(0)
				if then == first.framing {
					send(name, then).ends(0)
					return
				}
				send(name, then).refuses(2, "another framing: "+first.framing, "unread", "--fresh")
				start(t, "consumer", "--name", name, "--output", out, "--keep").ends(0)
				if got, err := os.ReadFile(out); err != nil || string(got) != first.output {
					t.Errorf("%q, %v; want %q", got, err, first.output)
				}
				if then == "none" || then == "raw" { // which take any input
					send(name, then).ends(0)
				}
				start(t, "producer", "--name", name, "--count", "1", "--fresh").ends(0)
				send(name, first.framing).refuses(2, "another framing: none", "--fresh")
			})
		}
	}
}

func TestTheNextProducerGoesOnWithTheFramingOfOneThatWasKilled(t *testing.T) {
	name, out := segmentName(t), filepath.Join(t.TempDir(), "out")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--input", "-"}, Stdin: r})
	r.Close()
	if _, err := w.WriteString("one\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, name, "a message", func(h *layout.Header) bool { return h.Producer.Index.Load() > 0 })
	p.kill()
	file := writeFile(t, []byte("two\n"))
	start(t, "producer", "--name", name, "--input", file).refuses(2, "another framing: lines", "1 unread")
	start(t, "producer", "--name", name, "--input", file, "--framing", "lines").ends(0)
	start(t, "consumer", "--name", name, "--output", out).ends(0)
	if got, err := os.ReadFile(out); err != nil || string(got) != "one\ntwo\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheLimitsOfFullPolicies(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--on-full", "fail", "--slots", "3").refuses(5, "full", name)
	start(t, "producer", "--name", name, "--on-full", "drop", "--count", "10").ends(0)
	if h := header(name); h.ProducerStats.Dropped.Load() != 10 {
		t.Errorf("dropped %d, want 10", h.ProducerStats.Dropped.Load())
	}
	c := start(t, "consumer", "--name", name, "--format", "json")
	c.ends(7) // the first producer failed
	if f := c.final(); f.num("consumedCount") != 3 || f.num("droppedCount") != 10 || f.num("refusedCount") != 1 {
		t.Errorf("final report %v", f)
	}
}

// A full /dev/shm must be an error before the first message, not a SIGBUS at
// some later one.
func TestNoRoomForTheSegment(t *testing.T) {
	const script = `mount -t tmpfs -o size=1m none /dev/shm && "$0" --name space --capacity 4MiB --report 0; code=$?; ls /dev/shm; exit $code`
	ownMounts(t, "producer", script).refuses(1, "no room in /dev/shm", "--capacity", `"space"`)
}

func TestAReadOnlyPlaceForSegments(t *testing.T) {
	ownMounts(t, "producer", `mount -t tmpfs -o ro,mode=1777 tmpfs /dev/shm && exec "$0" --name readonly`).
		refuses(1, `"readonly"`, "read-only file system", "mount -o remount,rw /dev/shm", "gauge doctor")
}

// One environment for both sides, as a systemd unit has it.
func TestTheEnvironmentMaySayWhatOnlyTheOtherSideNeeds(t *testing.T) {
	name := segmentName(t)
	env := []string{"SLUICE_NAME=" + name, "SLUICE_SIZE=64", "SLUICE_FRAMING=lines", "SLUICE_INPUT=", "SLUICE_OUTPUT=", "SLUICE_CHUNK=100"}
	startWith(t, "producer", run{Args: []string{"--count", "3"}, Env: env}).ends(0)
	startWith(t, "consumer", run{Args: []string{"--verify"}, Env: env}).ends(0)
	startWith(t, "producer", run{Args: []string{"--input", writeFile(t, []byte("a\nb\n"))}, Env: env}).ends(0)
	startWith(t, "consumer", run{Env: env}).ends(0)
}

func TestAWrongSizeDiscardsNothing(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "100").ends(0)
	start(t, "producer", "--name", name, "--fresh", "--size", "2MiB").refuses(2, "--capacity")
	if h := header(name); h == nil || h.Producer.Count.Load() != 100 {
		t.Error("the messages are gone")
	}
}
