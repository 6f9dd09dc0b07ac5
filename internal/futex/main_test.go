package futex

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/seccomp"
	"sluice/internal/testenv"
)

var children = testenv.Children{
	"wait":     waitChild,
	"wake":     wakeChild,
	"one word": oneWordChild,
}

// sharedWord returns a word of a new file that other processes map by its path.
func sharedWord(t *testing.T) (path string, word *uint32) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "word")
	if err := os.WriteFile(path, make([]byte, os.Getpagesize()), 0o600); err != nil {
		t.Fatal(err)
	}
	word, err := mapWord(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, word
}

func waitChild(args []string) error {
	path := args[0]
	word, err := mapWord(path)
	if err != nil {
		return err
	}
	fmt.Println("waiting")
	result, err := Wait(word, 0, -1)
	fmt.Println(result)
	return err
}

func wakeChild(args []string) error {
	path := args[0]
	word, err := mapWord(path)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(testenv.Timeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n, err := Wake(word, 1); n == 1 || err != nil {
			fmt.Println("woke it")
			return err
		}
	}
	return errors.New("nobody waited")
}

func oneWordChild(args []string) error {
	errno, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := seccomp.Refuse(unix.Errno(errno), seccomp.Call(sysFutexWaitv)); err != nil {
		return err
	}
	w, word := NewWaiter(), new(uint32)
	n := w.Interrupts()
	go func() {
		time.Sleep(20 * time.Millisecond)
		w.Interrupt()
	}()
	got, err := w.Wait(word, 0, n, testenv.Timeout, false)
	if err != nil || got == TimedOut || !noWaitv.Load() {
		return fmt.Errorf("%v, %w, remembered %v", got, err, noWaitv.Load())
	}
	fmt.Println("interrupted")
	return nil
}

func TestMain(m *testing.M) { testenv.Main(m, children) }
