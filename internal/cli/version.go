package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"sluice/layout"
)

// version is the output of --version with --format json.
type version struct {
	Command       string `json:"command"`
	Version       string `json:"version"`
	Commit        string `json:"commit"` // "" = not known
	Modified      bool   `json:"modified"`
	Go            string `json:"go"`
	Platform      string `json:"platform"`
	LayoutVersion int    `json:"layoutVersion"`
}

func versionOf(name string) version {
	v := version{Command: name, Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, LayoutVersion: layout.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v version) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	commit := v.Commit
	switch {
	case commit == "":
		commit = "unknown"
	case v.Modified:
		commit += ", modified"
	}
	_, err := fmt.Fprintf(out, "%s %s\ncommit %s\n%s, %s\nsegment layout version %d\n", v.Command, v.Version, commit, v.Go, v.Platform, v.LayoutVersion)
	return err
}
