package archtest

import (
	"bytes"
	"cmp"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
)

// public are the packages for other programs, from the module's root.
var public = []string{"", "/ring", "/transfer", "/pressure", "/shm", "/layout", "/bridge"}

// What other programs compile against is in api/go.txt, so that a change of it is seen.
func TestAPI_Go(t *testing.T) {
	path := module(t)
	var paths []string
	for _, folder := range public {
		paths = append(paths, path+folder)
	}
	var lines []string
	for _, pkg := range load(t, paths) {
		lines = append(lines, exported(pkg, path)...)
	}
	testenv.WantList(t, root+"/api/go.txt", lines)
}

// load returns the packages as the compiler has exported them.
func load(t *testing.T, paths []string) (pkgs []*types.Package) {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, paths...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	from := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		data, err := os.ReadFile(files[path])
		return io.NopCloser(bytes.NewReader(data)), err
	})
	for _, path := range paths {
		pkg, err := from.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, pkg)
	}
	return pkgs
}

// exported returns a line for each exported name of pkg, and for each field and method, promoted
// ones too, of its types. Packages of the module are named without its path, which may change.
func exported(pkg *types.Package, module string) (lines []string) {
	short := func(p *types.Package) string { return strings.TrimPrefix(strings.TrimPrefix(p.Path(), module), "/") }
	prefix := "package " + cmp.Or(short(pkg), pkg.Name()) + ", "
	add := func(format string, args ...any) { lines = append(lines, prefix+fmt.Sprintf(format, args...)) }
	show := func(t types.Type) string { return types.TypeString(unnamed(t), short) }

	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			if name == "Version" { // of the layout, which has a rule of its own
				add("const %s %s", name, show(obj.Type()))
			} else {
				add("const %s %s = %s", name, show(obj.Type()), obj.Val())
			}
		case *types.Var:
			add("var %s %s", name, show(obj.Type()))
		case *types.Func:
			add("func %s%s", name, strings.TrimPrefix(show(obj.Type()), "func"))
		case *types.TypeName:
			if obj.IsAlias() {
				add("type %s = %s", name, show(types.Unalias(obj.Type())))
				continue
			}
			lines = append(lines, membersOf(obj, prefix, show)...)
		}
	}
	return lines
}

// membersOf returns a line for a type, and one for each exported field and method.
func membersOf(obj *types.TypeName, prefix string, show func(types.Type) string) (lines []string) {
	name := obj.Name()
	switch under := obj.Type().Underlying().(type) {
	case *types.Struct:
		lines = append(lines, prefix+"type "+name+" struct")
		for field := range under.Fields() {
			if field.Exported() {
				lines = append(lines, prefix+"type "+name+", field "+field.Name()+" "+show(field.Type()))
			}
		}
	case *types.Interface:
		lines = append(lines, prefix+"type "+name+" interface")
	default:
		lines = append(lines, prefix+"type "+name+" "+show(under))
	}
	var of types.Type = obj.Type()
	if !types.IsInterface(of) {
		of = types.NewPointer(of)
	}
	for method := range types.NewMethodSet(of).Methods() {
		if method.Obj().Exported() {
			lines = append(lines, prefix+"type "+name+", method "+method.Obj().Name()+strings.TrimPrefix(show(method.Type()), "func"))
		}
	}
	return slices.Compact(lines)
}

// unnamed returns the type of a function without the names of its parameters and results, which
// callers do not see; other types as they are.
func unnamed(t types.Type) types.Type {
	sig, ok := t.(*types.Signature)
	if !ok {
		return t
	}
	strip := func(vars *types.Tuple) *types.Tuple {
		var out []*types.Var
		for v := range vars.Variables() {
			out = append(out, types.NewParam(v.Pos(), v.Pkg(), "", v.Type()))
		}
		return types.NewTuple(out...)
	}
	var params []*types.TypeParam
	for p := range sig.TypeParams().TypeParams() {
		params = append(params, types.NewTypeParam(p.Obj(), p.Constraint()))
	}
	return types.NewSignatureType(nil, nil, params, strip(sig.Params()), strip(sig.Results()), sig.Variadic())
}
