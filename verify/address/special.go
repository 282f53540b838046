package address

import "strings"

// SpecialUse reports whether the domain lies under a name that is set aside, so that no mail host for it can be found by
// way of the public DNS, or none that a person uses: RFC 6761, 6762, 7686, 8375, 9476, and ICANN's .internal.
func (d Domain) SpecialUse() bool {
	name := d.name
	switch lastLabel(name) {
	case "alt", "example", "internal", "invalid", "local", "localhost", "onion", "test":
		return true
	}
	return isOrUnder(name, "example.com") || isOrUnder(name, "example.net") || isOrUnder(name, "example.org") ||
		isOrUnder(name, "home.arpa")
}

// isOrUnder reports whether name is parent or lies below it.
func isOrUnder(name, parent string) bool {
	rest, ok := strings.CutSuffix(name, parent)
	return ok && (rest == "" || rest[len(rest)-1] == '.')
}
