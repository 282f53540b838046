package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/verimails/verimaild/verify/address"
)

func mustDomain(t testing.TB, s string) address.Domain {
	t.Helper()
	d, err := address.ParseDomain(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseDomain(t *testing.T) {
	tests := []struct{ name, in, ascii, unicode string }{
		{"plain", "Example.COM", "example.com", "example.com"},
		{"U-label", "Bücher.example", "xn--bcher-kva.example", "bücher.example"},
		{"A-label", "xn--bcher-kva.example", "xn--bcher-kva.example", "bücher.example"},
		{"symbols are not shown", "xn--i-7iq.ws", "xn--i-7iq.ws", "xn--i-7iq.ws"},
		{"253 octets", name253, name253, name253},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := mustDomain(t, tt.in)
			if d.ASCII() != tt.ascii || d.Unicode() != tt.unicode || d.String() != tt.ascii {
				t.Errorf("ParseDomain(%q) = %q, %q, want %q, %q", tt.in, d.ASCII(), d.Unicode(), tt.ascii, tt.unicode)
			}
		})
	}
}

func TestParseDomainRefuses(t *testing.T) {
	tests := []struct{ name, in, msg string }{
		{"empty", "", "missing"},
		{"single label", "localhost", "only one label"},
		{"final dot", "example.com.", "ends with a dot"},
		{"address", "ada@example.com", "@"},
		{"literal", "[192.0.2.1]", "'['"},
		{"254 octets", name253 + "b", "254 octets"},
		{"100 kB", strings.Repeat("a", 100_000), "has 100000"},
		{"100 kB of continuation bytes", strings.Repeat("\x89", 100_000), "has 100000"},
		{"invalid UTF-8", "ex\xffample.com", "UTF-8"},
		{"URL", "https://example.com/", "':'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := address.ParseDomain(tt.in)
			se, ok := errors.AsType[*address.SyntaxError](err)
			if !ok || se.What != "domain" || !strings.Contains(se.Msg, tt.msg) || d != (address.Domain{}) {
				t.Fatalf("ParseDomain(%.50q) = %q, %v, want a SyntaxError with %q", tt.in, d, err, tt.msg)
			}
			checkPrintable(t, err.Error())
		})
	}
}

func TestSpecialUse(t *testing.T) {
	tests := []struct {
		in   string
		want bool
	}{
		{"sandbox.test", true},
		{"printer.local", true},
		{"a.b.invalid", true},
		{"abc.onion", true},
		{"example.com", true},
		{"mail.example.org", true},
		{"router.home.arpa", true},
		{"myexample.com", false},
		{"test.com", false},
		{"gmail.com", false},
		{"in-addr.arpa", false},
	}
	for _, tt := range tests {
		if got := mustDomain(t, tt.in).SpecialUse(); got != tt.want {
			t.Errorf("SpecialUse(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	tests := []struct{ name, in, want string }{ // want "" means none.
		{"swapped letters", "gmial.com", "gmail.com"},
		{"swapped letters at the start", "mgail.com", "gmail.com"},
		{"lost letter", "gmal.com", "gmail.com"},
		{"doubled letter", "gmaill.com", "gmail.com"},
		{"neighbouring key", "gmsil.com", "gmail.com"},
		{"digit for a letter", "gmai1.com", "gmail.com"},
		{"last letter lost", "gmai.com", "gmail.com"},
		{"hotmail swapped", "hotmial.com", "hotmail.com"},
		{"hotmail lost", "hotmal.com", "hotmail.com"},
		{"first letter lost", "otmail.com", "hotmail.com"},
		{"yahoo lost", "yaho.com", "yahoo.com"},
		{"yahoo doubled", "yahooo.com", "yahoo.com"},
		{"outlook", "outlok.com", "outlook.com"},
		{"icloud", "iclud.com", "icloud.com"},
		{"two edits in a long name", "protnmial.com", "protonmail.com"},
		{"top-level domain", "gmail.con", "gmail.com"},
		{"top-level domain swapped", "gmail.cmo", "gmail.com"},
		{"name and top-level domain", "gmial.con", "gmail.com"},
		{"lost m", "gmail.co", "gmail.com"},
		{"lost o", "hotmail.cm", "hotmail.com"},
		{"national", "hotmial.fr", "hotmail.fr"},
		{"national with two labels", "yahooo.co.uk", "yahoo.co.uk"},
		{"second-level slip", "yahoo.co.ku", "yahoo.co.uk"},
		{"second-level slip under a real domain", "yahoo.con.br", "yahoo.com.br"},
		{"top-level domain of anyone", "mycompany.con", "mycompany.com"},
		{"top-level domain of anyone, below", "mail.mycompany.ogr", "mail.mycompany.org"},

		{"itself", "gmail.com", ""},
		{"other provider", "mail.com", ""},
		{"near provider", "ymail.com", ""},
		{"near provider, e", "email.com", ""},
		{"sister", "gmx.net", ""},
		{"sister of sister", "gmx.de", ""},
		{"national sister", "live.fr", ""},
		{"national domain that exists", "yahoo.com.vn", ""},
		{"national domain not listed", "hotmail.se", ""},
		{"company of the same name", "comcast.com", ""},
		{"cloud is not icloud", "cloud.com", ""},
		{"first letter differs", "xmail.com", ""},
		{"first letter is a neighbour", "hmail.com", ""},
		{"key far away", "gmxil.com", ""},
		{"two edits in a short name", "gmlai.con.com", ""},
		{"three letters", "aok.com", ""},
		{"four letters", "lice.com", ""},
		{"word near a provider", "libro.it", ""},
		{"mail.com family", "earthling.net", ""},
		{"existing top-level domain", "gmail.fr", ""},
		{"existing top-level domain of anyone", "mycompany.co", ""},
		{"unrelated", "example.com", ""},
		{"subdomain", "mail.gmial.com", ""},
		{"reserved", "gmail.test", ""},
		{"A-label", "xn--gmal-nza.com", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := address.Suggest(mustDomain(t, tt.in))
			if got.ASCII() != tt.want || ok != (tt.want != "") {
				t.Errorf("Suggest(%q) = %q, %v, want %q", tt.in, got, ok, tt.want)
			}
			if _, again := address.Suggest(got); again {
				t.Errorf("Suggest(%q) = %q, which gets a suggestion itself", tt.in, got)
			}
		})
	}
}

func TestSuggestNothingForNone(t *testing.T) {
	if got, ok := address.Suggest(address.Domain{}); ok {
		t.Errorf("Suggest of the zero Domain = %q, want none", got)
	}
}
