package exporter

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/layout"
)

var build = prometheus.NewDesc("sluice_build_info",
	"1, with the version of this gauge, its commit, the Go that built it, and the layout of segments that it reads.",
	[]string{"version", "revision", "goversion", "layout"}, nil)

// thisBuild is what the Go toolchain has recorded in this binary; what is missing is "unknown".
var thisBuild = sync.OnceValue(func() prometheus.Metric {
	version, revision := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && s.Value != "" {
				revision = s.Value
			}
		}
	}
	return prometheus.MustNewConstMetric(build, prometheus.GaugeValue, 1, version, revision, runtime.Version(), strconv.Itoa(layout.Version))
})
