package endpoint

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// minSecret is the length in bytes from which a value is hidden; shorter ones
// are no secrets, and are found in every text.
const minSecret = 4

// sent are the headers of a request: the user and password of the endpoint, and
// over them those that are configured. The caller must not change them.
func (e *Endpoint) sent() http.Header {
	configured := e.headers.get()
	user := e.url.User
	if user == nil || configured.Get("Authorization") != "" {
		return configured
	}
	password, _ := user.Password()
	all := configured.Clone()
	all.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	return all
}

// Hide takes out of a text what the receiver was told in confidence: the values
// of headers and what the URL holds besides an address. Some receivers repeat the
// token that they do not know.
func (e *Endpoint) Hide(text string) string {
	var secrets []string
	add := func(value string) {
		if len(value) >= minSecret {
			secrets = append(secrets, value)
		}
	}
	for _, values := range e.sent() {
		for _, value := range values {
			add(value)
			for word := range strings.FieldsSeq(value) {
				if !strings.EqualFold(word, "Bearer") && !strings.EqualFold(word, "Basic") {
					add(word)
				}
			}
		}
	}
	if user := e.url.User; user != nil {
		password, _ := user.Password()
		add(user.String())
		add(password)
		add(user.Username())
	}
	for _, values := range e.url.Query() {
		for _, value := range values {
			add(value)
		}
	}
	// Where one holds another the longer is to go as a whole.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, secret := range slices.Compact(secrets) {
		text = strings.ReplaceAll(text, secret, "REDACTED")
	}
	return text
}
