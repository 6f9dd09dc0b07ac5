package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxStatement is how long a statement may take: longer than a build on a slow machine.
const maxStatement = 5 * time.Minute

// networkHandle is the network outside, where boot.sh puts it.
const networkHandle = "/lab/network"

// place is where a shell is: what one shell hands on to the next.
type place struct {
	dir string
	env []string // as in [exec.Cmd]
}

// session is a shell that runs one statement after the other: directory, variables and jobs
// persist. Its methods are for one goroutine.
type session struct {
	place
	cmd     *exec.Cmd
	scratch string // directory for what the shell and this program tell each other
	output  *os.File
	read    int64         // how much of output was read
	files   *os.File      // to the shell: names of files with a statement
	results *bufio.Reader // from the shell: exit code and directory
}

// loop runs each file as if it had been typed. A statement gets neither of the two pipes. Jobs have
// process groups of their own, as those of an interactive shell: they do not ignore SIGINT.
const loop = `set -m -o pipefail
while read -r -u 9; do
	. "$REPLY" </dev/null 8>&- 9<&-
	printf '%s\n' "$?" "$PWD" >&8
done
`

// startSession starts a shell, in the network outside or in that of this machine.
func startSession(from place, outside bool) (*session, error) {
	scratch, err := os.MkdirTemp("", "docs")
	if err != nil {
		return nil, err
	}
	// Not a pipe, which would have to be read until the last job has closed it.
	output, err := os.OpenFile(filepath.Join(scratch, "output"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	filesRead, filesWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer filesRead.Close()
	resultsRead, resultsWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer resultsWrite.Close()
	args := []string{"bash", "--noprofile", "--norc", "-c", loop}
	if outside {
		args = append([]string{"nsenter", "--net=" + networkHandle}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = from.dir, from.env
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{5: resultsWrite, 6: filesRead} // the descriptors 8 and 9
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &session{place: from, cmd: cmd, scratch: scratch, output: output, files: filesWrite, results: bufio.NewReader(resultsRead)}, nil
}

// run runs a statement and returns its exit code. After an error the session cannot be used.
func (s *session) run(text string) (code int, err error) {
	file := filepath.Join(s.scratch, "statement")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintln(s.files, file); err != nil {
		return 0, err
	}
	answer := make(chan error, 1)
	go func() {
		var codeText string
		var err error
		if codeText, err = s.results.ReadString('\n'); err == nil {
			s.dir, err = s.results.ReadString('\n')
		}
		if err != nil {
			answer <- errors.New("the shell has ended")
			return
		}
		s.dir = strings.TrimSuffix(s.dir, "\n")
		code, err = strconv.Atoi(strings.TrimSuffix(codeText, "\n"))
		answer <- err
	}()
	select {
	case err := <-answer:
		return code, err
	case <-time.After(maxStatement):
		return 0, fmt.Errorf("not done after %v", maxStatement)
	}
}

// newOutput returns what the shell and its jobs have printed since the last call.
func (s *session) newOutput() string {
	info, err := s.output.Stat()
	if err != nil {
		return err.Error()
	}
	text := make([]byte, info.Size()-s.read)
	n, _ := s.output.ReadAt(text, s.read)
	s.read += int64(n)
	return string(text[:n])
}

// where returns the directory and the exported variables of the shell.
func (s *session) where() (place, error) {
	file := filepath.Join(s.scratch, "environment")
	if _, err := s.run("env -0 >" + file); err != nil {
		return place{}, err
	}
	env, err := os.ReadFile(file)
	return place{s.dir, strings.Split(strings.TrimSuffix(string(env), "\x00"), "\x00")}, err
}

// end ends the shell, not its jobs.
func (s *session) end() {
	s.files.Close()
	_ = s.cmd.Process.Kill() // fails if it has ended; and its exit code says nothing
	_ = s.cmd.Wait()
	s.output.Close()
	os.RemoveAll(s.scratch)
}
