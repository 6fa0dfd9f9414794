//go:build linux

package lab

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSetFault(t *testing.T) {
	t.Parallel()
	n := &Node{internet: &internet{registry: newTestRegistry(t)}}
	n.internet.journal = n.internet.registry.journal
	const repository = "registry.lab.test/app/web"
	ask := func(login *Login) int {
		r := httptest.NewRequest(http.MethodGet, "https://registry.lab.test/v2/app/web/manifests/1.0", nil)
		if login != nil {
			r.SetBasicAuth(login.User, login.Password)
		}
		w := httptest.NewRecorder()
		n.internet.registry.ServeHTTP(w, r)
		return w.Code
	}
	if got := ask(nil); got != http.StatusOK {
		t.Errorf("an image on demand: got status %d, want 200", got)
	}
	for fault, want := range map[Fault]int{
		Unauthorized: 401, Forbidden: 403, NotFound: 404, RateLimited: 429, Unavailable: 503,
		Corrupt: 200, Truncated: 200, Stalled: 200, ForeignArch: 200, // their manifests are fine
	} {
		if err := n.SetFault(repository, fault); err != nil {
			t.Fatal(err)
		}
		if got := ask(nil); got != want {
			t.Errorf("%s: got status %d, want %d", fault, got, want)
		}
		if err := n.SetFault(repository, OK); err != nil {
			t.Fatal(err)
		}
		if got := ask(nil); got != http.StatusOK {
			t.Errorf("after %s: got status %d, want 200", fault, got)
		}
	}
	if err := n.SetFault(repository, Unauthorized); err != nil {
		t.Fatal(err)
	}
	good, bad := GoodLogin(), Login{User: "deploy", Password: "not-the-password"}
	if got := ask(&good); got != http.StatusOK {
		t.Errorf("the good login: got status %d, want 200", got)
	}
	if got := ask(&bad); got != http.StatusUnauthorized {
		t.Errorf("another login: got status %d, want 401", got)
	}
	if err := n.SetFault(repository, "on fire"); err == nil {
		t.Error("a fault that there is not: got no error")
	}
	last := n.Requests()[len(n.Requests())-1]
	if last.Repository != "app/web" || last.Reference != "1.0" || last.Status != 401 || last.Host != "registry.lab.test" {
		t.Errorf("the last request: got %+v", last)
	}
}
