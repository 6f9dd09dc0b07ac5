package testenv

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Children are what the test binary does when a test starts it again as another process,
// by name. [StartChild] says which, and with which arguments.
type Children map[string]func(args []string) error

const childEnv = "SLUICE_TEST_CHILD"

// Main runs the tests of a package and ends the process. After tests that have passed it
// fails when they have left something of what [Resources] lists. In a process that StartChild has
// started it runs that child instead.
func Main(m *testing.M, children Children) {
	RunChild(children)
	os.Exit(run(m))
}

// RunChild runs the child and ends the process, if StartChild has started this process. A TestMain
// that does not call [Main] begins with it.
func RunChild(children Children) {
	if name := os.Getenv(childEnv); name != "" {
		runChild(name, children[name])
	}
}

// parallel is how many tests run at once of those that allow it. They wait for processes
// and for each other's turn, mostly, so it is more than there are processors.
const parallel = "8"

func run(m *testing.M) (code int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", parallel)
	}
	before := Resources()
	code = m.Run()
	leaks := func() []string {
		return slices.DeleteFunc(Resources(), func(r string) bool { return slices.Contains(before, r) })
	}
	left := leaks()
	// What is unmapped or closed when nobody has it any more goes with a collection.
	for deadline := time.Now().Add(10 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = leaks() {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "the tests left behind:\n%s\n", strings.Join(left, "\n"))
		code = 1
	}
	return code
}

func runChild(name string, child func(args []string) error) {
	if child == nil {
		fmt.Fprintf(os.Stderr, "there is no child %q\n", name)
		os.Exit(1)
	}
	go func() { // it does not outlive its parent, which holds the other end
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	if err := child(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Resources lists what this process has at the moment and its tests might leave: segments
// under names of [SegmentName], descriptors, mapped files of /dev/shm and mapped buffers, and
// child processes.
func Resources() (all []string) {
	all, _ = filepath.Glob(segmentPrefix + namePrefix + "*")
	for _, file := range openFiles() {
		all = append(all, "open "+file)
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " /dev/shm/") || strings.Contains(line, "/memfd:sluice") {
			all = append(all, "mapped "+strings.TrimSpace(line))
		}
	}
	threads, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range threads {
		children, _ := os.ReadFile(path)
		for pid := range strings.FieldsSeq(string(children)) {
			all = append(all, "process "+pid)
		}
	}
	return all
}

// openFiles lists the descriptors of this process with what they are, but for those of
// the runtime.
func openFiles() (files []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		file, err := os.Readlink("/proc/self/fd/" + e.Name())
		listing, poller := strings.HasPrefix(file, "/proc/"), strings.HasPrefix(file, "anon_inode:[event")
		if err == nil && !listing && !poller {
			files = append(files, e.Name()+" "+file)
		}
	}
	return files
}
