package cmd_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// flagsOf returns the flags of a command as completion shows them.
func flagsOf(t *testing.T, command ...string) (flags []string) {
	t.Helper()
	out, err := exec.Command(testenv.Command(command[0]), append(command[1:], "--generate-completion")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		flag, _, _ := strings.Cut(line, " ")
		if name, is := strings.CutPrefix(flag, "--"); is && name != "help" && name != "version" {
			flags = append(flags, name)
		}
	}
	if len(flags) == 0 {
		t.Fatalf("%v has no flags:\n%s", command, out)
	}
	return flags
}

var allCommands = [][]string{
	{"producer"}, {"consumer"}, {"gauge", "ls"}, {"gauge", "stat"}, {"gauge", "watch"}, {"gauge", "record"}, {"gauge", "serve"},
	{"gauge", "doctor"}, {"gauge", "rm"}, {"gauge", "layout"}, {"bridge", "out"}, {"bridge", "in"}, {"bridge", "serve"},
}

// The consumer takes the mode of the segment, whatever the producer's default is.
func TestHelp_DefaultOfMode(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{"producer": "(default: ring)", "consumer": "(default: that of the segment)"} {
		help, err := exec.Command(testenv.Command(command), "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		_, mode, _ := strings.Cut(string(help), "--mode, -m MODE")
		mode, _, _ = strings.Cut(mode, "\n  --")
		if !strings.Contains(strings.Join(strings.Fields(mode), " "), want) {
			t.Errorf("%s --help does not say %q of --mode:\n%s", command, want, mode)
		}
	}
}

// variable returns the environment variable of a flag.
func variable(flag string) string {
	return "SLUICE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func TestHelp_EveryFlagHasGroup(t *testing.T) {
	t.Parallel()
	for _, command := range allCommands {
		help, err := exec.Command(testenv.Command(command[0]), append(command[1:], "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		groups, other, _ := strings.Cut(string(help), "\nOther:\n")
		for _, flag := range flagsOf(t, command...) {
			if !strings.Contains(groups, "--"+flag) || strings.Contains("\n"+other, "\n  --"+flag+" ") {
				t.Errorf("%v --help shows --%s in no group:\n%s", command, flag, help)
			}
		}
		for _, want := range []string{"Exit codes:\n  0 ", "\nSignals:\n  INT, TERM, HUP"} {
			if !strings.Contains(string(help), want) {
				t.Errorf("%v --help lacks %q:\n%s", command, want, help)
			}
		}
	}
}

// One environment may serve all commands: a variable of another command's flag is no
// mistake, whatever its value is. The warning is printed where a command goes on to work.
func TestEnvironment_FlagsOfOtherCommands_NoWarning(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	for _, c := range []struct{ command, args []string }{
		{[]string{"producer"}, []string{"--name", name, "--count", "1"}},
		{[]string{"gauge", "stat"}, []string{name}},
		{[]string{"consumer"}, []string{"--name", name}},
	} {
		env, own := []string{"SLUICE_NOSUCH=x"}, flagsOf(t, c.command...)
		for _, command := range allCommands {
			for _, flag := range flagsOf(t, command...) {
				if !slices.Contains(own, flag) {
					env = append(env, variable(flag)+"=x")
				}
			}
		}
		p := testenv.StartWith(t, c.command[0], testenv.Options{Args: append(c.command[1:], c.args...), Env: env})
		p.WantExit(0)
		if said := p.Stderr.String(); strings.Count(said, "matches no flag") != 1 || !strings.Contains(said, "SLUICE_NOSUCH") {
			t.Errorf("%v with %v:\n%s", c.command, env, said)
		}
	}
}

// validValues has a value for each flag of a producer that takes one.
var validValues = map[string]string{
	"name": "x", "capacity": "4KiB", "slots": "8", "group": strconv.Itoa(os.Getgid()), "size": "8", "input": "file", "framing": "raw", "chunk": "8",
	"rate": "0", "burst": "2", "arrivals": "poisson", "count": "1", "duration": "1s", "on-full": "drop", "block-timeout": "1s", "spin": "0",
	"socket": "/tmp/x", "limit": "1MiB", "on-limit": "block", "resume-at": "25%", "buffer": "64KiB", "report": "1s", "format": "text",
}

// One environment may serve both modes: where a flag is an error because it belongs to the other
// mode, its variable is ignored, whatever its value would mean there.
func TestEnvironment_FlagsOfOtherMode_Ignored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode string
		env  map[string]string // by flag, with values that would make it fail or would show
	}{
		{"ring", map[string]string{"buffer": "1", "limit": "1", "on-limit": "block", "recycle": "true", "resume-at": "0.1%", "socket": "/nowhere/x"}},
		{"transfer", map[string]string{"capacity": "5000", "on-full": "fail", "slots": "99999999999", "spin": "1h", "populate": "true"}},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			var rejected, env []string
			for _, flag := range flagsOf(t, "producer") {
				arg := "--" + flag
				if value := validValues[flag]; value != "" {
					arg += "=" + value
				}
				p := testenv.Start(t, "producer", "--mode", c.mode, "--open-loop", arg) // without a rate, so it fails in any case
				p.WantExit(2)
				if strings.Contains(p.Stderr.String(), "--"+flag+" cannot be used in "+c.mode+" mode") {
					rejected = append(rejected, flag)
				}
			}
			for flag, value := range c.env {
				env = append(env, variable(flag)+"="+value)
			}
			slices.Sort(rejected)
			if want := slices.Sorted(maps.Keys(c.env)); !slices.Equal(rejected, want) {
				t.Errorf("flags of the other mode: %v, want %v", rejected, want)
			}
			name := testenv.SegmentName(t)
			args := []string{"--name", name, "--mode", c.mode, "--count", "3"}
			p := testenv.StartWith(t, "producer", testenv.Options{Args: args, Env: env})
			q := testenv.StartWith(t, "consumer", testenv.Options{Args: args, Env: env})
			p.WantExit(0)
			q.WantExit(0)
		})
	}
}

