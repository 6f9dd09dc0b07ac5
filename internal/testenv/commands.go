package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Root is the root of the module.
var Root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			panic("no go.mod above " + dir)
		}
	}
})

// commandDir is where [MainWithCommands] puts the commands ("bin") and the sockets ("run").
var commandDir string

// BinDir returns the directory with the commands. Every user may read it.
func BinDir() string { return filepath.Join(commandDir, "bin") }

func runtimeDir() string { return filepath.Join(commandDir, "run") }

// Command returns the path of a command: producer, consumer, gauge, or another that was built.
func Command(name string) string { return filepath.Join(BinDir(), name) }

// MainWithCommands is [Main] for tests that start the commands, which it builds. Sockets go
// into a directory of this process.
//
// more are other programs of this module to build: "./scripts/compare".
func MainWithCommands(m *testing.M, more ...string) {
	os.Exit(runWithCommands(m, more))
}

func runWithCommands(m *testing.M, more []string) (code int) {
	var err error
	if commandDir, err = os.MkdirTemp("", "sluice-test-"); err == nil {
		defer os.RemoveAll(commandDir)
		err = build(append([]string{"./cmd/producer", "./cmd/consumer", "./cmd/gauge"}, more...))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// The commands would ignore what this process ignores: a script ignores SIGINT for a
	// go test that it starts in the background.
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	return run(m)
}

func build(packages []string) error {
	if err := errors.Join(os.Chmod(commandDir, 0o755), os.Mkdir(BinDir(), 0o755), os.Chmod(BinDir(), 0o755), os.Mkdir(runtimeDir(), 0o700)); err != nil {
		return err
	}
	os.Setenv("XDG_RUNTIME_DIR", runtimeDir())
	// Each package's tests link them anew: without what debuggers read that takes less long.
	cmd := exec.Command("go", append([]string{"build", "-ldflags=-s -w", "-o", BinDir()}, packages...)...)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the commands: %w\n%s", err, out)
	}
	return nil
}

// ReadSources keeps go test from showing an old result of tests that start commands: these
// are not linked into the test, but go test looks again at a file that was opened while a
// test ran.
var ReadSources = sync.OnceFunc(func() {
	filepath.WalkDir(Root(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != Root() && d.Name()[0] == '.' {
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); err == nil && (ext == ".go" || ext == ".s" || ext == ".mod") {
			os.ReadFile(path)
		}
		return err
	})
})

// Start starts a command.
func Start(t testing.TB, command string, args ...string) *Process {
	t.Helper()
	return StartWith(t, command, Options{Args: args})
}

// StartWith starts a command with options.
func StartWith(t testing.TB, command string, opt Options) *Process {
	t.Helper()
	p, err := StartCommand(t, exec.Command(Command(command), opt.Args...), opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// StartWithDescriptors starts a command that may have at most n descriptors.
func StartWithDescriptors(t testing.TB, n int, attr *syscall.SysProcAttr, command string, args ...string) *Process {
	t.Helper()
	sh := exec.Command("sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, n), Command(command)}, args...)...)
	p, err := StartCommand(t, sh, Options{Attr: attr})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mountNamespace returns the attributes of a process in a mount namespace of its own, for an
// ordinary user in a user namespace.
func mountNamespace() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags = unix.CLONE_NEWUSER
	}
	return attr
}

// mountNamespaces returns why there can be none. It tries without mappings of users: with them, a
// start that fails leaves a pipe open (syscall.SysProcAttr.UidMappings, Go 1.26).
var mountNamespaces = sync.OnceValue(func() error {
	try := exec.Command("true")
	try.SysProcAttr = mountNamespace()
	return try.Run()
})

// StartWithMounts starts a shell script that may mount what it likes; $0 is the command. An
// ordinary user does that as root of a user namespace: a file system that is mounted there
// makes files only for users and groups that the namespace has. It skips the test where
// there can be no mount namespace.
func StartWithMounts(t testing.TB, command, script string) *Process {
	t.Helper()
	if err := mountNamespaces(); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: no right to make a mount namespace: %v", err)
	}
	attr := mountNamespace()
	if os.Getuid() != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	p, err := StartCommand(t, exec.Command("sh", "-c", script, Command(command)), Options{Attr: attr})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// GaugeOutput runs gauge, expects exit code 0 and returns its standard output.
func GaugeOutput(t testing.TB, args ...string) string {
	t.Helper()
	g := Start(t, "gauge", args...)
	g.WantExit(0)
	return g.Stdout.String()
}

// TransferArgs returns the arguments of a producer in transfer mode that reports in JSON,
// and others.
func TransferArgs(name string, args ...string) []string {
	return append([]string{"--mode", "transfer", "--name", name, "--format", "json"}, args...)
}
