package webui

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sluice/internal/format"
	"sluice/internal/metrics"
	"sluice/internal/observe/monitor"
)

// ask is what a handler answers.
func ask(h http.Handler, method, host, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	h.ServeHTTP(w, r)
	return w
}

func emptyPage() *Page {
	return newPage(monitor.New([]string{"there-is-none-of-this-name"}, historyLength))
}

func TestServer_Files(t *testing.T) {
	p := emptyPage()
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8",
		"/icon.svg": "image/svg+xml", "/live.json": "application/json",
	} {
		w := ask(p, "GET", "localhost", path)
		if w.Code != 200 || w.Header().Get("Content-Type") != kind || w.Body.Len() == 0 {
			t.Errorf("%s: code %d, %q, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a browser may guess its type", path)
		}
		if w := ask(p, "HEAD", "localhost", path); w.Code != 200 {
			t.Errorf("HEAD %s: code %d", path, w.Code)
		}
	}
	if w := ask(p, "GET", "localhost", "/page.go"); w.Code != http.StatusNotFound {
		t.Errorf("a file that is not of the page: code %d", w.Code)
	}
}

func TestServer_ReadOnlyMethods(t *testing.T) {
	p := emptyPage()
	for _, path := range []string{"/", "/page.js", "/live.json"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			if w := ask(p, method, "localhost", path); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: code %d", method, path, w.Code)
			}
		}
	}
}

// It has to work without a network, and under its own policy.
func TestServer_NoExternalResources(t *testing.T) {
	p := emptyPage()
	elsewhere := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]+\.[a-z]`)
	inline := regexp.MustCompile(`(?i)<style|<script>|\sstyle=|\son[a-z]+=|javascript:`)
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function`)
	for _, path := range []string{"/", "/page.css", "/page.js"} {
		text := ask(p, "GET", "localhost", path).Body.String()
		for _, bad := range []*regexp.Regexp{elsewhere, markup} {
			if found := bad.FindString(text); found != "" {
				t.Errorf("%s has %q", path, found)
			}
		}
		if found := inline.FindString(text); found != "" && path == "/" {
			t.Errorf("%s has %q inline", path, found)
		}
	}
}

func TestServer_Hosts(t *testing.T) {
	p := LoopbackHostsOnly(emptyPage())
	for host, want := range map[string]int{
		"localhost": 200, "localhost:9464": 200, "LocalHost.:9464": 200, "gauge.localhost:80": 200, "127.0.0.1:9464": 200, "127.1.2.3": 200,
		"[::1]:9464": 200, "[::1]": 200, "": 200,
		"evil.example": 421, "evil.example:9464": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:9464": 421,
		"notlocalhost": 421, "192.168.1.7:9464": 421, "0.0.0.0:9464": 421, "[2001:db8::1]:9464": 421,
	} {
		if w := ask(p, "GET", host, "/live.json"); w.Code != want {
			t.Errorf("host %q: code %d, want %d", host, w.Code, want)
		}
	}
}

func TestLive_NoSegments_EmptyList(t *testing.T) {
	p := emptyPage()
	for range 2 { // before the first look, and after it
		body := ask(p, "GET", "localhost", "/live.json").Body.String()
		if !strings.Contains(body, `"pairs":[]`) || !json.Valid([]byte(body)) {
			t.Error(body)
		}
		p.poll()
	}
}

func TestPage_ReadsKeysOfReports(t *testing.T) {
	script, err := files.ReadFile("page.js")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, m := range metrics.Table {
		key, _, _ := strings.Cut(m.Key, ".")
		keys[key] = true
	}
	read := regexp.MustCompile(`\b(?:r|report)\.([a-zA-Z]+)\b`).FindAllStringSubmatch(string(script), -1)
	if len(read) < 15 {
		t.Errorf("only %d keys found", len(read))
	}
	for _, r := range read {
		if !keys[r[1]] {
			t.Errorf("page.js reads %q, and no report has it", r[1])
		}
	}
}

// A number looks the same on the page and in the text of a command.
func TestPage_WritesNumbersAsPackageFormat(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: no node here, so the numbers on the page are not compared")
	}
	script, err := files.ReadFile("page.js")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(script), "// Numbers, ")
	functions, _, ends := strings.Cut(rest, "// The sign of each severity.")
	if !begins || !ends {
		t.Fatal("page.js has no part about numbers")
	}
	values := []uint64{0, 1, 999, 1023, 1024, 1536, 10_000, 10_239, 99_999, 100_000, 123_456, 999_499, 999_600, 1 << 20, 87_654_321, 1<<30 - 1, 3 << 30, 1 << 50}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(node, "-e", "const unknown = '';\n// "+functions+
		"console.log(JSON.stringify("+string(text)+".map((n) => [count(n), bytes(n), percent(n / 2**20)])));").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got [][3]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, n := range values {
		want := [3]string{format.ShortCount(n), format.Size(n), format.Percent(float64(n) / (1 << 20))}
		if got[i] != want {
			t.Errorf("%d: the page writes %q, the commands %q", n, got[i], want)
		}
	}
}
