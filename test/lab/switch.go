//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
)

// Fault is what is wrong with a repository; see [Node.SetFault].
type Fault string

// The faults that a repository can be given.
const (
	OK           Fault = "ok"
	Unauthorized Fault = "unauthorized"  // 401 to all but [GoodLogin]
	Forbidden    Fault = "forbidden"     // 403
	NotFound     Fault = "not found"     // 404, the tag is unknown
	RateLimited  Fault = "rate limited"  // 429, as Docker Hub says it
	Unavailable  Fault = "unavailable"   // 503, a page of a proxy
	Reset        Fault = "reset"         // the connection is reset
	Corrupt      Fault = "corrupt"       // a layer that has another digest
	Truncated    Fault = "truncated"     // a layer that breaks off
	Stalled      Fault = "stalled"       // a layer that goes on no more in the middle
	StalledEarly Fault = "stalled early" // a layer that goes on no more after 3 MiB
	Slow         Fault = "slow"          // a layer that comes at 1 MiB a second
	ForeignArch  Fault = "foreign"       // an index without an image for this platform
)

// GoodLogin is what a repository wants that is [Unauthorized] to all others.
func GoodLogin() Login { return Login{User: "deploy", Password: "the-password"} }

const unknownBody = `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"Unknown manifest"}]}`

// switchable are the faults by name; nil is none.
func switchable() map[Fault]fault {
	return map[Fault]fault{
		OK:           nil,
		Unauthorized: unlessGoodLogin(challenge(`Basic realm="Registry Realm"`)),
		Forbidden:    status(http.StatusForbidden, deniedBody),
		NotFound:     status(http.StatusNotFound, unknownBody),
		RateLimited:  dockerHubLimit,
		Unavailable:  page(http.StatusServiceUnavailable),
		Reset:        resetConnection,
		Corrupt:      onLayers(corrupt),
		Truncated:    onLayers(truncate),
		Stalled:      onLayers(stall),
		StalledEarly: onLayers(stallEarly),
		Slow:         onLayers(slow),
		ForeignArch:  onManifests(foreignManifest),
	}
}

// SetFault changes what is wrong with a repository, such as
// "registry.lab.test/app/web", from the next request on. Images of every
// repository below registry.lab.test/app/ exist with the tag 1.0. What is a fault
// of the repository from the start is gone.
func (n *Node) SetFault(repository string, f Fault) error {
	answer, known := switchable()[f]
	if !known {
		return fmt.Errorf("set fault of %s: there is no fault %q", repository, f)
	}
	g := n.internet.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults[repository] = answer
	return nil
}

// SetListening opens or closes a host that serves HTTP: connections to a closed
// one are refused. It is not for two goroutines at once.
func (n *Node) SetListening(host string, listening bool) error {
	if err := n.internet.setListening(host, listening); err != nil {
		return fmt.Errorf("set %s listening %t: %w", host, listening, err)
	}
	return nil
}

func (in *internet) setListening(host string, listening bool) error {
	if in.down[host] != listening {
		return nil
	}
	all := sites(in.registry.pause != nil)
	i := slices.IndexFunc(all, func(s site) bool { return s.name == host })
	if i < 0 {
		return errors.New("there is no such host")
	}
	s := all[i]
	if listening {
		in.down[host] = false
		return s.open(in, s)
	}
	for j, c := range in.closers {
		if server, ok := c.(*http.Server); ok && hostOf(server.Addr) == s.address {
			in.closers = slices.Delete(in.closers, j, j+1)
			in.down[host] = true
			return server.Close()
		}
	}
	return errors.New("it does not serve HTTP")
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}

// unlessGoodLogin lets through who shows the good login.
func unlessGoodLogin(f fault) fault {
	return func(x exchange) {
		user, password, ok := x.r.BasicAuth()
		if good := GoodLogin(); ok && user == good.User && password == good.Password {
			x.serve()
			return
		}
		f(x)
	}
}

// foreignManifest answers with the index of another repository, whose content is
// the same by digest.
func foreignManifest(x exchange) {
	r := x.r.Clone(x.r.Context())
	r.URL.Path = "/v2/" + foreignRepository + "/manifests/" + x.reference
	x.good.ServeHTTP(x.w, r)
}

// resetConnection resets the connection instead of answering.
func resetConnection(x exchange) {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		http.Error(x.w, err.Error(), http.StatusInternalServerError)
		return
	}
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn() // or closing would send a close_notify of TLS first
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // closing ends it in any case
	}
}
