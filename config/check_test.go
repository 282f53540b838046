package config

import (
	"strings"
	"testing"
)

func TestSender(t *testing.T) {
	for _, row := range []struct{ name, sender, want string }{
		{"none", "", ""},
		{"a mailbox", "probe@egress.example.net", ""},
		{"two labels", "probe@example.net", ""},
		{"a tag", "probe+a@example.net", ""},
		{"letters beyond ASCII", "prüfer@bücher.example", ""},
		{"a quoted at sign", `"a@b"@example.net`, ""},
		{"the empty reverse-path", "<>", "the empty reverse-path is never used"},
		{"a path", "<probe@example.net>", "is not a bare mailbox"},
		{"a display name", "Probe probe@example.net", "is not a bare mailbox"},
		{"no at sign", "example.net", "is not a mailbox"},
		{"no local-part", "@example.net", "is not a mailbox"},
		{"no domain", "probe@", "has no full domain"},
		{"one label", "probe@localhost", "has no full domain"},
		{"a dot at the end", "probe@example.net.", "has no full domain"},
		{"an address", "probe@192.0.2.1", "has no full domain"},
		{"an address literal", "probe@[192.0.2.1]", "has an address literal"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := Default(true, nil)
			c.Egress.Sender = row.sender
			expectFault(t, c, "egress.sender", row.want)
		})
	}
}

func TestEHLO(t *testing.T) {
	for _, row := range []struct {
		name, ehlo string
		want       bool
	}{
		{"a full name", "a.egress.example.net", true},
		{"two labels", "example.net", true},
		{"an A-label", "xn--bcher-kva.example", true},
		{"digits and hyphens", "mx-1.2a.example", true},
		{"an IPv4 literal", "[192.0.2.1]", true},
		{"an IPv6 literal", "[IPv6:2001:db8::1]", true},
		{"one label", "localhost", false},
		{"an address without brackets", "192.0.2.1", false},
		{"an IPv6 literal without tag", "[2001:db8::1]", false},
		{"an IPv4 literal with tag", "[IPv6:192.0.2.1]", false},
		{"a zone", "[IPv6:fe80::1%eth0]", false},
		{"an open literal", "[192.0.2.1", false},
		{"a U-label", "bücher.example", false},
		{"an underscore", "a_b.example.net", false},
		{"a hyphen at the end", "a-.example.net", false},
		{"an empty label", "a..example.net", false},
		{"a dot at the end", "example.net.", false},
		{"a space", "a b.example.net", false},
		{"a long label", strings.Repeat("a", 64) + ".example.net", false},
		{"a long name", strings.Repeat("abcdefghi.", 25) + "example", false},
		{"a broken character", "a\xff.example", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := isEHLO(row.ehlo); got != row.want {
				t.Errorf("isEHLO(%q) = %v, want %v", row.ehlo, got, row.want)
			}
		})
	}
}

func TestHostPort(t *testing.T) {
	for _, row := range []struct{ server, want string }{
		{"192.0.2.1", "192.0.2.1:53"},
		{"192.0.2.1:5353", "192.0.2.1:5353"},
		{"2001:db8::1", "[2001:db8::1]:53"},
		{"[2001:db8::1]", "[2001:db8::1]:53"},
		{"[2001:db8::1]:5353", "[2001:db8::1]:5353"},
		{"localhost:5353", "localhost:5353"},
		{"unbound.example.net", "unbound.example.net:53"},
		{"", ""},
		{":53", ""},
		{"192.0.2.1:", ""},
		{"192.0.2.1:0", ""},
		{"192.0.2.1:dns", ""},
		{"192.0.2.1:65536", ""},
		{"udp://192.0.2.1", ""},
		{"[2001:db8::1", ""},
	} {
		t.Run(row.server, func(t *testing.T) {
			if got, err := hostPort(row.server); got != row.want || (err == nil) != (row.want != "") {
				t.Errorf("hostPort(%q) = %q, %v, want %q", row.server, got, err, row.want)
			}
		})
	}
}

// expectFault checks that c has one fault, at key and with want in it, or none if want is empty.
func expectFault(t *testing.T, c *Config, key, want string) {
	t.Helper()
	faults := check(c, nil)
	switch {
	case want == "" && len(faults) == 0:
	case want != "" && len(faults) == 1 && faults[0].Key == key && strings.Contains(faults[0].Problem, want):
	default:
		t.Errorf("check = %v, want %q at %s", faults, want, key)
	}
}
