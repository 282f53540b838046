package address_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"github.com/verimails/verimaild/verify/address"
)

var (
	local64  = strings.Repeat("a", 64)
	label63  = strings.Repeat("b", 63)
	name253  = label63 + "." + label63 + "." + label63 + "." + strings.Repeat("b", 61)
	domain63 = label63 + ".example"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, in, want string // want is the normal form.
	}{
		{"plain", "ada@example.com", "ada@example.com"},
		{"one letter", "a@example.com", "a@example.com"},
		{"case of the local part kept, domain lowered", "Ada.Lovelace@Example.COM", "Ada.Lovelace@example.com"},
		{"every atext sign", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
		{"digits only", "123@example.com", "123@example.com"},
		{"domain label of digits", "ada@123.com", "ada@123.com"},
		{"domain starts with a digit", "ada@1and1.example", "ada@1and1.example"},
		{"plus tag", "ada+news@example.com", "ada+news@example.com"},
		{"hyphen first in the local part", "-ada@example.com", "-ada@example.com"},
		{"two hyphens inside a label", "ada@g--a.com", "ada@g--a.com"},
		{"hyphens in third and fourth place", "ada@r3---sn.example", "ada@r3---sn.example"},
		{"many labels", "ada@a.b.c.d.e.example", "ada@a.b.c.d.e.example"},
		{"local part of 64 octets", local64 + "@example.com", local64 + "@example.com"},
		{"label of 63 octets", "ada@" + domain63, "ada@" + domain63},
		{"address of 254 octets", "a@" + name253[:252-8] + ".example", "a@" + name253[:252-8] + ".example"},
		{"sandbox domain", "deliverable@sandbox.test", "deliverable@sandbox.test"},

		{"needless quotes dropped", `"ada"@example.com`, "ada@example.com"},
		{"needless quoted-pair dropped", `"\a\d\a"@example.com`, "ada@example.com"},
		{"quotes kept for a space", `"ada lovelace"@example.com`, `"ada lovelace"@example.com`},
		{"quotes kept for an @", `"ada@home"@example.com`, `"ada@home"@example.com`},
		{"quotes kept for a leading dot", `".ada"@example.com`, `".ada"@example.com`},
		{"quotes kept for two dots", `"a..b"@example.com`, `"a..b"@example.com`},
		{"quotes kept for a trailing dot", `"ada."@example.com`, `"ada."@example.com`},
		{"empty quoted string", `""@example.com`, `""@example.com`},
		{"escaped quotation mark", `"a\"b"@example.com`, `"a\"b"@example.com`},
		{"escaped backslash", `"a\\b"@example.com`, `"a\\b"@example.com`},
		{"only an escaped quotation mark", `"\""@example.com`, `"\""@example.com`},
		{"escaped space", `"ada\ l"@example.com`, `"ada l"@example.com`},
		{"angle brackets in quotes", `"<ada>"@example.com`, `"<ada>"@example.com`},
		{"quoted string of 64 octets", `"` + strings.Repeat(" ", 62) + `"@example.com`, `"` + strings.Repeat(" ", 62) + `"@example.com`},

		{"UTF-8 local part", "użytkownik@example.com", "użytkownik@example.com"},
		{"Chinese address", "用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"},
		{"UTF-8 in quotes", `"ü ö"@example.com`, `"ü ö"@example.com`},
		{"quotes dropped around UTF-8", `"üö"@example.com`, "üö@example.com"},
		{"decomposed letter composed", "andre\u0301@example.com", "andré@example.com"},
		{"Kelvin sign is the letter K", "\u212a@example.com", "K@example.com"},
		{"composition that yields a semicolon is quoted", "a\u037eb@example.com", `"a;b"@example.com`},
		{"joiner that Persian needs", "نامه\u200cای@example.com", "نامه\u200cای@example.com"},

		{"U-label", "ada@bücher.example", "ada@xn--bcher-kva.example"},
		{"U-label in upper case", "ada@BÜCHER.example", "ada@xn--bcher-kva.example"},
		{"A-label", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		{"A-label in upper case", "ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"},
		{"sharp s is not ss", "ada@faß.example", "ada@xn--fa-hia.example"},
		{"ideographic full stop", "ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"},
		{"full-width letters", "ada@ｅｘａｍｐｌｅ．com", "ada@example.com"},
		{"right to left", "ada@אבג.example", "ada@xn--4dbcd.example"},
		{"middle dot", "ada@l·l.example", "ada@xn--ll-0ea.example"},
		{"joiner in its context", "ada@क्\u200dष.example", "ada@xn--11b2ezcw70k.example"},
		{"A-label of a symbol", "ada@xn--i-7iq.ws", "ada@xn--i-7iq.ws"},

		{"IPv4 literal", "ada@[192.0.2.1]", "ada@[192.0.2.1]"},
		{"IPv6 literal", "ada@[IPv6:2001:DB8:0::1]", "ada@[IPv6:2001:db8::1]"},
		{"IPv6 literal, tag in lower case", "ada@[ipv6:::1]", "ada@[IPv6:::1]"},
		{"IPv4 in an IPv6 literal", "ada@[IPv6:::ffff:192.0.2.1]", "ada@[IPv6:::ffff:192.0.2.1]"},
		{"general literal", "ada@[x400:c=de;a=x]", "ada@[x400:c=de;a=x]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := address.Parse(tt.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			if got := a.String(); got != tt.want {
				t.Errorf("Parse(%q).String() = %q, want %q", tt.in, got, tt.want)
			}
			if again, err := address.Parse(a.String()); err != nil || again != a {
				t.Errorf("Parse(%q) = %v, %v, want the same address", a.String(), again, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, in string
		offset   int
		column   int
		msg      string // Part of the message.
	}{
		{"empty", "", 0, 1, "empty"},
		{"no @", "ada", 3, 4, "no @"},
		{"no @, with dots", "ada.example.com", 15, 16, "no @"},
		{"@ alone", "@", 0, 1, "nothing stands before the @"},
		{"no local part", "@example.com", 0, 1, "nothing stands before the @"},
		{"no domain", "ada@", 4, 5, "domain is missing"},
		{"two @", "ada@home@example.com", 8, 9, "second @"},
		{"escaped @ outside quotes", `ada\@home@example.com`, 3, 4, "outside quotation marks"},
		{"dot first", ".ada@example.com", 0, 1, "starts with a dot"},
		{"dot last", "ada.@example.com", 3, 4, "ends with a dot"},
		{"two dots", "a..b@example.com", 2, 3, "two dots"},
		{"local part of 65 octets", local64 + "a@example.com", 64, 65, "65 octets; at most 64"},
		{"local part of 33 two-octet letters", strings.Repeat("é", 33) + "@example.com", 64, 33, "66 octets"},
		{"quoted string of 65 octets", `"` + strings.Repeat(" ", 63) + `"@example.com`, 64, 65, "65 octets"},
		{"quotes count even where they are not needed", `"` + strings.Repeat("a", 63) + `"@example.com`, 64, 65, "65 octets"},
		{"normal form too long", "a\u037eb" + strings.Repeat("\u0958", 20) + "@example.com", 0, 1, "in its normal form"},
		{"label of 64 octets", "ada@b" + domain63, 67, 68, "64 octets; at most 63"},
		{"address of 255 octets", "ab@" + name253[:252-8] + ".example", 2, 3, "255 octets; at most 254"},
		{"domain of 254 octets", "a@" + name253 + "b", 2, 3, "254 octets"},
		{"100 kB without @", strings.Repeat("a", 100_000), 254, 255, "has 100000"},
		{"100 kB of domain", "ada@" + strings.Repeat("a.", 50_000) + "com", 254, 255, "at most 254 octets"},

		{"space first", " ada@example.com", 0, 1, "a space stands before"},
		{"space last", "ada@example.com ", 15, 16, "a space stands after"},
		{"line feed last", "ada@example.com\n", 15, 16, "a line break stands after"},
		{"CR LF last", "ada@example.com\r\n", 15, 16, "a line break stands after"},
		{"no-break space last", "ada@example.com\u00a0", 15, 16, "the space U+00A0 stands after"},
		{"space inside", "ada lovelace@example.com", 3, 4, "a space is not allowed"},
		{"space before the @", "ada @example.com", 3, 4, "a space is not allowed"},
		{"space after the @", "ada@ example.com", 4, 5, "a space is not allowed"},
		{"tab inside", "ada\t@example.com", 3, 4, "a tab is not allowed"},
		{"CR LF in the local part", "ada\r\nRCPT TO:<eve@example.net>@example.com", 3, 4, "a line break is not allowed"},
		{"CR LF in quotes", "\"a\r\nb\"@example.com", 2, 3, "a line break is not allowed"},
		{"escaped LF", "\"a\\\nb\"@example.com", 3, 4, "a line break is not allowed after a backslash"},
		{"CR LF in the domain", "ada@example.com\r\nDATA", 15, 16, "a line break is not allowed"},
		{"CR LF in a literal", "ada@[192.0.2.1\r\n]", 14, 15, "a line break is not allowed"},
		{"NUL", "a\x00b@example.com", 1, 2, "the control character U+0000"},
		{"NUL in quotes", "\"a\x00b\"@example.com", 2, 3, "the control character U+0000"},
		{"DEL", "a\x7f@example.com", 1, 2, "the control character U+007F"},
		{"C1 control", "a\u0085b@example.com", 1, 2, "the control character U+0085"},
		{"line separator", "a\u2028b@example.com", 1, 2, "the space U+2028"},
		{"right-to-left override", "a\u202eb@example.com", 1, 2, "the invisible character U+202E"},
		{"zero-width space", "ada\u200b@example.com", 3, 4, "the invisible character U+200B"},
		{"byte order mark", "\ufeffada@example.com", 0, 1, "the invisible character U+FEFF"},
		{"replacement character", "ad\ufffd@example.com", 2, 3, "decoded wrongly"},
		{"column counts characters", "éé(x)@example.com", 4, 3, "a comment"},
		{"invalid UTF-8", "ad\xff@example.com", 2, 3, "not valid UTF-8"},
		{"Latin-1", "andr\xe9@example.com", 4, 5, "not valid UTF-8"},
		{"invalid UTF-8 in the domain", "ada@ex\xc3.com", 6, 7, "not valid UTF-8"},

		{"display name", "Ada Lovelace <ada@example.com>", 3, 4, "without a display name"},
		{"quoted display name", `"Ada" <ada@example.com>`, 5, 6, "without a display name"},
		{"angle brackets", "<ada@example.com>", 0, 1, "angle brackets"},
		{"bracket at the end", "ada@example.com>", 15, 16, "angle brackets"},
		{"comment first", "(x)ada@example.com", 0, 1, "comment"},
		{"comment last", "ada@example.com(x)", 15, 16, "comment"},
		{"source route", "@example.net:ada@example.com", 0, 1, "nothing stands before the @"},
		{"mailto", "mailto:ada@example.com", 6, 7, "':' is not allowed"},
		{"list", "ada@example.com,eve@example.com", 15, 16, "not a list"},

		{"quote never closed", `"ada@example.com`, 0, 1, "never closed"},
		{"quote closed by an escaped mark", `"ada\"@example.com`, 0, 1, "never closed"},
		{"three quotation marks", `"""@example.com`, 2, 3, "only the @ may follow"},
		{"quote in an atom", `a"b"@example.com`, 1, 2, "either all of it is quoted"},
		{"atom after a quote", `"a"b@example.com`, 3, 4, "only the @ may follow"},
		{"obsolete dotted quotes", `"a"."b"@example.com`, 3, 4, "only the @ may follow"},
		{"quote without @", `"ada"`, 5, 6, "no @"},
		{"backslash last", `"ada\`, 0, 1, "never closed"},
		{"escaped UTF-8", `"\é"@example.com`, 2, 3, "after a backslash"},

		{"single label", "ada@localhost", 13, 14, "only one label"},
		{"top-level domain alone", "ada@com", 7, 8, "only one label"},
		{"single U-label", "ada@例子", 10, 7, "only one label"},
		{"bare IPv4 address", "ada@192.0.2.1", 4, 5, "in brackets, as in [192.0.2.1]"},
		{"last label of digits", "ada@example.123", 4, 5, "ends in a number"},
		{"full-width digits", "ada@１２７.０.０.１", 4, 5, "ends in a number"},
		{"domain starts with a dot", "ada@.example.com", 4, 5, "starts with a dot"},
		{"domain ends with a dot", "ada@example.com.", 15, 16, "ends with a dot"},
		{"empty label", "ada@example..com", 12, 13, "two dots"},
		{"empty label beside a U-label", "ada@bücher..com", 12, 12, "empty"},
		{"U-label domain ends with a dot", "ada@bücher.", 12, 12, "empty"},
		{"hyphen first", "ada@-example.com", 4, 5, "starts with a hyphen"},
		{"hyphen last", "ada@example-.com", 11, 12, "ends with a hyphen"},
		{"underscore", "ada@ex_ample.com", 6, 7, "'_' is not allowed in a domain"},
		{"symbol in the domain", "ada@i❤.ws", 5, 6, "U+2764"},
		{"symbol that maps to a letter passes, one that does not fails", "ada@a™♥.com", 8, 7, "U+2665"},
		{"invisible character in the domain", "ada@exa\u00admple.com", 7, 8, "U+00AD"},
		{"full-width slash", "ada@a／b.com", 5, 6, "U+FF0F"},
		{"combining mark first", "ada@\u0301b.com", 4, 5, "IDNA2008"},
		{"joiner out of context", "ada@a\u200db.com", 4, 5, "IDNA2008"},
		{"U-label with hyphen first", "ada@-é.com", 4, 5, "IDNA2008"},
		{"U-label too long as A-label", "ada@" + strings.Repeat("é", 63) + ".com", 4, 5, "at most 63"},
		{"A-label that is no Punycode", "ada@xn--0000000000.com", 4, 5, "not a valid A-label"},
		{"A-label of nothing", "ada@xn--.com", 7, 8, "hyphen"},
		{"A-label of ASCII", "ada@xn--abc-.com", 11, 12, "hyphen"},
		{"A-label of a control character", "ada@xn--a.com", 4, 5, "not a valid A-label"},
		{"A-label in a domain with U-labels", "ada@xn--a.bücher.com", 4, 5, "not a valid A-label"},

		{"literal not closed", "ada@[192.0.2.1", 14, 15, "closing bracket"},
		{"literal followed by text", "ada@[192.0.2.1].com", 19, 20, "closing bracket"},
		{"empty literal", "ada@[]", 5, 6, "no IPv4"},
		{"octet too large", "ada@[192.0.2.256]", 5, 6, "no IPv4"},
		{"octal octet", "ada@[192.0.2.01]", 5, 6, "no IPv4"},
		{"name in a literal", "ada@[example.com]", 5, 6, "no IPv4"},
		{"IPv6 without tag", "ada@[2001:db8::1]", 5, 6, "needs the tag IPv6:"},
		{"bad IPv6", "ada@[IPv6:2001:db8]", 10, 11, "no IPv6"},
		{"IPv4 under the IPv6 tag", "ada@[IPv6:192.0.2.1]", 10, 11, "no IPv6"},
		{"zone", "ada@[IPv6:fe80::1%eth0]", 10, 11, "no IPv6"},
		{"general literal without content", "ada@[tag:]", 5, 6, "neither"},
		{"angle bracket in a literal", "ada@[tag:a>b]", 10, 11, "'>' is not allowed in an address literal"},
		{"quotation mark in a literal", `ada@[tag:a"b]`, 10, 11, "not allowed in an address literal"},
		{"UTF-8 in a literal", "ada@[tag:é]", 9, 10, "not allowed in an address literal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := address.Parse(tt.in)
			se, ok := errors.AsType[*address.SyntaxError](err)
			if !ok {
				t.Fatalf("Parse(%.100q) = %q, %v, want a SyntaxError", tt.in, a, err)
			}
			if se.Offset != tt.offset || se.Column != tt.column {
				t.Errorf("Parse(%.100q) points at offset %d, column %d, want %d, %d: %v", tt.in, se.Offset, se.Column, tt.offset, tt.column, err)
			}
			if !strings.Contains(se.Msg, tt.msg) {
				t.Errorf("Parse(%.100q) says %q, want something with %q", tt.in, se.Msg, tt.msg)
			}
			checkPrintable(t, err.Error())
			if a != (address.Address{}) {
				t.Errorf("Parse(%.100q) = %q with an error, want none", tt.in, a)
			}
		})
	}
}

// checkPrintable wants a message that can be shown and logged whatever was parsed.
func checkPrintable(t *testing.T, msg string) {
	t.Helper()
	if len(msg) > 400 {
		t.Errorf("the message has %d octets, want at most 400: %s", len(msg), msg)
	}
	for _, r := range msg {
		if !unicode.IsPrint(r) {
			t.Errorf("the message holds %U: %q", r, msg)
		}
	}
}

func TestSyntaxErrorText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"in the middle", "ada lovelace@example.com", `invalid address, column 4: a space is not allowed in the local part outside quotation marks (near "ada lovelace@exampl"…)`},
		{"nothing to show", "", `invalid address, column 1: the address is empty`},
		{"injection is escaped", "a\r\nQUIT@b.example", `invalid address, column 2: a line break is not allowed in an address (near "a\r\nQUIT@b.example")`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := address.Parse(tt.in)
			if err == nil || err.Error() != tt.want {
				t.Errorf("Parse(%q) says %v, want %s", tt.in, err, tt.want)
			}
		})
	}
}

