package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/verimails/verimaild/verify/address"
)

// The limits of RFC 5321 §4.5.3.1 to the octet, in the form that is sent.
func TestLengthLimits(t *testing.T) {
	domain := strings.Repeat("a.", 92) + "test" // 188 octets.
	grows := strings.Repeat("\u0958", 10)       // In normalisation form C it takes twice its 30 octets.
	for _, tt := range []struct {
		name, in string
		ok       bool
	}{
		{"local-part of 64", strings.Repeat("x", 64) + "@a.test", true},
		{"local-part of 65", strings.Repeat("x", 65) + "@a.test", false},
		{"local-part that grows to 64", grows + "xxxx@a.test", true},
		{"local-part that grows to 65", grows + "xxxxx@a.test", false},
		{"address of 254", strings.Repeat("x", 64) + "@a" + domain, true},
		{"address of 255", strings.Repeat("x", 64) + "@aa" + domain, false},
		{"label of 63", "x@" + strings.Repeat("a", 63) + ".test", true},
		{"label of 64", "x@" + strings.Repeat("a", 64) + ".test", false},
	} {
		if a, err := address.Parse(tt.in); (err == nil) != tt.ok {
			t.Errorf("%s: Parse = %v, %v, want it taken = %v", tt.name, a, err, tt.ok)
		}
	}
	long := strings.Repeat("a.", 124) + "test" // 252 octets.
	for name, tt := range map[string]struct {
		in string
		ok bool
	}{"domain of 253": {"a" + long, true}, "domain of 254": {"aa" + long, false}} {
		if d, err := address.ParseDomain(tt.in); (err == nil) != tt.ok {
			t.Errorf("%s: ParseDomain = %v, %v, want it taken = %v", name, d, err, tt.ok)
		}
	}
}

// The first and the last of each range of characters.
func TestEndsOfRanges(t *testing.T) {
	for _, in := range []string{
		"x@az.test", "x@AZ.test", "x@09.test", "az@a.test", "AZ@a.test", "09@a.test", `"\~"@a.test`, `"\ "@a.test`, `"~"@a.test`,
		"x@[tag:!~]", "x@[t-0:x]", "x@xn--bcher-kva.test",
	} {
		if _, err := address.Parse(in); err != nil {
			t.Errorf("Parse(%q) = %v, want it taken", in, err)
		}
	}
	for in, offset := range map[string]int{
		"x@a`z.test": 3, "x@a{z.test": 3, "x@a@z.test": 3, "x@a[z.test": 3, "x@a/z.test": 3, "x@a:z.test": 3,
		"x@[tag:a[b]": 8, "x@[tag:a b]": 8, "x@[[tag:b]": 3, "x@[tag:a\x7f]": 8, "x@[tag-:x]": 3, "x@[:x]": 3, "x@[tag:]": 3, "x@[ta_g:x]": 3,
		"\"\\\x7f\"@a.test": 2, "\"\\\x1f\"@a.test": 2, "\"\x1f\"@a.test": 1, "\"\x7f\"@a.test": 1, "\xff@a.test": 0,
		"x@－ä.test": 2, "x@ä－.test": 2, "x@ä\u200b.test": 4, "x@ä.a_b.test": 6, "x@ä.-b.test": 5,
	} {
		_, err := address.Parse(in)
		if se, ok := errors.AsType[*address.SyntaxError](err); !ok || se.Offset != offset {
			t.Errorf("Parse(%q) = %v, at %+v, want a fault at %d", in, err, se, offset)
		}
	}
	if _, err := address.ParseDomain("\xff.test"); err == nil {
		t.Error("ParseDomain of what is not UTF-8 = nil, want an error")
	}
}

// What is shown of a long input is what stands around the fault, in whole characters.
func TestNearOfAFault(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"cut on both sides", strings.Repeat("a", 20) + " " + strings.Repeat("b", 20) + "@a.test", `…"aaaaaaaaaaaaaaaa bbbbbbbbbbbbbbb"…`},
		{"not cut before", strings.Repeat("a", 16) + " b@a.test", `"aaaaaaaaaaaaaaaa b@a.test"`},
		{"cut before", strings.Repeat("a", 17) + " b@a.test", `…"aaaaaaaaaaaaaaaa b@a.test"`},
		{"in the midst of characters", strings.Repeat("ä", 10) + "x " + strings.Repeat("ö", 10) + "@a.test", `…"ääääääääx öööööööö"…`},
		{"characters of four octets", strings.Repeat("𝒳", 6) + "abc " + strings.Repeat("𝒴", 6) + "@a.test", `…"𝒳𝒳𝒳𝒳abc 𝒴𝒴𝒴𝒴"…`},
	} {
		_, err := address.Parse(tt.in)
		if se, ok := errors.AsType[*address.SyntaxError](err); !ok || se.Near != tt.want {
			t.Errorf("%s: Near = %+v, want %s", tt.name, se, tt.want)
		}
	}
}

func TestUnicodeOfADomain(t *testing.T) {
	for in, want := range map[string]string{
		"mail.xn--bcher-kva.test":          "mail.bücher.test",
		"xn--bcher-kva.mail.test":          "bücher.mail.test",
		"xn--i-7iq.xn--bcher-kva.test":     "xn--i-7iq.bücher.test", // A symbol: no U-label in IDNA2008.
		"xn--bcher-kva.xn--mnchen-3ya.com": "bücher.münchen.com",
	} {
		d, err := address.ParseDomain(in)
		if err != nil || d.Unicode() != want {
			t.Errorf("ParseDomain(%q).Unicode() = %q, %v, want %q", in, d.Unicode(), err, want)
		}
	}
}

// Slips that fingers make are told from names that are only alike; a short name is left alone.
func TestSuggestEdges(t *testing.T) {
	for in, want := range map[string]string{
		"gmali.com":                      "gmail.com",      // Neighbours swapped.
		"gmaul.com":                      "gmail.com",      // A neighbouring key.
		"gmazl.com":                      "",               // A key far from it.
		"gmasil.com":                     "gmail.com",      // Two keys at once.
		"gmxail.com":                     "",               // A letter from elsewhere.
		"gmailp.com":                     "gmail.com",      // Hit together with the last.
		"gmailx.com":                     "",               //
		"ggmail.com":                     "gmail.com",      // Doubled at the start.
		"xgmail.com":                     "",               //
		"hotmaxl.com":                    "hotmail.com",    // One edit in a long name, whatever key.
		"hotmxxl.com":                    "",               // Two in one of seven.
		"prxtonmxil.com":                 "protonmail.com", // Two in one of ten.
		"prxtxnmxil.com":                 "",               // Three.
		"utlook.com":                     "outlook.com",    // The first letter lost,
		"mail.com":                       "",               // but not of a short name.
		"potmail.com":                    "",               // Another first letter.
		"ohtmail.com":                    "hotmail.com",    // The first two swapped.
		strings.Repeat("g", 19) + ".com": "", strings.Repeat("g", 20) + ".com": "", strings.Repeat("g", 40) + ".com": "",
	} {
		d, err := address.ParseDomain(in)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := address.Suggest(d); got.ASCII() != want || ok != (want != "") {
			t.Errorf("Suggest(%s) = %s, %v, want %s", in, got, ok, want)
		}
	}
}
