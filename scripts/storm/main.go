// Command storm kills the sides of pairs and checks the messages that arrived. The check
// uses only the files that consumers write: each message begins with its number, and a stream
// is finite. scripts/storm.sh builds and runs it.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/cli"
	"sluice/internal/procinfo"
	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// form is a way in which a producer sends messages.
type form struct {
	name  string
	args  []string
	limit uint64 // bytes that may be taken by both sides; 0 = not looked at
	ring  bool   // not a transfer: nothing is lost, whatever is killed
}

// soft are forms of a producer whose queue grows, credit those of one that waits at its limit.
var (
	soft = []form{
		{name: "plain"},
		{name: "packed", args: []string{"--buffer", "4KiB"}},
		{name: "recycled", args: []string{"--recycle"}},
		{name: "packed and recycled", args: []string{"--buffer", "4KiB", "--recycle"}},
		{name: "limit", args: []string{"--limit", "256MiB"}},
	}
	credit = []form{
		{name: "credit", args: []string{"--on-limit", "block", "--limit", "64KiB"}, limit: 64 << 10},
		{name: "credit, packed", args: []string{"--on-limit", "block", "--limit", "68KiB", "--buffer", "4KiB"}, limit: 68 << 10},
		{name: "credit, recycled", args: []string{"--on-limit", "block", "--limit", "64KiB", "--recycle", "--resume-at", "25%"}, limit: 64 << 10},
		{name: "credit, packed and recycled", args: []string{"--on-limit", "block", "--limit", "68KiB", "--buffer", "4KiB", "--recycle"}, limit: 68 << 10},
	}
	rings = []form{
		{name: "ring of one slot", args: []string{"--slots", "1"}, ring: true},
		{name: "ring of 100 slots", args: []string{"--slots", "100"}, ring: true},
		{name: "ring of 4 KiB", args: []string{"--capacity", "4KiB"}, ring: true},
	}
)

// maxHeld is how many messages can be delivered again after a consumer was killed: those that
// it receives before a release, and one packed buffer. No ring here has room for more.
const maxHeld = 512 + 4096/16

// stepTimeout bounds each step of a round.
const stepTimeout = 60 * time.Second

func main() {
	kills := flag.Int("kills", 1000, "kill `N` processes")
	onlyCredit := flag.Bool("credit", false, "only producers that wait at their limit; look every 10 ms at the memory that both sides take")
	onlyRing := flag.Bool("ring", false, "only rings, whose messages are generated: in fixed slots")
	seed := flag.Uint64("seed", 0, "seed `N` of the random choices; 0 = a different one each time")
	flag.CommandLine.Init("storm", flag.ContinueOnError)
	if done, err := cli.ParseProgram(flag.CommandLine, "kill the sides of pairs, and check that all lost messages are counted", os.Args[1:]); done {
		os.Exit(cli.Exit("storm", false, err))
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	runtime.LockOSThread() // Pdeathsig kills the processes when the thread that started them ends
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "sluice-storm-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm: error:", err)
		os.Exit(1)
	}
	s := storm{dir: dir, forms: slices.Concat(soft, credit, rings), rand: rand.New(rand.NewPCG(*seed, 0))}
	switch {
	case *onlyCredit:
		s.forms = credit
	case *onlyRing:
		s.forms = rings
	}
	fmt.Printf("seed %d\n", *seed)
	err = s.run(ctx, *kills)
	os.RemoveAll(dir)
	if s.looks > 0 {
		fmt.Printf("memory: %d looks, at most %d bytes taken by both sides\n", s.looks, s.mostTaken)
	}
	fmt.Printf("%d streams, %d kills of consumers, %d of producers, %d stops: %d messages sent, %d arrived, %d of them repeated, %d lost and counted\n",
		s.streams, s.consumerKills, s.producerKills, s.stops, s.sent, s.arrived, s.again, s.lost)
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm: error:", err)
		os.Exit(1)
	}
}

type storm struct {
	dir   string
	forms []form
	rand  *rand.Rand

	streams, consumerKills, producerKills, stops int
	looks                                        int    // at the memory
	mostTaken                                    uint64 // bytes
	sent, arrived, again, lost                   uint64
}

