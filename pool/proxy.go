package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/proxy"

	"github.com/verimails/verimaild/internal/netguard"
)

// A Proxy is a SOCKS5 server, RFC 1928. The zero Proxy is none.
type Proxy struct {
	Addr           string // host:port. It is the operator's word, and no guard looks at it.
	User, Password string // RFC 1929; empty if it asks for none.
}

// connect connects s to a mail host through its proxy, which is given the address: names are resolved here, and the
// guard has a say about what they lead to. The error is a *proxyError.
func (s *Source) connect(ctx context.Context, guard *netguard.Guard, to netip.AddrPort) (net.Conn, error) {
	if err := guard.Check(to.Addr()); err != nil {
		return nil, &proxyError{causeLocal, err}
	}
	way := &wayToProxy{local: []netip.Addr{s.IPv4, s.IPv6}}
	var auth *proxy.Auth
	if s.Proxy.User != "" {
		auth = &proxy.Auth{User: s.Proxy.User, Password: s.Proxy.Password}
	}
	d, err := proxy.SOCKS5("tcp", s.Proxy.Addr, auth, way)
	if err != nil {
		return nil, &proxyError{causeSource, err}
	}
	conn, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", to.String())
	if err == nil {
		return conn, nil
	}
	return nil, way.fault(err)
}

// A proxyError says that a connection through a proxy did not come about, and whose doing that is.
type proxyError struct {
	cause cause
	err   error
}

func (e *proxyError) Error() string { return e.err.Error() }

func (e *proxyError) Unwrap() error { return e.err }

// A wayToProxy connects to a proxy and listens to what it says, because the error of the one who speaks to it tells the
// reply in words only.
type wayToProxy struct {
	local []netip.Addr // To connect from, by family; zero addresses, and none at all, let the kernel choose.
	heard *eavesdropper
}

// Dial is for proxy.Dialer, and not used.
func (w *wayToProxy) Dial(string, string) (net.Conn, error) { return nil, errors.ErrUnsupported }

// DialContext connects from the first local address that the proxy can be reached from.
func (w *wayToProxy) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	bound := false
	for _, a := range w.local {
		if !a.IsValid() {
			continue
		}
		bound = true
		family := "6"
		if a.Is4() {
			family = "4"
		}
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))}
		if conn, err = d.DialContext(ctx, network+family, address); err == nil {
			break
		}
	}
	if !bound {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	w.heard = &eavesdropper{Conn: conn}
	return w.heard, nil
}

// The replies of RFC 1928 §6 that are about the mail host, or about what nobody is to blame for.
const (
	socksNetUnreachable  = 3
	socksHostUnreachable = 4
	socksRefused         = 5
	socksExpired         = 6 // The TTL.
	socksAddressType     = 8 // The proxy has no IPv6, or no IPv4.
)

// fault tells whose doing it is that no connection came about. Whoever writes an MX record chooses the address, so what
// a proxy says of an address must not cost the source anything but that: a proxy that cannot reach a network or a family
// is taken for a host that has no route.
func (w *wayToProxy) fault(err error) *proxyError {
	if w.heard == nil {
		return &proxyError{causeSource, fmt.Errorf("the proxy cannot be reached: %w", err)}
	}
	agreed, reply, replied := w.heard.dialogue()
	switch {
	case !agreed:
		return &proxyError{causeSource, fmt.Errorf("the proxy will not serve us: %w", err)}
	case !replied && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)), reply == socksExpired:
		return &proxyError{causeTimeout, fmt.Errorf("through the proxy: %w", err)}
	case !replied:
		return &proxyError{causeSource, fmt.Errorf("the proxy ended the connection: %w", err)}
	case reply == socksHostUnreachable, reply == socksRefused:
		return &proxyError{causeRefused, fmt.Errorf("through the proxy: %w", err)}
	case reply == socksNetUnreachable, reply == socksAddressType:
		return &proxyError{causeLocal, fmt.Errorf("through the proxy: %w", err)}
	default:
		return &proxyError{causeSource, fmt.Errorf("the proxy failed: %w", err)}
	}
}

// An eavesdropper keeps the first octets that a connection brings.
type eavesdropper struct {
	net.Conn
	first [6]byte
	n     int
}

// Read notes what the connection reads.
func (e *eavesdropper) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if e.n < len(e.first) {
		e.n += copy(e.first[e.n:], b[:n])
	}
	return n, err
}

// dialogue is what the proxy has said, RFC 1928 §3 and §6, RFC 1929 §2: whether it agreed to serve us, and its reply to the
// request, if there was one.
func (e *eavesdropper) dialogue() (agreed bool, reply byte, replied bool) {
	const version, none, password = 5, 0, 2
	said := e.first[:e.n]
	if len(said) < 2 || said[0] != version || said[1] != none && said[1] != password {
		return false, 0, false
	}
	method := said[1]
	said = said[2:]
	if method == password {
		if len(said) < 2 || said[1] != 0 {
			return false, 0, false
		}
		said = said[2:]
	}
	if len(said) < 2 {
		return true, 0, false
	}
	return said[0] == version, said[1], true
}
