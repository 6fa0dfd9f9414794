package debug

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// strictPolicy is the Content-Security-Policy of answers that load nothing.
const strictPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard sets the headers that every answer has: nothing is stored, guessed,
// framed or passed on.
func guard(policy string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// hostCheck refuses requests that arrive over loopback for another name. A web
// page may have its own name point to 127.0.0.1 and so read what is served
// there with the browser of whoever forwarded a port (DNS rebinding); the Host
// header still tells.
func hostCheck(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if overLoopback(r) && !loopbackHost(r.Host) {
			writeError(w, http.StatusForbidden, "the Host header names another host; open this as http://localhost with the port you forwarded")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// overLoopback reports whether the connection came in on a loopback address,
// also where the listener takes any; true where nobody can say.
func overLoopback(r *http.Request) bool {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true
	}
	local, err := netip.ParseAddrPort(address.String())
	return err != nil || local.Addr().Unmap().IsLoopback()
}

// loopbackHost reports whether a Host header is localhost or a loopback
// address, with any port or none.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// get lets GET and HEAD pass.
func get(next http.HandlerFunc) http.Handler {
	const allow = http.MethodGet + ", " + http.MethodHead
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", allow)
			writeError(w, http.StatusMethodNotAllowed, "this path takes "+allow)
			return
		}
		next(w, r)
	})
}

func notFound(hint string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusNotFound, hint)
	}
}
