package address_test

import (
	"strings"
	"testing"

	"github.com/verimails/verimaild/verify/address"
)

func BenchmarkParse(b *testing.B) {
	for _, bb := range []struct{ name, in string }{
		{"plain", "ada.lovelace@example.com"},
		{"upper case", "Ada.Lovelace@Example.COM"},
		{"quoted", `"ada lovelace"@example.com`},
		{"UTF-8", "użytkownik@bücher.example"},
		{"invalid", "ada lovelace@example.com"},
		{"100 kB", strings.Repeat("a", 100_000)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = address.Parse(bb.in)
			}
		})
	}
}

func BenchmarkSuggest(b *testing.B) {
	for _, name := range []string{"gmail.com", "gmial.com", "example.org"} {
		d := mustDomain(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				address.Suggest(d)
			}
		})
	}
}
