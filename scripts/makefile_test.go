package scripts_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The make targets that the CI and the pages call exist, and make without a target lists them.
func TestMakefile_Targets(t *testing.T) {
	needs(t, "make", "awk")
	list := do(t, "..", "make")
	calls := regexp.MustCompile(`(?m)(?:^|shown |exec |[` + "`" + `(])make ((?:[a-z-]+ ?)+)`)
	called := 0
	for _, page := range []string{".ci/run", "README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile("../" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range calls.FindAllStringSubmatch(string(text), -1) {
			for target := range strings.FieldsSeq(call[1]) {
				called++
				if !strings.Contains(list, "\n  "+target+" ") {
					t.Errorf("%s calls make %s, which is not in:\n%s", page, target, list)
				}
			}
		}
	}
	if called < 10 {
		t.Errorf("only %d calls of make found", called)
	}
}
