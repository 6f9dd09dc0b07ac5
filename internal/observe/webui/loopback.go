package webui

import (
	"net"
	"net/http"
	"strings"
)

// LoopbackHostsOnly refuses requests (421) whose Host header names another host than localhost or a
// loopback address. It is for a server on a loopback address: without it a page of another site
// could read the answers by making its own name resolve to 127.0.0.1 (DNS rebinding).
func LoopbackHostsOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, "this server is for the machine that it runs on: ask for 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether a Host header names localhost or a loopback address, or is empty:
// browsers always send one, and tools that do not are harmless.
func isLoopback(host string) bool {
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
