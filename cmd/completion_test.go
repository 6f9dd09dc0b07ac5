package cmd_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/shm"
)

// shells are the commands that print, for each line, "== LINE" and then what it is completed to.
var shells = map[string]func(script string, lines []string) *exec.Cmd{
	"bash": func(script string, lines []string) *exec.Cmd {
		return exec.Command("bash", append([]string{"-c", `
			source "$0"
			for line; do
				echo "== $line"
				read -r -a COMP_WORDS <<<"${line//=/ = }" # as COMP_WORDBREAKS parts them
				[[ $line != *[\ =] ]] || COMP_WORDS+=("")
				COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
				_sluice
				printf '%s\n' "${COMPREPLY[@]}"
			done`, script}, lines...)...)
	},
	"zsh": func(script string, lines []string) *exec.Cmd {
		return exec.Command("zsh", append([]string{"-f", "testdata/complete.zsh", script}, lines...)...)
	},
	"fish": func(script string, lines []string) *exec.Cmd {
		return exec.Command("fish", append([]string{"-N", "-c", `
			source $argv[1]
			for line in $argv[2..-1]
				echo "== $line"
				complete -C $line
			end`, script}, lines...)...)
	},
}

// completed returns what a shell completes each of the lines to, sorted.
func completed(t *testing.T, shell string, lines []string) map[string][]string {
	t.Helper()
	testenv.ReadSources()
	script, err := filepath.Abs("../scripts/completion." + shell)
	if err != nil {
		t.Fatal(err)
	}
	cmd := shells[shell](script, lines)
	home := t.TempDir()                            // where fish keeps what it remembers
	bridge := filepath.Join(home, "sluice-bridge") // as it is installed
	if err := errors.Join(os.Symlink(testenv.BinDir(), filepath.Join(home, "bin")), os.Symlink(testenv.Command("bridge"), bridge)); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "PATH="+home+":"+testenv.BinDir()+":"+os.Getenv("PATH"), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	words := map[string][]string{}
	of := ""
	for text := range strings.Lines(string(out)) {
		text = strings.TrimSuffix(text, "\n")
		if line, is := strings.CutPrefix(text, "== "); is {
			of = line
			continue
		}
		word, _, _ := strings.Cut(text, "\t") // fish: and its meaning
		if _, value, is := strings.Cut(word, "="); is {
			word = value // fish: the flag before it
		}
		if word != "" {
			words[of] = append(words[of], filepath.Base(word)) // zsh: without its folder
		}
	}
	for _, w := range words {
		slices.Sort(w)
	}
	return words
}

func TestCompletion_CommandsFlagsValuesSegments(t *testing.T) {
	t.Parallel()
	name := testenv.SegmentName(t) + ".completion" // no other test's begins like it
	t.Cleanup(func() { os.Remove(shm.Path(name)) })
	testenv.Start(t, "producer", "--name", name, "--count", "3").WantExit(0)
	part := name[:len(name)-1]
	want := map[string][]string{ // nil = nothing
		"producer --on-f":                        {"--on-full"},
		"producer --on-full ":                    {"block", "drop", "fail"},
		"producer --on-full dr":                  {"drop"},
		"producer --on-full=dr":                  {"drop"},
		"producer --count ":                      nil,
		"producer --count 3 --ke":                {"--keep"},
		"producer --input testdata/compl":        {"complete.zsh"},
		"consumer --name " + part:                {name},
		"consumer -n " + part:                    {name},
		"consumer --name=" + part:                {name},
		"gauge stat " + part:                     {name},
		"gauge rm " + part:                       {name},
		"gauge rm --yes " + part:                 {name},
		"gauge stat --js":                        {"--json"},
		"gauge layout " + part:                   nil,
		"gauge st":                               {"stat"},
		"sluice-bridge o":                        {"out"},
		"sluice-bridge out " + part:              {name},
		"sluice-bridge in --name " + part:        {name},
		"sluice-bridge out --storage m":          {"memory"},
		"sluice-bridge out --creds testdata/com": {"complete.zsh"},
		"~/bin/gauge st":                         {"stat"},
		"~/nosuch/producer --na":                 nil, // in silence
		"gauge help re":                          {"record"},
		"gauge nosuch --ver":                     {"--version"},
	}
	for shell := range shells {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("SKIPPED, NOT TESTED: there is no %s", shell)
			}
			t.Parallel()
			var lines []string
			for line := range want {
				lines = append(lines, line)
			}
			got := completed(t, shell, lines)
			for line, want := range want {
				if !slices.Equal(slices.Compact(got[line]), want) {
					t.Errorf("%q: %q, want %q", line, got[line], want)
				}
			}
		})
	}
}

// Names of files are data: whatever they are, nothing in them is run.
func TestCompletion_RunsNothingInFileNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"$(touch PWNED)", "`touch PWNED`", "my file.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, err := filepath.Abs("../scripts/completion.bash")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", `source "$0"; COMP_WORDS=(producer --input ""); COMP_CWORD=2; _sluice; printf '%s\n' "${COMPREPLY[@]}"`, script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+testenv.BinDir()+":"+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "my file.txt\n") {
		t.Errorf("%v, completions:\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "PWNED")); err == nil {
		t.Error("a file's name was run")
	}
}
