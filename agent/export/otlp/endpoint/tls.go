package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// tlsFiles is a TLS with its files read. They are read again when they change,
// since whoever renews them does not restart us.
type tlsFiles struct {
	names TLS
	log   *slog.Logger

	mu      sync.Mutex
	seen    map[string]stamp // by file
	current *tls.Config
	broken  bool
}

func readTLS(t TLS, log *slog.Logger) (*tlsFiles, error) {
	f := &tlsFiles{names: t, log: log}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("tls: cert_file and key_file belong together, one of them is not set")
	}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// config is for the next connection; the caller must not change it. It is the
// same one until a file changes. Files that have become unusable, as they are
// while somebody writes them, leave what was read last.
func (f *tlsFiles) config() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stale() {
		return f.current
	}
	err := f.read()
	if err != nil && !f.broken {
		f.log.Error("TLS files cannot be used, still using what was read before", slog.Any("error", err))
	}
	f.broken = err != nil
	return f.current
}

func (f *tlsFiles) stale() bool {
	for file, seen := range f.seen {
		if seen.changed(file) {
			return true
		}
	}
	return false
}

func (f *tlsFiles) read() error {
	seen := map[string]stamp{} // from before reading: what changes meanwhile is noticed next time
	for _, file := range []string{f.names.CAFile, f.names.CertFile, f.names.KeyFile} {
		if file == "" {
			continue
		}
		if info, err := os.Stat(file); err == nil {
			seen[file] = stamp{info: info}
		}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.names.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(f.names.CertFile, f.names.KeyFile)
		if err != nil {
			return fmt.Errorf("tls: read client certificate: %w", err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	if f.names.CAFile != "" {
		pem, err := os.ReadFile(f.names.CAFile)
		if err != nil {
			return fmt.Errorf("tls: read ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool() // in place of the system's
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("tls: ca_file %s: holds no PEM certificate", f.names.CAFile)
		}
	}
	f.current, f.seen = config, seen
	return nil
}
