package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

const root = "../.."

// source is a Go file of the project.
type source struct {
	path, folder string // from the root
	test         bool
	file         *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	out, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d files found: is this the root?", len(out))
	}
	return out
}

// parsed is done once for all tests.
var parsed = sync.OnceValues(func() (out []source, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out = append(out, source{
			path: rel, folder: filepath.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			file: file,
		})
		return nil
	})
	return out, err
})

func (s source) imports() []string {
	var out []string
	for _, spec := range s.file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has seen it
		}
		out = append(out, path)
	}
	return out
}

func TestUnsafe_OnlyInFilesNamedUnsafe(t *testing.T) {
	for _, s := range sources(t) {
		says := strings.HasSuffix(strings.TrimSuffix(s.path, "_test.go"), "_unsafe") || strings.HasSuffix(s.path, "_unsafe.go")
		uses := false
		for _, path := range s.imports() {
			uses = uses || path == "unsafe"
		}
		if says != uses {
			t.Errorf("%s: named _unsafe is %v, imports unsafe is %v", s.path, says, uses)
		}
	}
}

// levels is the order of the folders: a package imports only packages of lower levels, and
// under internal/ others of its own. The entry that says most about a folder counts.
var levels = [][]string{
	{ // one thing each, most of them primitives of the operating system
		"internal/cpu", "internal/format", "internal/futex", "internal/liveness", "internal/mapping", "internal/membarrier", "internal/monotonic",
		"internal/netpoll", "internal/ofdlock", "internal/procinfo", "internal/sentinel", "internal/socketfile", "internal/timerfd",
	},
	{"layout"},
	{"shm"},
	{"internal/gate", "internal/endpoint"},
	{"internal/sleep", "internal/replace"},
	{"ring"},
	{"transfer"},
	{"pressure"},
	{"."}, // package sluice
	{"bridge"},
	{"internal"},
	{"cmd"},
	{"scripts", "examples", "packaging", "monitoring"},
}

// level returns the index in levels, -1 for a folder that is not there.
func level(folder string) int {
	at, longest := -1, 0
	for i, tops := range levels {
		for _, top := range tops {
			if within(folder, top) && len(top) > longest {
				at, longest = i, len(top)
			}
		}
	}
	return at
}

// within reports whether path is top or below it.
func within(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

// module returns the path of this module, which scripts/set-module-path.sh may have changed.
func module(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(line, "module ")
}

func TestImports_RunOneWay(t *testing.T) {
	for _, s := range sources(t) {
		if level(s.folder) < 0 {
			t.Errorf("%s: a folder that this test does not know", s.path)
		}
		if s.test {
			continue
		}
		for _, path := range s.imports() {
			to, ours := strings.CutPrefix(path, module(t)+"/")
			if !ours {
				continue
			}
			internal := level(s.folder) == level(to) && strings.HasPrefix(s.folder, "internal/") && strings.HasPrefix(to, "internal/")
			if level(to) >= level(s.folder) && !internal {
				t.Errorf("%s imports %s", s.path, path)
			}
		}
	}
}

func TestDocs_EveryPackageAndExportedName(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		documented[s.folder] = documented[s.folder] || s.file.Doc != nil
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: func %s has no comment", s.path, d.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: type %s has no comment", s.path, ts.Name)
					}
				}
			}
		}
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment", folder)
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	name, ok := typ.(*ast.Ident)
	return !ok || name.IsExported()
}

func TestFileNames_NotUtil(t *testing.T) {
	for _, s := range sources(t) {
		switch base := strings.TrimSuffix(filepath.Base(s.path), ".go"); base {
		case "util", "utils", "common", "helpers", "misc":
			t.Errorf("%s: a name that says nothing", s.path)
		}
	}
}

// An error that only wraps another prints the same text, and nobody can tell the two apart: such an
// error is made with sentinel.New.
func TestErrors_TextOfTheirOwn(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			fun, isSelector := call.Fun.(*ast.SelectorExpr)
			format, isLiteral := call.Args[0].(*ast.BasicLit)
			if isSelector && isLiteral && fun.Sel.Name == "Errorf" && format.Value == `"%w"` {
				t.Errorf("%s: fmt.Errorf(%s, ...) adds no text", s.path, format.Value)
			}
			return true
		})
	}
}

func TestComments_Wrapped(t *testing.T) {
	const width = 100 // columns, a tab is 4
	for _, s := range sources(t) {
		text, err := os.ReadFile(filepath.Join(root, s.path))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			code := strings.TrimLeft(line, "\t")
			columns := 4*(len(line)-len(code)) + utf8.RuneCountInString(code)
			if strings.HasPrefix(code, "//") && columns > width {
				t.Errorf("%s:%d: a comment of %d columns, want at most %d", s.path, i+1, columns, width)
			}
		}
	}
}

// Whoever runs a producer or a consumer does not pay for pictures, nor for a network.
func TestDependencies_HeavyOnesOnlyWhereUsed(t *testing.T) {
	pictures := []string{"charm.land/bubbletea", "charm.land/lipgloss", "prometheus/client_golang", "gonum.org/v1/plot"}
	network := []string{"github.com/nats-io/", "github.com/synadia-io/", "go.opentelemetry.io/", "google.golang.org/grpc"}
	for command, heavy := range map[string][]string{
		"producer": slices.Concat(pictures, network), "consumer": slices.Concat(pictures, network),
		"gauge": network, "bridge": pictures,
	} {
		out, err := exec.Command("go", "list", "-deps", root+"/cmd/"+command).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, pkg := range heavy {
			if strings.Contains(string(out), pkg) {
				t.Errorf("%s links %s", command, pkg)
			}
		}
	}
}

// importers are the folders of which files, tests included, may import a package or those below it.
var importers = map[string][]string{
	"github.com/nats-io/nats-server": {"internal/natsserver"},
	"github.com/nats-io":             {"bridge", "cmd/bridge", "internal/natsserver", "scripts/bridge"},
	"github.com/synadia-io":          {"cmd/bridge"},
}

func TestImports_NATSOnlyForBridges(t *testing.T) {
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			for pkg, folders := range importers {
				allowed := slices.ContainsFunc(folders, func(f string) bool { return within(s.folder, f) })
				if within(path, pkg) && !allowed {
					t.Errorf("%s imports %s", s.path, path)
				}
			}
		}
	}
}