// The same where a flag is an error because of --input, or without one.
func TestEnvironment_FlagsForOtherMessages_Ignored(t *testing.T) {
	t.Parallel()
	name, file := testenv.SegmentName(t), testenv.WriteFile(t, []byte("one\ntwo\nthree\n"))
	env := []string{"SLUICE_SIZE=1", "SLUICE_BURST=1000000", "SLUICE_CHUNK=99GiB"}
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--input", file, "--framing", "lines", "--rate", "100"}, Env: env})
	q := testenv.Start(t, "consumer", "--name", name, "--output", "-")
	p.WantExit(0)
	q.WantExit(0)
	if got := q.Stdout.String(); got != "one\ntwo\nthree\n" {
		t.Errorf("%q", got)
	}
	p = testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--fresh", "--count", "3"}, Env: []string{"SLUICE_CHUNK=99GiB", "SLUICE_FRAMING=raw"}})
	q = testenv.Start(t, "consumer", "--name", name, "--count", "3")
	p.WantExit(0)
	q.WantExit(0)
}

func TestEnvironment_EmptyVariable_CountsAsUnset(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	var env []string
	for _, command := range allCommands {
		for _, flag := range flagsOf(t, command...) {
			env = append(env, variable(flag)+"=")
		}
	}
	testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--count", "3"}, Env: env}).WantExit(0)
	g := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"stat", name}, Env: env})
	g.WantExit(0)
	if !strings.HasPrefix(g.Stdout.String(), "/dev/shm/sluice."+name+":") {
		t.Errorf("%s", g.Stdout.String())
	}
	testenv.StartWith(t, "consumer", testenv.Options{Args: []string{"--name", name}, Env: env}).WantExit(0)
	// Not the segment that comes first in the alphabet.
	if said := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"stat", "--json"}, Env: []string{"SLUICE_NAME="}}); said.Wait() == 0 {
		var seen testenv.Report
		if err := json.Unmarshal([]byte(said.Stdout.String()), &seen); err != nil || seen["name"] != "demo" {
			t.Errorf("%v, %v", seen["name"], err)
		}
	} else if !strings.Contains(said.Stderr.String(), `"demo"`) {
		t.Errorf("%s", said.Stderr.String())
	}
}

