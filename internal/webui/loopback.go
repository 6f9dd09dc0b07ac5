package webui

import (
	"net"
	"net/http"
	"strings"
)

// ForThisMachine refuses requests that were made to a name that is not this
// machine's own (421). It is for a server on a loopback address: a web page from
// elsewhere whose name suddenly means 127.0.0.1 could read it otherwise (DNS
// rebinding).
func ForThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOurs(r.Host) {
			http.Error(w, "this server is for the machine that it runs on: ask for 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isOurs reports whether a Host header names the machine itself. A browser never
// leaves it out; old tools that do are harmless.
func isOurs(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
