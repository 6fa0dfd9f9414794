//go:build linux

package lab

import (
	"fmt"
	"net/http"
	"strings"
)

const tokenPath = "/token"

// serveToken is a token server that gives anybody a token, with two
// exceptions: repositories below "private/", and whoever shows a password, as
// no password is right.
func serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _, basic := r.BasicAuth()
	switch {
	case basic, r.PostForm.Has("password"):
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"details":"incorrect username or password"}`)
	case strings.HasPrefix(r.Form.Get("scope"), "repository:private/"):
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
	default:
		fmt.Fprint(w, `{"token":"anonymous","access_token":"anonymous","expires_in":300}`)
	}
}
