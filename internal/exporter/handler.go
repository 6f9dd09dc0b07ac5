package exporter

import (
	"bytes"
	"log"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/pressure"
)

// Handler answers scrapes with what New collects. It fails (500) only when /dev/shm
// itself cannot be listed; what is wrong goes to complaints, too.
//
// One scrape at a time is collected, and its text is complete before a byte of it is
// sent: what a client costs that asks and does not read is that text. Requests that
// have come while another one was collected share the next text.
func Handler(complaints *log.Logger, verdict func(name string) (pressure.Kind, bool)) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(New(verdict))
	return &scrapes{collect: promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: complaints})}
}

// scrapes is an http.Handler that keeps the last answer for requests that came before
// it was begun.
type scrapes struct {
	collect http.Handler

	came atomic.Uint64 // requests that have come
	mu   sync.Mutex    // held while one is collected
	last *answer
}

// answer is what collect has written.
type answer struct {
	after uint64 // requests that had come when it was begun
	kind  string // what about the request has shaped it
	code  int
	head  http.Header
	text  bytes.Buffer
}

// ServeHTTP implements http.Handler.
func (s *scrapes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.answer(r)
	for name, values := range a.head {
		w.Header()[name] = values
	}
	w.WriteHeader(a.code)
	w.Write(a.text.Bytes())
}

func (s *scrapes) answer(r *http.Request) *answer {
	mine := s.came.Add(1)
	kind := r.Method + "\n" + r.URL.RawQuery + "\n" + r.Header.Get("Accept") + "\n" + r.Header.Get("Accept-Encoding")
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.last; a != nil && a.after >= mine && a.kind == kind {
		return a
	}
	a := &answer{after: s.came.Load(), kind: kind, code: http.StatusOK, head: http.Header{}}
	s.collect.ServeHTTP(a, r)
	s.last = a
	return a
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.head }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) { a.code = code }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) { return a.text.Write(p) }
