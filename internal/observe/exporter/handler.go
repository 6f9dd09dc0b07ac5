package exporter

import (
	"bytes"
	"log"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers scrapes with the metrics of the segments in /dev/shm that match one of the names
// and patterns, or of all if there is none, segments.Max of them at most. It fails (500) only when
// /dev/shm itself cannot be listed; errors are also written to logger.
//
// observed returns the current verdict on a segment and its place among the others, false while
// there is none: it comes from an observer that reads the segments all the time, as the handler
// does not. Any goroutine may call it. If it is nil, nothing of that is known.
// removed has what the same observer has seen to be removed, nil without one.
//
// One scrape at a time is collected, and its text is complete before a byte of it is sent: a
// client that does not read costs no more than that text. Requests that arrive while another one
// is collected share the next text.
func Handler(logger *log.Logger, names []string, observed func(name string) (Observed, bool), removed *Removed) http.Handler {
	return handler(logger, newCollector(names, observed), removed)
}

func handler(logger *log.Logger, c *collector, removed *Removed) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	if removed != nil {
		registry.MustRegister(removed.total)
	}
	return &shared{collect: promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: logger})}
}

// shared is an http.Handler that gives requests the last answer if they arrived before that was
// begun.
type shared struct {
	collect http.Handler

	arrived atomic.Uint64 // requests that have come
	mu      sync.Mutex    // held while one is collected
	last    *answer
}

// answer is what collect has written.
type answer struct {
	after uint64 // requests that had come when it was begun
	key   string // what of the request the answer depends on
	code  int
	head  http.Header
	text  bytes.Buffer
}

// ServeHTTP implements http.Handler.
func (s *shared) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.answer(r)
	for name, values := range a.head {
		w.Header()[name] = values
	}
	w.WriteHeader(a.code)
	w.Write(a.text.Bytes())
}

func (s *shared) answer(r *http.Request) *answer {
	number := s.arrived.Add(1)
	key := r.Method + "\n" + r.URL.RawQuery + "\n" + r.Header.Get("Accept") + "\n" + r.Header.Get("Accept-Encoding")
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.last; a != nil && a.after >= number && a.key == key {
		return a
	}
	a := &answer{after: s.arrived.Load(), key: key, code: http.StatusOK, head: http.Header{}}
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
