//go:build linux

package lab

import (
	"errors"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver is the only DNS server that containerd knows.
type nameserver struct {
	conn  net.PacketConn
	names map[string]netip.Addr
}

// Names below these domains get no address: a server failure, or no answer at
// all. Any other unknown name does not exist.
const (
	failingDomain = ".servfail.test."
	silentDomain  = ".silent.test."
)

// serve answers until the socket is closed.
func (s *nameserver) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if reply := s.answer(buf[:n]); reply != nil {
			s.conn.WriteTo(reply, from) //nolint:errcheck // the resolver asks again
		}
	}
}

// answer returns the reply to a query, nil for silence.
func (s *nameserver) answer(query []byte) []byte {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil {
		return nil
	}
	question, err := parser.Question()
	if err != nil {
		return nil
	}
	name := strings.ToLower(question.Name.String())
	if strings.HasSuffix(name, silentDomain) {
		return nil
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true,
			RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{question},
	}
	address, known := s.names[strings.TrimSuffix(name, ".")]
	switch {
	case strings.HasSuffix(name, failingDomain):
		reply.RCode = dnsmessage.RCodeServerFailure
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 30},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}
