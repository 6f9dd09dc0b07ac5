package buildinfo

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	settings := func(pairs ...string) (all []debug.BuildSetting) {
		for ; len(pairs) > 0; pairs = pairs[2:] {
			all = append(all, debug.BuildSetting{Key: pairs[0], Value: pairs[1]})
		}
		return all
	}
	for _, c := range []struct {
		name string
		info *debug.BuildInfo
		want Info
	}{
		{"no build info", nil, Info{Version: "unknown", Commit: "unknown"}},
		{"empty build info", &debug.BuildInfo{}, Info{Version: "unknown", Commit: "unknown"}},
		{"empty settings", &debug.BuildInfo{Settings: settings("vcs.revision", "", "vcs.time", "", "vcs.modified", "")}, Info{Version: "unknown", Commit: "unknown"}},
		{"all of it", &debug.BuildInfo{
			Main:     debug.Module{Version: "v1.2.3"},
			Settings: settings("GOOS", "linux", "vcs.revision", "abc", "vcs.time", "2026-11-26T15:00:00Z", "vcs.modified", "true"),
		}, Info{"v1.2.3", "abc", time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC), true}},
	} {
		if got := of(c.info); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