func (s *storm) run(ctx context.Context, kills int) error {
	for s.consumerKills+s.producerKills < kills && ctx.Err() == nil {
		r := round{storm: s, segment: fmt.Sprintf("storm.%d.%d", os.Getpid(), s.streams), form: s.forms[s.streams%len(s.forms)], mixed: s.rand.IntN(4) == 0}
		s.streams++
		err := r.run()
		r.clean()
		if err != nil {
			return fmt.Errorf("stream %d (%s, producers killed too: %v): %w", s.streams, r.form.name, r.mixed, err)
		}
		if s.streams%20 == 0 {
			fmt.Printf("%d streams, %d kills\n", s.streams, s.consumerKills+s.producerKills)
		}
	}
	return context.Cause(ctx)
}

// round is one segment, from its first producer to the exit of its last.
type round struct {
	*storm
	form
	segment string
	mixed   bool // producers are killed as well
	running []*process
	outputs []string
}

// process is a command that was started.
type process struct {
	*exec.Cmd
	log   string        // the file with its standard error
	ended chan struct{} // closed when the process has exited
}

// stderr returns the process's standard error so far.
func (p *process) stderr() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// wait waits for the end of the process.
func (p *process) wait() error {
	select {
	case <-p.ended:
		return nil
	case <-time.After(stepTimeout):
		return fmt.Errorf("still running after %v; output: %q", stepTimeout, p.stderr())
	}
}

func (p *process) kill() {
	p.Process.Kill()
	<-p.ended
}

// checkExit returns an error if the exit code of the process, which has exited, is neither 0
// nor in also.
func (p *process) checkExit(role string, also ...int) error {
	if code := p.ProcessState.ExitCode(); code != 0 && !slices.Contains(also, code) {
		return fmt.Errorf("the %s: %v: %s", role, p.ProcessState, p.stderr())
	}
	return nil
}

func (r *round) socket() string { return filepath.Join(r.dir, "socket") }

func (r *round) start(command string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(r.dir, fmt.Sprintf("log.%d", len(r.running))))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args = append([]string{"--name", r.segment, "--report", "0", "--format", "json"}, args...)
	if !r.ring {
		args = append(args, "--socket", r.socket())
	}
	p := &process{Cmd: exec.Command(filepath.Join("bin", command), args...), log: log.Name(), ended: make(chan struct{})}
	p.Stderr = log
	p.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := p.Start(); err != nil {
		return nil, err
	}
	go func() { p.Wait(); close(p.ended) }()
	r.running = append(r.running, p)
	return p, nil
}

func (r *round) producer(count int) (*process, error) {
	rate := 2000 + r.rand.IntN(100_000)
	args := []string{"--mode", "transfer", "--count", strconv.Itoa(count), "--rate", strconv.Itoa(rate)}
	if r.ring {
		args[1] = "ring"
	}
	return r.start("producer", append(args, r.args...)...)
}

func (r *round) consumer() (*process, error) {
	out := filepath.Join(r.dir, fmt.Sprintf("out.%d", len(r.outputs)))
	r.outputs = append(r.outputs, out)
	args := []string{"--output", out, "--framing", "length"}
	if r.rand.IntN(3) == 0 {
		args = append(args, "--work", "50us")
	}
	return r.start("consumer", args...)
}

