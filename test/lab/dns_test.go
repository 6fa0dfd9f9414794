//go:build linux

package lab

import (
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestNameserver(t *testing.T) {
	t.Parallel()
	server := &nameserver{names: map[string]netip.Addr{"registry.lab.test": netip.MustParseAddr("198.51.100.10")}}
	tests := []struct {
		name      string
		host      string
		kind      dnsmessage.Type
		silent    bool
		code      dnsmessage.RCode
		addresses int
	}{
		{name: "known", host: "registry.lab.test.", kind: dnsmessage.TypeA, addresses: 1},
		{name: "known in capitals", host: "Registry.LAB.test.", kind: dnsmessage.TypeA, addresses: 1},
		{name: "known without an IPv6 address", host: "registry.lab.test.", kind: dnsmessage.TypeAAAA},
		{name: "unknown", host: "registry.nowhere.test.", kind: dnsmessage.TypeA, code: dnsmessage.RCodeNameError},
		{name: "failing", host: "registry.servfail.test.", kind: dnsmessage.TypeA, code: dnsmessage.RCodeServerFailure},
		{name: "silent", host: "registry.silent.test.", kind: dnsmessage.TypeA, silent: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reply := server.answer(query(t, tt.host, tt.kind))
			if tt.silent {
				if reply != nil {
					t.Fatalf("answer: got %d bytes, want none", len(reply))
				}
				return
			}
			var got dnsmessage.Message
			if err := got.Unpack(reply); err != nil {
				t.Fatal(err)
			}
			if got.ID != 7 || got.RCode != tt.code || len(got.Answers) != tt.addresses {
				t.Errorf("answer: got id %d, code %v, %d addresses, want 7, %v, %d", got.ID, got.RCode, len(got.Answers), tt.code, tt.addresses)
			}
		})
	}
	if reply := server.answer([]byte("no query")); reply != nil {
		t.Errorf("answer to garbage: got %d bytes, want none", len(reply))
	}
}

func query(t *testing.T, host string, kind dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(host), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}
