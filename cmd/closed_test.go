package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell starts a command as a shell with these redirections does.
func shell(t *testing.T, redirections, command string, args ...string) *proc {
	t.Helper()
	p, err := startCommand(t, exec.Command("sh", append([]string{"-c", `exec "$0" "$@" ` + redirections, filepath.Join(bin, command)}, args...)...), run{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAClosedStandardOutputTakesNoMessages(t *testing.T) {
	for _, output := range []string{"-", "/dev/stdout", "/proc/self/fd/1"} {
		name := segmentName(t)
		start(t, "producer", "--name", name, "--count", "1000").ends(0)
		shell(t, ">&-", "consumer", "--name", name, "--output", output).refuses(1, name, "standard output: it is closed")
		c := start(t, "consumer", "--name", name, "--verify", "--format", "json")
		c.ends(0)
		if n := c.final().num("consumedCount"); n != 1000 {
			t.Errorf("--output %s: %v messages were left", output, n)
		}
	}
}

func TestAClosedStandardInputIsNoEmptyOne(t *testing.T) {
	for _, input := range []string{"-", "/dev/stdin"} {
		name := segmentName(t)
		shell(t, "<&-", "producer", "--name", name, "--input", input).refuses(1, name, "standard input: it is closed")
		gone(t, name)
	}
}

func TestGaugeNeedsItsStandardOutput(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "1000").ends(0)
	for _, args := range []string{"", "ls", "ls --json", "stat --name " + name, "doctor", "layout", "rm --yes --name " + name, "watch", "record --name " + name} {
		shell(t, ">&-", "gauge", strings.Fields(args)...).refuses(1, "standard output: it is closed")
	}
	if header(name) == nil {
		t.Error("it was removed")
	}
}

func TestHelpAndVersionNeedTheirStandardOutput(t *testing.T) {
	for _, args := range []string{"producer --help", "producer help", "producer --version", "consumer -h", "consumer version", "gauge --help", "gauge help rm", "gauge stat --help", "gauge version"} {
		fields := strings.Fields(args)
		shell(t, ">&-", fields[0], fields[1:]...).refuses(1, "standard output: it is closed", "redirect it to a file or a pipe, or > /dev/null")
	}
}

// Python's subprocess.DEVNULL is one.
func TestANullThatIsOpenBothWaysCountsAsClosed(t *testing.T) {
	const why = "opened for both reading and writing counts as closed"
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "1").ends(0)
	shell(t, "1<>/dev/null", "consumer", "--name", name, "--output", "-").refuses(1, "standard output: it is closed", "> /dev/null", why)
	shell(t, "1<>/dev/null", "gauge").refuses(1, "standard output: it is closed", "> /dev/null", why)
	shell(t, "<>/dev/null", "producer", "--name", name, "--input", "-").refuses(1, "standard input: it is closed", "< /dev/null", why)
}

// What somebody redirected to /dev/null is to be discarded.
func TestNullIsNoClosedFile(t *testing.T) {
	name := segmentName(t)
	shell(t, "</dev/null", "producer", "--name", name, "--input", "-").ends(0)
	shell(t, ">/dev/null", "consumer", "--name", name, "--output", "-").ends(0)
	start(t, "producer", "--name", name, "--count", "10").ends(0)
	shell(t, ">/dev/null", "consumer", "--name", name, "--output", "-").ends(0)
	start(t, "producer", "--name", name, "--count", "10").ends(0)
	shell(t, "<&- >&- 2>&-", "consumer", "--name", name).ends(0) // which needs none of the three
	gone(t, name)
	shell(t, ">/dev/null", "gauge", "ls").ends(0)
}

// The size that these files have is not how much can be read.
func TestFilesOfTheKernelEndWhereTheirTextDoes(t *testing.T) {
	for _, file := range []string{"/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/profiling", "/sys/devices/system/cpu/online", "/proc/version", "/proc/cpuinfo", "/proc/self/limits"} {
		want, err := os.ReadFile(file)
		if err != nil || len(want) == 0 {
			continue
		}
		for _, framing := range []string{"raw", "lines"} {
			name := segmentName(t)
			start(t, "producer", "--name", name, "--input", file, "--framing", framing).ends(0)
			c := start(t, "consumer", "--name", name, "--output", "-")
			c.ends(0)
			if got := c.stdout.String(); got != string(want) && !strings.Contains(file, "self") && file != "/proc/cpuinfo" {
				t.Errorf("%s: %q, want %q", file, got, want)
			}
		}
	}
}
