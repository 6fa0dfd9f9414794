package endpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// maxHeadersFile bounds a headers file, in bytes.
const maxHeadersFile = 64 << 10

// headers are those of the configuration and, over them, those of a file that
// is read again when it changes: a mounted Secret that is rotated.
type headers struct {
	fixed http.Header
	file  string
	check func(name, value string) error
	log   *slog.Logger

	mu      sync.Mutex
	seen    stamp
	current http.Header
	broken  bool
}

func newHeaders(cfg Config) (*headers, error) {
	h := &headers{fixed: http.Header{}, file: cfg.HeadersFile, check: checkHeader, log: cfg.Log}
	if cfg.Protocol == ProtocolGRPC {
		h.check = checkMetadata
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(cfg.Headers)) {
		if err := h.check(name, cfg.Headers[name]); err != nil {
			errs = append(errs, fmt.Errorf("headers: %w", err))
			continue
		}
		h.fixed.Set(name, cfg.Headers[name])
	}
	h.current = h.fixed
	if h.file != "" && len(errs) == 0 {
		errs = append(errs, h.read())
	}
	return h, errors.Join(errs...)
}

// get returns the headers to send now; the caller must not change them. A file
// that has become unreadable leaves those that were read last.
func (h *headers) get() http.Header {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == "" || !h.seen.changed(h.file) {
		return h.current
	}
	err := h.read()
	if err != nil && !h.broken {
		h.log.Error("headers file cannot be used, still sending the headers read before", slog.Any("error", err))
	}
	h.broken = err != nil
	return h.current
}

func (h *headers) read() error {
	f, err := os.Open(h.file)
	if err != nil {
		return fmt.Errorf("headers_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("headers_file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxHeadersFile+1))
	if err != nil {
		return fmt.Errorf("headers_file: %w", err)
	}
	if len(text) > maxHeadersFile {
		return fmt.Errorf("headers_file %s: larger than %d bytes", h.file, maxHeadersFile)
	}
	parsed, err := parseHeaders(text, h.check)
	if err != nil {
		return fmt.Errorf("headers_file %s: %w", h.file, err)
	}
	all := h.fixed.Clone()
	maps.Copy(all, parsed)
	h.current = all
	h.seen = stamp{info: info}
	return nil
}

// parseHeaders reads a header a line, "Name: value". Empty lines and those that
// begin with # are passed over. Errors do not repeat values.
func parseHeaders(text []byte, check func(name, value string) error) (http.Header, error) {
	parsed := http.Header{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		s := strings.TrimSpace(string(line))
		if s == "" || s[0] == '#' {
			continue
		}
		name, value, found := strings.Cut(s, ":")
		if !found {
			return nil, fmt.Errorf("line %d: want Name: value", n)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if err := check(name, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		parsed.Set(name, value)
	}
	return parsed, nil
}

func checkHeader(name, value string) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%q is not the name of a header", name)
	case !httpguts.ValidHeaderFieldValue(value):
		return fmt.Errorf("%s: its value has characters that no header may hold", name)
	}
	return nil
}

// checkMetadata is checkHeader for gRPC, which fails each call over a header that
// HTTP would carry.
func checkMetadata(name, value string) error {
	if err := checkHeader(name, value); err != nil {
		return err
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("%q is not the name of a header that gRPC can send", name)
		}
	}
	if strings.HasSuffix(strings.ToLower(name), "-bin") { // sent in base64
		return nil
	}
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' {
			return fmt.Errorf("%s: its value has characters that gRPC cannot send", name)
		}
	}
	return nil
}
