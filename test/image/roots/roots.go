// Package roots holds the certificates that the image trusts: those of Mozilla,
// as the Go project publishes them in a module. go.sum pins them, so that
// an image can be made again as it was, whatever the machine that makes it trusts.
package roots

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Path is where Go looks for the certificates first, on Linux.
const Path = "/etc/ssl/certs/ca-certificates.crt"

// Module is where they come from.
const Module = "golang.org/x/crypto/x509roots/fallback"

// PEM returns the certificates as one file. Those that Mozilla trusts only up
// to a date are left out: PEM has no place for the date, and without it they would be trusted for good.
func PEM() ([]byte, error) {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("parse a certificate of %s: %w", Module, err)
		}
		fmt.Fprintf(&out, "# %s\n", cert.Subject)
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, fmt.Errorf("encode %s: %w", cert.Subject, err)
		}
	}
	return out.Bytes(), nil
}
