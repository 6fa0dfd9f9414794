//go:build linux

package lab

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is one request that reached a server of the lab.
type Request struct {
	Time               time.Time // of the end of the answer
	Host, Method, Path string
	// Repository and Reference, a tag or a digest, are empty if it was not for one.
	Repository, Reference string
	Status                int
}

// journal remembers requests.
type journal struct {
	mu       sync.Mutex
	requests []Request
}

func (j *journal) add(r *http.Request, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	repository, _, reference := splitPath(r.URL.Path)
	j.requests = append(j.requests, Request{
		Time: time.Now(), Host: r.Host, Method: r.Method, Path: r.URL.Path,
		Repository: repository, Reference: reference, Status: status,
	})
}

func (j *journal) all() []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.requests)
}

// statusRecorder remembers the status that a handler answers.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
