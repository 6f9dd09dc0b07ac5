package trial

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestProcess_TellAndNumbers(t *testing.T) {
	p := shell(t, "read a; echo $a 2.5; exit 3")
	if err := p.Tell("7"); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Numbers(); err != nil || !slices.Equal(got, []float64{7, 2.5}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := p.Line(); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("a line after the last one: %v", err)
	}
	if err := p.Wait(time.Minute); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("exit code 3: %v", err)
	}
	p.Signal(unix.SIGTERM) // another process may have its number by now
}

func TestProcess_Stop(t *testing.T) {
	for script, want := range map[string]string{
		"echo; exec sleep 1000":                                  "",
		"trap 'exit 0' TERM; echo; while :; do sleep 0.01; done": "",
		"trap 'exit 4' TERM; echo; while :; do sleep 0.01; done": "exit status 4",
		"trap '' TERM; echo; exec sleep 1000":                    "has not ended",
	} {
		p := shell(t, script)
		if _, err := p.Line(); err != nil {
			t.Fatal(err)
		}
		most := time.Minute
		if want == "has not ended" {
			most = 50 * time.Millisecond
		}
		if err := p.Stop(most); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
}

func TestProcess_Kill(t *testing.T) {
	p := shell(t, "echo ready; exec sleep 1000")
	if _, err := p.Line(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(time.Millisecond); err == nil || !strings.Contains(err.Error(), "has not ended") {
		t.Errorf("a process that runs: %v", err)
	}
	p.Kill()
	if err := p.Wait(time.Minute); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("a killed process: %v", err)
	}
	if err := unix.Kill(p.PID, 0); err != unix.ESRCH {
		t.Errorf("a killed process is still there: %v", err)
	}
}
