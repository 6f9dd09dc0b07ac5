package cmd_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"sluice/layout"
)

// flagsOf returns the flags of a command as completion shows them.
func flagsOf(t *testing.T, command ...string) (flags []string) {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, command[0]), append(command[1:], "--generate-completion")...).Output()
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
	{"gauge", "doctor"}, {"gauge", "rm"}, {"gauge", "layout"},
}

// The consumer takes the mode of the segment, whatever the producer's default is.
func TestTheDefaultOfModeIsTheCommandsOwn(t *testing.T) {
	for command, want := range map[string]string{"producer": "(default: ring)", "consumer": "(default: that of the segment)"} {
		help, err := exec.Command(filepath.Join(bin, command), "--help").Output()
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

// A flag that is new has a group, and is no mistake in the environment of the others.
func TestEachFlagHasAGroupInHelpAndAVariableThatAllKnow(t *testing.T) {
	var env []string
	for _, command := range allCommands {
		help, err := exec.Command(filepath.Join(bin, command[0]), append(command[1:], "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		groups, other, _ := strings.Cut(string(help), "\nOther:\n")
		for _, flag := range flagsOf(t, command...) {
			env = append(env, "SLUICE_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))+"=")
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
	for _, v := range env {
		value := "x" // which is wrong for some commands, but known to all
		for _, command := range []string{"producer", "consumer", "gauge"} {
			p := startWith(t, command, run{Args: []string{"--version", "stray"}, Env: []string{v + value}})
			p.wait()
			if said := p.stderr.String(); strings.Contains(said, "variable of no flag") {
				t.Errorf("%s with %s%s:\n%s", command, v, value, said)
			}
		}
	}
}

func TestAnEmptyVariableCountsAsUnset(t *testing.T) {
	name := segmentName(t)
	var env []string
	for _, command := range allCommands {
		for _, flag := range flagsOf(t, command...) {
			env = append(env, "SLUICE_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))+"=")
		}
	}
	startWith(t, "producer", run{Args: []string{"--name", name, "--count", "3"}, Env: env}).ends(0)
	g := startWith(t, "gauge", run{Args: []string{"stat", name}, Env: env})
	g.ends(0)
	if !strings.HasPrefix(g.stdout.String(), "/dev/shm/sluice."+name+":") {
		t.Errorf("%s", g.stdout.String())
	}
	startWith(t, "consumer", run{Args: []string{"--name", name}, Env: env}).ends(0)
	// Not the segment that comes first in the alphabet.
	if said := startWith(t, "gauge", run{Args: []string{"stat", "--json"}, Env: []string{"SLUICE_NAME="}}); said.wait() == 0 {
		var seen figures
		if err := json.Unmarshal([]byte(said.stdout.String()), &seen); err != nil || seen["name"] != "demo" {
			t.Errorf("%v, %v", seen["name"], err)
		}
	} else if !strings.Contains(said.stderr.String(), `"demo"`) {
		t.Errorf("%s", said.stderr.String())
	}
}

func TestAMistypedVariableIsAWarning(t *testing.T) {
	name := segmentName(t)
	for _, c := range []struct {
		command string
		args    []string
	}{
		{"producer", []string{"--name", name, "--count", "3"}},
		{"gauge", []string{"stat", name}},
		{"consumer", []string{"--name", name}},
	} {
		p := startWith(t, c.command, run{Args: c.args, Env: []string{"SLUICE_CAPASITY=4KiB"}})
		p.ends(0)
		want := c.command + ": warning: SLUICE_CAPASITY in the environment is the variable of no flag, and ignored\n" +
			c.command + ": hint: did you mean SLUICE_CAPACITY?\n"
		if !strings.HasPrefix(p.stderr.String(), want) {
			t.Errorf("%s:\n%swant:\n%s", c.command, p.stderr.String(), want)
		}
	}
	p := startWith(t, "producer", run{Args: []string{"--name", name, "--count", "3", "--format", "json"}, Env: []string{"SLUICE_CAPASITY=4KiB"}})
	p.ends(0)
	for line := range strings.Lines(p.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if !strings.Contains(p.stderr.String(), `"warning":"SLUICE_CAPASITY`) {
		t.Errorf("%s", p.stderr.String())
	}
}

// An error about a variable names it, and SLUICE_JSON is --json also for what goes wrong.
func TestVariablesOfGauge(t *testing.T) {
	startWith(t, "gauge", run{Args: []string{"serve"}, Env: []string{"SLUICE_LISTEN=nowhere"}}).refuses(2, `SLUICE_LISTEN in the environment: invalid address "nowhere"`)
	for _, value := range []string{"true", "1"} {
		g := startWith(t, "gauge", run{Args: []string{"stat", segmentName(t)}, Env: []string{"SLUICE_JSON=" + value}})
		g.refuses(1, "there is none")
		if !json.Valid([]byte(g.stderr.String())) {
			t.Errorf("SLUICE_JSON=%s: %s", value, g.stderr.String())
		}
	}
	p := startWith(t, "producer", run{Args: []string{"--nope"}, Env: []string{"SLUICE_JSON=true"}}) // which has no --json
	p.refuses(2, "there is no flag --nope")
	if json.Valid([]byte(p.stderr.String())) {
		t.Errorf("%s", p.stderr.String())
	}
	g := startWith(t, "gauge", run{Args: []string{"ls"}, Env: []string{"SLUICE_VERSION=1"}})
	g.ends(0)
	if said := g.stderr.String(); !strings.Contains(said, "SLUICE_VERSION in the environment is the variable of no flag") || strings.Contains(said, "did you mean") {
		t.Errorf("%s", said)
	}
}

func TestEachCommandTellsItsVersion(t *testing.T) {
	for _, command := range []string{"producer", "consumer", "gauge"} {
		for _, args := range [][]string{{"--version"}, {"version"}, {"--version", "--name", "x"}} {
			if command == "gauge" && len(args) > 1 {
				continue // which has no --name of its own
			}
			p := start(t, command, args...)
			p.ends(0)
			for _, want := range []string{command + " ", "commit ", runtime.Version(), "layout version "} {
				if !strings.Contains(p.stdout.String(), want) {
					t.Errorf("%s %v lacks %q:\n%s", command, args, want, p.stdout.String())
				}
			}
		}
	}
	p := start(t, "producer", "--version", "--format", "json")
	p.ends(0)
	var v map[string]any
	if err := json.Unmarshal([]byte(p.stdout.String()), &v); err != nil || v["layoutVersion"] != float64(layout.Version) || v["command"] != "producer" {
		t.Errorf("%v: %s", err, p.stdout.String())
	}
}

func TestGaugeTakesANameWithoutItsFlag(t *testing.T) {
	name := segmentName(t)
	start(t, "producer", "--name", name, "--count", "3").ends(0)
	for _, args := range []string{"stat " + name + " --json", "stat --json " + name, "stat --json -- " + name} {
		g := start(t, "gauge", strings.Fields(args)...)
		g.ends(0)
		var seen figures
		if err := json.Unmarshal([]byte(g.stdout.String()), &seen); err != nil || seen["name"] != name {
			t.Errorf("gauge %s: %v\n%s", args, err, g.stdout.String())
		}
	}
	if g := start(t, "gauge", "watch", name); g.wait() != 0 || !strings.Contains(g.stdout.String(), name) {
		t.Errorf("%s", g.stdout.String())
	}
	start(t, "gauge", "rm", name, "--yes").ends(0)
	gone(t, name)
	help := start(t, "gauge", "help", "rm")
	help.ends(0)
	if !strings.HasPrefix(help.stdout.String(), "gauge rm - remove a segment") || !strings.Contains(help.stdout.String(), "[NAME]") {
		t.Errorf("%s", help.stdout.String())
	}
}

// Whatever else was said, it is what was asked for.
func TestHelpBesideAnArgument(t *testing.T) {
	for args, title := range map[string]string{
		"producer -h extra": "producer - ", "consumer extra --help": "consumer - ", "gauge --help nosuch": "gauge - ",
		"gauge ls --help foo": "gauge ls - ", "gauge stat demo -h": "gauge stat - ", "gauge --help stat": "gauge stat - ",
	} {
		fields := strings.Fields(args)
		p := start(t, fields[0], fields[1:]...)
		p.ends(0)
		if said := p.stdout.String(); !strings.HasPrefix(said, title) {
			t.Errorf("%s:\n%s", args, said)
		}
	}
}
