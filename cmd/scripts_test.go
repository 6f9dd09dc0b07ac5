package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sluice/internal/testenv"
	"strings"
	"testing"
)

// script runs a script of the repository from its folder, where its --help has to work
// too, and returns what it printed. path is what it finds commands in.
func script(t *testing.T, path, name string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	testenv.ReadSources()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: there is no bash")
	}
	cmd := exec.Command(bash, append([]string{"./" + filepath.Base(name)}, args...)...)
	cmd.Dir = filepath.Dir(filepath.Join("../scripts", name))
	cmd.Env = append(os.Environ(), "PATH="+path)
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), complaint.String()
}

func TestScripts_HelpAndUnknownArgument(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"demo.sh", "bridge-demo.sh", "compare.sh", "bench.sh", "commands.sh", "many.sh", "bridge.sh", "storm.sh", "queueing.sh", "set-module-path.sh", "systemd/install.sh", "systemd/uninstall.sh", "systemd/test.sh"} {
		for _, help := range []string{"--help", "-h"} {
			code, out, complaint := script(t, os.Getenv("PATH"), name, help)
			if code != 0 || complaint != "" || !strings.Contains(out, "scripts/"+name) || strings.Contains(out, "set -") || strings.Count(out, "\n") > 20 {
				t.Errorf("%s %s: exit code %d\n%s%s", name, help, code, out, complaint)
			}
		}
		code, out, complaint := script(t, os.Getenv("PATH"), name, "--nosuch")
		if base := filepath.Base(name); code != 2 || out != "" || !strings.Contains(complaint, base+`: error: unknown argument "--nosuch"`) || !strings.Contains(complaint, base+": hint: ") {
			t.Errorf("%s --nosuch: exit code %d\n%s%s", name, code, out, complaint)
		}
	}
}

// The page would be lost after minutes of measuring.
func TestScripts_UnwritableOutRefusedFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		script, cannot string
		args, outs     []string
	}{
		{"bench.sh", "cannot write to", []string{"--quick", "--cpus", "0,1", "--rounds", "1"}, []string{"/dev/null", "/proc/none/page"}},
		{"bridge.sh", "cannot write to", nil, []string{"/dev/null", "/dev/null/page", "/proc/none/page"}},
		{"compare.sh", "cannot write the report to", []string{"--quick"}, []string{"/dev/null", "/dev/null/report", "/proc/none/report"}},
	} {
		for _, out := range c.outs {
			code, _, complaint := script(t, os.Getenv("PATH"), c.script, append(c.args, "--out", out)...)
			if code != 1 || complaint != c.script+": error: "+c.cannot+" "+out+"\n"+c.script+": hint: choose another --out\n" {
				t.Errorf("%s %s: exit code %d\n%s", c.script, out, code, complaint)
			}
		}
	}
}

func TestScripts_NoGo_Hint(t *testing.T) {
	t.Parallel()
	for title, version := range map[string]string{"no go": "", "a go that cannot fetch another": "1.19.8"} {
		path := t.TempDir()
		for _, tool := range []string{"awk", "dirname", "sort", "sed", "nproc", "lscpu", "taskset", "head", "cat", "realpath", "mktemp", "mkdir", "rm"} {
			if at, err := exec.LookPath(tool); err == nil {
				os.Symlink(at, filepath.Join(path, tool))
			}
		}
		if version != "" {
			if err := os.WriteFile(filepath.Join(path, "go"), []byte("#!/bin/sh\necho go"+version+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"demo.sh", "bridge-demo.sh", "compare.sh", "bench.sh", "commands.sh", "many.sh", "bridge.sh", "storm.sh", "queueing.sh"} {
			code, out, complaint := script(t, path, name)
			if code != 1 || !strings.Contains(complaint, name+": error: ") || !strings.Contains(complaint, version) || !strings.Contains(complaint, "hint: install it: sudo apt-get update && sudo apt-get install golang-go") {
				t.Errorf("%s, %s: exit code %d\n%s%s", title, name, code, out, complaint)
			}
		}
	}
}