func TestAddressParts(t *testing.T) {
	tests := []struct {
		name, in, local, domain, base, tag string
		tagged, utf8, literal              bool
	}{
		{"plain", "Ada@example.com", "Ada", "example.com", "Ada", "", false, false, false},
		{"tag", "ada+a+b@example.com", "ada+a+b", "example.com", "ada", "a+b", true, false, false},
		{"empty tag", "ada+@example.com", "ada+", "example.com", "ada", "", true, false, false},
		{"plus first", "+ada@example.com", "+ada", "example.com", "+ada", "", false, false, false},
		{"quoted", `"a \"b"@example.com`, `a "b`, "example.com", `a "b`, "", false, false, false},
		{"UTF-8", "é@bücher.example", "é", "xn--bcher-kva.example", "é", "", false, true, false},
		{"U-label needs no SMTPUTF8", "e@bücher.example", "e", "xn--bcher-kva.example", "e", "", false, false, false},
		{"literal", "ada@[192.0.2.1]", "ada", "", "ada", "", false, false, true},
		{"general literal", "ada@[x:y]", "ada", "", "ada", "", false, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := address.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			tag, tagged := a.Tag()
			if a.LocalPart() != tt.local || a.Domain().ASCII() != tt.domain || a.Base() != tt.base || tag != tt.tag || tagged != tt.tagged {
				t.Errorf("Parse(%q) has local-part %q, domain %q, base %q, tag %q, %v; want %q, %q, %q, %q, %v", tt.in,
					a.LocalPart(), a.Domain(), a.Base(), tag, tagged, tt.local, tt.domain, tt.base, tt.tag, tt.tagged)
			}
			if a.NeedsSMTPUTF8() != tt.utf8 || a.IsLiteral() != tt.literal {
				t.Errorf("Parse(%q): NeedsSMTPUTF8 = %v, IsLiteral = %v, want %v, %v", tt.in, a.NeedsSMTPUTF8(), a.IsLiteral(), tt.utf8, tt.literal)
			}
		})
	}
}

