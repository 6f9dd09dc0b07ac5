// Package buildinfo reads what the Go toolchain has recorded of the build in this binary.
package buildinfo

import (
	"runtime/debug"
	"sync"
	"time"
)

// Unknown is a version or a commit that the binary does not have.
const Unknown = "unknown"

// Info is a build.
type Info struct {
	Version  string    // of the module, "(devel)" outside a release, or Unknown
	Commit   string    // full hash, or Unknown
	Time     time.Time // of the commit; zero = unknown
	Modified bool      // the files were not those of the commit
}

// Read returns the build of this binary. Any goroutine may call it.
var Read = sync.OnceValue(func() Info {
	info, _ := debug.ReadBuildInfo()
	return of(info)
})

// of returns the build that info describes; nil means a binary without it.
func of(info *debug.BuildInfo) Info {
	i := Info{Version: Unknown, Commit: Unknown}
	if info == nil {
		return i
	}
	if v := info.Main.Version; v != "" {
		i.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			if s.Value != "" {
				i.Commit = s.Value
			}
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
				i.Time = at
			}
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}
