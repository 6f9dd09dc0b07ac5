package cmd_test

import (
	"os"
	"os/exec"
	"sluice/internal/testenv"
	"strings"
	"testing"
)

// shell starts a command as a shell with these redirections does.
func shell(t *testing.T, redirections, command string, args ...string) *testenv.Process {
	t.Helper()
	p, err := testenv.StartCommand(t, exec.Command("sh", append([]string{"-c", `exec "$0" "$@" ` + redirections, testenv.Command(command)}, args...)...), testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConsumer_ClosedStdout_LosesNothing(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"-", "/dev/stdout", "/proc/self/fd/1"} {
		name := testenv.SegmentName(t)
		testenv.Start(t, "producer", "--name", name, "--count", "1000").WantExit(0)
		shell(t, ">&-", "consumer", "--name", name, "--output", output).WantError(1, name, "standard output is closed")
		c := testenv.Start(t, "consumer", "--name", name, "--verify", "--format", "json")
		c.WantExit(0)
		if n := c.Final().Num("consumedCount"); n != 1000 {
			t.Errorf("--output %s: %v messages were left", output, n)
		}
	}
}

func TestProducer_ClosedStdin_Refused(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"-", "/dev/stdin"} {
		name := testenv.SegmentName(t)
		shell(t, "<&-", "producer", "--name", name, "--input", input).WantError(1, name, "standard input is closed")
		testenv.WantNoSegment(t, name)
	}
}

func TestGauge_ClosedStdout_Refused(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1000").WantExit(0)
	for _, args := range []string{"", "ls", "ls --json", "stat --name " + name, "doctor", "layout", "rm --yes --name " + name, "watch", "record --name " + name} {
		shell(t, ">&-", "gauge", strings.Fields(args)...).WantError(1, "standard output is closed")
	}
	if testenv.Header(name) == nil {
		t.Error("it was removed")
	}
}

func TestHelpAndVersion_ClosedStdout_Refused(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"producer --help", "producer help", "producer --version", "consumer -h", "consumer version", "gauge --help", "gauge help rm", "gauge stat --help", "gauge version"} {
		fields := strings.Fields(args)
		shell(t, ">&-", fields[0], fields[1:]...).WantError(1, "standard output is closed", "redirect it to a file or a pipe, or > /dev/null")
	}
}

// Python's subprocess.DEVNULL is one.
func TestStdio_DevNullOpenReadWrite_CountsAsClosed(t *testing.T) {
	t.Parallel()
	const why = "opened for both reading and writing counts as closed"
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "1").WantExit(0)
	shell(t, "1<>/dev/null", "consumer", "--name", name, "--output", "-").WantError(1, "standard output is closed", "> /dev/null", why)
	shell(t, "1<>/dev/null", "gauge").WantError(1, "standard output is closed", "> /dev/null", why)
	shell(t, "<>/dev/null", "producer", "--name", name, "--input", "-").WantError(1, "standard input is closed", "< /dev/null", why)
}

// What somebody redirected to /dev/null is to be discarded.
func TestStdio_DevNull_Accepted(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	shell(t, "</dev/null", "producer", "--name", name, "--input", "-").WantExit(0)
	shell(t, ">/dev/null", "consumer", "--name", name, "--output", "-").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	shell(t, ">/dev/null", "consumer", "--name", name, "--output", "-").WantExit(0)
	testenv.Start(t, "producer", "--name", name, "--count", "10").WantExit(0)
	shell(t, "<&- >&- 2>&-", "consumer", "--name", name).WantExit(0) // which needs none of the three
	testenv.WantNoSegment(t, name)
	shell(t, ">/dev/null", "gauge", "ls").WantExit(0)
}

// The size that these files have is not how much can be read.
func TestProducer_Input_ProcAndSysfsFiles(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/profiling", "/sys/devices/system/cpu/online", "/proc/version", "/proc/cpuinfo", "/proc/self/limits"} {
		want, err := os.ReadFile(file)
		if err != nil || len(want) == 0 {
			continue
		}
		for _, framing := range []string{"raw", "lines"} {
			name := testenv.SegmentName(t)
			testenv.Start(t, "producer", "--name", name, "--input", file, "--framing", framing).WantExit(0)
			c := testenv.Start(t, "consumer", "--name", name, "--output", "-")
			c.WantExit(0)
			if got := c.Stdout.String(); got != string(want) && !strings.Contains(file, "self") && file != "/proc/cpuinfo" {
				t.Errorf("%s: %q, want %q", file, got, want)
			}
		}
	}
}