func TestEqualAddresses(t *testing.T) {
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"quotes", `"ada"@example.com`, "ada@example.com", true},
		{"domain case", "ada@EXAMPLE.com", "ada@example.com", true},
		{"A-label and U-label", "ada@bücher.example", "ada@xn--bcher-kva.example", true},
		{"composed and decomposed", "e\u0301@example.com", "é@example.com", true},
		{"spelling of an IPv6 address", "ada@[IPv6:0:0:0:0:0:0:0:1]", "ada@[IPv6:::1]", true},
		{"local-part case", "Ada@example.com", "ada@example.com", false},
		{"tag", "ada+x@example.com", "ada@example.com", false},
		{"dots", "a.da@example.com", "ada@example.com", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, errA := address.Parse(tt.a)
			b, errB := address.Parse(tt.b)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			if (a == b) != tt.same || (a.Key() == b.Key()) != tt.same {
				t.Errorf("%q == %q is %v, keys %q and %q, want %v", tt.a, tt.b, a == b, a.Key(), b.Key(), tt.same)
			}
		})
	}
}

func TestLiteral(t *testing.T) {
	tests := []struct {
		in   string
		want netip.Addr
	}{
		{"ada@[192.0.2.1]", netip.MustParseAddr("192.0.2.1")},
		{"ada@[IPv6:2001:db8::1]", netip.MustParseAddr("2001:db8::1")},
		{"ada@[x:y]", netip.Addr{}},
		{"ada@example.com", netip.Addr{}},
	}
	for _, tt := range tests {
		a, err := address.Parse(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Literal(); got != tt.want {
			t.Errorf("Parse(%q).Literal() = %v, want %v", tt.in, got, tt.want)
		}
	}
}
