package exporter

import (
	"runtime"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/buildinfo"
	"sluice/layout"
)

var build = prometheus.NewDesc("sluice_build_info",
	"1, with the version of this gauge, its commit, the Go that built it, and the layout of segments that it reads.",
	[]string{"version", "commit", "goversion", "layout"}, nil)

var thisBuild = sync.OnceValue(func() prometheus.Metric {
	b := buildinfo.Read()
	return prometheus.MustNewConstMetric(build, prometheus.GaugeValue, 1, b.Version, b.Commit, runtime.Version(), strconv.Itoa(layout.Version))
})
