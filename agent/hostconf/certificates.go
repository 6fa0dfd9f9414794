package hostconf

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// pair is a client certificate and its key; without a key file, the key is in
// the certificate's.
type pair struct{ cert, key string }

// files returns the value of ca, a string or a list of strings.
func files(value any) ([]string, bool) {
	switch v := value.(type) {
	case nil:
		return nil, true
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, 0, min(len(v), maxFiles))
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			if len(list) < maxFiles {
				list = append(list, s)
			}
		}
		return list, true
	}
	return nil, false
}

// filePairs returns the value of client: a string, or a list of strings and of
// lists of two.
func filePairs(value any) ([]pair, bool) {
	list, ok := value.([]any)
	if !ok {
		names, ok := files(value)
		if len(names) == 1 {
			return []pair{{cert: names[0]}}, ok
		}
		return nil, ok
	}
	var pairs []pair
	for _, item := range list {
		names, ok := files(item)
		_, single := item.(string)
		switch {
		case !ok || !single && len(names) != 2:
			return nil, false
		case len(pairs) >= maxFiles:
		case single:
			pairs = append(pairs, pair{cert: names[0]})
		default:
			pairs = append(pairs, pair{cert: names[0], key: names[1]})
		}
	}
	return pairs, true
}

// absolute is makeAbsPath of containerd's hosts.go.
func absolute(name, dir string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(dir, name)
}

// authorities checks the files of ca, and returns their paths.
func (l *look) authorities(names []string, dir string, at place) []string {
	var paths []string
	for _, name := range names {
		name = absolute(name, dir)
		paths = append(paths, shown(name))
		l.checkCertificate("ca", name, at)
	}
	return paths
}

func (l *look) checkPairs(pairs []pair, dir string, at place) {
	for _, p := range pairs {
		l.checkCertificate("client", absolute(p.cert, dir), at)
		if p.key == "" {
			continue
		}
		// Keys are not the agent's business: it is enough that there is one.
		if key := absolute(p.key, dir); l.isMissing(key) {
			l.problemAt(at, "client key "+quoted(key)+": no such file; pulls through this host fail until it is there")
		}
	}
}

// checkCertificate looks whether a file holds a certificate. containerd fails
// a pull for each of these (updateTLSConfigFromHost in hosts.go).
func (l *look) checkCertificate(what, name string, at place) {
	what += " " + quoted(name)
	data, err := l.disk.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if l.isMissing(name) {
			l.problemAt(at, what+": no such file; put the PEM file there or correct the path")
		}
	case err != nil:
		l.problemAt(at, what+": "+reason(err))
	case !hasCertificate(data):
		l.problemAt(at, what+" holds no PEM certificate; it must have a BEGIN CERTIFICATE block")
	}
}

// isMissing reports whether name is absent on the node, and not just from what
// the agent sees of it: its folder is there, or the whole node is.
func (l *look) isMissing(name string) bool {
	return errors.Is(l.disk.exists(name), fs.ErrNotExist) &&
		(l.disk.exists(path.Dir(name)) == nil || l.disk.exists("/usr") == nil)
}

// hasCertificate is what x509.CertPool.AppendCertsFromPEM reports.
func hasCertificate(data []byte) bool {
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return false
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return true
		}
	}
	return false
}

// certFiles reads a folder as Docker lays it out: *.crt are authorities,
// *.cert and *.key are client certificates (loadCertFiles in containerd's
// hosts.go; containers-certs.d(5) for CRI-O).
func (l *look) certFiles(dir string) (ca []string, client bool) {
	names, err := l.disk.names(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.problem(dir, 0, "list certificates: "+reason(err))
		}
		return nil, false
	}
	for _, name := range names {
		file := path.Join(dir, name)
		stem, isCert := strings.CutSuffix(name, ".cert")
		switch {
		case len(ca) >= maxFiles:
			return ca, client
		case strings.HasSuffix(name, ".crt"):
			ca = append(ca, shown(file))
			l.checkCertificate("ca", file, place{file: shown(file)})
		case isCert:
			client = true
			l.checkCertificate("client", file, place{file: shown(file)})
			if key := stem + ".key"; l.disk.exists(path.Join(dir, key)) != nil {
				l.problem(file, 0, "client certificate without its key; put "+quoted(key)+" beside it")
			}
		}
	}
	return ca, client
}
