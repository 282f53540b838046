package address

import (
	"net/netip"
	"strings"
)

// parseLiteral reads an address literal, RFC 5321 §4.1.3: [192.0.2.1], [IPv6:2001:db8::1] or [tag:content].
// It returns the canonical text with its brackets, and the IP address if it holds one.
func parseLiteral(s string) (string, netip.Addr, *fault) {
	content, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return "", netip.Addr{}, &fault{len(s), "the address literal lacks its closing bracket"}
	}
	for i := range len(content) {
		// dcontent = %d33-90 / %d94-126. We take fewer: a path must not hold what could be read as its end.
		if c := content[i]; c <= ' ' || c > '~' || strings.IndexByte(`[\]<>"`, c) >= 0 {
			return "", netip.Addr{}, &fault{1 + i, describe(firstRune(content[i:])) + " is not allowed in an address literal"}
		}
	}
	tag, value, tagged := strings.Cut(content, ":")
	if !tagged {
		ip, err := netip.ParseAddr(content)
		if err != nil {
			return "", netip.Addr{}, &fault{1, "the brackets hold no IPv4 address"}
		}
		return "[" + ip.String() + "]", ip, nil
	}
	if strings.EqualFold(tag, "IPv6") {
		ip, err := netip.ParseAddr(value)
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", netip.Addr{}, &fault{1 + len("IPv6:"), "no IPv6 address follows the tag IPv6:"}
		}
		return "[IPv6:" + ip.String() + "]", ip, nil
	}
	if _, err := netip.ParseAddr(content); err == nil {
		return "", netip.Addr{}, &fault{1, "an IPv6 address in brackets needs the tag IPv6: before it"}
	}
	if !isTag(tag) || value == "" {
		return "", netip.Addr{}, &fault{1, "the brackets hold neither an IP address nor tag:content"}
	}
	return s, netip.Addr{}, nil
}

// isTag is Standardized-tag = Ldh-str: letters, digits and hyphens, a letter or digit last.
func isTag(s string) bool {
	for i := range len(s) {
		if !isLetterDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return s != "" && s[len(s)-1] != '-'
}
