package cmd_test

import (
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice"
	"sluice/internal/testenv"
	"sluice/layout"
)

// goBlocks returns the Go code of a page, one string a block.
func goBlocks(t *testing.T, page string) []string { return codeBlocks(t, page, "go") }

// codeBlocks returns the code of a page in some language, one string a block.
func codeBlocks(t *testing.T, page, language string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```"+language+"\n")[1:] {
		code, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, code)
	}
	return blocks
}

// layoutBlock returns the piece of code of docs/layout.md in that language that contains a word,
// and the program that runs or compiles it. The test is skipped where there is none.
func layoutBlock(t *testing.T, language, word, program string) (code, path string) {
	t.Helper()
	for _, block := range codeBlocks(t, "../docs/layout.md", language) {
		if strings.Contains(block, word) {
			code = block
		}
	}
	if code == "" {
		t.Fatalf("docs/layout.md has no %s with %q", language, word)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("SKIPPED: no %s here, so the %s in docs/layout.md is not tested", program, language)
	}
	return code, path
}

// wantOutput runs a program and returns what it prints.
func wantOutput(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// goRun writes a program to a file and starts it as a user does.
func goRun(t *testing.T, program string, args ...string) *testenv.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"run", file}, args...)...)
	cmd.Dir = ".."
	p, err := testenv.StartCommand(t, cmd, testenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// runInEitherMode runs the program of a page as its two sides, in the mode that it has and in the
// other one, which is one option. send and receive are their arguments, and printed is what the
// receiver has printed: a line for each of 1,000 trades.
func runInEitherMode(t *testing.T, program string, send, receive []string, printed func(*testenv.Process) string) {
	t.Helper()
	const ring, transfer = "sluice.ModeRing", "sluice.ModeTransfer"
	if strings.Count(program, ring) != 1 {
		t.Fatal("the page has another program than this test expects")
	}
	for _, mode := range []string{ring, transfer} {
		t.Log(mode)
		runBothSides(t, strings.Replace(program, ring, mode, 1), send, receive, printed)
	}
}

// runBothSides is runInEitherMode for a program that has one mode.
func runBothSides(t *testing.T, program string, send, receive []string, printed func(*testenv.Process) string) {
	t.Helper()
	if !strings.Contains(program, `"trades"`) {
		t.Fatal("the page has another program than this test expects")
	}
	in := strings.ReplaceAll(program, `"trades"`, `"`+testenv.SegmentName(t)+`"`)
	receiver, sender := goRun(t, in, receive...), goRun(t, in, send...)
	sender.WantExit(0)
	receiver.WantExit(0)
	lines := strings.Split(strings.TrimSpace(printed(receiver)), "\n")
	if len(lines) != 1000 || !strings.Contains(lines[999], "999") || !strings.Contains(lines[999], "1999") {
		t.Errorf("%d lines, want 1,000, the last one %q", len(lines), lines[len(lines)-1])
	}
}

// The README's program is the whole of it, for both sides, in about 30 lines.
func TestREADME_ProgramRuns(t *testing.T) {
	t.Parallel()
	blocks := goBlocks(t, "../README.md")
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d pieces of Go, want one program", len(blocks))
	}
	formatted, err := format.Source([]byte(blocks[0]))
	if err != nil || string(formatted) != blocks[0] {
		t.Errorf("README.md: the program is not as gofmt writes it (%v)", err)
	}
	const most = 35 // lines that are not empty
	if lines := len(strings.FieldsFunc(blocks[0], func(r rune) bool { return r == '\n' })); lines > most {
		t.Errorf("README.md: the program has %d lines, want at most %d", lines, most)
	}
	runBothSides(t, blocks[0], nil, []string{"receive"}, func(p *testenv.Process) string { return p.Stderr.String() })
}

// The first program of the page has either mode, the second one fixed slots.
func TestLibraryPage_ProgramsRun(t *testing.T) {
	t.Parallel()
	blocks := goPrograms(t, "../docs/library.md")
	printed := func(p *testenv.Process) string { return p.Stdout.String() }
	runInEitherMode(t, blocks[0], []string{"send"}, []string{"receive"}, printed)
	runBothSides(t, blocks[1], []string{"send"}, []string{"receive"}, printed)
	for _, program := range blocks[:2] {
		if formatted, err := format.Source([]byte(program)); err != nil || string(formatted) != program {
			t.Errorf("not as gofmt writes it (%v):\n%s", err, program)
		}
	}
}

// goPrograms returns the blocks of a page that are whole programs.
func goPrograms(t *testing.T, page string) []string {
	t.Helper()
	return slices.DeleteFunc(goBlocks(t, page), func(block string) bool { return !strings.HasPrefix(block, "package main") })
}

// The third program of the page is three, and runs with fewer messages under way than it sends.
func TestLibraryPage_ChainRuns(t *testing.T) {
	t.Parallel()
	program := goPrograms(t, "../docs/library.md")[2]
	if formatted, err := format.Source([]byte(program)); err != nil || string(formatted) != program {
		t.Errorf("not as gofmt writes it (%v):\n%s", err, program)
	}
	for _, part := range []string{`"lower"`, `"upper"`} {
		if strings.Count(program, part) != 2 {
			t.Fatal("the page has another program than this test expects")
		}
		program = strings.ReplaceAll(program, part, `"`+testenv.SegmentName(t)+`"`)
	}
	program = strings.Replace(program, "20 * time.Millisecond", "100 * time.Microsecond", 1)
	parts := []*testenv.Process{goRun(t, program, "print"), goRun(t, program, "work"), goRun(t, program, "feed")}
	for _, p := range parts {
		p.WantExit(0)
	}
	lines := strings.Split(strings.TrimSpace(parts[0].Stdout.String()), "\n")
	if len(lines) != 200 || lines[0] != "MESSAGE 0" || lines[199] != "MESSAGE 199" {
		t.Errorf("%d lines, want 200, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
}

// The page promises that it is enough to read a segment from another language.
func TestLayoutPage_PythonReadsBothKinds(t *testing.T) {
	t.Parallel()
	program, python := layoutBlock(t, "python", "F_OFD_GETLK", "python3")
	for _, c := range []struct {
		kind string
		opt  sluice.ProducerOptions
		want []string
	}{
		{"records", sluice.ProducerOptions{Capacity: 4096}, []string{"produced 3 consumed 1 queued 2", "48 of 4096 bytes in use", `b'and a second\n'`, `b'the third   \n'`}},
		{"fixed slots", sluice.ProducerOptions{SlotSize: 13, Slots: 2}, []string{"produced 3 consumed 1 queued 2", "26 of 26 bytes in use", `b'and a second\n'`, `b'the third   \n'`}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			name := testenv.SegmentName(t)
			p, err := sluice.Create(t.Context(), name, c.opt)
			testenv.WantErr(t, err, nil)
			r, err := sluice.Open(t.Context(), name, sluice.ConsumerOptions{})
			testenv.WantErr(t, err, nil)
			for _, line := range []string{"the first    ", "and a second\n", "the third   \n"} { // the last one goes to slot 0
				testenv.WantErr(t, p.Send(t.Context(), []byte(line)), nil)
				if line[4] == 'f' {
					_, err := r.Receive(t.Context(), nil)
					testenv.WantErr(t, err, nil)
				}
			}
			out := wantOutput(t, python, "-c", program, name)
			p.Close()
			for _, want := range append(c.want, "producer alive", "consumer alive") {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			if out := wantOutput(t, python, "-c", program, name); !strings.Contains(out, "producer gone") {
				t.Errorf("after its end:\n%s", out)
			}
			r.Close()
		})
	}
}

// The two languages make the same text of the same type, byte for byte.
func TestLayoutPage_PythonNamesTypes(t *testing.T) {
	t.Parallel()
	program, python := layoutBlock(t, "python", "def type_text", "python3")
	type point struct{ X, Y float32 }
	type odd struct {
		A uint32
		B uint8
	}
	const declared = `
from ctypes import *
class Point(Structure): _fields_ = [("x", c_float), ("y", c_float)]
class Odd(Structure): _fields_ = [("a", c_uint32), ("b", c_uint8)]
class Blank(Structure): _fields_ = [("_a", c_uint32)]
class Empty(Structure): _fields_ = []
class Tick(Structure): _fields_ = [("id", c_uint64), ("pos", c_float * 3), ("_pad", c_uint32), ("name", c_char * 16)]
class All(Structure): _fields_ = [("a", c_int8), ("b", c_int16), ("none", Empty), ("c", c_int), ("d", c_longlong), ("o", Odd), ("p", Point * 3 * 2), ("e", c_uint8), ("f", c_double)]
class Late(Structure): _fields_ = [("_", c_uint8 * 8), ("n", c_uint8)]
for t in [c_uint64, c_int32 * 4 * 2, Point, Odd * 2, Blank * 3, Tick, All, Late]:
    print(type_text(t), hex(fingerprint(t)))
for t in [c_bool, c_void_p, c_char_p, POINTER(c_int), c_longdouble]:
    try: print("not refused:", type_text(t))
    except (KeyError, TypeError): pass
`
	var want strings.Builder
	for _, t2 := range []reflect.Type{
		reflect.TypeFor[uint64](), reflect.TypeFor[[2][4]int32](), reflect.TypeFor[point](), reflect.TypeFor[[2]odd](),
		reflect.TypeFor[[3]struct{ _ uint32 }](),
		reflect.TypeFor[struct {
			ID   uint64
			Pos  [3]float32
			_    uint32
			Name [16]byte
		}](),
		reflect.TypeFor[struct {
			A    int8
			B    int16
			None struct{}
			C    int32
			D    int
			O    odd
			P    [2][3]point
			E    uint8
			F    float64
		}](),
		reflect.TypeFor[struct {
			_ [8]byte
			N uint8
		}](),
	} {
		text, err := layout.TypeText(t2)
		testenv.WantErr(t, err, nil)
		fmt.Fprintf(&want, "%s %#x\n", text, layout.Fingerprint(text))
	}
	if out := wantOutput(t, python, "-c", program+declared); out != want.String() {
		t.Errorf("Python says\n%s\nGo says\n%s", out, want.String())
	}
}

// What the C on the page claims of offsets a compiler has checked, and the number is that of the
// text, as the command beneath prints it.
func TestLayoutPage_CTypeAndItsFingerprint(t *testing.T) {
	t.Parallel()
	program, cc := layoutBlock(t, "c", "_Static_assert", "cc")
	file := filepath.Join(t.TempDir(), "tick.c")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	wantOutput(t, cc, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", file)
	found := regexp.MustCompile(`(?s)/\* (.*) \*/\n#define TICK_FINGERPRINT 0x([0-9a-f]+)\n`).FindStringSubmatch(program)
	if found == nil {
		t.Fatal("the C in docs/layout.md names no text and no fingerprint")
	}
	if n := fmt.Sprintf("%x", layout.Fingerprint(found[1])); n != found[2] {
		t.Errorf("the fingerprint of %s is %s, not %s", found[1], n, found[2])
	}
	command, sh := layoutBlock(t, "sh", "sha256sum", "sh")
	if out := wantOutput(t, sh, "-c", command); !strings.Contains(command, "'"+found[1]+"'") || strings.TrimSpace(out) != found[2] {
		t.Errorf("%s prints %q, not %s", command, out, found[2])
	}
}