func TestEnvironment_MistypedVariable_Warning(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	for _, c := range []struct {
		command string
		args    []string
	}{
		{"producer", []string{"--name", name, "--count", "3"}},
		{"gauge", []string{"stat", name}},
		{"consumer", []string{"--name", name}},
	} {
		p := testenv.StartWith(t, c.command, testenv.Options{Args: c.args, Env: []string{"SLUICE_CAPASITY=4KiB"}})
		p.WantExit(0)
		want := c.command + ": warning: SLUICE_CAPASITY in the environment matches no flag, and is ignored\n" +
			c.command + ": hint: did you mean SLUICE_CAPACITY?\n"
		if !strings.HasPrefix(p.Stderr.String(), want) {
			t.Errorf("%s:\n%swant:\n%s", c.command, p.Stderr.String(), want)
		}
	}
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--name", name, "--count", "3", "--format", "json"}, Env: []string{"SLUICE_CAPASITY=4KiB"}})
	p.WantExit(0)
	for line := range strings.Lines(p.Stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if !strings.Contains(p.Stderr.String(), `"warning":"SLUICE_CAPASITY`) {
		t.Errorf("%s", p.Stderr.String())
	}
}

// An error about a variable names it, and SLUICE_JSON is --json also for what goes wrong.
func TestEnvironment_Gauge(t *testing.T) {
	t.Parallel()
	testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"serve"}, Env: []string{"SLUICE_LISTEN=nowhere"}}).WantError(2, `SLUICE_LISTEN in the environment: invalid address "nowhere"`)
	for _, value := range []string{"true", "1"} {
		g := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"stat", testenv.SegmentName(t)}, Env: []string{"SLUICE_JSON=" + value}})
		g.WantError(1, "not found")
		if !json.Valid([]byte(g.Stderr.String())) {
			t.Errorf("SLUICE_JSON=%s: %s", value, g.Stderr.String())
		}
	}
	p := testenv.StartWith(t, "producer", testenv.Options{Args: []string{"--nope"}, Env: []string{"SLUICE_JSON=true"}}) // which has no --json
	p.WantError(2, "unknown flag --nope")
	if json.Valid([]byte(p.Stderr.String())) {
		t.Errorf("%s", p.Stderr.String())
	}
	g := testenv.StartWith(t, "gauge", testenv.Options{Args: []string{"ls"}, Env: []string{"SLUICE_VERSION=1"}})
	g.WantExit(0)
	if said := g.Stderr.String(); !strings.Contains(said, "SLUICE_VERSION in the environment matches no flag") || strings.Contains(said, "did you mean") {
		t.Errorf("%s", said)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"producer", "consumer", "gauge"} {
		for _, args := range [][]string{{"--version"}, {"version"}, {"--version", "--name", "x"}} {
			if command == "gauge" && len(args) > 1 {
				continue // which has no --name of its own
			}
			p := testenv.Start(t, command, args...)
			p.WantExit(0)
			for _, want := range []string{command + " ", "commit ", runtime.Version(), "layout version "} {
				if !strings.Contains(p.Stdout.String(), want) {
					t.Errorf("%s %v lacks %q:\n%s", command, args, want, p.Stdout.String())
				}
			}
		}
	}
	p := testenv.Start(t, "producer", "--version", "--format", "json")
	p.WantExit(0)
	var v map[string]any
	if err := json.Unmarshal([]byte(p.Stdout.String()), &v); err != nil || v["layoutVersion"] != float64(layout.Version) || v["command"] != "producer" {
		t.Errorf("%v: %s", err, p.Stdout.String())
	}
}

func TestGauge_NameAsArgument(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	for _, args := range []string{"stat " + name + " --json", "stat --json " + name, "stat --json -- " + name} {
		g := testenv.Start(t, "gauge", strings.Fields(args)...)
		g.WantExit(0)
		var seen testenv.Report
		if err := json.Unmarshal([]byte(g.Stdout.String()), &seen); err != nil || seen["name"] != name {
			t.Errorf("gauge %s: %v\n%s", args, err, g.Stdout.String())
		}
	}
	if g := testenv.Start(t, "gauge", "watch", name); g.Wait() != 0 || !strings.Contains(g.Stdout.String(), name) {
		t.Errorf("%s", g.Stdout.String())
	}
	testenv.Start(t, "gauge", "rm", name, "--yes").WantExit(0)
	testenv.WantNoSegment(t, name)
	help := testenv.Start(t, "gauge", "help", "rm")
	help.WantExit(0)
	if !strings.HasPrefix(help.Stdout.String(), "gauge rm - remove segments") || !strings.Contains(help.Stdout.String(), "[NAME...]") {
		t.Errorf("%s", help.Stdout.String())
	}
}
