package pressure

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A verdict that is missing from Kinds would be in no metric.
func TestKinds_AllDeclared(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Kind" {
			declared++
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil || !slices.Contains(Kinds(), Kind(text)) {
				t.Errorf("%s is not in Kinds", spec.Names[0])
			}
		}
		return true
	})
	if declared < 8 || declared != len(Kinds()) {
		t.Errorf("%d verdicts are declared, %d are in Kinds", declared, len(Kinds()))
	}
}

func TestKinds_MetricsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "| verdict | what has happened")
	table, _, found := strings.Cut(rest, "\n\n")
	if !found {
		t.Fatal("docs/metrics.md has no table of verdicts")
	}
	explained := map[Kind]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(table, -1) {
		for _, word := range regexp.MustCompile("[a-z-]+").FindAllString(row[1], -1) {
			explained[Kind(word)] = true
		}
	}
	for _, k := range Kinds() {
		if !explained[k] {
			t.Errorf("docs/metrics.md does not explain %s", k)
		}
		delete(explained, k)
	}
	for k := range explained {
		t.Errorf("docs/metrics.md explains %s, which is no verdict", k)
	}
}
