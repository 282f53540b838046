package config

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// sources checks each source, and that they differ.
func (k *checker) sources() {
	names, addrs := map[string]string{}, map[netip.Addr]string{}
	for i, s := range k.c.Egress.Sources {
		path := index("egress.sources", i)
		k.name(path, s.Name, names)
		if !s.IPv4.IsValid() && !s.IPv6.IsValid() && !k.faulty(path+".ipv4") && !k.faulty(path+".ipv6") {
			k.fault(path, "has no address; it needs ipv4, ipv6 or both")
		}
		k.sourceAddr(path+".ipv4", s.IPv4, "IPv4", s.IPv4.Is4(), addrs)
		k.sourceAddr(path+".ipv6", s.IPv6, "IPv6", s.IPv6.Is6() && !s.IPv6.Is4In6(), addrs)
		if s.EHLO != "" && !isEHLO(s.EHLO) {
			k.fault(path+".ehlo", "%s is not a full name such as a.egress.example.net, or an address literal such as [192.0.2.10]", quote(s.EHLO))
		}
	}
}

// sourceAddr checks an address to bind, and that no source before it, of those in seen, has it.
func (k *checker) sourceAddr(path string, a netip.Addr, family string, ofFamily bool, seen map[netip.Addr]string) {
	if !a.IsValid() {
		return
	}
	switch first, taken := seen[a]; {
	case !ofFamily:
		k.fault(path, "%s is not an %s address", quote(a.String()), family)
	case a.Zone() != "", a.IsUnspecified(), a.IsMulticast():
		k.fault(path, "%s cannot be the source of a connection to a mail server", quote(a.String()))
	case taken:
		k.fault(path, "%s is the address of %s too", quote(a.String()), first)
	default:
		seen[a] = path
	}
}

// isEHLO reports whether s may stand in EHLO, RFC 5321 §4.1.3 and §4.1.4: a name of at least two labels, in A-labels,
// or an address literal.
func isEHLO(s string) bool {
	inner, bracket := strings.CutPrefix(s, "[")
	if !bracket {
		return isName(s, 2) && isASCII(s)
	}
	inner, closed := strings.CutSuffix(inner, "]")
	v6, tagged := strings.CutPrefix(inner, "IPv6:")
	a, err := netip.ParseAddr(v6)
	return closed && err == nil && a.Zone() == "" && a.Is6() == tagged
}

// isName reports whether s has the form of a host name of at least so many labels. Letters beyond ASCII pass: whether
// they make U-labels is for who knows IDNA.
func isName(s string, labels int) bool {
	const most = 253 // RFC 1035 §2.3.4, in text form.
	if len(s) > most {
		return false
	}
	parts := strings.Split(s, ".")
	for _, p := range parts {
		if !isLabel(p) {
			return false
		}
	}
	last := parts[len(parts)-1]
	return len(parts) >= labels && strings.Trim(last, "0123456789") != "" // RFC 1123 §2.1: not all digits, as an address is.
}

// isLabel reports whether s is one label of letters, digits and inner hyphens, RFC 1123 §2.1.
func isLabel(s string) bool {
	const most = 63 // RFC 1035 §2.3.4.
	if s == "" || len(s) > most || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !isLabelRune(r) }) < 0
}

func isLabelRune(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return letter || '0' <= r && r <= '9' || r == '-' || r >= utf8.RuneSelf && r != utf8.RuneError
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
