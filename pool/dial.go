package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/verimails/verimaild/internal/netguard"
)

// What one attempt to reach a site may cost, after Postfix's smtp_mx_address_limit and smtp_mx_session_limit.
const (
	maxAddresses     = 5
	maxAddressesHost = 2 // Where there are other hosts.
	maxSessions      = 2
)

// tcpDialer connects over TCP. The guard looks at the address once more at the moment of connecting.
func tcpDialer(guard *netguard.Guard) func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
		d := net.Dialer{Control: guard.Control}
		return d.DialTCP(ctx, "tcp", netip.AddrPortFrom(laddr, 0), raddr)
	}
}

// A target is one address of one host.
type target struct {
	host     string
	addr     netip.Addr
	fallback bool
}

// targets lists what to dial, in order: hosts by preference, at random among equals (RFC 5321 §5.1), and the
// families of a host by turns, so that a broken one does not use up the attempts.
func targets(hosts []Host, ok func(netip.Addr) bool) []target {
	hosts = append([]Host(nil), hosts...)
	for i := 0; i < len(hosts); {
		j := i + 1
		for j < len(hosts) && hosts[j].Preference == hosts[i].Preference {
			j++
		}
		group := hosts[i:j]
		rand.Shuffle(len(group), func(a, b int) { group[a], group[b] = group[b], group[a] })
		i = j
	}
	perHost := maxAddresses
	if len(hosts) > 1 {
		perHost = maxAddressesHost
	}
	var out []target
	for _, h := range hosts {
		for n, a := range byTurns(h.Addrs, ok) {
			if n == perHost || len(out) == maxAddresses {
				break
			}
			out = append(out, target{h.Name, a, h.Preference != hosts[0].Preference})
		}
	}
	return out
}

// byTurns lists the addresses that are ok, IPv4 and IPv6 alternating, IPv4 first: receivers trust it sooner.
func byTurns(addrs []netip.Addr, ok func(netip.Addr) bool) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		switch {
		case !ok(a):
		case a.Unmap().Is4():
			v4 = append(v4, a)
		default:
			v6 = append(v6, a)
		}
	}
	out := make([]netip.Addr, 0, len(v4)+len(v6))
	for i := range max(len(v4), len(v6)) {
		if i < len(v4) {
			out = append(out, v4[i])
		}
		if i < len(v6) {
			out = append(out, v6[i])
		}
	}
	return out
}

// dial connects to one address. A non-nil error's Failure says of what kind it is.
func (s *session) dial(ctx context.Context, opts *Options, t target) (net.Conn, Failure, error) {
	if err := opts.Guard.Check(t.addr); err != nil {
		return nil, FailUnroutable, err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.ConnectTimeout)
	defer cancel()
	conn, err := opts.Dial(ctx, s.path.source.local(t.addr), netip.AddrPortFrom(t.addr, opts.Port))
	if err == nil {
		return conn, FailNone, nil
	}
	return nil, dialFailure(err), fmt.Errorf("connect to %s [%v]: %w", t.host, t.addr, err)
}

// dialFailure tells whose fault a failed connect is.
func dialFailure(err error) Failure {
	if _, refused := errors.AsType[*netguard.RefusedError](err); refused {
		return FailUnroutable
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return FailNoSource // The source's address cannot be bound, or a local filter forbids it.
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT), isNet && timeout.Timeout():
		return FailConnectTimeout
	default:
		return FailConnectRefused
	}
}
