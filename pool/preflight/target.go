package preflight

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
)

// enough is how many mail servers of different owners have to fail before a port is called closed.
const enough = 3

// A target is an address to connect to, and the name to speak of it by.
type target struct {
	name string // The mail host, or host:port of another service.
	addr netip.Addr
}

type targetKey struct {
	index  int // In PortTargets.
	family Family
}

type found struct {
	target
	ok bool
}

// target is a mail server of the domain PortTargets[i] with an address of this family; false if there is none, or it
// cannot be looked up.
func (x *exam) target(ctx context.Context, i int, family Family) (target, bool) {
	f := x.targets.do(targetKey{i, family}, func() found {
		for _, host := range x.mailHosts(ctx, x.opts.PortTargets[i]) {
			if a, ok := x.dialable(ctx, host, family); ok {
				return found{target{host, a}, true}
			}
		}
		return found{}
	})
	return f.target, f.ok
}

// mailHosts are the first two mail hosts of a domain, by preference; the domain itself where it names none. None if they
// cannot be looked up: the domain's own address is then nobody's mail server.
func (x *exam) mailHosts(ctx context.Context, domain string) []string {
	mx := x.opts.DNS.MX(ctx, domain)
	switch mx.Status {
	case Failed:
		return nil
	case Absent:
		return []string{domain}
	}
	hosts := slices.SortedFunc(slices.Values(mx.Values), func(a, b MX) int { return cmp.Compare(a.Preference, b.Preference) })
	var out []string
	for _, h := range hosts[:min(len(hosts), 2)] {
		if h.Host != "" {
			out = append(out, h.Host)
		}
	}
	return out
}

// dialable is an address of a host in a family that may be dialled.
func (x *exam) dialable(ctx context.Context, host string, family Family) (netip.Addr, bool) {
	for _, a := range x.opts.DNS.Addrs(ctx, host).Values {
		a = a.Unmap()
		if a.Is4() == (family == IPv4) && x.opts.Guard.Check(a) == nil {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// portTargets are mail servers to try in turn, of this family and of different networks: no more than are needed.
func (x *exam) portTargets(ctx context.Context, family Family) func(yield func(target) bool) {
	return func(yield func(target) bool) {
		seen := map[netip.Prefix]bool{}
		for i := range x.opts.PortTargets {
			t, ok := x.target(ctx, (i+x.turn)%len(x.opts.PortTargets), family)
			if !ok || seen[network(t.addr)] {
				continue
			}
			seen[network(t.addr)] = true
			if !yield(t) || len(seen) == enough {
				return
			}
		}
	}
}

// network is the network of an address, by which servers are taken for one owner's.
func network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// networkTarget is an address of a service in this family, given as host:port.
func (x *exam) networkTarget(ctx context.Context, hostPort string, family Family) (netip.AddrPort, bool) {
	host, service, err := net.SplitHostPort(hostPort)
	if err != nil {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddr(host)
	ok := err == nil && a.Is4() == (family == IPv4) && x.opts.Guard.Check(a) == nil
	if err != nil {
		a, ok = x.dialable(ctx, host, family)
	}
	ap, err := netip.ParseAddrPort(net.JoinHostPort(a.String(), service))
	return ap, ok && err == nil
}
