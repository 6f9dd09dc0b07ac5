package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/natsserver"
	"sluice/internal/testenv"
)

// serverWith starts a server with a configuration, besides its address and store, and returns its
// address.
func serverWith(t *testing.T, config string) (addr string) {
	t.Helper()
	s := startServer(t, config)
	_, addr, _ = strings.Cut(s.URL(), "://")
	return addr
}

func startServer(t *testing.T, config string) *natsserver.Server {
	t.Helper()
	opt := natsserver.Options{Listen: "127.0.0.1:0", StoreDir: t.TempDir()}
	if config != "" {
		opt.ConfigFile = testenv.WriteFile(t, []byte(config))
	}
	s, err := natsserver.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

// ring makes a ring with some messages, whose stream is complete.
func ring(t *testing.T) (name string) {
	t.Helper()
	name = testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--count", "100", "--report", "0").WantExit(0)
	return name
}

// out starts a bridge, in an environment that has variables.
func out(t *testing.T, variables []string, args ...string) *testenv.Process {
	t.Helper()
	args = append([]string{"out", "--stream", "S", "--format", "json", "--report", "0"}, args...)
	return testenv.StartWith(t, "bridge", testenv.Options{Args: args, Env: append([]string{"XDG_CONFIG_HOME=" + t.TempDir()}, variables...)})
}

// wantSent expects that a bridge has sent everything and has shown no secret.
func wantSent(t *testing.T, p *testenv.Process) {
	t.Helper()
	p.WantExit(0)
	if got := p.Final().Num("consumedCount"); got != 100 {
		t.Errorf("%v messages sent, want 100", got)
	}
	wantNoSecret(t, p)
}

func wantNoSecret(t *testing.T, p *testenv.Process) {
	t.Helper()
	if said := p.Stdout.String() + p.Stderr.String(); strings.Contains(said, "secret") {
		t.Errorf("a secret is shown:\n%s", said)
	}
}

const passwordConfig = `authorization { users: [{user: u, password: secret}] }`

func TestConnect_Password(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, passwordConfig)
	name := ring(t)

	p := out(t, nil, "--nats", "nats://"+addr, name)
	p.WantError(1, "connect to nats://"+addr+": the server refuses the credentials", "--creds, --nkey, --context", "SLUICE_NATS")
	p = out(t, []string{"SLUICE_NATS=nats://u:secretwrong@" + addr}, name)
	p.WantError(1, "connect to nats://"+addr+": the server refuses the credentials", "those of SLUICE_NATS in the environment")
	wantNoSecret(t, p)
	p = out(t, []string{"SLUICE_NATS=nats://secrettoken@" + addr}, name)
	p.WantError(1, "connect to nats://"+addr+": ")
	wantNoSecret(t, p)

	wantSent(t, out(t, []string{"SLUICE_NATS=nats://u:secret@" + addr}, name))
}

// A server that is not there is waited for, and said once, with its URL and without its password.
func TestConnect_NoServerYet_WaitsAndSaysSoOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p := out(t, []string{"SLUICE_NATS=nats://u:secret@" + addr}, ring(t))
	p.EventuallyPrints("cannot connect to nats://" + addr + ": no server answers; waiting for a server")
	time.Sleep(time.Second) // for further attempts
	s, err := natsserver.Start(natsserver.Options{Listen: addr, StoreDir: t.TempDir(), ConfigFile: testenv.WriteFile(t, []byte(passwordConfig))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	wantSent(t, p)
	said := p.Stderr.String()
	if strings.Count(said, "waiting for") != 1 || !strings.Contains(said, "connected to nats://"+addr) {
		t.Errorf("said:\n%s", said)
	}
}

// A server that refuses the credentials once it is there ends the command too.
func TestConnect_NoServerYet_ThenRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, passwordConfig)
	opt := s.Options()
	s.Shutdown()
	p := out(t, []string{"SLUICE_NATS=nats://u:secretwrong@" + opt.Listen}, ring(t))
	p.EventuallyPrints("waiting for a server")
	again, err := natsserver.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Shutdown)
	p.WantError(1, "the server refuses the credentials")
	wantNoSecret(t, p)
}

// So does one that refuses them after it has accepted them before.
func TestConnect_CredentialsWithdrawn_Ends(t *testing.T) {
	t.Parallel()
	s := startServer(t, passwordConfig)
	opt := s.Options()
	p := out(t, []string{"SLUICE_NATS=nats://u:secret@" + opt.Listen}, "--follow", ring(t))
	p.EventuallyPrints("the stream is complete")
	s.Shutdown()
	p.EventuallyPrints("lost the connection to nats://" + opt.Listen)
	opt.ConfigFile = testenv.WriteFile(t, []byte(`authorization { users: [{user: u, password: secretother}] }`))
	again, err := natsserver.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Shutdown)
	p.WantError(1, "connect to nats://"+opt.Listen+": the server refuses the credentials", "those of SLUICE_NATS in the environment")
	wantNoSecret(t, p)
}

