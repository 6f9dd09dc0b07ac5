package testenv

import (
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// MachineCalls returns what the machine code of each function calls, in the package in the current
// directory together with its tests, as the compiler makes it for a processor (GOARCH). Names are
// without the path of their package; "indirect" is a call of a function value. What was inlined is
// not called, and not among them. Nor is what the runtime calls for a larger stack.
//
// A bounds check is among them, as the call that it fails with, runtime.panicBounds.
func MachineCalls(t testing.TB, arch string) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "test", "-c", "-o", os.DevNull, "-gcflags=-S", ".")
	cmd.Env = append(cmd.Environ(), "GOARCH="+arch, "GOFLAGS=", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	found := map[string]map[string]bool{}
	var in string
	for line := range strings.Lines(string(out)) {
		if m := function.FindStringSubmatch(line); m != nil {
			in = shortName(m[1])
			found[in] = map[string]bool{}
		} else if m := call.FindStringSubmatch(line); m != nil && in != "" {
			callee := shortName(m[1])
			switch {
			case strings.HasPrefix(callee, "runtime.morestack"):
			case strings.HasSuffix(m[1], "(SB)"):
				found[in][callee] = true
			default:
				found[in]["indirect"] = true
			}
		}
	}
	all := map[string][]string{}
	for name, callees := range found {
		all[name] = slices.Sorted(maps.Keys(callees))
	}
	return all
}

// The lines of the compiler's listing.
var (
	function = regexp.MustCompile(`^(\S+) STEXT`)
	call     = regexp.MustCompile(`\tCALL\t(\S+)`)
)

// shortName is the name of a symbol from its package on.
func shortName(symbol string) string {
	symbol = strings.TrimSuffix(symbol, "(SB)")
	path, args, generic := strings.Cut(symbol, "[")
	path = path[strings.LastIndex(path, "/")+1:]
	if generic {
		path += "[" + args
	}
	return path
}