func (r *round) run() error {
	count := 500 + r.rand.IntN(8000)
	producer, err := r.producer(count)
	if err != nil {
		return err
	}
	var last *process // the consumer that receives the end
	for kill, most := 0, 1+r.rand.IntN(8); kill < most && !r.over(producer); kill++ {
		consumer, err := r.consumer()
		if err != nil {
			return err
		}
		if err := r.letRun(time.Duration(5+r.rand.IntN(60))*time.Millisecond, producer, consumer); err != nil {
			return err
		}
		if r.mixed && r.rand.IntN(2) == 0 {
			before := r.inode()
			producer.kill()
			if r.over(producer) {
				break
			}
			r.producerKills++
			if producer, err = r.producer(count); err != nil {
				return err
			}
			if now := r.inodeOf(producer); before != 0 && now != before {
				return nil // the killed producer had finished its stream, so this one began another
			}
			time.Sleep(time.Duration(r.rand.IntN(30)) * time.Millisecond)
		}
		consumer.kill()
		exited := consumer.ProcessState.ExitCode() >= 0
		if !exited {
			r.consumerKills++
		}
		if r.hasLeft(consumer, producer) {
			if exited {
				last = consumer
				break
			}
			if err := producer.wait(); err != nil {
				return err
			}
			return r.check(producer)
		}
	}
	if last == nil {
		if r.over(producer) {
			if producer.ProcessState.ExitCode() < 0 {
				return nil // killed after the end of the stream, before its report: the number of sent messages is unknown
			}
			return r.check(producer)
		}
		// The last process of each side is not killed.
		if last, err = r.consumer(); err != nil {
			return err
		}
	}
	for began := time.Now(); producer.running() || last.running(); time.Sleep(10 * time.Millisecond) {
		if r.over(producer) && last.running() && strings.Contains(last.stderr(), "waiting for segment") {
			last.kill() // it started after the end of the stream, and waits for another
			return r.check(producer)
		}
		if time.Since(began) > stepTimeout {
			return fmt.Errorf("still running after %v; output of the producer: %q, of the consumer: %q", stepTimeout, producer.stderr(), last.stderr())
		}
	}
	var incomplete []int
	if r.mixed {
		incomplete = append(incomplete, 7)
	}
	if err := last.checkExit("consumer", incomplete...); err != nil {
		return err
	}
	return r.check(producer, last)
}

// letRun lets both sides run for a time, in which each may be stopped and continued. Where the
// memory is limited, it looks at that every 10 ms, with the producer stopped: else it could count
// a buffer that is closed by the time another is made.
func (r *round) letRun(d time.Duration, producer, consumer *process) error {
	const period = 10 * time.Millisecond
	if r.rand.IntN(3) == 0 {
		victim := []*process{producer, consumer}[r.rand.IntN(2)]
		victim.Process.Signal(unix.SIGSTOP)
		time.Sleep(period)
		victim.Process.Signal(unix.SIGCONT)
		r.stops++
	}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(min(period, time.Until(end))) {
		if r.limit == 0 || !producer.running() {
			continue
		}
		producer.Process.Signal(unix.SIGSTOP)
		for wait := 0; !stopped(producer.Process.Pid) && producer.running() && wait < 1000; wait++ {
			time.Sleep(100 * time.Microsecond)
		}
		taken := procinfo.MemfdBytes("sluice", producer.Process.Pid, consumer.Process.Pid)
		producer.Process.Signal(unix.SIGCONT)
		r.looks++
		r.mostTaken = max(r.mostTaken, taken)
		if taken > r.limit {
			return fmt.Errorf("%d bytes are taken, and the limit is %d", taken, r.limit)
		}
	}
	return nil
}

// stopped reports whether no thread of a process runs.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		_, state, _ := strings.Cut(string(stat), ") ")
		if err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// over reports whether the producer has exited and the segment was removed.
func (r *round) over(producer *process) bool {
	_, err := os.Stat("/dev/shm/sluice." + r.segment)
	return err != nil && !producer.running()
}

// hasLeft reports whether a consumer that is gone had received the end of the producer's stream,
// and recorded that it has left. If it was killed between that and its exit, it is as if it had
// exited: who comes next waits for another stream.
func (r *round) hasLeft(consumer, producer *process) bool {
	view, err := shm.OpenView(r.segment)
	if err != nil {
		return consumer.ProcessState.ExitCode() >= 0 // else over tells
	}
	defer view.Close()
	s, err := pressure.Observe(view)
	return err == nil && s.Consumer.PID == consumer.Process.Pid && s.Consumer.State == layout.StateClosed &&
		s.Producer.PID == producer.Process.Pid && s.Consumer.EndSeen == s.Producer.Generation
}

// inode returns the inode of the segment, 0 if there is none.
func (r *round) inode() uint64 { return inode("/dev/shm/sluice." + r.segment) }

