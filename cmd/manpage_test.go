package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sluice/internal/testenv"
	"strings"
	"testing"
)

// manPages writes the manual pages into a folder as `make man` does.
func manPages(t *testing.T) (pages map[string]string) {
	t.Helper()
	testenv.ReadSources()
	dir := t.TempDir()
	pages = map[string]string{}
	for _, command := range []string{"producer", "consumer", "gauge", "bridge"} {
		page, err := exec.Command(testenv.Command(command), "--generate-man").Output()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		pages[command] = filepath.Join(dir, command+".1")
		if err := os.WriteFile(pages[command], page, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

func TestManualPages_HaveWhatHelpHas(t *testing.T) {
	t.Parallel()
	sections := regexp.MustCompile(`(?m)^\.SH (.*)$`)
	for command, path := range manPages(t) {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range sections.FindAllStringSubmatch(string(page), -1) {
			if m[1] != "COMMANDS" {
				got = append(got, m[1])
			}
		}
		if got, want := strings.Join(got, ", "), "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, ENVIRONMENT, EXIT STATUS, SIGNALS, FILES, EXAMPLES, SEE ALSO"; got != want {
			t.Errorf("%s has the sections %s, want %s", command, got, want)
		}
		installed := command
		if command == "bridge" {
			installed = `sluice\-bridge`
		}
		for _, c := range allCommands {
			if c[0] != command {
				continue
			}
			for _, flag := range flagsOf(t, c...) {
				for _, want := range []string{`\fB\-\-` + strings.ReplaceAll(flag, "-", `\-`) + `\fR`, `\fBSLUICE_` + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) + `\fR`} {
					if !strings.Contains(string(page), want) {
						t.Errorf("%s(1) has no %s", command, want)
					}
				}
			}
			if len(c) > 1 && !strings.Contains(string(page), ".SS \\fB"+installed+" "+c[1]+"\\fR") {
				t.Errorf("%s(1) says nothing of %s", command, c[1])
			}
		}
	}
}

func TestManualPages_RenderWithoutWarnings(t *testing.T) {
	t.Parallel()
	pages := manPages(t)
	for title, args := range map[string][]string{
		"groff":  {"-man", "-ww", "-Tutf8", "-P-cbou"},
		"mandoc": {"-T", "lint", "-W", "style"},
	} {
		t.Run(title, func(t *testing.T) {
			if _, err := exec.LookPath(title); err != nil {
				t.Skipf("SKIPPED, NOT TESTED: there is no %s", title)
			}
			for command, path := range pages {
				cmd := exec.Command(title, append(args, path)...)
				var out, complaints strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &complaints
				err := cmd.Run()
				if title == "mandoc" { // complains on standard output
					complaints.WriteString(out.String())
				} else if !strings.Contains(out.String(), command+"(1)") && !strings.Contains(out.String(), strings.ToUpper(command)+"(1)") {
					t.Errorf("%s shows no page:\n%s", title, out.String())
				}
				if err != nil || complaints.Len() > 0 {
					t.Errorf("%s, %s(1): %v\n%s", title, command, err, complaints.String())
				}
			}
		})
	}
}
