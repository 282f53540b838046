package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// sources checks each source, and that they differ.
func (k *checker) sources() {
	names := map[string]string{}
	seen := sourceAddrs{k: k, owner: map[netip.Addr]string{}}
	proxies := map[string]string{}
	idle := len(k.c.Egress.Sources) > 0
	for i, s := range k.c.Egress.Sources {
		idle = idle && s.Weight != nil && *s.Weight == 0
		path := index("egress.sources", i)
		k.name(path, s.Name, names)
		if !s.IPv4.IsValid() && !s.IPv6.IsValid() && s.Proxy == "" &&
			!k.faulty(path+".ipv4") && !k.faulty(path+".ipv6") && !k.faulty(path+".proxy") {
			k.fault(path, "has no address; it needs ipv4, ipv6 or both, or a proxy")
		}
		seen.add(path, "ipv4", s.IPv4, s.IPv4)
		seen.add(path, "ipv6", s.IPv6, s.IPv6)
		seen.addPublic(path, &s, "ipv4", s.PublicIPv4, s.IPv4)
		seen.addPublic(path, &s, "ipv6", s.PublicIPv6, s.IPv6)
		k.proxy(path, &s, proxies)
		if s.EHLO != "" && !isEHLO(s.EHLO) {
			k.fault(path+".ehlo", "%s is not a full name such as a.egress.example.net, or an address literal such as [192.0.2.10]", quote(s.EHLO))
		}
	}
	if idle && !k.faulty("egress.sources") {
		k.fault("egress.sources", "has no source with a weight above 0, so that nobody could be asked")
	}
}

// sourceAddrs checks the addresses of sources, and whose each of them is.
type sourceAddrs struct {
	k     *checker
	owner map[netip.Addr]string // The key that has it first.
}

// add checks the address at path.name, and that no source before has it. local is the source's address of this host
// of the same family: that it is the same one is no fault.
func (as *sourceAddrs) add(path, name string, a, local netip.Addr) {
	at := path + "." + name
	if !a.IsValid() {
		return
	}
	family, ofFamily := "IPv4", a.Is4()
	if strings.HasSuffix(name, "6") {
		family, ofFamily = "IPv6", a.Is6() && !a.Is4In6()
	}
	first := as.owner[a]
	switch {
	case !ofFamily:
		as.k.fault(at, "%s is not an %s address", quote(a.String()), family)
	case a.Zone() != "", a.IsUnspecified(), a.IsMulticast():
		as.k.fault(at, "%s cannot be the source of a connection to a mail server", quote(a.String()))
	case first != "" && (a != local || !strings.HasPrefix(first, path+".")):
		as.k.fault(at, "%s is the address of %s too", quote(a.String()), first)
	case first == "":
		as.owner[a] = at
	}
}

// addPublic is add for the address that mail servers see in place of local. There has to be something to bind.
func (as *sourceAddrs) addPublic(path string, s *Source, family string, a, local netip.Addr) {
	name := "public_" + family
	if a.IsValid() && !local.IsValid() && s.Proxy == "" && !as.k.faulty(path+"."+family) && !as.k.faulty(path+".proxy") {
		as.k.fault(path+"."+name, "needs %s, the address of this host that is behind it, or a proxy", family)
		return
	}
	as.add(path, name, a, local)
}

// proxy checks a source's proxy. Two sources of one proxy have to be told apart by something.
func (k *checker) proxy(path string, s *Source, seen map[string]string) {
	if s.Proxy == "" {
		return
	}
	if _, err := s.SOCKS5(); err != nil {
		k.fault(path+".proxy", "%v", err)
		return
	}
	if s.PublicIPv4.IsValid() || s.PublicIPv6.IsValid() {
		return
	}
	if first := seen[s.Proxy]; first != "" {
		k.fault(path+".proxy", "is the proxy of %s too; say by public_ipv4 or public_ipv6 how they differ", first)
		return
	}
	seen[s.Proxy] = path
}

// A SOCKS5 is a proxy of RFC 1928. The zero SOCKS5 is none.
type SOCKS5 struct {
	Addr           string // host:port.
	User, Password string // RFC 1929; both empty if the proxy asks for none.
}

// errProxy does not show the value, in which a password may stand.
var errProxy = errors.New("is not of the form socks5://host:port or socks5://user:password@host:port")

// SOCKS5 is the source's proxy, the zero SOCKS5 if it has none.
func (s *Source) SOCKS5() (SOCKS5, error) {
	if s.Proxy == "" {
		return SOCKS5{}, nil
	}
	u, err := url.Parse(s.Proxy)
	if err != nil || u.Scheme != "socks5" || u.Opaque+u.Path+u.RawQuery+u.Fragment != "" || u.Port() == "" {
		return SOCKS5{}, errProxy
	}
	addr, err := hostPort(u.Host)
	if err != nil {
		return SOCKS5{}, errProxy
	}
	password, _ := u.User.Password()
	p := SOCKS5{Addr: addr, User: u.User.Username(), Password: password}
	const most = 255 // RFC 1929 §2 has one octet for the length of each, and neither may be empty.
	if (p.User == "") != (p.Password == "") || max(len(p.User), len(p.Password)) > most {
		return SOCKS5{}, errors.New("needs a user and a password of 1 to 255 bytes, or neither")
	}
	return p, nil
}

// sites checks what rules for sites match. Whether there is such a provider is for who knows them.
func (k *checker) sites() {
	for i, r := range k.c.Egress.Sites {
		path := index("egress.sites", i)
		m := r.Match
		if m == (SiteMatch{}) && !k.faulty(path+".match") {
			k.fault(path+".match", "is missing; name a provider, mx or domain")
		}
		if m.Domain != "" && !isName(m.Domain, 2) {
			k.fault(path+".match.domain", "%s is not a domain such as example.org", quote(m.Domain))
		}
		if strings.ContainsAny(m.MX+m.Provider, " \t,") {
			k.fault(path+".match", "takes one pattern and one provider; for more, write more rules")
		}
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
