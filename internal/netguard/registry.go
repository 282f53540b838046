package netguard

import "net/netip"

// special is one row of the registries: a prefix whose addresses are not public unicast.
type special struct {
	prefix netip.Prefix
	kind   Kind
}

// special4 are the IPv4 addresses that are not public unicast, after the IANA IPv4 Special-Purpose
// Address Registry (RFC 6890). The AS112 networks (RFC 7534) are left out: they are anycast,
// public, and serve DNS only.
var special4 = []special{
	{netip.MustParsePrefix("0.0.0.0/32"), KindUnspecified},
	{netip.MustParsePrefix("0.0.0.0/8"), KindThisNetwork},         // RFC 791 §3.2; Linux dials 0.0.0.0 as loopback.
	{netip.MustParsePrefix("10.0.0.0/8"), KindPrivate},            // RFC 1918 §3
	{netip.MustParsePrefix("100.64.0.0/10"), KindCGNAT},           // RFC 6598
	{netip.MustParsePrefix("127.0.0.0/8"), KindLoopback},          // RFC 1122 §3.2.1.3
	{netip.MustParsePrefix("169.254.0.0/16"), KindLinkLocal},      // RFC 3927; cloud metadata lives here.
	{netip.MustParsePrefix("172.16.0.0/12"), KindPrivate},         // RFC 1918 §3
	{netip.MustParsePrefix("192.0.0.0/24"), KindProtocol},         // RFC 6890 §2.1, with DS-Lite and NAT64 discovery
	{netip.MustParsePrefix("192.0.2.0/24"), KindDocumentation},    // RFC 5737
	{netip.MustParsePrefix("192.88.99.0/24"), KindProtocol},       // RFC 7526: the withdrawn 6to4 anycast
	{netip.MustParsePrefix("192.168.0.0/16"), KindPrivate},        // RFC 1918 §3
	{netip.MustParsePrefix("198.18.0.0/15"), KindBenchmark},       // RFC 2544
	{netip.MustParsePrefix("198.51.100.0/24"), KindDocumentation}, // RFC 5737
	{netip.MustParsePrefix("203.0.113.0/24"), KindDocumentation},  // RFC 5737
	{netip.MustParsePrefix("224.0.0.0/4"), KindMulticast},         // RFC 5771
	{netip.MustParsePrefix("255.255.255.255/32"), KindBroadcast},  // RFC 919 §7
	{netip.MustParsePrefix("240.0.0.0/4"), KindReserved},          // RFC 1112 §4
}

// special6 are the IPv6 addresses that are not public unicast, after the IANA IPv6 Special-Purpose
// Address Registry. What is neither here nor in unicast6 is refused as reserved. The prefixes
// that carry an IPv4 address are here too; embedded says which of them it decides about.
var special6 = []special{
	{netip.MustParsePrefix("::/128"), KindUnspecified},
	{netip.MustParsePrefix("::1/128"), KindLoopback},
	{netip.MustParsePrefix("::/96"), KindV4Compatible},          // RFC 4291 §2.5.5.1, deprecated
	{netip.MustParsePrefix("64:ff9b:1::/48"), KindNAT64Local},   // RFC 8215
	{netip.MustParsePrefix("100::/64"), KindDiscard},            // RFC 6666
	{netip.MustParsePrefix("2001::/32"), KindTeredo},            // RFC 4380
	{netip.MustParsePrefix("2001:2::/48"), KindBenchmark},       // RFC 5180
	{netip.MustParsePrefix("2001:10::/28"), KindORCHID},         // RFC 4843, returned
	{netip.MustParsePrefix("2001:20::/28"), KindORCHID},         // RFC 7343
	{netip.MustParsePrefix("2001::/23"), KindProtocol},          // RFC 2928
	{netip.MustParsePrefix("2001:db8::/32"), KindDocumentation}, // RFC 3849
	{netip.MustParsePrefix("3fff::/20"), KindDocumentation},     // RFC 9637
	{netip.MustParsePrefix("fc00::/7"), KindPrivate},            // RFC 4193: unique local
	{netip.MustParsePrefix("fe80::/10"), KindLinkLocal},         // RFC 4291 §2.5.6
	{netip.MustParsePrefix("fec0::/10"), KindSiteLocal},         // RFC 3879
	{netip.MustParsePrefix("ff00::/8"), KindMulticast},          // RFC 4291 §2.7
}

// Prefixes with a meaning of their own.
var (
	unicast6   = netip.MustParsePrefix("2000::/3") // All global unicast that IANA has handed out, RFC 4291 §2.4.
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local = netip.MustParsePrefix("64:ff9b:1::/48")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	teredo     = netip.MustParsePrefix("2001::/32")
	compatible = netip.MustParsePrefix("::/96")
)

// registry returns what the registries call a, an address without zone that is not IPv4-mapped;
// "" means public unicast.
func registry(a netip.Addr) Kind {
	table := special6
	if a.Is4() {
		table = special4
	}
	for _, s := range table {
		if s.prefix.Contains(a) {
			return s.kind
		}
	}
	if a.Is6() && !unicast6.Contains(a) {
		return KindReserved
	}
	return ""
}

// embedded returns the IPv4 addresses that a carries: packets to a may end up at any of them.
// whole says that a's own form is refused even if those are public: no public host can be
// reached by it.
func embedded(a netip.Addr) (inside []netip.Addr, whole bool) {
	if !a.Is6() {
		return nil, false
	}
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:16]))
	switch {
	case nat64.Contains(a): // RFC 6052 §2.1
		return []netip.Addr{last}, false
	case nat64Local.Contains(a):
		// RFC 8215: where the address sits depends on the network, and so does what is behind it.
		return []netip.Addr{last}, true
	case sixToFour.Contains(a): // RFC 3056 §2
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}, false
	case teredo.Contains(a): // RFC 4380 §4: the server, and the client's address with its bits inverted
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return []netip.Addr{netip.AddrFrom4([4]byte(b[4:8])), client}, true
	case compatible.Contains(a) && a != netip.IPv6Unspecified() && a != netip.IPv6Loopback():
		return []netip.Addr{last}, true
	}
	return nil, false
}
