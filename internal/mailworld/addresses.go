package mailworld

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// The third byte of an address of a world says what it is: 0 the name server, 1 to 191 hosts, 192 to 255 sources.
const (
	firstHostNet   = 1
	firstSourceNet = 192
	perNet         = 250 // Addresses used of each /24.

	// Ports are picked below Linux's ephemeral range, so that no outgoing connection has one.
	lowPort, highPort = 10000, 32000

	claimTries = 64
)

// A plan is which addresses a world has: those of 127.net.0.0/16, at one port.
type plan struct {
	net   byte
	port  uint16
	next  int // The next host address.
	next6 int
}

// memoryPlan is that of every world in memory.
func memoryPlan() plan { return plan{net: 77, port: 25252} }

func randomPlan() plan {
	return plan{net: byte(1 + rand.IntN(254)), port: uint16(lowPort + rand.IntN(highPort-lowPort))} //nolint:gosec // G115, G404: small numbers, and no secrets.
}

// host returns the next address for a host.
func (p *plan) host() (netip.Addr, error) {
	third, fourth := firstHostNet+p.next/perNet, 1+p.next%perNet
	if third >= firstSourceNet {
		return netip.Addr{}, errors.New("mailworld: no address left for a host")
	}
	p.next++
	return netip.AddrFrom4([4]byte{127, p.net, byte(third), byte(fourth)}), nil //nolint:gosec // G115: bounded above.
}

// hosts returns the next n addresses for a host.
func (p *plan) hosts(n int) ([]netip.Addr, error) {
	var out []netip.Addr
	for range n {
		a, err := p.host()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// host6 returns the next IPv6 address for a host in memory.
func (p *plan) host6() netip.Addr {
	p.next6++
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(p.next6 >> 8), 15: byte(p.next6)}) //nolint:gosec // G115: its two octets.
}

func (p *plan) dns() netip.Addr { return netip.AddrFrom4([4]byte{127, p.net, 0, 1}) }

// DNSAddr is where the name server answers, "127.x.0.1:port", over UDP and TCP.
func (w *World) DNSAddr() string {
	return net.JoinHostPort(w.plan.dns().String(), strconv.Itoa(int(w.plan.port)))
}

// Port is the port at which every host listens.
func (w *World) Port() int { return int(w.plan.port) }

// HostAddr returns the (first) address and port of the host of this name; the zero value if there is none.
func (w *World) HostAddr(name string) netip.AddrPort {
	h := w.hosts[canonical(name)]
	if h == nil || len(h.addrs) == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(h.addrs[0], w.plan.port)
}

// SourceAddr returns the n-th address to dial from, n from 0 to 249; all are in one /24.
func (w *World) SourceAddr(n int) netip.Addr { return w.SourceAddrIn(0, n) }

// SourceAddrIn returns the n-th address of another /24 to dial from; network is 0 to 63, and that of SourceAddr is 0.
func (w *World) SourceAddrIn(network, n int) netip.Addr {
	third := firstSourceNet + network&63
	return netip.AddrFrom4([4]byte{127, w.plan.net, byte(third), byte(1 + n%perNet)}) //nolint:gosec // G115: bounded above.
}

// sourceName is the host name of source n; "" if it has none.
func (s *Spec) sourceName(n int) string {
	if s.SourceNames == nil {
		return fmt.Sprintf("source%d.egress.test", n)
	}
	if n < len(s.SourceNames) {
		return canonical(s.SourceNames[n])
	}
	return ""
}

// place gives every host its addresses.
func (w *World) place() error {
	for i := range w.spec.Hosts {
		b := &w.spec.Hosts[i]
		h := w.hosts[canonical(b.Name)]
		live := max(b.Addresses, 1)
		if b.NoIPv4 {
			live = 0
		}
		var err1, err2 error
		h.dead, err1 = w.plan.hosts(b.DeadAddresses)
		h.addrs, err2 = w.plan.hosts(live)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		w.place6(h, b)
		for _, a := range h.addrs {
			w.byAddr[a] = h
		}
	}
	return nil
}

// place6 gives a host its IPv6 addresses. On sockets there is only ::1; a dead address is one that nothing can reach.
func (w *World) place6(h *host, b *Host) {
	if b.DeadIPv6 {
		h.dead = append(h.dead, w.plan.host6())
	}
	switch {
	case !b.IPv6:
	case w.memory:
		h.addrs = append(h.addrs, w.plan.host6())
	default:
		h.addrs = append(h.addrs, netip.IPv6Loopback())
	}
}
