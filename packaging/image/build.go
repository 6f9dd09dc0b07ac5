package main

import (
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// commands are the built commands, and their names in the image.
var commands = []struct{ built, name string }{
	{"producer", "producer"},
	{"consumer", "consumer"},
	{"gauge", "gauge"},
	{"bridge", "sluice-bridge"}, // iproute2 has another command bridge
}

// build is what Go has recorded in the commands.
type build struct {
	version string    // as in the tag, without v
	commit  string    // full hash
	created time.Time // of the commit
	arch    string    // GOARCH
}

// readBuild returns the build of the commands in a directory. It fails if they are not of one
// build, or not of a commit.
func readBuild(bin string) (build, error) {
	var first build
	for i, c := range commands {
		path := filepath.Join(bin, c.built)
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return build{}, fmt.Errorf("read the build of a command: %w", err)
		}
		b, err := of(info)
		if err != nil {
			return build{}, fmt.Errorf("%s: %w", path, err)
		}
		if i == 0 {
			first = b
		} else if b != first {
			return build{}, fmt.Errorf("%s is of another build than %s: %+v and %+v", path, commands[0].built, b, first)
		}
	}
	return first, nil
}

func of(info *debug.BuildInfo) (build, error) {
	b := build{version: strings.TrimPrefix(info.Main.Version, "v")}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b.commit, b.arch = settings["vcs.revision"], settings["GOARCH"]
	if settings["GOOS"] != "linux" || settings["CGO_ENABLED"] != "0" {
		return build{}, fmt.Errorf("GOOS=%s CGO_ENABLED=%s, want linux and 0", settings["GOOS"], settings["CGO_ENABLED"])
	}
	if b.version == "" || b.version == "(devel)" || b.commit == "" || settings["vcs.modified"] == "true" {
		return build{}, fmt.Errorf("not built from a commit, unchanged: version %q, commit %q, modified %s",
			b.version, b.commit, settings["vcs.modified"])
	}
	var err error
	if b.created, err = time.Parse(time.RFC3339, settings["vcs.time"]); err != nil {
		return build{}, fmt.Errorf("time of the commit: %w", err)
	}
	return b, nil
}