func TestConnect_ServerRestarted_GoesOn(t *testing.T) {
	t.Parallel()
	s := startServer(t, "")
	opt := s.Options()
	p := out(t, nil, "--nats", "nats://"+opt.Listen, "--follow", ring(t))
	p.EventuallyPrints("the stream is complete")
	s.Shutdown()
	p.EventuallyPrints("lost the connection to nats://" + opt.Listen + "; waiting for a server")
	again, err := natsserver.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Shutdown)
	p.EventuallyPrints("connected to nats://" + opt.Listen)
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
}

// A list of servers, of which one is not there.
func TestConnect_SeveralURLs(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, "")
	wantSent(t, out(t, nil, "--nats", "127.0.0.1:1, nats://"+addr, ring(t)))
}

// writeContext writes a context of the nats command, and returns the variable that makes it found.
func writeContext(t *testing.T, name string, settings map[string]string) (variable string) {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	dir := filepath.Join(home, "nats", "context")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return "XDG_CONFIG_HOME=" + home
}

func TestConnect_Context(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, passwordConfig)
	name := ring(t)
	wrong := writeContext(t, "far", map[string]string{"url": "nats://" + addr, "user": "u", "password": "secretwrong"})
	p := out(t, []string{wrong}, "--context", "far", name)
	p.WantError(1, "connect to nats://"+addr+": the server refuses the credentials", "those of --context far")
	wantNoSecret(t, p)

	inURL := writeContext(t, "far", map[string]string{"url": "nats://u:secretwrong@" + addr})
	p = out(t, []string{inURL, "SLUICE_CONTEXT=far"}, name)
	p.WantError(1, "connect to nats://"+addr+": ", "those of SLUICE_CONTEXT in the environment far")
	wantNoSecret(t, p)

	right := writeContext(t, "far", map[string]string{"url": "nats://" + addr, "user": "u", "password": "secret"})
	wantSent(t, out(t, []string{right, "SLUICE_NATS=nats://127.0.0.1:1"}, "--context", "far", name))
}

// The command line goes before a context of the environment.
func TestConnect_URLGoesBeforeContextOfEnvironment(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, "")
	variable := writeContext(t, "far", map[string]string{"url": "nats://127.0.0.1:1"})
	wantSent(t, out(t, []string{variable, "SLUICE_CONTEXT=far"}, "--nats", "nats://"+addr, ring(t)))
}

// A server that does not permit what a bridge needs has a line with the subjects.
func TestConnect_NoPermission_Said(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, `authorization { users: [{user: u, password: secret, permissions: {publish: {deny: ["_sluice.>"]}}}] }`)
	p := out(t, []string{"SLUICE_NATS=nats://u:secret@" + addr}, ring(t))
	p.EventuallyPrints("ermissions Violation for Publish")
	p.EventuallyPrints("a bridge needs the subjects sluice.")
	wantNoSecret(t, p)
	p.Signal(unix.SIGTERM)
	p.Wait()
}

// Nothing secret is in the command line that others can read while a bridge runs.
func TestConnect_CommandLineHasNoSecret(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, passwordConfig)
	p := out(t, []string{"SLUICE_NATS=nats://u:secret@" + addr}, "--follow", ring(t))
	p.EventuallyPrints("the stream is complete")
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Cmd.Process.Pid))
	if err != nil || strings.Contains(string(line), "secret") || !strings.Contains(string(line), "bridge") {
		t.Errorf("%v, command line %q", err, line)
	}
	p.Signal(unix.SIGTERM)
	p.WantExit(0)
	wantNoSecret(t, p)
}

// The subjects that the manual names are enough for both bridges.
func TestConnect_Permissions_Enough(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, `authorization { users: [{user: u, password: secret, permissions: {
		publish: {allow: ["sluice.>", "_sluice.>", "$JS.API.>", "$JS.ACK.>", "_INBOX.>"]}, subscribe: {allow: ["sluice.>", "_sluice.>", "_INBOX.>"]}
	}}] }`)
	env := []string{"SLUICE_NATS=nats://u:secret@" + addr}
	name, far := ring(t), testenv.SegmentName(t)
	in := testenv.StartWith(t, "bridge", testenv.Options{Args: []string{"in", far, "--subject", name, "--stream", "S", "--report", "0"}, Env: env})
	p := out(t, env, name)
	wantSent(t, p)
	testenv.Start(t, "consumer", "--name", far, "--verify", "--report", "0").WantExit(0)
	in.WantExit(0)
	if said := p.Stderr.String() + in.Stderr.String(); strings.Contains(said, "warning") {
		t.Errorf("warnings:\n%s", said)
	}
}
