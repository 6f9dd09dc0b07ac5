package scripts_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The make targets that the CI calls exist, and make without a target lists them. The tests of
// scripts/docs look at those that pages name.
func TestMakefile_Targets(t *testing.T) {
	needs(t, "make", "awk")
	list := do(t, "..", "make")
	text, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`(?m)^ *make ((?:[a-z-]+ ?)+)`).FindAllStringSubmatch(string(text), -1)
	if len(calls) < 10 {
		t.Errorf("only %d calls of make found", len(calls))
	}
	for _, call := range calls {
		for target := range strings.FieldsSeq(call[1]) {
			if !strings.Contains(list, "\n  "+target+" ") {
				t.Errorf(".ci/run calls make %s, which is not in:\n%s", target, list)
			}
		}
	}
}