// inodeOf waits for a producer to open its segment and returns the inode, 0 if it has exited.
func (r *round) inodeOf(p *process) uint64 {
	for began := time.Now(); p.running() && time.Since(began) < stepTimeout; time.Sleep(time.Millisecond) {
		dir := fmt.Sprintf("/proc/%d/fd", p.Process.Pid)
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			path := filepath.Join(dir, f.Name())
			if to, err := os.Readlink(path); err == nil && strings.HasPrefix(to, "/dev/shm/sluice."+r.segment) {
				return inode(path)
			}
		}
	}
	return 0
}

func inode(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// totals returns how many messages were sent and lost since the segment was created, from the
// reports.
func totals(reports ...string) (sent, lost uint64, err error) {
	known := false
	for _, text := range reports {
		for line := range strings.Lines(text) {
			var f struct {
				Role                     string
				ProducedCount, LostCount *uint64
			}
			if json.Unmarshal([]byte(line), &f) != nil || f.Role == "" || f.ProducedCount == nil {
				continue
			}
			known, sent = true, max(sent, *f.ProducedCount)
			if f.LostCount != nil {
				lost = max(lost, *f.LostCount)
			}
		}
	}
	if !known {
		return 0, 0, fmt.Errorf("no report has a producedCount: %q", reports)
	}
	return sent, lost, nil
}

// check compares the files of all consumers with the stream, and with the reports of the last
// producer and the last consumer.
func (r *round) check(producer *process, last ...*process) error {
	if err := producer.checkExit("producer"); err != nil {
		return err
	}
	reports := []string{producer.stderr()}
	for _, p := range last {
		reports = append(reports, p.stderr())
	}
	sent, lost, err := totals(reports...)
	if err != nil {
		return err
	}
	seen := make([]int, sent)
	var arrived, again uint64
	for _, out := range r.outputs {
		numbers, err := read(out)
		if err != nil {
			return err
		}
		repeated, first := 0, uint64(0)
		for i, n := range numbers {
			if i > 0 && n <= numbers[i-1] {
				return fmt.Errorf("%s: message %d after %d", filepath.Base(out), n, numbers[i-1])
			}
			if n >= sent {
				return fmt.Errorf("%s: message %d of %d", filepath.Base(out), n, sent)
			}
			if seen[n]++; seen[n] > 1 {
				if repeated++; repeated == 1 {
					first = n
				}
				again++
			} else {
				arrived++
			}
		}
		if repeated > maxHeld {
			return fmt.Errorf("%s: %d messages from %d on were delivered again, a consumer holds at most %d", filepath.Base(out), repeated, first, maxHeld)
		}
	}
	r.sent, r.arrived, r.again, r.lost = r.sent+sent, r.arrived+arrived+again, r.again+again, r.lost+lost
	switch missing := sent - arrived; {
	case missing > 0 && (r.ring || !r.mixed):
		return fmt.Errorf("%d of %d messages are missing, and nothing that was killed had them", missing, sent)
	case missing > lost:
		return fmt.Errorf("%d of %d messages are missing, %d counted as lost", missing, sent, lost)
	}
	return nil
}

// read returns the numbers of the messages in a consumer's output. A killed consumer may have
// left a part of a message at its end.
func read(path string) (numbers []uint64, err error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil // killed before it created the file
	}
	for len(b) >= 4 {
		n := int(binary.LittleEndian.Uint32(b))
		if len(b) < 4+n {
			break
		}
		if n != 8 {
			return nil, fmt.Errorf("%s: a message of %d bytes", filepath.Base(path), n)
		}
		numbers = append(numbers, binary.LittleEndian.Uint64(b[4:]))
		b = b[4+n:]
	}
	return numbers, err
}

// clean kills the processes of the round and removes its files.
func (r *round) clean() {
	for _, p := range r.running {
		p.kill()
		os.Remove(p.log)
	}
	for _, out := range r.outputs {
		os.Remove(out)
	}
	os.Remove(r.socket())
	os.Remove("/dev/shm/sluice." + r.segment)
}
