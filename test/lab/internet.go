//go:build linux

package lab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Addresses that containerd's configuration names.
const (
	nameserverAddress = "10.96.0.10"
	proxyURL          = "http://proxy.lab.test:3128"
)

// site is one name of the lab's internet and what listens there.
type site struct {
	name, address string
	open          func(in *internet, s site) error
}

// sites is the whole internet. Names that are not here do not exist. Pause images
// are served where there is a kubelet.
func sites(kubelet bool) []site {
	pauses := nothing
	if kubelet {
		pauses = registryOverTLS
	}
	return []site{
		{"registry.lab.test", "198.51.100.10", registryOverTLS},
		{"auth.lab.test", "198.51.100.11", registryOverTLS},
		{"registry-1.docker.io", "198.51.100.20", registryOverTLS},
		{"auth.docker.io", "198.51.100.21", registryOverTLS},
		{"registry.corp.lab.test", "198.51.100.30", registryOverTLS},
		{"mirror-a.lab.test", "198.51.100.31", nothing},
		{"mirror-b.lab.test", "198.51.100.32", foreignAuthority},
		{"refused.lab.test", "198.51.100.40", nothing},
		{"reset.lab.test", "198.51.100.41", resetting},
		{"blackhole.lab.test", "198.51.100.42", overflowing},
		{"unknown-ca.lab.test", "198.51.100.50", foreignAuthority},
		{"expired.lab.test", "198.51.100.51", expiredCertificate},
		{"wrong-name.lab.test", "198.51.100.52", certificateOfAnother},
		{"plain.lab.test", "198.51.100.53", plainHTTP},
		{pauseHost, "198.51.100.60", pauses},
		{"proxy.lab.test", "198.51.100.70", proxy},
		{ReceiverName, receiverAddress, nothing},
	}
}

// internet is everything that containerd can reach.
type internet struct {
	ns        *namespace
	authority *authority // the one that the node trusts
	stranger  *authority // one that it does not
	registry  *registry
	journal   *journal

	serving sync.WaitGroup
	closers []io.Closer
	fds     []int
	down    map[string]bool // the sites that nobody listens for at present

	mu   sync.Mutex
	errs []error // of servers that ended before their time
}

// openInternet opens all sites. The images hold the program pause, if it is given.
func openInternet(ns *namespace, pause []byte) (_ *internet, err error) {
	in := &internet{ns: ns, journal: &journal{}, down: map[string]bool{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.close())
		}
	}()
	if in.authority, err = newAuthority("Lab Root CA"); err != nil {
		return nil, err
	}
	if in.stranger, err = newAuthority("Somebody Else's Root CA"); err != nil {
		return nil, err
	}
	if in.registry, err = newRegistry(in.journal, pause); err != nil {
		return nil, err
	}
	names := map[string]netip.Addr{}
	for _, s := range sites(pause != nil) {
		names[s.name] = netip.MustParseAddr(s.address)
		if err := s.open(in, s); err != nil {
			return nil, fmt.Errorf("open %s: %w", s.name, err)
		}
	}
	if err := in.openNameserver(names); err != nil {
		return nil, err
	}
	return in, nil
}

// close ends all servers and tells what went wrong with them.
func (in *internet) close() error {
	var errs []error
	for _, c := range in.closers {
		errs = append(errs, c.Close())
	}
	for _, fd := range in.fds {
		errs = append(errs, unix.Close(fd))
	}
	in.serving.Wait()
	return errors.Join(append(errs, in.errs...)...)
}

// ended remembers why a server ended, unless it was closed.
func (in *internet) ended(err error) {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed) {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.errs = append(in.errs, err)
}

func (in *internet) openNameserver(names map[string]netip.Addr) error {
	var conn net.PacketConn
	err := in.ns.do(func() (err error) {
		conn, err = net.ListenPacket("udp4", nameserverAddress+":53")
		return err
	})
	if err != nil {
		return fmt.Errorf("open name server: %w", err)
	}
	in.closers = append(in.closers, conn)
	in.serving.Go((&nameserver{conn: conn, names: names}).serve)
	return nil
}

func (in *internet) listen(address string) (net.Listener, error) {
	var l net.Listener
	err := in.ns.do(func() (err error) {
		l, err = net.Listen("tcp4", address)
		return err
	})
	return l, err
}

// serve runs an HTTP server, over TLS if certificates are given. HTTP/2 is off:
// a body that breaks off shall look the same to every client.
func (in *internet) serve(address string, h http.Handler, certs ...tls.Certificate) error {
	l, err := in.listen(address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              address,
		Handler:           h,
		TLSConfig:         &tls.Config{Certificates: certs},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // clients go wrong on purpose
		ReadHeaderTimeout: 10 * time.Second,
	}
	in.closers = append(in.closers, server)
	in.serving.Go(func() {
		if len(certs) == 0 {
			in.ended(server.Serve(l))
		} else {
			in.ended(server.ServeTLS(l, "", ""))
		}
	})
	return nil
}

func (in *internet) serveCertificate(s site, by *authority, host string, valid lifetime) error {
	cert, err := by.issue(host, valid)
	if err != nil {
		return err
	}
	return in.serve(s.address+":443", in.registry, cert)
}

func registryOverTLS(in *internet, s site) error {
	return in.serveCertificate(s, in.authority, s.name, current)
}

func foreignAuthority(in *internet, s site) error {
	return in.serveCertificate(s, in.stranger, s.name, current)
}

func expiredCertificate(in *internet, s site) error {
	return in.serveCertificate(s, in.authority, s.name, expired)
}

func certificateOfAnother(in *internet, s site) error {
	return in.serveCertificate(s, in.authority, "registry.other.test", current)
}

func plainHTTP(in *internet, s site) error {
	return in.serve(s.address+":443", in.registry)
}

// proxy refuses to connect anywhere, as one does whose rules do not know the registry.
func proxy(in *internet, s site) error {
	return in.serve(s.address+":3128", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.journal.add(r, http.StatusForbidden)
		http.Error(w, "blocked by policy", http.StatusForbidden)
	}))
}

// nothing listens: connections are refused.
func nothing(*internet, site) error { return nil }

// resetting accepts and resets at once: closing with a linger time of zero
// sends RST instead of FIN.
func resetting(in *internet, s site) error {
	l, err := in.listen(s.address + ":443")
	if err != nil {
		return err
	}
	in.closers = append(in.closers, l)
	in.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err == nil {
				err = reset(conn)
			}
			if err != nil {
				in.ended(err)
				return
			}
		}
	})
	return nil
}

// reset waits until the client has spoken, as a reset could meet its dial
// otherwise.
func reset(conn net.Conn) error {
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("read what is to be answered with a reset: %w", err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("reset: got a %T, want a TCP connection", conn)
	}
	return tcp.SetLinger(0)
}

// overflowing listens and never accepts. Its queue has room for one connection,
// which is taken here; the kernel drops every further SYN, as a firewall would.
func overflowing(in *internet, s site) error {
	address := &unix.SockaddrInet4{Port: 443, Addr: netip.MustParseAddr(s.address).As4()}
	return in.ns.do(func() error {
		listener, err := in.socket()
		if err != nil {
			return err
		}
		if err := unix.Bind(listener, address); err != nil {
			return err
		}
		if err := unix.Listen(listener, 0); err != nil {
			return err
		}
		filler, err := in.socket()
		if err != nil {
			return err
		}
		return unix.Connect(filler, address)
	})
}

func (in *internet) socket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		in.fds = append(in.fds, fd)
	}
	return fd, err
}
