package pool

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/verimails/verimaild/pool/reply"
)

// unmistakable reports whether a refusal said at RCPT can only be the site's word about the source, and not one domain's or
// recipient's own: it names a block list by its name, or the source by its address.
func (pa *path) unmistakable(o *Outcome) bool {
	m := &o.Meaning
	if m.Class != reply.SourceBlocked && m.Scope != reply.ScopeSource && m.Scope != reply.ScopeSourceSite {
		return false
	}
	return m.Detail == reply.DetailBlockListed || pa.isNamed(o.Reply.Text())
}

// isNamed reports whether text has an address of pa's source in it, as this host or others see it.
func (pa *path) isNamed(text string) bool {
	s := pa.source
	ours := [...]netip.Addr{s.IPv4, s.IPv6, s.PublicIPv4, s.PublicIPv6, pa.local}
	is := func(part string) bool {
		a, err := netip.ParseAddr(strings.Trim(part, "."))
		return err == nil && slices.Contains(ours[:], a.Unmap())
	}
	for _, part := range strings.FieldsFunc(text, notInAddress) {
		part = strings.TrimSuffix(part, ":")
		if is(part) || is(part[strings.LastIndexByte(part, ':')+1:]) { // The latter for "ip:192.0.2.1".
			return true
		}
	}
	return false
}

// notInAddress reports whether r stands in no IP address.
func notInAddress(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", r) }

// localAddr is the address of this host that a connection comes from; zero if it does not say.
func localAddr(c net.Conn) netip.Addr {
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
