package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) { testenv.MainWithCommands(m, "./scripts/queueing") }

// How well the times agree says something only on an idle machine. What is measured twice, by the
// segment and by this program, agrees on any.
func TestQueueing_ShortRun(t *testing.T) {
	p, err := testenv.StartCommand(t, exec.Command(testenv.Command("queueing"), "--rate", "2000", "--work", "50us", "--duration", "2s"), testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	code, said := p.Wait(), p.Stdout.String()+p.Stderr.String()
	if code != 0 && (code != 1 || !strings.Contains(said, "off Lindley's recursion")) {
		t.Fatalf("exit code %d:\n%s", code, said)
	}
	for _, line := range []string{`in shared memory +\S+s +\+0\.00 %`, `as taken +\S+s +[+-][0-9.]+ %`, `Lindley's recursion +\S+s`, `M/D/1 +(\S+s|infinite)`} {
		if !regexp.MustCompile(line).MatchString(said) {
			t.Errorf("%q is missing in:\n%s", line, said)
		}
	}
}

func TestQueueing_WrongUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--rate 1000 --work 1ms", "cannot keep up at a load of 1.00"},
		{"--rate 0", "must be more than 0"},
		{"--duration 1s", "too few messages"},
		{"--nosuch", "--nosuch"},
	} {
		p, err := testenv.StartCommand(t, exec.Command(testenv.Command("queueing"), strings.Fields(c.args)...), testenv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p.WantError(2, c.says)
	}
}
