// Package webui shows every segment in a browser, live: a page that loads nothing from other
// servers, and /live.json with the metrics that it draws.
package webui

import (
	"embed"
	"net/http"
	"path"
	"sync/atomic"

	"sluice/internal/observe/exporter"
	"sluice/internal/observe/monitor"
)

//go:embed page.html page.css page.js icon.svg
var files embed.FS

// types are the media types of the files; the system's table (mime.types) may have others.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// policy lets the page load nothing but its own files, and no page embed it in a frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// Page answers requests for the page and its metrics. Any number of goroutines may use it.
type Page struct {
	mux      http.ServeMux
	names    []string               // and patterns of the segments to show; none = all
	monitor  *monitor.Monitor       // for Run alone
	latest   atomic.Pointer[[]byte] // what /live.json answers
	observed atomic.Pointer[map[string]exporter.Observed]
	removed  *exporter.Removed
}

// New returns the page of the segments that match one of the names and patterns, or of all segments
// if there is none. It shows none until Run is called.
func New(names []string) *Page {
	p := newPage(monitor.New(names, historyLength))
	p.names = names
	p.latest.Store(encode(&live{Names: names}))
	return p
}

func newPage(f *monitor.Monitor) *Page {
	f.Connect = true
	p := &Page{monitor: f, removed: exporter.NewRemoved()}
	f.Ended = p.ended
	p.latest.Store(encode(&live{}))
	p.observed.Store(&map[string]exporter.Observed{})
	p.mux.HandleFunc("GET /{$}", file("page.html"))
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		p.mux.HandleFunc("GET /"+name, file(name))
	}
	p.mux.HandleFunc("GET /live.json", p.live)
	return p
}

// ServeHTTP implements http.Handler. Everything is read-only: methods other than GET and HEAD are
// refused (405).
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	p.mux.ServeHTTP(w, r)
}

// file answers with a file of the page. Browsers do not cache it: another version of gauge may
// answer next time.
func file(name string) http.HandlerFunc {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", types[path.Ext(name)])
		w.Header().Set("Cache-Control", "no-cache")
		w.Write(text)
	}
}

func (p *Page) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(*p.latest.Load())
}
