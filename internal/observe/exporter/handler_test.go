package exporter

import (
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func scrape(s *shared, accept string) string {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	s.ServeHTTP(w, r)
	return fmt.Sprint(w.Code, w.Header().Get("Kind"), w.Body)
}

// Requests that come while one is collected share the next answer, which is begun after
// all of them, and one at a time is collected.
func TestHandler_ConcurrentRequests_ShareAnswer(t *testing.T) {
	var collected, atOnce atomic.Int64
	hold, began := make(chan bool), make(chan bool, 100)
	s := &shared{collect: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if atOnce.Add(1) > 1 {
			t.Error("two are collected at once")
		}
		defer atOnce.Add(-1)
		began <- true
		<-hold
		w.Header().Set("Kind", r.Header.Get("Accept"))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, " no %d", collected.Add(1))
	})}
	answers := make(chan string, 100)
	ask := func() { answers <- scrape(s, "text") }
	go ask()
	<-began
	const late = 20
	var all sync.WaitGroup
	for range late {
		all.Go(ask)
	}
	for s.arrived.Load() < 1+late {
		time.Sleep(time.Millisecond)
	}
	hold <- true
	if got := <-answers; got != "418text no 1" {
		t.Errorf("%q", got)
	}
	close(hold)
	all.Wait()
	for range late {
		if got := <-answers; got != "418text no 2" {
			t.Errorf("%q", got)
		}
	}
	if got := scrape(s, "text"); got != "418text no 3" {
		t.Errorf("a later one: %q", got)
	}
	if got := scrape(s, "protobuf"); got != "418protobuf no 4" {
		t.Errorf("one of another kind: %q", got)
	}
}

// Two kinds of requests at once get each their own.
func TestHandler_SharesAnswerByKind(t *testing.T) {
	s := &shared{collect: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("Accept")) })}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			accept := fmt.Sprint("kind ", i%2)
			for range 200 {
				if got := scrape(s, accept); !strings.HasSuffix(got, accept) {
					t.Errorf("%q for %q", got, accept)
				}
			}
		})
	}
	all.Wait()
}

func TestHandler_ListsDevShm(t *testing.T) {
	name, _ := segment(t, ring(t))
	w := httptest.NewRecorder()
	Handler(log.New(io.Discard, "", 0), nil, nil, nil).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if want := fmt.Sprintf("sluice_slots{mode=\"ring\",name=%q} 64\n", name); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
		t.Errorf("code %d, no %q in\n%s", w.Code, want, w.Body)
	}
}

func TestHandler_UnlistableDirectory_500(t *testing.T) {
	var logged strings.Builder
	c := of()
	c.list = func() ([]string, int, error) { return nil, 0, fs.ErrPermission }
	w := httptest.NewRecorder()
	handler(log.New(&logged, "", 0), c, nil).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for where, text := range map[string]string{"the answer": w.Body.String(), "the log": logged.String()} {
		if !strings.Contains(text, "list segments") || !strings.Contains(text, fs.ErrPermission.Error()) {
			t.Errorf("%s: %q", where, text)
		}
	}
	if w.Code != http.StatusInternalServerError {
		t.Errorf("code %d", w.Code)
	}
}
