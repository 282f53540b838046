// Package netguard says which addresses may be dialled: only public unicast ones, and never our own,
// unless the operator allows a network by name. DNS, the dialler of mail sessions and every other place
// that takes an address from a stranger ask the same [Guard].
package netguard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
)

// Options are what a Guard knows beside the registries of special addresses.
type Options struct {
	// Allow lists networks that may be dialled whatever else is said of them, Own included.
	// An address that carries an IPv4 address inside (IPv4-mapped, NAT64, 6to4, Teredo) is also
	// allowed when that one is. Invalid prefixes match nothing.
	Allow []netip.Prefix

	// Own lists the addresses of this host, see [HostAddrs], and those that a NAT in front of it
	// forwards to it. They are refused, so that a stranger's DNS can't make us talk to ourselves.
	Own []netip.Addr
}

// A Guard decides which addresses may be dialled. The zero Guard allows all public unicast
// addresses. It is safe for concurrent use and must not be copied.
type Guard struct {
	rules atomic.Pointer[rules]
}

// rules are Options in the form that Check reads; never changed once published.
type rules struct {
	allow []netip.Prefix
	own   map[netip.Addr]struct{}
}

// New returns a Guard for opts.
func New(opts Options) *Guard {
	g := new(Guard)
	g.Replace(opts)
	return g
}

// Replace puts opts in force for every Check that starts afterwards. A Check under way sees
// either the old options or the new ones, never a mixture.
func (g *Guard) Replace(opts Options) {
	r := &rules{own: make(map[netip.Addr]struct{}, len(opts.Own))}
	for _, p := range opts.Allow {
		if p.IsValid() {
			r.allow = append(r.allow, unmapPrefix(p))
		}
	}
	for _, a := range opts.Own {
		r.own[plain(a)] = struct{}{}
	}
	g.rules.Store(r)
}

// Check returns nil if a may be dialled, else a *[RefusedError].
func (g *Guard) Check(a netip.Addr) error {
	r := g.rules.Load()
	if r == nil {
		r = new(rules)
	}
	if k, inside := r.judge(a); k != "" {
		return &RefusedError{Addr: a, Kind: k, Inside: inside}
	}
	return nil
}

// Control is for the Control field of a [net.Dialer]. It checks the address that the socket is about
// to connect to, whatever name it came from and whatever an earlier look-up of that name said, and
// returns Check's error. An address that is not an IP address with a port is refused.
func (g *Guard) Control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &RefusedError{Kind: KindInvalid}
	}
	return g.Check(ap.Addr())
}

// judge returns why a is refused, and the IPv4 address inside a that decides, if one does.
// The empty Kind means that a may be dialled.
func (r *rules) judge(a netip.Addr) (Kind, netip.Addr) {
	if !a.IsValid() {
		return KindInvalid, netip.Addr{}
	}
	base := plain(a)
	inside, whole := embedded(base)
	switch {
	case r.allowed(base), len(inside) > 0 && r.allowed(inside...):
		return "", netip.Addr{}
	case a.Zone() != "":
		return KindZone, netip.Addr{}
	}
	for _, v4 := range inside {
		if k := r.kind(v4); k != "" && !r.allowed(v4) {
			return k, v4
		}
	}
	if len(inside) > 0 && !whole && !r.isOwn(base) {
		return "", netip.Addr{} // A public IPv4 address in a form that stands for it.
	}
	return r.kind(base), netip.Addr{}
}

// kind returns what is to be said against a, without a look at what is allowed or inside.
func (r *rules) kind(a netip.Addr) Kind {
	if k := registry(a); k != "" || !r.isOwn(a) {
		return k
	}
	return KindOwn
}

// allowed says whether the operator allows every one of addrs.
func (r *rules) allowed(addrs ...netip.Addr) bool {
	for _, a := range addrs {
		if !slices.ContainsFunc(r.allow, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return false
		}
	}
	return true
}

func (r *rules) isOwn(a netip.Addr) bool {
	_, own := r.own[a]
	return own
}

// plain is a as the kernel would dial it: without a zone, and an IPv4-mapped address as IPv4.
func plain(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// unmapPrefix turns a prefix of IPv4-mapped addresses into the IPv4 prefix that it means,
// since Check compares unmapped addresses.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// HostAddrs lists the addresses of this host's interfaces now, for [Options].Own: without zones, sorted,
// each once.
func HostAddrs() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list this host's addresses: %w", err)
	}
	out := make([]netip.Addr, 0, len(nets))
	for _, n := range nets {
		ipn, ok := n.(*net.IPNet)
		if !ok {
			continue
		}
		if a, ok := netip.AddrFromSlice(ipn.IP); ok {
			out = append(out, plain(a))
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}
