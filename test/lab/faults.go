//go:build linux

package lab

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// fault answers a request for a repository in place of a good registry.
type fault func(exchange)

// Bodies as registries write them.
const (
	deniedBody = `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`
	// Docker Hub's own words, as it answers a pull beyond the limit.
	dockerHubLimitBody = `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"}]}`
	limitBody          = `{"errors":[{"code":"TOOMANYREQUESTS","message":"request rate limit exceeded, retry later"}]}`
	unavailablePage    = "<html>\r\n<head><title>%[1]s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

// faults says what is wrong with which repository, by host and path.
func faults() map[string]fault {
	labToken := bearer("https://auth.lab.test"+tokenPath, "registry.lab.test")
	hubToken := bearer("https://auth.docker.io"+tokenPath, "registry.docker.io")
	return map[string]fault{
		"registry.lab.test/secure/basic":      challenge(`Basic realm="Registry Realm"`),
		"registry.lab.test/private/anonymous": labToken(exchange.serve),
		"registry.lab.test/secure/password":   labToken(exchange.serve),
		"registry.lab.test/secure/scope":      labToken(challenge(`Bearer realm="https://auth.lab.test/token",service="registry.lab.test",scope="repository:secure/scope:pull",error="insufficient_scope"`)),
		"registry.lab.test/forbidden/empty":   status(http.StatusForbidden, ""),
		"registry.lab.test/forbidden/denied":  status(http.StatusForbidden, deniedBody),
		"registry.lab.test/limit/layers":      onLayers(status(http.StatusTooManyRequests, limitBody)),
		"registry.lab.test/broken/500":        page(http.StatusInternalServerError),
		"registry.lab.test/broken/502":        page(http.StatusBadGateway),
		"registry.lab.test/broken/503":        page(http.StatusServiceUnavailable),
		"registry.lab.test/legacy/schema1":    onManifests(schema1),
		"registry.lab.test/corrupt/digest":    onLayers(corrupt),
		"registry.lab.test/corrupt/short":     onLayers(truncate),
		"registry.lab.test/slow/stalled":      onLayers(stall),
		"registry-1.docker.io/library/nginx":  hubToken(dockerHubLimit),
	}
}

// status answers with a status and, unless it is empty, a JSON body.
func status(code int, body string) fault {
	return func(x exchange) {
		if body != "" {
			x.w.Header().Set("Content-Type", "application/json")
		}
		x.w.WriteHeader(code)
		fmt.Fprint(x.w, body)
	}
}

// page answers as a reverse proxy in front of a broken registry does.
func page(code int) fault {
	return func(x exchange) {
		x.w.Header().Set("Content-Type", "text/html")
		x.w.WriteHeader(code)
		fmt.Fprintf(x.w, unavailablePage, fmt.Sprintf("%d %s", code, http.StatusText(code)))
	}
}

// challenge asks for credentials and is never satisfied.
func challenge(header string) fault {
	return func(x exchange) {
		x.w.Header().Set("WWW-Authenticate", header)
		status(http.StatusUnauthorized, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)(x)
	}
}

// bearer asks for a token of the realm; a request that carries one goes on.
func bearer(realm, service string) func(fault) fault {
	return func(then fault) fault {
		return func(x exchange) {
			if strings.HasPrefix(x.r.Header.Get("Authorization"), "Bearer ") {
				then(x)
				return
			}
			challenge(fmt.Sprintf("Bearer realm=%q,service=%q,scope=\"repository:%s:pull\"", realm, service, x.repository))(x)
		}
	}
}

func dockerHubLimit(x exchange) {
	header := x.w.Header()
	header.Set("Ratelimit-Limit", "100;w=21600")
	header.Set("Ratelimit-Remaining", "0;w=21600")
	header.Set("Docker-Ratelimit-Source", "198.51.100.1")
	header.Set("Retry-After", "3600")
	status(http.StatusTooManyRequests, dockerHubLimitBody)(x)
}

func onLayers(f fault) fault {
	return func(x exchange) {
		if x.isLayer {
			f(x)
			return
		}
		x.serve()
	}
}

func onManifests(f fault) fault {
	return func(x exchange) {
		if x.kind == "manifests" {
			f(x)
			return
		}
		x.serve()
	}
}

// corrupt sends a layer of the right length with a byte that is not.
func corrupt(x exchange) {
	header, body := x.body()
	copyHeader(x.w.Header(), header)
	body[len(body)/2] ^= 0xff
	x.w.Write(body)
}

// truncate breaks the connection off in the middle of a layer.
func truncate(x exchange) {
	x.half()
	panic(http.ErrAbortHandler)
}

// stall sends half of a layer and then nothing more.
func stall(x exchange) {
	x.half()
	<-x.r.Context().Done()
}

// stallEarly sends 3 MiB of a layer and then nothing more.
func stallEarly(x exchange) {
	body := x.begin()
	x.send(body[:min(len(body), 3<<20)])
	<-x.r.Context().Done()
}

// slow sends a layer at 1 MiB a second.
func slow(x exchange) {
	const piece, every = 1 << 20, time.Second
	for body := x.begin(); len(body) > 0 && x.r.Context().Err() == nil; {
		n := min(len(body), piece)
		x.send(body[:n])
		body = body[n:]
		pause(x.r.Context(), every)
	}
}

// half sends the first half of an answer.
func (x exchange) half() {
	body := x.begin()
	x.send(body[:len(body)/2])
}

// begin sends the header of an answer and returns its body.
func (x exchange) begin() []byte {
	header, body := x.body()
	copyHeader(x.w.Header(), header)
	x.w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	return body
}

func (x exchange) send(part []byte) {
	x.w.Write(part)
	http.NewResponseController(x.w).Flush() //nolint:errcheck // the server is our own and can
}

func copyHeader(to, from http.Header) {
	maps.Copy(to, from)
}
