package address_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/verimails/verimaild/verify/address"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"ada@example.com", `"a\"b"@example.com`, "é@bücher.example", "ada@[IPv6:::1]", "ada@[x:y]", "\"\"@a.b",
		"a\r\n@b.c", "a@b@c.d", "\u212a@xn--i-7iq.ws", "a\u037e@l·l.cat", "<a@b.c>", strings.Repeat("a", 2000), "a@xn--.com", "\xff@\xfe", "a@[e:1\"1]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := address.Parse(s)
		if err != nil {
			se, ok := errors.AsType[*address.SyntaxError](err)
			if !ok || se.Offset < 0 || se.Offset > len(s) || se.Column < 1 || se.Column > utf8.RuneCountInString(s)+1 {
				t.Fatalf("Parse(%q): %#v points outside the input", s, err)
			}
			checkPrintable(t, err.Error())
			return
		}
		checkPath(t, a.Path())
		if again, err := address.Parse(a.String()); err != nil || again != a || again.String() != a.String() {
			t.Fatalf("Parse(%q) = %q, which parses to %q, %v", s, a, again, err)
		}
		if d := a.Domain(); a.IsLiteral() == (d != address.Domain{}) {
			t.Fatalf("Parse(%q): literal %v with domain %q", s, a.IsLiteral(), d)
		}
		address.Suggest(a.Domain())
	})
}

// checkPath wants a path that cannot end an SMTP command or its angle bracket early.
func checkPath(t *testing.T, path string) {
	t.Helper()
	if len(path) > 254 || !utf8.ValidString(path) {
		t.Fatalf("path %q: %d octets, valid UTF-8: %v", path, len(path), utf8.ValidString(path))
	}
	quoted, escaped := false, false
	for i := range len(path) {
		c := path[i]
		switch {
		case c < ' ' || c == 0x7f:
			t.Fatalf("path %q holds a control character", path)
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '<' || c == '>' || c == ' '):
			t.Fatalf("path %q holds %q outside quotes", path, c)
		}
	}
	if quoted || escaped {
		t.Fatalf("path %q leaves a quotation mark open", path)
	}
}

func FuzzParseDomain(f *testing.F) {
	for _, s := range []string{"example.com", "bücher.example", "xn--bcher-kva.de", "例え。テスト", "a..b", "xn--i-7iq.ws", "א1.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := address.ParseDomain(s)
		if err != nil {
			checkPrintable(t, err.Error())
			return
		}
		for _, form := range []string{d.ASCII(), d.Unicode()} {
			if again, err := address.ParseDomain(form); err != nil || again != d {
				t.Fatalf("ParseDomain(%q) = %q; its form %q parses to %q, %v", s, d, form, again, err)
			}
		}
	})
}
