package cmd_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sluice/internal/testenv"
	"strings"
	"testing"
)

func TestInstall_Mistakes_ErrorAndHint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for want, env := range map[string][]string{
		"there is no producer in " + dir + "/missing\ninstall.sh: hint: build it first": {"BIN=missing"},
		"PREFIX=/home/sluice: ":                                 {"PREFIX=/home/sluice"},
		"PREFIX=opt: want an absolute path\ninstall.sh: hint: ": {"PREFIX=opt"},
	} {
		script, err := filepath.Abs("../scripts/systemd/install.sh")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), append(env, "DESTDIR="+dir)...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(string(out), "install.sh: error: "+want) || !strings.Contains(string(out), "\ninstall.sh: hint: ") {
			t.Errorf("%v: exit code %d, %q, want %q", env, code, out, want)
		}
	}
}

// After install.sh a shell finds the commands, and uninstall.sh takes them away again;
// what somebody else has put there under such a name stays.
func TestInstall_CommandsOnPath(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script := func(name string) string {
		t.Helper()
		cmd := exec.Command("../scripts/systemd/" + name)
		cmd.Env = append(os.Environ(), "DESTDIR="+root, "PREFIX=/opt/sluice", "BIN="+testenv.BinDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	path := filepath.Join(root, "opt/sluice/bin")
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(path, "producer")
	if err := os.WriteFile(other, []byte("another"), 0o755); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(root, "opt/sluice/share/man/man1/consumer.1")
	if err := errors.Join(os.MkdirAll(filepath.Dir(page), 0o755), os.WriteFile(page, []byte("another's page"), 0o644)); err != nil {
		t.Fatal(err)
	}
	// Installations before 0.1.0 called sluice-bridge bridge; it goes away.
	oldPage := filepath.Join(root, "opt/sluice/share/man/man1/bridge.1")
	if err := errors.Join(os.Symlink("../lib/sluice/bridge", filepath.Join(path, "bridge")), os.WriteFile(oldPage, []byte("of sluice"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again, as for an update
		if out := script("install.sh"); !strings.Contains(out, "/opt/sluice/bin/producer is another program and was not replaced") || strings.Contains(out, "bin/gauge is another program") {
			t.Errorf("%s", out)
		}
	}
	for _, name := range []string{"gauge", "consumer", "sluice-bridge"} {
		if out, err := exec.Command(filepath.Join(path, name), "--help").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		} else if !strings.Contains(string(out), "Usage: "+name+" ") {
			t.Errorf("the help of %s has another name: %s", name, out)
		}
	}
	if _, err := os.Lstat(filepath.Join(path, "bridge")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link of an earlier installation: %v, want none", err)
	}
	share := filepath.Join(root, "opt/sluice/share")
	for file, want := range map[string]string{
		"man/man1/gauge.1": "segments", "bash-completion/completions/gauge": "complete -F", "fish/vendor_completions.d/consumer.fish": "complete -c", "man/man1/sluice-bridge.1": "JetStream",
		"man/man1/consumer.1": "another's page", "man/man1/producer.1": "", "man/man1/bridge.1": "", "bash-completion/completions/producer": "", "zsh/site-functions/_sluice": "",
	} {
		text, err := os.ReadFile(filepath.Join(share, file))
		if want == "" && !errors.Is(err, fs.ErrNotExist) || want != "" && !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, %d bytes, want %q", file, err, len(text), want)
		}
	}
	script("uninstall.sh")
	var left []string
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, path)
		}
		return err
	})
	if !slices.Equal(left, []string{other, page}) {
		t.Errorf("left: %v", left)
	}
}
