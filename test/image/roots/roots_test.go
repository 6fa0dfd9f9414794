package roots

import (
	"bytes"
	"crypto/x509"
	"testing"
)

func TestPEM(t *testing.T) {
	text, err := PEM()
	if err != nil {
		t.Fatal(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		t.Fatal("Go reads no certificate of the file")
	}
	if n := bytes.Count(text, []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("%d certificates, want at least 100: Mozilla has about 150", n)
	}
	again, err := PEM()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, again) {
		t.Error("the file differs from call to call")
	}
}
