package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
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
		// Sessions end by times of their own, long before the system would find out that nobody is there.
		d := net.Dialer{Control: guard.Control, KeepAlive: -1}
		return d.DialTCP(ctx, "tcp", netip.AddrPortFrom(laddr, 0), raddr)
	}
}

// A target is one address of one host.
type target struct {
	host     string
	addr     netip.Addr
	fallback bool // The host is not of the best preference.
}

// targets lists what to dial, in order: hosts by preference, at random among equals (RFC 5321 §5.1), and the
// families of a host by turns, so that a broken one does not use up the attempts. An address that has two names is
// dialled by the first.
func targets(hosts []Host, ok func(netip.Addr) bool) []target {
	hosts = shuffled(hosts)
	perHost := maxAddresses
	if len(hosts) > 1 {
		perHost = maxAddressesHost
	}
	var out []target
	for _, h := range hosts {
		n := 0
		for _, a := range byTurns(h.Addrs, ok) {
			if n == perHost || len(out) == maxAddresses {
				break
			}
			if slices.ContainsFunc(out, func(t target) bool { return t.addr == a }) {
				continue
			}
			out = append(out, target{h.Name, a, h.Preference != hosts[0].Preference})
			n++
		}
	}
	return out
}

// shuffled is hosts with those of equal preference in any order.
func shuffled(hosts []Host) []Host {
	hosts = slices.Clone(hosts)
	for i := 0; i < len(hosts); {
		j := i + 1
		for j < len(hosts) && hosts[j].Preference == hosts[i].Preference {
			j++
		}
		group := hosts[i:j]
		rand.Shuffle(len(group), func(a, b int) { group[a], group[b] = group[b], group[a] })
		i = j
	}
	return hosts
}

// byTurns lists the addresses that are ok, IPv4 and IPv6 alternating, IPv4 first: receivers trust it sooner.
func byTurns(addrs []netip.Addr, ok func(netip.Addr) bool) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		a = a.Unmap()
		switch {
		case !ok(a):
		case a.Is4():
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

// A cause is whose doing a failed connect is.
type cause uint8

const (
	causeRefused cause = iota // Somebody's out there.
	causeTimeout
	causeLocal  // This host's: no route, a local filter, no descriptors left.
	causeSource // The source's address is not one of this host's, or its proxy fails.
)

// localErrors are those that connecting fails with before anything is sent. An address can be chosen by whoever
// writes an MX record, so none of them says anything about the source: EACCES is what a broadcast address gives.
var localErrors = []error{
	syscall.EACCES, syscall.EPERM, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EAFNOSUPPORT, syscall.EINVAL,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRINUSE,
}

// causeOf tells whose doing a failed connect is.
func causeOf(err error) cause {
	timeout, isNet := errors.AsType[net.Error](err)
	if e, proxied := errors.AsType[*proxyError](err); proxied {
		return e.cause
	}
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return causeSource
	case slices.ContainsFunc(localErrors, func(l error) bool { return errors.Is(err, l) }):
		return causeLocal
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isNet && timeout.Timeout():
		return causeTimeout
	default:
		return causeRefused
	}
}
