package main

import (
	"strings"
	"testing"

	"sluice/internal/testenv"
)

// runText runs a page with this text in an empty directory.
func runText(t *testing.T, text string) (printed string, err error) {
	t.Helper()
	t.Chdir(t.TempDir())
	p, err := parsePage("x.md", []byte(text))
	testenv.WantErr(t, err, nil)
	var out strings.Builder
	err = runPage(&out, p)
	return out.String(), err
}

const fence = "```"

// What one statement sets, the next ones have, also those of later blocks and in terminals.
func TestRunPage_OneShell(t *testing.T) {
	out, err := runText(t, `
<!-- run: hidden
mkdir d
-->

<!-- run: file d/program -->
`+fence+`go
sleep 60
`+fence+`

`+fence+`sh
cd d; export KEY=value
plain=here
bash ./program & # its interrupt is not ignored
`+fence+`
<!-- run: not, it would fail -->
`+fence+`sh
false
`+fence+`
`+fence+`console
$ false
`+fence+`
<!-- run: terminals, 100ms -->
`+fence+`sh
test -t 0 && test "$KEY" = value && test -e program
bash -c 'trap "exit 0" INT; sleep 60'
`+fence+`
<!-- run: exit 4 -->
`+fence+`sh
[ "$plain" = here ]
kill -INT %1 && ! wait %1
(exit 4)
`+fence)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "x.md:18: not run: it would fail\n") || !strings.Contains(out, "x.md:12: cd d;\n") {
		t.Error(out)
	}
}

func TestRunPage_Failure(t *testing.T) {
	for _, c := range []struct{ annotation, text, want string }{
		{"", "echo one\ncat nosuch # x\necho three", "x.md:4: cat nosuch # x: exit code 1, want 0\n    cat: nosuch: No such file or directory"},
		{"", "nosuchcommand | cat", "x.md:3: nosuchcommand | cat: exit code 127, want 0"},
		{"", "false && true", "x.md:3: false && true: exit code 1, want 0"},
		{"", "exit 0", "x.md:3: exit 0: the shell has ended"},
		{"", "if true", "x.md: block at line 3: 1:1"},
		{"<!-- run: exit 4 -->", "exit_with() { return $1; }\nexit_with 3", "x.md:4: exit_with 3: exit code 3, want 4"},
		{"<!-- run: exit 4 -->", "true", "x.md:3: true: exit code 0, want 4"},
		{"<!-- run: terminals, 100ms -->", "sleep 60\necho gone; exit 3", "x.md:3: sleep 60: signal: interrupt"},
		{"<!-- run: terminals, 100ms -->", "true\necho gone && bash -c 'exit 3'", "x.md:4: echo gone && bash -c 'exit 3': exit status 3\n    gone"},
		{"<!-- run: terminals, stay -->", "bash -c 'exit 3'", "x.md:3: bash -c 'exit 3': exit status 3"},
		{"<!-- run: terminals, stay -->", "sleep 60", "x.md:3: sleep 60: signal: interrupt"},
	} {
		out, err := runText(t, c.annotation+"\n"+fence+"sh\n"+c.text+"\n"+fence+"\n")
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s %s:\n%v\nwant:\n%s", c.annotation, c.text, err, c.want)
		}
		if strings.Contains(out, "three") {
			t.Errorf("it went on:\n%s", out)
		}
	}
}
