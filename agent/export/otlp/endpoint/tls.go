package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// tlsFiles is a TLS with its authorities read. The client certificate is read
// for each handshake, since whoever renews it does not restart us.
type tlsFiles struct {
	roots         *x509.CertPool // nil: the system's
	certFile, key string
}

func readTLS(t TLS) (*tlsFiles, error) {
	files := &tlsFiles{certFile: t.CertFile, key: t.KeyFile}
	if (t.CertFile == "") != (t.KeyFile == "") {
		return nil, errors.New("tls: cert_file and key_file belong together, one of them is not set")
	}
	if t.CertFile != "" {
		if _, err := files.certificate(nil); err != nil {
			return nil, err
		}
	}
	if t.CAFile == "" {
		return files, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("tls: read ca_file: %w", err)
	}
	files.roots = x509.NewCertPool()
	if !files.roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls: ca_file %s: holds no PEM certificate", t.CAFile)
	}
	return files, nil
}

// config is made anew for each user, who may change it.
func (f *tlsFiles) config() *tls.Config {
	c := &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12}
	if f.certFile != "" {
		c.GetClientCertificate = f.certificate
	}
	return c
}

func (f *tlsFiles) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(f.certFile, f.key)
	if err != nil {
		return nil, fmt.Errorf("tls: read client certificate: %w", err)
	}
	return &cert, nil
}
