// Package webui shows every segment in a browser, live: a page without anything from
// elsewhere, and the figures that it draws.
package webui

import (
	"embed"
	"net/http"
	"path"
	"sync/atomic"

	"sluice/internal/monitor"
	"sluice/pressure"
)

//go:embed page.html page.css page.js icon.svg
var files embed.FS

// types are the files' media types; what the system has in its own table may differ.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// policy lets the page load and ask nothing but its own files, and nobody frame it.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// Page answers requests for the page and its figures. Any number of goroutines may
// use it.
type Page struct {
	mux      http.ServeMux
	follower *monitor.Monitor       // Follow's alone
	latest   atomic.Pointer[[]byte] // what /live.json answers
	verdicts atomic.Pointer[map[string]pressure.Kind]
}

// New returns the page of all segments. It shows none until Follow runs.
func New() *Page { return of(monitor.New("", points)) }

func of(f *monitor.Monitor) *Page {
	p := &Page{follower: f}
	p.latest.Store(encode(&live{}))
	p.verdicts.Store(&map[string]pressure.Kind{})
	p.mux.HandleFunc("GET /{$}", file("page.html"))
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		p.mux.HandleFunc("GET /"+name, file(name))
	}
	p.mux.HandleFunc("GET /live.json", p.live)
	return p
}

// ServeHTTP implements http.Handler. All is read-only: other methods than GET and
// HEAD are refused (405).
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	p.mux.ServeHTTP(w, r)
}

// file answers with a file of the page. A browser asks for it each time: the next
// gauge may have another one.
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
