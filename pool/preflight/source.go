package preflight

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/verimails/verimaild/internal/netguard"
)

// A Source is an address of this host, or one of each family, that mail servers are asked from.
type Source struct {
	Name       string
	IPv4, IPv6 netip.Addr // As bound. Both zero means that the kernel chooses.

	// What the world sees instead, where a NAT or a proxy is in between.
	PublicIPv4, PublicIPv6 netip.Addr

	EHLO    string // A full name, or an address literal.
	Proxied bool   // It connects through a proxy, so that its own address is not seen.
}

// An identity is a source in one family.
type identity struct {
	*Source
	family Family
	local  netip.Addr // To bind; zero lets the kernel choose.
	public netip.Addr // As the world sees it; zero if that is not known.
	why    string     // Why it is not known.
	advice string
}

// finding is one about the identity.
func (id *identity) finding(c Check, sev Severity, st State, what, advice string) finding {
	return finding{Finding: Finding{
		Check: c, Source: id.Name, Family: id.family, State: st, Severity: sev, What: what, Advice: advice,
	}}
}

// identities is what a source is known as. One that leaves the choice to the kernel has the families that it has a
// route for.
func (x *exam) identities(ctx context.Context, s *Source) []identity {
	var out []identity
	for _, fam := range []struct {
		family        Family
		local, public netip.Addr
	}{{IPv4, s.IPv4, s.PublicIPv4}, {IPv6, s.IPv6, s.PublicIPv6}} {
		id := identity{Source: s, family: fam.family, local: fam.local, public: fam.public}
		outside := fam.local
		if !s.IPv4.IsValid() && !s.IPv6.IsValid() && !s.Proxied {
			if outside = x.chosen(ctx, fam.family); !outside.IsValid() && !fam.public.IsValid() {
				continue
			}
		} else if !outside.IsValid() && !fam.public.IsValid() {
			continue
		}
		x.identify(&id, outside)
		out = append(out, id)
	}
	return out
}

// identify finds out as what the world sees an identity whose packets leave with the address outside.
func (x *exam) identify(id *identity, outside netip.Addr) {
	key := "public_" + string(id.family)
	switch {
	case id.public.IsValid():
	case id.Proxied:
		id.why = "the address that the proxy shows to the world is not known"
		id.advice = "Set " + key + " of source " + id.Name + " to the address of the proxy."
	case !outside.IsValid():
	case !x.isPublic(outside):
		id.why = outside.String() + " is not a public address, so the world sees another one"
		id.advice = "Set " + key + " of source " + id.Name + " to the address that the NAT in front of this host shows."
	default:
		id.public = outside
	}
}

// isPublic reports whether the world can see a as it is. That it is this host's own is no objection here.
func (x *exam) isPublic(a netip.Addr) bool {
	err := x.opts.Guard.Check(a)
	refused, ok := errors.AsType[*netguard.RefusedError](err)
	return err == nil || ok && refused.Kind == netguard.KindOwn
}

// chosen is the address that the kernel would choose to reach a mail server of this family; zero if it has no route.
func (x *exam) chosen(ctx context.Context, family Family) netip.Addr {
	for i := range x.opts.PortTargets {
		if t, ok := x.target(ctx, i, family); ok {
			a, err := x.opts.Route(ctx, netip.AddrPortFrom(t.addr, x.opts.Port))
			if err == nil {
				return a
			}
			return netip.Addr{}
		}
	}
	return netip.Addr{}
}

// route asks the kernel which address it would send from. Nothing is sent.
func route(guard *netguard.Guard) func(context.Context, netip.AddrPort) (netip.Addr, error) {
	return func(ctx context.Context, to netip.AddrPort) (netip.Addr, error) {
		d := net.Dialer{Control: guard.Control}
		c, err := d.DialUDP(ctx, "udp", netip.AddrPort{}, to)
		if err != nil {
			return netip.Addr{}, err
		}
		defer func() { _ = c.Close() }() // Nothing was sent on it.
		ap, err := netip.ParseAddrPort(c.LocalAddr().String())
		return ap.Addr().Unmap(), err
	}
}
